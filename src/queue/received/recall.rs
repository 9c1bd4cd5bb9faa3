//! What a peer gives back of what this node once signed: whoever restored an older copy of its store
//! learns from it what it has forgotten.
//!
//! A head tells that the store is behind. Receipts tell which of the peer's messages were archived,
//! cleared or rejected here: those that are here are marked again, and those still to come arrive
//! with their mark. The latter are kept in memory alone, since each session gives them back anew.

use super::author_log::AuthorLog;
use super::inbox::{Inbox, Usability};
use super::moved::Settling;
use super::sets::{Kind, Mark};
use crate::limits::{EPOCH_COUNT_MAX, RECALLED_RANGE_COUNT_MAX};
use crate::planted;
use crate::queue::Queue;
use crate::queue::dispatch::LogKey;
use crate::queue::error::QueueError;
use crate::queue::place::Place;
use crate::sync::{Receipt, Returned};
use crate::types::{Id, Ranges, Seq};

/// What became of entries before this store forgot them.
#[derive(Debug, Clone, Default)]
pub(in crate::queue) struct Recalled {
    archived: Ranges,
    rejected: Ranges,
}

impl Queue {
    /// Takes in what a peer gave back, verified to be this node's own.
    ///
    /// # Errors
    /// Fatal ones.
    pub fn recall(&mut self, peer: &Id, returned: &Returned) -> Result<(), QueueError> {
        for head in &returned.heads {
            let shown = self.on_shown(&head.tip());
            self.watch(shown)?;
        }
        for receipt in returned.receipts.iter().filter(|_| !planted::is("recall-ignored")) {
            self.recall_receipt(peer, receipt.unverified())?;
        }
        Ok(())
    }

    fn recall_receipt(&mut self, peer: &Id, receipt: &Receipt) -> Result<(), QueueError> {
        let epoch = receipt.epoch;
        let key = LogKey { author: self.peers.meet(peer)?, epoch };
        let archived = receipt.archived.to_ranges();
        let end = self.inbox.logs.get(&key).map_or(0, AuthorLog::durable);
        let rejecting = Settling::Marked(Mark::Rejected);
        for (set, to) in [(&archived, Settling::Recalled), (&receipt.rejected, rejecting)] {
            let here = set.within(0..end);
            let places =
                here.iter().map(|run| Place { from: *peer, epoch, seqs: run.start..=run.end - 1 });
            for place in places.collect::<Vec<_>>() {
                let marked = self.mark_one(&place, to);
                self.watch(marked)?;
            }
        }
        let [archived, rejected] =
            [&archived, &receipt.rejected].map(|set| set.within(end..u64::MAX));
        self.inbox.expect(key, archived, rejected);
        Ok(())
    }
}

impl Inbox {
    /// Remembers what entries are to be marked with when they come.
    fn expect(&mut self, key: LogKey, archived: Ranges, rejected: Ranges) {
        let is_known = self.recalled.contains_key(&key);
        let lives = self.recalled.keys().filter(|known| known.author == key.author).count();
        if archived.is_empty() && rejected.is_empty() || !is_known && lives >= EPOCH_COUNT_MAX {
            return;
        }
        let recalled = self.recalled.entry(key).or_default();
        for (set, more) in [(&mut recalled.archived, archived), (&mut recalled.rejected, rejected)]
        {
            if set.range_count() + more.range_count() <= RECALLED_RANGE_COUNT_MAX {
                set.union(&more);
            }
        }
    }
}

impl Recalled {
    /// The set that an entry belongs to when it comes, if it was done with before. What was archived
    /// comes without a long body, and is cleared.
    pub(in crate::queue) fn set_of(&self, seq: Seq, usability: Usability) -> Option<Kind> {
        if self.rejected.contains(seq.0) {
            return Some(Kind::Rejected);
        }
        let is_whole = matches!(usability, Usability::Usable { .. });
        let kind = if is_whole { Kind::Archived } else { Kind::Cleared };
        self.archived.contains(seq.0).then_some(kind)
    }
}
