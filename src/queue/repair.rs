//! Mending a store after a check: what is damaged is set aside, what follows from the rest is made
//! again, and what is another's to give is asked for again by the next session.
//!
//! ```text
//! findings → plan → rows to set aside (kept in a file by the caller) → apply → check again
//! ```
//!
//! *Invariant*: what was archived, cleared or rejected stays so while its set can be read, so that
//! what comes again is not offered again. A log whose entries are damaged is never continued: its
//! indexes may have been signed.

use std::collections::BTreeMap;

use bytes::Bytes;
use peermq_storage::{Batch, Store};

use super::check::{Fault, Finding, Part, Remedy};
use super::dispatch::LogKey;
use super::error::QueueError;
use super::peer_book::PeerBook;
use super::received::tally::settle_recent;
use super::{EPOCH, Queue, check};
use crate::limits::BACKUP_BATCH_SIZE;
use crate::log;
use crate::log::Abandoned;
use crate::log::layout::{self, Keys};
use crate::types::{Epoch, Id, UnixMs};

/// What is to be done about the findings of a check.
#[derive(Debug)]
pub struct Repair {
    me: Id,
    parts: BTreeMap<Part, Mending>,
    /// Rows to be set aside.
    aside: Vec<Bytes>,
}

/// What is to be done about one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mending {
    /// It is made again from what is sound.
    Rebuild,
    /// It goes, but for the sets that say what was done with its messages.
    Forget,
    /// It goes as a whole.
    ForgetAll,
}

impl Repair {
    /// Looks up which rows the findings concern.
    ///
    /// # Errors
    /// [`QueueError::Store`].
    pub fn plan(store: &dyn Store, me: &Id, findings: &[Finding]) -> Result<Self, QueueError> {
        let mut repair = Self { me: *me, parts: BTreeMap::new(), aside: Vec::new() };
        for finding in findings {
            let mending = match (finding.remedy(), &finding.fault) {
                (Remedy::Rebuild, _) => Mending::Rebuild,
                (Remedy::AskAgain, Fault::Sets) => Mending::ForgetAll,
                (Remedy::AskAgain, _) => Mending::Forget,
                (Remedy::SetAside | Remedy::NewEpoch, _) => Mending::ForgetAll,
            };
            let worst = repair.parts.entry(finding.part).or_insert(mending);
            *worst = mending.max(*worst);
            let alone = matches!(finding.part, Part::Node | Part::Peers | Part::Forks);
            repair.aside.extend(alone.then(|| finding.key.clone()));
            if finding.part == Part::Nobodys
                && let Some((author, epoch)) = layout::author_of(&finding.key)
            {
                repair.aside_all(store, layout::received_life(author, epoch))?;
            }
            if finding.part == Part::Bodies
                && let Some(salt) = layout::own_body_of(&finding.key)
            {
                repair.aside_all(store, [layout::own_chunks(&salt)])?;
            }
        }
        let peers = PeerBook::read(store, *me, |_| ())?;
        for (part, mending) in repair.parts.clone() {
            if let (Part::Log { epoch }, Mending::Forget | Mending::ForgetAll) = (part, mending) {
                // Before the blocks that tell of them, so that a repair that is cut off finds the rest.
                repair.aside_bodies(store, epoch)?;
            }
            repair.aside_all(store, rows_of(&peers, part, mending))?;
        }
        Ok(repair)
    }

    /// The keys of the rows that [`Repair::apply`] takes out of the store.
    #[must_use]
    pub fn aside(&self) -> &[Bytes] {
        &self.aside
    }

    /// Takes the rows out that the caller has kept elsewhere, durably, and makes again what can be.
    ///
    /// # Errors
    /// [`QueueError::Store`] and [`QueueError::Log`].
    pub fn apply(self, store: &dyn Store, now: UnixMs) -> Result<(), QueueError> {
        let mut batch = Batch::new();
        self.settle_marks(store, &mut batch)?;
        let epoch = self.next_epoch(store, now)?;
        let epoch_key = epoch.map(|_| layout::meta(EPOCH));
        if let Some(epoch) = epoch {
            put_epoch(&mut batch, epoch);
        }
        for key in self.aside.iter().filter(|key| epoch_key.as_ref() != Some(*key)) {
            batch.remove(key.clone());
            if batch.size() >= BACKUP_BATCH_SIZE {
                store.commit(std::mem::take(&mut batch))?;
            }
        }
        store.commit(batch)?;
        for (part, mending) in self.parts {
            match (part, mending) {
                (Part::Log { epoch }, Mending::Rebuild) => log::rebuild_outbox(store, epoch)?,
                (Part::Node, _) => name_epoch(store)?,
                (Part::Received { from, epoch }, Mending::Rebuild) => {
                    count_again(store, &self.me, from, epoch)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Has the sets of received logs, which stay, tell what their tallies, which go, tell of them.
    fn settle_marks(&self, store: &dyn Store, batch: &mut Batch) -> Result<(), QueueError> {
        let peers = PeerBook::read(store, self.me, |_| ())?;
        for (part, mending) in &self.parts {
            if let (Part::Received { from, epoch }, Mending::Forget) = (part, mending)
                && let Some(author) = peers.find(from).map(|peer| peer.number)
            {
                settle_recent(store, LogKey { author, epoch: *epoch }, batch)?;
            }
        }
        Ok(())
    }

    /// When the log that goes is the one that was to go on, the epoch of the one that does. It is
    /// named before the first row goes: an empty log under the old epoch would sign its indexes
    /// again.
    fn next_epoch(&self, store: &dyn Store, now: UnixMs) -> Result<Option<Epoch>, QueueError> {
        let damaged = self.parts.iter().filter_map(|(part, mending)| match (part, mending) {
            (Part::Log { epoch }, Mending::Forget | Mending::ForgetAll) => Some(*epoch),
            _ => None,
        });
        let Some(damaged) = damaged.max() else { return Ok(None) };
        let named = match self.aside.contains(&layout::meta(EPOCH)) {
            true => None,
            false => Queue::epoch_in(store)?,
        };
        let newest = log::lives(store)?.last().copied().max(named);
        let goes_on = newest.is_some_and(|newest| newest > damaged);
        let next = Epoch((now.0 / 1_000).max(damaged.0.saturating_add(1)));
        Ok((!goes_on).then_some(next))
    }

    /// The chunks of the long bodies of a life of this node's log.
    fn aside_bodies(&mut self, store: &dyn Store, epoch: Epoch) -> Result<(), QueueError> {
        for pair in store.scan(layout::own_blocks(epoch).as_range()) {
            let (key, block) = pair?;
            self.aside.extend(Abandoned::all_of(&key, block).iter().flat_map(Abandoned::keys));
        }
        Ok(())
    }

    fn aside_all(
        &mut self,
        store: &dyn Store,
        ranges: impl IntoIterator<Item = Keys>,
    ) -> Result<(), QueueError> {
        for keys in ranges {
            for key in store.keys(keys.as_range()) {
                self.aside.push(key?);
            }
        }
        Ok(())
    }
}

/// The rows of a part that are set aside.
fn rows_of(peers: &PeerBook, part: Part, mending: Mending) -> Vec<Keys> {
    let number = |id: &Id| peers.find(id).map(|peer| peer.number);
    match (part, mending) {
        (Part::Log { epoch }, Mending::Rebuild) => layout::outbox_of(epoch).into(),
        (Part::Log { epoch }, _) => {
            let deliveries =
                peers.iter().map(|(_, peer)| layout::delivery_rows(peer.number, epoch));
            layout::own_life(epoch).into_iter().chain(deliveries.flatten()).collect()
        }
        (Part::Delivery { to, epoch }, _) => {
            number(&to).map_or_else(Vec::new, |peer| layout::delivery_rows(peer, epoch).into())
        }
        (Part::Received { .. }, Mending::Rebuild) => Vec::new(),
        (Part::Received { from, epoch }, mending) => {
            number(&from).map_or_else(Vec::new, |author| {
                let sets = if mending == Mending::ForgetAll { 0..6 } else { 4..6 };
                let sets = sets.map(|kind| layout::set_chunks(author, epoch, kind));
                layout::received_life(author, epoch).into_iter().chain(sets).collect()
            })
        }
        (Part::Node | Part::Peers | Part::Nobodys | Part::Forks | Part::Bodies, _) => Vec::new(),
    }
}

/// The epoch, unless a row names it, is that of the newest log; without any the next open chooses one.
fn name_epoch(store: &dyn Store) -> Result<(), QueueError> {
    if Queue::epoch_in(store)?.is_some() {
        return Ok(());
    }
    let Some(newest) = log::lives(store)?.last().copied() else { return Ok(()) };
    let mut batch = Batch::new();
    put_epoch(&mut batch, newest);
    Ok(store.commit(batch)?)
}

fn put_epoch(batch: &mut Batch, epoch: Epoch) {
    batch.put(layout::meta(EPOCH), epoch.0.to_be_bytes().to_vec());
}

fn count_again(store: &dyn Store, me: &Id, from: Id, epoch: Epoch) -> Result<(), QueueError> {
    let peers = PeerBook::read(store, *me, |_| ())?;
    let Some(author) = peers.find(&from).map(|peer| peer.number) else { return Ok(()) };
    let key = LogKey { author, epoch };
    let Some(mut log) = check::received::count(store, me, from, key)? else { return Ok(()) };
    let mut batch = Batch::new();
    log.stage(&mut batch);
    Ok(store.commit(batch)?)
}
