//! Space that comes back: passes over all blocks, a step at a time between other work.
//!
//! ```text
//! archived, cleared, rejected there, lapsed → headers and bodies of this node's own entries
//! cleared, rejected, gone here, lapsed      → those of received ones
//! ```
//!
//! *Invariant*: each step is part of one durable batch, so a crash leaves a pass begun and nothing
//! half done. What a reader, a peer or a repeated idempotency key may still ask for stays.

use std::collections::{BTreeMap, VecDeque};

use peermq_storage::{Batch, Store};

use super::Queue;
use super::dispatch::LogKey;
use super::error::QueueError;
use super::peer_book::PeerBook;
use super::place::Place;
use super::received::moved::Settling;
use super::received::sets::Mark;
use super::sent::deliveries::Delivery;
use super::sent::outbox::Outbox;
use crate::limits::LITTER_COUNT_MIN;
use crate::log::{Abandoned, RewriteStep, Rewritten, Worth};
use crate::planted;
use crate::types::{Epoch, Recipient, UnixMs};

/// A pass over all blocks, as far as it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    worth: Worth,
    intent: Intent,
    keep: Keep,
    at: At,
    freed: u64,
}

/// What a pass is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// Space comes back.
    Free,
    /// Only to tell how much would come back: nothing is written.
    Tell,
}

/// Until when this node keeps the messages that it has sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keep {
    /// Until their recipients have archived, cleared or rejected them.
    #[default]
    Archived,
    /// Until their recipients have stored them: one that loses its disk then has lost them.
    Stored,
}

/// Where a pass has come to: a life of this node's log and an index, or of a received one and a seq.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum At {
    Start,
    Own(Epoch, u64),
    Received(LogKey, u64),
    End,
}

/// What is known of space that may come back.
#[derive(Debug)]
pub(super) struct Reclaim {
    /// By what it is counted.
    pub(super) keep: Keep,
    /// Entries that came to be of no more use since the last pass began.
    litter: u64,
    /// Whether more is there than is known: of what was before, nothing is counted.
    is_unknown: bool,
    /// Whether it was told that a pass is worth its while.
    is_told: bool,
    /// Below them there is nothing but leaf hashes.
    own_floors: BTreeMap<Epoch, u64>,
    received_floors: BTreeMap<LogKey, u64>,
    /// Whether a step is in the batch in the making.
    is_staged: bool,
    /// Whether all outbox rows are to be written with the batch in the making, so that all blocks may
    /// be written anew after it. Not before: what else is staged reads them.
    is_index_due: bool,
    /// Long bodies whose chunks are being removed.
    abandoned: VecDeque<Abandoned>,
}

impl Pass {
    /// A pass from the beginning.
    #[must_use]
    pub const fn new(worth: Worth, intent: Intent, keep: Keep) -> Self {
        Self { worth, intent, keep, at: At::Start, freed: 0 }
    }

    /// Whether nothing is left to be looked at.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.at == At::End
    }

    /// What it is for.
    #[must_use]
    pub const fn intent(&self) -> Intent {
        self.intent
    }

    /// Bytes of rows and bodies that were of no more use so far.
    #[must_use]
    pub const fn freed(&self) -> u64 {
        self.freed
    }
}

impl Queue {
    /// Does the next step of a pass; returns the pass as it stands then. What it frees is free once
    /// the step is committed. A step that has to wait for another's commit does nothing.
    ///
    /// # Errors
    /// Fatal ones.
    pub fn reclaim(&mut self, pass: Pass, now: UnixMs) -> Result<Pass, QueueError> {
        if self.reclaim.is_staged && pass.intent == Intent::Free {
            return Ok(pass);
        }
        let stepped = match pass.at {
            At::Start => Ok(self.start(pass)),
            At::Own(epoch, from) => self.reclaim_own(pass, epoch, from, now),
            At::Received(key, from) => self.reclaim_received(pass, key, from, now),
            At::End => Ok(pass),
        };
        self.watch(stepped)
    }

    /// The node has run for `uptime` milliseconds more: what expired long enough ago lapses, and is
    /// gone after the next pass that frees.
    pub fn pass_time(&mut self, now: UnixMs, uptime: u64) {
        self.reclaim.is_unknown |= self.lapse.pass(now, uptime);
    }

    /// Counts by another rule from now on how much a pass may free.
    pub const fn keep_sent(&mut self, keep: Keep) {
        self.reclaim.keep = keep;
    }

    /// Whether a pass may free something.
    #[must_use]
    pub const fn has_litter(&self) -> bool {
        self.reclaim.litter > 0 || self.reclaim.is_unknown
    }

    fn start(&mut self, pass: Pass) -> Pass {
        if pass.intent == Intent::Free {
            self.reclaim.litter = 0;
            self.reclaim.is_unknown &= pass.worth == Worth::Half;
            self.reclaim.is_told = false;
            self.reclaim.is_index_due |= pass.worth == Worth::Any;
        }
        Pass { at: self.life_after(At::Start), ..pass }
    }

    fn reclaim_own(
        &mut self,
        pass: Pass,
        epoch: Epoch,
        from: u64,
        now: UnixMs,
    ) -> Result<Pass, QueueError> {
        let mut scratch = Batch::new();
        let batch = if pass.intent == Intent::Free { &mut self.batch } else { &mut scratch };
        let Self { store, outbox, peers, stale, .. } = self;
        let Some(log) = outbox.life(epoch).filter(|_| stale.is_none()) else {
            return Ok(Pass { at: self.life_after(pass.at), ..pass });
        };
        let end = if pass.intent == Intent::Free { log.indexed() } else { log.length() };
        let step = RewriteStep { from, end, worth: pass.worth, now, lapsed: self.lapse.lapsed() };
        let rewritten = outbox.rewrite(&**store, peers, (epoch, pass.keep), &step, batch)?;
        let next = rewritten.next.map(|from| At::Own(epoch, from));
        let floor = self.reclaim.own_floors.entry(epoch).or_default();
        if pass.intent == Intent::Free && *floor == from {
            *floor = rewritten.settled;
        }
        Ok(self.after_step(pass, next, rewritten))
    }

    fn reclaim_received(
        &mut self,
        pass: Pass,
        key: LogKey,
        from: u64,
        now: UnixMs,
    ) -> Result<Pass, QueueError> {
        let lapsed = self.lapse.lapsed();
        let mut scratch = Batch::new();
        let batch = if pass.intent == Intent::Free { &mut self.batch } else { &mut scratch };
        let Some(log) = self.inbox.logs.get_mut(&key) else {
            return Ok(Pass { at: self.life_after(pass.at), ..pass });
        };
        let step = RewriteStep { from, end: log.durable(), worth: pass.worth, now, lapsed };
        let (rewritten, lapsed) = log.rewrite(&*self.store, &step, batch)?;
        let (id, next) = (log.id, rewritten.next.map(|from| At::Received(key, from)));
        if pass.intent == Intent::Free {
            for run in lapsed.iter() {
                let seqs = run.start..=run.end.saturating_sub(1);
                let place = Place { from: id, epoch: key.epoch, seqs };
                self.mark_one(&place, Settling::Marked(Mark::Rejected))?;
            }
        }
        let floor = self.reclaim.received_floors.entry(key).or_default();
        if pass.intent == Intent::Free && *floor == from {
            *floor = rewritten.settled;
        }
        Ok(self.after_step(pass, next, rewritten))
    }

    fn after_step(&mut self, pass: Pass, next: Option<At>, rewritten: Rewritten) -> Pass {
        let Rewritten { freed, abandoned, .. } = rewritten;
        if pass.intent == Intent::Free && freed > 0 {
            self.reclaim.is_staged = true;
            self.reclaim.abandon(abandoned);
        }
        let at = next.unwrap_or_else(|| self.life_after(pass.at));
        Pass { at, freed: pass.freed.saturating_add(freed), ..pass }
    }

    /// Where the life begins that comes after a place. A stale node leaves its own log as it is.
    fn life_after(&self, at: At) -> At {
        let Reclaim { own_floors, received_floors, .. } = &self.reclaim;
        let own = self.outbox.epochs().into_iter().filter(|_| self.stale.is_none());
        let own = own.map(|epoch| At::Own(epoch, floor(own_floors, &epoch)));
        let received = self.inbox.logs.values().map(|log| log.key);
        let received = received.map(|key| At::Received(key, floor(received_floors, &key)));
        let is_after = |life: &At| match (life, at) {
            (At::Own(life, _), At::Own(epoch, _)) => *life > epoch,
            (At::Received(life, _), At::Received(key, _)) => *life > key,
            (life, at) => *life > at,
        };
        own.chain(received).find(is_after).unwrap_or(At::End)
    }

    /// Counts entries that came to be of no more use.
    pub(super) const fn litter(&mut self, count: u64) {
        self.reclaim.litter = self.reclaim.litter.saturating_add(count);
    }

    /// Whether there is so much by now that a pass is worth its while; told once. A pass reads all
    /// that is not settled, so the longer that is, the more has to be there.
    pub(super) fn is_littered(&mut self) -> bool {
        if self.reclaim.is_told || self.reclaim.litter < LITTER_COUNT_MIN {
            return false;
        }
        let own = self
            .outbox
            .lives()
            .map(|log| log.length().saturating_sub(floor(&self.reclaim.own_floors, &log.epoch())));
        let received = self.inbox.logs.values().map(|log| {
            log.durable().saturating_sub(floor(&self.reclaim.received_floors, &log.key))
        });
        let unsettled = own.chain(received).fold(0, u64::saturating_add);
        self.reclaim.is_told = self.reclaim.litter >= unsettled / UNSETTLED_PER_LITTER;
        self.reclaim.is_told
    }
}

impl Outbox {
    /// One step through a life of this node's log.
    fn rewrite(
        &mut self,
        store: &dyn Store,
        peers: &PeerBook,
        (epoch, keep): (Epoch, Keep),
        step: &RewriteStep,
        batch: &mut Batch,
    ) -> Result<Rewritten, QueueError> {
        use std::collections::btree_map::Entry;
        let Self { log, ended, deliveries, .. } = self;
        let log = if epoch == log.epoch() { Some(log) } else { ended.get_mut(&epoch) };
        let Some(log) = log else { return Ok(Rewritten::default()) };
        let is_useless = |recipient: &Recipient, seq| {
            let Recipient::Peer(bytes) = recipient else { return Ok(false) };
            let Some(id) = peers.known(bytes) else { return Ok(false) };
            let Some(peer) = peers.find(&id).map(|peer| peer.number) else { return Ok(false) };
            let delivery = match deliveries.entry((peer, epoch)) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(Delivery::open(store, &id, peer, epoch)?),
            };
            let [stored, archived, rejected] = delivery.states(store, seq)?;
            let is_stored = stored && keep == Keep::Stored;
            let is_done = archived || rejected || is_stored;
            Ok::<_, QueueError>(is_done || planted::is("dropped-unread"))
        };
        log.rewrite(store, step, is_useless, batch)
    }
}

impl Reclaim {
    /// Nothing is known of what was before.
    pub(super) const fn new() -> Self {
        Self {
            keep: Keep::Archived,
            litter: 0,
            is_unknown: true,
            is_told: false,
            own_floors: BTreeMap::new(),
            received_floors: BTreeMap::new(),
            is_staged: false,
            is_index_due: false,
            abandoned: VecDeque::new(),
        }
    }

    /// Bodies whose chunks are to be removed.
    pub(super) fn abandon(&mut self, bodies: impl IntoIterator<Item = Abandoned>) {
        self.abandoned.extend(bodies);
    }

    /// Removes chunks of abandoned bodies while the batch stays below `size_max`.
    pub(super) fn sweep(&mut self, batch: &mut Batch, size_max: usize) {
        while let Some(mut body) = self.abandoned.pop_front() {
            if !body.remove(batch, size_max) {
                self.abandoned.push_front(body);
                return;
            }
        }
    }

    /// Whether chunks are still to be removed.
    pub(super) fn has_abandoned(&self) -> bool {
        !self.abandoned.is_empty()
    }

    /// Whether the outbox rows are to be written now.
    pub(super) const fn take_index_due(&mut self) -> bool {
        std::mem::replace(&mut self.is_index_due, false)
    }

    /// The batch is durable; returns whether a step was in it.
    pub(super) const fn on_committed(&mut self) -> bool {
        std::mem::replace(&mut self.is_staged, false)
    }
}

fn floor<K: Ord>(floors: &BTreeMap<K, u64>, life: &K) -> u64 {
    floors.get(life).copied().unwrap_or_default()
}

/// Entries that a pass may have to read for each one that it frees.
const UNSETTLED_PER_LITTER: u64 = 8;
