//! What is unread of one life of an author's log, and what was archived of it last.
//!
//! The row, in postcard after a version byte of 1: unread bytes · unread entries · bytes of held
//! long bodies among them · seqs whose body is missing · the lowest seq that may be unread · that
//! may not be stored · that may not be archived · the runs of seqs, all in one chunk, that were
//! archived since the set's chunk was written, absent when there are none.
//!
//! So a mark alone is one row: of two keys sled makes two writes, and one at a time takes twice as
//! long.

use bytes::Bytes;
use peermq_storage::{Batch, Store};
use serde::{Deserialize, Serialize};

use super::sets::Sets;
use crate::log::layout;
use crate::queue::dispatch::LogKey;
use crate::queue::error::QueueError;
use crate::queue::quota::Usage;
use crate::queue::row;
use crate::types::{Ranges, Seq};

/// What is unread of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::queue) struct Tally {
    /// Headers, inline bodies and held long bodies.
    pub(in crate::queue) unread: Usage,
    /// Bytes of the held long bodies alone.
    pub(in crate::queue) held_size: u64,
    /// Entries whose body is missing.
    pub(in crate::queue) missing: u64,
    /// Below it nothing is unread.
    pub(in crate::queue) floor: Seq,
    /// Below it every body is held, or was.
    pub(in crate::queue) stored_below: Seq,
    /// Below it every entry is archived or cleared.
    pub(in crate::queue) archived_below: Seq,
}

impl Tally {
    /// A log's tally, and the seqs archived since its sets were written.
    pub(in crate::queue) fn read(
        store: &dyn Store,
        log: LogKey,
    ) -> Result<(Self, Ranges), QueueError> {
        match store.get(&layout::tally(log.author, log.epoch))? {
            None => Ok((Self::default(), Ranges::new())),
            Some(row) => Self::from_row(&row).ok_or(DAMAGED),
        }
    }

    /// Its row, with the seqs archived since the log's sets were written.
    pub(in crate::queue) fn to_row(self, recent: &Ranges) -> Bytes {
        match recent.is_empty() {
            true => row::encode(&self),
            false => row::encode(&(self, recent)),
        }
    }

    fn from_row(row: &[u8]) -> Option<(Self, Ranges)> {
        if let Some(tally) = row::decode(row) {
            return Some((tally, Ranges::new()));
        }
        row::decode(row).filter(|(_, recent): &(_, Ranges)| !recent.is_empty())
    }
}

/// Puts what was archived last into the log's sets, which outlast its tally. Damaged sets keep
/// nothing.
pub(in crate::queue) fn settle_recent(
    store: &dyn Store,
    log: LogKey,
    batch: &mut Batch,
) -> Result<(), QueueError> {
    let mut sets = Sets::new(log.author, log.epoch);
    let restored =
        Tally::read(store, log).and_then(|(_, recent)| sets.restore(store, recent, u64::MAX));
    match restored {
        Ok(()) => sets.write(batch),
        Err(QueueError::Damaged(_)) => (),
        Err(error) => return Err(error),
    }
    Ok(())
}

const DAMAGED: QueueError = QueueError::Damaged("a tally");
