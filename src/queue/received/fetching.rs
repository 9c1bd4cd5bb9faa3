//! Long bodies on their way in: which are wanted, and what has come of them.

use bytes::Bytes;
use peermq_storage::{Batch, Store};

use super::author_log::AuthorLog;
use super::block::StoredContent;
use super::bodies::Progress as Held;
use super::inbox::Inbox;
use super::sets::Kind;
use super::sizes::read_block;
use crate::crypto::hash::Hash;
use crate::limits::{
    EAGER_BODY_SIZE_MAX, WANTED_COUNT_MAX, WANTED_SCAN_COUNT_MAX, WANTED_SIZE_MAX,
};
use crate::log::{Decoded, Header};
use crate::planted;
use crate::queue::dispatch::LogKey;
use crate::queue::error::QueueError;
use crate::sync::body::Progress;
use crate::types::{Epoch, Ranges, Seq};

/// A long body that is still to be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Which life of the author's log.
    pub epoch: Epoch,
    /// The entry.
    pub seq: Seq,
    /// Bytes of the sealed body.
    pub len: u64,
    /// BLAKE3 of the sealed body.
    pub hash: Hash,
    /// The first chunk that is not held yet.
    pub first_chunk: u32,
}

impl Wanted {
    /// Where its entry stands.
    #[must_use]
    pub const fn place(&self) -> (Epoch, Seq) {
        (self.epoch, self.seq)
    }
}

impl Inbox {
    /// Bodies of at most 16 MiB that an author's logs lack, oldest first, while what is held and
    /// wanted stays within the bound. One alone may pass it.
    pub(in crate::queue) fn wanted(
        &mut self,
        store: &dyn Store,
        author: u32,
    ) -> Result<Vec<Wanted>, QueueError> {
        let keys: Vec<_> = self.lives(author).map(|log| log.key).collect();
        let mut size: u64 = self.lives(author).map(|log| log.tally.held_size).sum();
        let mut wanted = Vec::new();
        for key in keys {
            for seq in self.first_missing_seqs(store, key)?.iter().flatten() {
                if self.bodies.is_hopeless(key, Seq(seq)) {
                    continue;
                }
                let body = self.missing_body(store, key, Seq(seq))?;
                let Some(body) = body.filter(|body| body.len <= EAGER_BODY_SIZE_MAX) else {
                    continue;
                };
                size = size.saturating_add(body.len);
                let is_alone = size == body.len;
                if wanted.len() == WANTED_COUNT_MAX || (size > WANTED_SIZE_MAX && !is_alone) {
                    return Ok(wanted);
                }
                wanted.push(body);
            }
        }
        Ok(wanted)
    }

    /// The first seqs of a log whose body is missing: no more than a look at each is worth, since
    /// a peer could fill its quota with entries whose bodies never come.
    fn first_missing_seqs(&mut self, store: &dyn Store, key: LogKey) -> Result<Ranges, QueueError> {
        let Some(log) = self.logs.get_mut(&key).filter(|log| log.tally.missing > 0) else {
            return Ok(Ranges::new());
        };
        let window = log.tally.floor.0..log.durable();
        log.sets.first_some(store, Kind::Missing, window, WANTED_SCAN_COUNT_MAX)
    }

    /// A body that is missing and can be fetched.
    pub(in crate::queue) fn missing_body(
        &mut self,
        store: &dyn Store,
        key: LogKey,
        seq: Seq,
    ) -> Result<Option<Wanted>, QueueError> {
        let Some(log) = self.logs.get_mut(&key).filter(|log| seq.0 < log.durable()) else {
            return Ok(None);
        };
        if !log.sets.contains(store, Kind::Missing, seq)? {
            return Ok(None);
        }
        let Some(header) = header(store, key, seq)? else { return Ok(None) };
        let first_chunk = self.bodies.progress(store, key, seq)?.chunks;
        let (len, hash) = (header.body_len, header.body_hash);
        Ok(Some(Wanted { epoch: key.epoch, seq, len, hash, first_chunk }))
    }

    /// Takes chunks of a missing body in; with [`Progress::Whole`] it is held from then on. Returns
    /// whether it became held. Chunks of a body that is not missing any more are dropped.
    pub(in crate::queue) fn hold_chunks(
        &mut self,
        store: &dyn Store,
        batch: &mut Batch,
        (key, seq): (LogKey, Seq),
        (first, chunks): (u32, Vec<Bytes>),
        progress: Progress,
    ) -> Result<bool, QueueError> {
        let Some(log) = self.logs.get_mut(&key).filter(|log| seq.0 < log.durable()) else {
            return Ok(false);
        };
        if !log.sets.contains(store, Kind::Missing, seq)? {
            return Ok(false);
        }
        let held = self.bodies.progress(store, key, seq)?;
        if first > held.chunks {
            return Err(QueueError::ChunkGap { expected: held.chunks, got: first });
        }
        let held = self.bodies.add(batch, key, seq, Held::of_full_chunks(first), chunks);
        if progress == Progress::More && !planted::is("held-in-part") {
            return Ok(false);
        }
        log.hold(store, seq, held.bytes)?;
        self.touch(key);
        Ok(true)
    }

    /// Forgets the chunks of a missing body, which turned out to be of another.
    pub(in crate::queue) fn drop_chunks(
        &mut self,
        store: &dyn Store,
        batch: &mut Batch,
        (key, seq): (LogKey, Seq),
    ) -> Result<(), QueueError> {
        let Some(log) = self.logs.get_mut(&key).filter(|log| seq.0 < log.durable()) else {
            return Ok(());
        };
        if log.sets.contains(store, Kind::Missing, seq)? {
            self.bodies.note_wrong(key, seq);
            let held = self.bodies.progress(store, key, seq)?;
            self.bodies.remove(batch, key, seq, held);
        }
        Ok(())
    }
}

impl AuthorLog {
    /// A missing body of `size` bytes is wholly here.
    fn hold(&mut self, store: &dyn Store, seq: Seq, size: u64) -> Result<(), QueueError> {
        self.sets.hold(store, seq)?;
        let tally = &mut self.tally;
        tally.missing = tally.missing.saturating_sub(1);
        tally.held_size = tally.held_size.saturating_add(size);
        tally.unread.bytes = tally.unread.bytes.saturating_add(size);
        self.changed.tally = true;
        self.untold.insert(seq.0..seq.0 + 1);
        Ok(())
    }
}

/// The header of a received entry, when this version can read it.
fn header(store: &dyn Store, key: LogKey, seq: Seq) -> Result<Option<Header>, QueueError> {
    let block = read_block(store, key, seq)?;
    let content = block.entries_from(seq).next().map(|entry| entry.content);
    let Some(StoredContent::Entry { header, .. }) = content else { return Ok(None) };
    Ok(match Header::decode(&header) {
        Ok(Decoded::Header(header)) => Some(header),
        _ => None,
    })
}
