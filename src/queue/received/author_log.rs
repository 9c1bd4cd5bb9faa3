//! One life of one author's log, as far as it was taken in: where following goes on, what became
//! of each entry, what is unread.
//!
//! | row | in postcard, after a version byte of 1 |
//! |---|---|
//! | author | signed head (137 to 155 bytes) · next announcement · bytes of headers and bodies in all blocks, as they came · peaks of the log (a list of at most 64 hashes) · next seq · peaks over the leaf hashes of the entries to this node (likewise) |
//!
//! Numbers are varints. The author row is written with each stored group, the [tally](super::tally)
//! with each commit that changes a mark: a mark alone costs few bytes.

use bytes::Bytes;
use peermq_storage::{Batch, KEY_SIZE_MAX, Store};
use serde::{Deserialize, Serialize};

use super::sets::Sets;
use super::tally::Tally;
use crate::crypto::hash::Hash;
use crate::limits::{CHECKPOINT_COUNT_MAX, PEAK_COUNT_MAX};
use crate::log::{InboxTree, Peaks, SignedHead, layout};
use crate::planted;
use crate::queue::dispatch::LogKey;
use crate::queue::error::QueueError;
use crate::queue::row;
use crate::queue::seq_set::SeqSet;
use crate::sync::Follow;
use crate::types::{Id, Ranges, Seq, bounded};

/// One life of one author's log.
#[derive(Debug)]
pub(in crate::queue) struct AuthorLog {
    /// Whose log.
    pub(in crate::queue) id: Id,
    /// Its place in keys.
    pub(in crate::queue) key: LogKey,
    /// The newest head taken in.
    pub(in crate::queue) head: SignedHead,
    /// Where following goes on.
    pub(in crate::queue) follow: Follow,
    /// Over the leaf hashes of the entries to this node.
    pub(in crate::queue) inbox: Peaks<InboxTree>,
    /// Bytes of headers and inline bodies in all blocks.
    pub(in crate::queue) size: u64,
    /// What is unread.
    pub(in crate::queue) tally: Tally,
    /// Heads beyond the newest that other readers told of, shortest first.
    checkpoints: Vec<SignedHead>,
    /// What became of each entry.
    pub(in crate::queue) sets: Sets,
    /// Seqs of which the peer is to be told: what they are has changed since receipts were read.
    pub(in crate::queue) untold: SeqSet,
    /// Which rows are to be written.
    pub(in crate::queue) changed: Changed,
    /// Entries to this node that are durable.
    durable: u64,
    /// Bytes of headers and inline bodies in the blocks that are durable.
    durable_size: u64,
}

/// Which rows differ from those in the store.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::queue) struct Changed {
    pub(in crate::queue) author: bool,
    pub(in crate::queue) tally: bool,
    pub(in crate::queue) checkpoints: bool,
}

/// The checkpoints row.
#[derive(Debug, Default, Serialize, Deserialize)]
struct CheckpointsRow {
    #[serde(deserialize_with = "bounded::list::<_, CHECKPOINT_COUNT_MAX, _>")]
    heads: Vec<SignedHead>,
}

/// The author row.
#[derive(Debug, Serialize, Deserialize)]
struct AuthorRow {
    head: SignedHead,
    next_announcement: Seq,
    size: u64,
    #[serde(deserialize_with = "bounded::list::<_, PEAK_COUNT_MAX, _>")]
    peaks: Vec<Hash>,
    next_seq: Seq,
    #[serde(deserialize_with = "bounded::list::<_, PEAK_COUNT_MAX, _>")]
    inbox: Vec<Hash>,
}

impl AuthorLog {
    /// A log of which nothing is taken in yet.
    pub(in crate::queue) fn new(id: Id, key: LogKey, head: SignedHead) -> Self {
        Self {
            id,
            key,
            head,
            follow: Follow::default(),
            inbox: Peaks::new(),
            size: 0,
            tally: Tally::default(),
            checkpoints: Vec::new(),
            sets: Sets::new(key.author, key.epoch),
            untold: SeqSet::new(),
            changed: Changed::default(),
            durable: 0,
            durable_size: 0,
        }
    }

    /// Takes a log up as its rows tell of it.
    pub(in crate::queue) fn read(
        store: &dyn Store,
        id: Id,
        key: LogKey,
        bytes: &[u8],
    ) -> Result<Self, QueueError> {
        let damaged = QueueError::Damaged("an author's row");
        let Some(AuthorRow { head, next_announcement, size, peaks, next_seq, inbox }) =
            row::decode(bytes)
        else {
            return Err(damaged);
        };
        let peaks = Peaks::from_parts(head.length, peaks);
        let (Some(peaks), Some(inbox)) = (peaks, Peaks::from_parts(next_seq.0, inbox)) else {
            return Err(damaged);
        };
        let (tally, recent) = Tally::read(store, key)?;
        let checkpoints = match store.get(&layout::checkpoints(key.author, key.epoch))? {
            None => CheckpointsRow::default(),
            Some(row) => row::decode(&row).ok_or(QueueError::Damaged("a row of checkpoints"))?,
        };
        let checkpoints = checkpoints.heads;
        let follow = Follow { peaks, next_seq, next_announcement };
        let (durable, durable_size) = (next_seq.0, size);
        let new = Self::new(id, key, head);
        let mut log =
            Self { follow, inbox, size, tally, checkpoints, durable, durable_size, ..new };
        log.sets.restore(store, recent, durable)?;
        Ok(log)
    }

    /// Entries to this node that were taken in.
    pub(in crate::queue) const fn received(&self) -> u64 {
        self.follow.next_seq.0
    }

    /// Entries to this node that are durable: all that may be spoken of.
    pub(in crate::queue) const fn durable(&self) -> u64 {
        self.durable
    }

    /// Where the durable blocks end, and the bytes in them.
    pub(in crate::queue) const fn durable_end(&self) -> (u64, u64) {
        (self.durable, self.durable_size)
    }

    /// The heads to which the author has to lead, shortest first.
    pub(in crate::queue) fn checkpoints(&self) -> &[SignedHead] {
        &self.checkpoints
    }

    /// Takes other checkpoints in place of those that it has.
    pub(in crate::queue) fn set_checkpoints(&mut self, checkpoints: Vec<SignedHead>) {
        self.changed.checkpoints |= checkpoints != self.checkpoints;
        self.checkpoints = checkpoints;
    }

    /// The batch is durable.
    pub(in crate::queue) const fn on_committed(&mut self) {
        (self.durable, self.durable_size) = (self.received(), self.size);
    }

    /// Bytes that the changes take up in a batch, at most.
    pub(in crate::queue) const fn staged_size(&self) -> usize {
        self.sets.staged_size() + ROWS_SIZE_MAX
    }

    /// Puts what has changed into the batch.
    pub(in crate::queue) fn stage(&mut self, batch: &mut Batch) {
        let LogKey { author, epoch } = self.key;
        let changed = std::mem::take(&mut self.changed);
        if changed.author {
            batch.put(layout::author(author, epoch), self.author_row());
        }
        let recent = match planted::is("mark-lost-on-reopen") {
            true => Ranges::new(),
            false => self.sets.stage(batch),
        };
        if changed.tally && !planted::is("tally-lost") {
            batch.put(layout::tally(author, epoch), self.tally.to_row(&recent));
        }
        if changed.checkpoints {
            let (key, heads) = (layout::checkpoints(author, epoch), self.checkpoints.clone());
            match heads.is_empty() {
                true => batch.remove(key),
                false => batch.put(key, row::encode(&CheckpointsRow { heads })),
            }
        }
    }

    fn author_row(&self) -> Bytes {
        row::encode(&AuthorRow {
            head: self.head,
            next_announcement: self.follow.next_announcement,
            size: self.size,
            peaks: self.follow.peaks.hashes().to_vec(),
            next_seq: self.follow.next_seq,
            inbox: self.inbox.hashes().to_vec(),
        })
    }
}

/// Bytes of author row, tally and checkpoints with their keys: 128 peaks, nine heads and a dozen
/// numbers. What was archived last takes less there than in its chunk.
const ROWS_SIZE_MAX: usize =
    128 * 32 + (1 + CHECKPOINT_COUNT_MAX) * 160 + 12 * 10 + 3 * KEY_SIZE_MAX;
