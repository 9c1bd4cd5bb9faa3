//! The unread stream's source: messages in order per author, in turn across authors.

use peermq_storage::Store;

use super::author_log::AuthorLog;
use super::inbox::Inbox;
use super::sets::Kind;
use super::sizes::read_block;
use crate::queue::dispatch::{Dispatch, ReaderId};
use crate::queue::error::QueueError;
use crate::queue::offer::{Offer, TakeBudget};
use crate::queue::peer_book::PeerBook;
use crate::types::{Ranges, Seq, UnixMs};

/// One reader's turn: what it may take, and what it has got so far.
#[derive(Debug)]
pub(in crate::queue) struct Taking<'a> {
    pub(in crate::queue) store: &'a dyn Store,
    pub(in crate::queue) peers: &'a PeerBook,
    pub(in crate::queue) dispatch: &'a mut Dispatch,
    pub(in crate::queue) reader: ReaderId,
    pub(in crate::queue) budget: TakeBudget,
    pub(in crate::queue) now: UnixMs,
    pub(in crate::queue) offers: Vec<Offer>,
    pub(in crate::queue) size: usize,
}

/// Why a log gives nothing more for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// Everything was given, or a body is awaited: something has to happen first.
    Waits,
    /// The budget is full.
    Full,
}

impl Taking<'_> {
    /// Takes from each log in turn until the budget is full.
    pub(in crate::queue) fn run(mut self, inbox: &mut Inbox) -> Result<Vec<Offer>, QueueError> {
        for _ in 0..self.dispatch.turn_count() {
            let Some(key) = self.dispatch.next_turn() else { break };
            let is_first_life = self.peers.is_first_life(key);
            let Some(log) = inbox.logs.get_mut(&key) else { continue };
            if self.take_from(log, is_first_life)? == Stop::Full {
                self.dispatch.wake(key);
                break;
            }
        }
        Ok(self.offers)
    }

    fn take_from(&mut self, log: &mut AuthorLog, is_first_life: bool) -> Result<Stop, QueueError> {
        let (key, end) = (log.key, log.durable());
        let mut cursor = self.dispatch.cursor(key).max(log.tally.floor);
        let stop = loop {
            let Some(first) = log.sets.first_unread(self.store, cursor.0..end)? else {
                cursor = Seq(end);
                break Stop::Waits;
            };
            let window = first.0..end.min(first.0.saturating_add(WINDOW_SEQ_COUNT));
            let mut free = log.sets.unread(self.store, window.clone())?;
            self.dispatch.remove_given(key, &mut free);
            let Some(run) = free.iter().next() else {
                cursor = Seq(window.end);
                continue;
            };
            cursor = Seq(run.start);
            if let Some(stop) = self.take_block(log, is_first_life, &mut cursor, &free)? {
                break stop;
            }
        };
        self.dispatch.advance(key, cursor);
        Ok(stop)
    }

    /// Takes what is free of the block at the cursor, and moves the cursor behind it.
    fn take_block(
        &mut self,
        log: &mut AuthorLog,
        is_first_life: bool,
        cursor: &mut Seq,
        free: &Ranges,
    ) -> Result<Option<Stop>, QueueError> {
        let block = read_block(self.store, log.key, *cursor)?;
        let span = cursor.0..block.seqs().end.min(free.end());
        let held = log.sets.within(self.store, Kind::Held, span.clone())?;
        let free = free.within(span.clone());
        for entry in block.entries_from(*cursor).take_while(|entry| entry.seq.0 < span.end) {
            let seq = entry.seq;
            if !free.contains(seq.0) {
                continue;
            }
            let offer = Offer::new(log, is_first_life, entry, held.contains(seq.0))?;
            let Some(offer) = offer else { continue };
            *cursor = seq;
            if offer.is_awaited() {
                return Ok(Some(Stop::Waits));
            }
            if offer.is_expired(self.now) {
                continue;
            }
            if self.is_full(&offer) {
                return Ok(Some(Stop::Full));
            }
            self.size = self.size.saturating_add(offer.size());
            self.offers.push(offer);
            self.dispatch.give(self.reader, log.key, seq.0..seq.0 + 1);
        }
        *cursor = Seq(span.end);
        Ok(None)
    }

    fn is_full(&self, next: &Offer) -> bool {
        let size = self.size.saturating_add(next.size());
        let has_room = self.offers.len() < self.budget.count && size <= self.budget.size;
        !self.offers.is_empty() && !has_room
    }
}

/// Seqs that are looked at together: what a reader's turn costs, however broken the sets are.
const WINDOW_SEQ_COUNT: u64 = 4_096;
