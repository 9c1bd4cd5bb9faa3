//! Marks: how entries leave unread, and what that frees.

use std::ops::Range;

use peermq_storage::{Batch, Store};

use super::author_log::AuthorLog;
use super::inbox::Inbox;
use super::moved::{Moved, Settling};
use super::sets::{Kind, Mark};
use crate::planted;
use crate::queue::dispatch::LogKey;
use crate::queue::error::QueueError;
use crate::types::{Ranges, Seq};

impl Inbox {
    /// Marks received entries, forward only, and says which of them changed.
    pub(in crate::queue) fn mark(
        &mut self,
        store: &dyn Store,
        batch: &mut Batch,
        key: LogKey,
        seqs: Range<u64>,
        to: Settling,
    ) -> Result<Moved, QueueError> {
        let Some(log) = self.logs.get_mut(&key) else { return Ok(Moved::default()) };
        let moved = log.sets.mark(store, seqs, to)?;
        if moved.is_empty() {
            return Ok(moved);
        }
        // What is staged beside the mark is in no block yet.
        let total = log.durable_end();
        let mut size = 0;
        for run in moved.from_unread.iter() {
            size += self.sizes.of_run(store, key, run, total)?;
        }
        let held_size = self.held_size(store, key, &moved.held)?;
        self.give_up(store, batch, key, &moved)?;
        let log = self.logs.get_mut(&key).expect("it was there above");
        log.leave_unread(&moved, size, held_size);
        log.raise_floor(store)?;
        self.touch(key);
        Ok(moved)
    }

    /// The first seq of `seqs` that cannot be archived, because its body is missing.
    pub(in crate::queue) fn first_missing(
        &mut self,
        store: &dyn Store,
        key: LogKey,
        seqs: Range<u64>,
    ) -> Result<Option<Seq>, QueueError> {
        match self.logs.get_mut(&key) {
            Some(log) if log.tally.missing > 0 => {
                let missing = log.sets.within(store, Kind::Missing, seqs)?;
                Ok(missing.iter().next().map(|run| Seq(run.start)))
            }
            _ => Ok(None),
        }
    }

    /// Bytes of the long bodies of seqs that have one.
    fn held_size(&self, store: &dyn Store, key: LogKey, seqs: &Ranges) -> Result<u64, QueueError> {
        let mut size: u64 = 0;
        for seq in seqs.iter().flatten() {
            size = size.saturating_add(self.bodies.progress(store, key, Seq(seq))?.bytes);
        }
        Ok(size)
    }

    fn give_up(
        &mut self,
        store: &dyn Store,
        batch: &mut Batch,
        key: LogKey,
        moved: &Moved,
    ) -> Result<(), QueueError> {
        for seq in moved.missing.iter().chain(moved.freed.iter()).flatten() {
            let held = self.bodies.progress(store, key, Seq(seq))?;
            self.bodies.give_up(batch, key, Seq(seq), held);
        }
        Ok(())
    }
}

impl AuthorLog {
    /// Counts entries out of unread: `size` bytes in blocks, `held_size` in long bodies.
    fn leave_unread(&mut self, moved: &Moved, size: u64, held_size: u64) {
        let tally = &mut self.tally;
        let unread = &mut tally.unread;
        unread.entries = unread.entries.saturating_sub(moved.from_unread.count());
        unread.bytes = unread.bytes.saturating_sub(size.saturating_add(held_size));
        tally.held_size = tally.held_size.saturating_sub(held_size);
        tally.missing = tally.missing.saturating_sub(moved.missing.count());
        self.changed.tally = true;
        if !planted::is("mark-untold") {
            moved.from_unread.iter().for_each(|run| self.untold.insert(run));
        }
    }

    /// Moves the floor up to the lowest entry that is unread.
    fn raise_floor(&mut self, store: &dyn Store) -> Result<(), QueueError> {
        let (floor, end) = (self.tally.floor, self.received());
        if floor.0 < end && self.sets.mark_of(store, floor)? != Mark::Unread {
            let first = self.sets.first_unread(store, floor.0..end)?;
            let first = first.filter(|_| !planted::is("floor-too-high"));
            self.tally.floor = first.unwrap_or(Seq(end));
        }
        Ok(())
    }
}
