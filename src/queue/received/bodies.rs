//! Long bodies that were received: how much of each is held, and the removal of those that are of
//! no use any more.
//!
//! | row | value |
//! |---|---|
//! | received body | chunks held 4, bytes held 8; from its first chunk until it is of no use |
//! | useless body | chunks 4; until they are removed |
//!
//! A body that is of no use only gets a row, so that a mark stays small; commits remove its chunks
//! as far as they have room, and an open goes on where a crash interrupted.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use peermq_storage::{Batch, Store};

use crate::limits::{BODY_CHUNK_SIZE, WRONG_BODY_COUNT_MAX, WRONG_BODY_TRY_COUNT};
use crate::log::layout;
use crate::queue::dispatch::LogKey;
use crate::queue::error::QueueError;
use crate::types::{Epoch, Id, Recipient, Seq};

/// The long bodies of all authors.
#[derive(Debug)]
pub(in crate::queue) struct Bodies {
    recipient: Recipient,
    /// What the batch in the making changes.
    staged: BTreeMap<(LogKey, Seq), Progress>,
    useless: VecDeque<Useless>,
    /// How often bodies came other than they were signed, since the process began.
    wrong: BTreeMap<(LogKey, Seq), u32>,
}

/// How much of a body is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::queue) struct Progress {
    pub(in crate::queue) chunks: u32,
    pub(in crate::queue) bytes: u64,
}

/// A body whose chunks are to be removed, the last ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Useless {
    log: LogKey,
    seq: Seq,
    chunks: u32,
}

impl Bodies {
    /// Reads which bodies were being removed.
    pub(in crate::queue) fn open(store: &dyn Store, me: &Id) -> Result<Self, QueueError> {
        let (recipient, staged) = (Recipient::Peer(*me.as_bytes()), BTreeMap::new());
        let (useless, wrong) = (VecDeque::new(), BTreeMap::new());
        let mut bodies = Self { recipient, staged, useless, wrong };
        for row in store.scan(layout::useless_bodies().as_range()) {
            let (key, value) = row?;
            let useless = Useless::read(&key, &value);
            bodies.useless.push_back(useless.ok_or(QueueError::Damaged("a useless body's row"))?);
        }
        Ok(bodies)
    }

    /// How much of a body is held.
    pub(in crate::queue) fn progress(
        &self,
        store: &dyn Store,
        log: LogKey,
        seq: Seq,
    ) -> Result<Progress, QueueError> {
        if let Some(progress) = self.staged.get(&(log, seq)) {
            return Ok(*progress);
        }
        match store.get(&layout::received_body(log.author, log.epoch, seq))? {
            None => Ok(Progress::default()),
            Some(row) => Progress::read(&row).ok_or(QueueError::Damaged("a received body's row")),
        }
    }

    /// A chunk that is held.
    pub(in crate::queue) fn chunk(
        &self,
        store: &dyn Store,
        log: LogKey,
        seq: Seq,
        number: u32,
    ) -> Result<Option<Bytes>, QueueError> {
        Ok(store.get(&self.chunk_key(log, seq, number))?)
    }

    /// Puts chunks behind the first ones that are held; what was held after those is replaced.
    pub(in crate::queue) fn add(
        &mut self,
        batch: &mut Batch,
        log: LogKey,
        seq: Seq,
        held: Progress,
        chunks: Vec<Bytes>,
    ) -> Progress {
        let mut progress = held;
        for chunk in chunks {
            progress.bytes += u64::try_from(chunk.len()).expect("a length in memory fits u64");
            batch.put(self.chunk_key(log, seq, progress.chunks), chunk);
            progress.chunks += 1;
        }
        batch.put(layout::received_body(log.author, log.epoch, seq), progress.to_bytes());
        self.staged.insert((log, seq), progress);
        progress
    }

    /// Gives a body up: its chunks go with this commit or a later one.
    pub(in crate::queue) fn give_up(
        &mut self,
        batch: &mut Batch,
        log: LogKey,
        seq: Seq,
        held: Progress,
    ) {
        if held.chunks == 0 {
            return;
        }
        batch.remove(layout::received_body(log.author, log.epoch, seq));
        let useless = Useless { log, seq, chunks: held.chunks };
        batch.put(useless.key(), useless.chunks.to_be_bytes().to_vec());
        self.useless.push_back(useless);
        self.staged.insert((log, seq), Progress::default());
    }

    /// A body came other than it was signed.
    pub(in crate::queue) fn note_wrong(&mut self, log: LogKey, seq: Seq) {
        if self.wrong.len() >= WRONG_BODY_COUNT_MAX {
            self.wrong.pop_first();
        }
        let count = self.wrong.entry((log, seq)).or_default();
        *count = count.saturating_add(1);
    }

    /// Whether its author has shown often enough that it does not have a body: an older copy of its
    /// store was put back, and it wrote something else there.
    pub(in crate::queue) fn is_hopeless(&self, log: LogKey, seq: Seq) -> bool {
        self.wrong.get(&(log, seq)).is_some_and(|count| *count >= WRONG_BODY_TRY_COUNT)
    }

    /// Removes a body's chunks with this commit, so that they may come again.
    pub(in crate::queue) fn remove(
        &mut self,
        batch: &mut Batch,
        log: LogKey,
        seq: Seq,
        held: Progress,
    ) {
        for number in 0..held.chunks {
            batch.remove(self.chunk_key(log, seq, number));
        }
        batch.remove(layout::received_body(log.author, log.epoch, seq));
        self.staged.insert((log, seq), Progress::default());
    }

    /// The batch is durable.
    pub(in crate::queue) fn on_committed(&mut self) {
        self.staged.clear();
    }

    /// Removes chunks of useless bodies while the batch stays below `size_max`.
    pub(in crate::queue) fn sweep(&mut self, batch: &mut Batch, size_max: usize) {
        while let Some(mut useless) = self.useless.pop_front() {
            while let Some(last) = useless.chunks.checked_sub(1) {
                if batch.size() >= size_max {
                    batch.put(useless.key(), useless.chunks.to_be_bytes().to_vec());
                    self.useless.push_front(useless);
                    return;
                }
                batch.remove(self.chunk_key(useless.log, useless.seq, last));
                useless.chunks = last;
            }
            batch.remove(useless.key());
        }
    }

    /// Whether chunks are still to be removed.
    pub(in crate::queue) fn has_useless(&self) -> bool {
        !self.useless.is_empty()
    }

    fn chunk_key(&self, log: LogKey, seq: Seq, number: u32) -> Bytes {
        layout::received_chunk(log.author, log.epoch, &self.recipient, seq, number)
    }
}

impl Progress {
    /// As many chunks, each of them full: only a body's last one is not.
    pub(in crate::queue) fn of_full_chunks(chunks: u32) -> Self {
        let size = u64::try_from(BODY_CHUNK_SIZE).expect("a chunk's size fits u64");
        Self { chunks, bytes: u64::from(chunks) * size }
    }

    fn read(row: &[u8]) -> Option<Self> {
        let (chunks, bytes) = row.split_first_chunk()?;
        let bytes = u64::from_be_bytes(bytes.try_into().ok()?);
        Some(Self { chunks: u32::from_be_bytes(*chunks), bytes })
    }

    fn to_bytes(self) -> Vec<u8> {
        [&self.chunks.to_be_bytes()[..], &self.bytes.to_be_bytes()].concat()
    }
}

impl Useless {
    fn read(key: &[u8], row: &[u8]) -> Option<Self> {
        let (author, rest) = key.split_first()?.1.split_first_chunk()?;
        let (epoch, seq) = rest.split_first_chunk()?;
        let epoch = Epoch(u64::from_be_bytes(*epoch));
        let log = LogKey { author: u32::from_be_bytes(*author), epoch };
        let seq = Seq(u64::from_be_bytes(seq.try_into().ok()?));
        Some(Self { log, seq, chunks: u32::from_be_bytes(row.try_into().ok()?) })
    }

    fn key(&self) -> Bytes {
        layout::useless_body(self.log.author, self.log.epoch, self.seq)
    }
}
