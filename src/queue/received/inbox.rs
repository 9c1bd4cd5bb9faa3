//! What other nodes have written to this one: their logs as taken in, and what became of each
//! entry.

use std::collections::BTreeMap;

use bytes::Bytes;
use peermq_storage::{Batch, Store};

use super::author_log::{AuthorLog, Changed};
use super::block_builder::ReceivedBlockBuilder;
use super::bodies::Bodies;
use super::recall::Recalled;
use super::sets::Kind as SetKind;
use super::sizes::Sizes;
use crate::limits::EPOCH_COUNT_MAX;
use crate::log::{Decoded, layout};
use crate::planted;
use crate::queue::dispatch::LogKey;
use crate::queue::error::QueueError;
use crate::queue::peer_book::PeerBook;
use crate::sync::{Content, Follow, Kind, Misbehaviour, Received, ReceivedEntry, Refusal};
use crate::types::{Epoch, Id, Seq};

/// All authors' logs.
#[derive(Debug)]
pub(in crate::queue) struct Inbox {
    pub(in crate::queue) logs: BTreeMap<LogKey, AuthorLog>,
    pub(in crate::queue) sizes: Sizes,
    pub(in crate::queue) bodies: Bodies,
    /// What was done with entries before this store forgot them.
    pub(in crate::queue) recalled: BTreeMap<LogKey, Recalled>,
    /// Logs that the batch in the making changes.
    touched: Vec<LogKey>,
}

/// What became of a group that was to be taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queue) enum Taken {
    /// Its entries are staged.
    In,
    /// They were here already.
    Before,
    /// The peer misbehaved.
    Refused(Refusal),
}

impl Inbox {
    /// Reads how far each author's log is taken in.
    pub(in crate::queue) fn open(
        store: &dyn Store,
        me: &Id,
        peers: &PeerBook,
    ) -> Result<Self, QueueError> {
        let mut logs = BTreeMap::new();
        for row in store.scan(layout::authors().as_range()) {
            let (key, row) = row?;
            let (author, epoch) = layout::author_of(&key).ok_or(UNKNOWN_AUTHOR)?;
            let (id, key) = (*peers.id(author).ok_or(UNKNOWN_AUTHOR)?, LogKey { author, epoch });
            logs.insert(key, AuthorLog::read(store, id, key, &row)?);
        }
        let bodies = Bodies::open(store, me)?;
        let (sizes, recalled) = (Sizes::default(), BTreeMap::new());
        Ok(Self { logs, sizes, bodies, recalled, touched: Vec::new() })
    }

    /// The lives of one author's log that are taken in, oldest first.
    pub(in crate::queue) fn lives(
        &self,
        author: u32,
    ) -> impl DoubleEndedIterator<Item = &AuthorLog> {
        let range = LogKey { author, epoch: Epoch(0) }..=LogKey { author, epoch: Epoch(u64::MAX) };
        self.logs.range(range).map(|(_, log)| log)
    }

    /// The same, to be changed.
    pub(in crate::queue) fn lives_mut(
        &mut self,
        author: u32,
    ) -> impl Iterator<Item = &mut AuthorLog> {
        let range = LogKey { author, epoch: Epoch(0) }..=LogKey { author, epoch: Epoch(u64::MAX) };
        self.logs.range_mut(range).map(|(_, log)| log)
    }

    /// Takes a verified group in.
    pub(in crate::queue) fn receive(
        &mut self,
        store: &dyn Store,
        batch: &mut Batch,
        (id, author): (&Id, u32),
        received: &Received,
    ) -> Result<Taken, QueueError> {
        let key = LogKey { author, epoch: received.head.epoch };
        if !self.logs.contains_key(&key) {
            if self.lives(author).count() >= EPOCH_COUNT_MAX {
                let foreign = Misbehaviour::ForeignLog(Kind::Advance);
                return Ok(Taken::Refused(Refusal::Misbehaved(foreign)));
            }
            self.logs.insert(key, AuthorLog::new(*id, key, received.head));
        }
        let log = self.logs.get_mut(&key).expect("it was there or is now");
        if received.head.length <= log.follow.length() {
            return Ok(Taken::Before);
        }
        if log.passes_checkpoint(received) {
            return Ok(Taken::Refused(Refusal::PassesCheckpoint(key.epoch)));
        }
        if let Some(gap) = gap(&log.follow, received) {
            return Ok(Taken::Refused(Refusal::Misbehaved(gap)));
        }
        log.take_in(store, batch, received, self.recalled.get(&key))?;
        self.touch(key);
        Ok(Taken::In)
    }

    /// Notes that the batch in the making changes a log.
    pub(in crate::queue) fn touch(&mut self, key: LogKey) {
        if self.touched.last() != Some(&key) && !self.touched.contains(&key) {
            self.touched.push(key);
        }
    }

    /// Bytes that the changes take up in a batch, at most.
    pub(in crate::queue) fn staged_size(&self) -> usize {
        let logs = self.touched.iter().filter_map(|key| self.logs.get(key));
        logs.map(AuthorLog::staged_size).sum()
    }

    /// Puts what has changed into the batch.
    pub(in crate::queue) fn stage(&mut self, batch: &mut Batch) {
        let staged = if planted::is("early-receipt") { 1 } else { self.touched.len() };
        for key in self.touched.iter().take(staged) {
            if let Some(log) = self.logs.get_mut(key) {
                log.stage(batch);
            }
        }
    }

    /// The batch is durable.
    pub(in crate::queue) fn on_committed(&mut self) {
        for key in std::mem::take(&mut self.touched) {
            if let Some(log) = self.logs.get_mut(&key) {
                log.on_committed();
            }
        }
        self.bodies.on_committed();
    }
}

impl AuthorLog {
    /// Whether a group goes past a head that the author has signed, without having been compared
    /// with it.
    fn passes_checkpoint(&self, received: &Received) -> bool {
        let passed = self.checkpoints().iter().take_while(|it| it.length <= received.head.length);
        passed.into_iter().any(|it| !received.reached.contains(&it.length))
    }

    fn take_in(
        &mut self,
        store: &dyn Store,
        batch: &mut Batch,
        received: &Received,
        recalled: Option<&Recalled>,
    ) -> Result<(), QueueError> {
        let before = self.received();
        // The others were here before a repair set this log aside, and stay as they were marked.
        let fresh = self.sets.unread(store, before..received.follow.next_seq.0)?;
        self.size = stage_blocks(batch, self.key, &received.entries, self.size);
        for entry in &received.entries {
            self.inbox.push_leaf(entry.leaf, |_, _| ());
            if !fresh.contains(entry.seq.0) {
                continue;
            }
            let usability = usability(&entry.content);
            if let Some(set) = recalled.and_then(|before| before.set_of(entry.seq, usability)) {
                self.sets.settle(store, set, entry.seq)?;
                continue;
            }
            let size = match usability {
                Usability::Usable { size } => size,
                Usability::NotYet { size } => {
                    self.sets.miss(store, entry.seq)?;
                    self.tally.missing += 1;
                    size
                }
                Usability::Never => {
                    self.sets.settle(store, SetKind::Gone, entry.seq)?;
                    continue;
                }
            };
            self.tally.unread.entries += 1;
            self.tally.unread.bytes += u64::try_from(size).expect("a length in memory fits u64");
        }
        self.head = received.head;
        self.follow = received.follow.clone();
        self.untold.insert(before..self.received());
        let ahead = self.checkpoints().iter().filter(|it| it.length > received.head.length);
        self.set_checkpoints(ahead.copied().collect());
        self.changed = Changed { author: true, tally: true, ..self.changed };
        Ok(())
    }
}

/// Whether a reader can have an entry, and its bytes in the block.
#[derive(Debug, Clone, Copy)]
pub(in crate::queue) enum Usability {
    Usable { size: usize },
    NotYet { size: usize },
    Never,
}

fn usability(content: &Content) -> Usability {
    let Content::Entry { header, decoded, body } = content else { return Usability::Never };
    let size = header.len() + body.as_ref().map_or(0, Bytes::len);
    match (decoded, body) {
        (Decoded::Header(_), Some(_)) => Usability::Usable { size },
        (Decoded::Header(_), None) | (Decoded::Unsupported { .. }, _) => Usability::NotYet { size },
    }
}

/// What is between a group and what was taken in before; a session that lost its place could bring
/// one.
fn gap(taken: &Follow, received: &Received) -> Option<Misbehaviour> {
    let pairs = [
        (taken.next_seq, &received.follow.next_seq, received.entries.len()),
        (taken.next_announcement, &received.follow.next_announcement, received.announcements.len()),
    ];
    pairs.into_iter().find_map(|(expected, end, count)| {
        let count = u64::try_from(count).expect("a length in memory fits u64");
        let got = Seq(end.0.saturating_sub(count));
        (got != expected).then_some(Misbehaviour::SeqGap { expected, got })
    })
}

/// Packs entries into blocks; returns the bytes of headers and bodies after them.
fn stage_blocks(
    batch: &mut Batch,
    log: LogKey,
    entries: &[ReceivedEntry],
    size_before: u64,
) -> u64 {
    let mut put = |block: ReceivedBlockBuilder| {
        let (last, bytes) = block.finish();
        batch.put(layout::received_block(log.author, log.epoch, last), bytes);
    };
    let Some((first, rest)) = entries.split_first() else { return size_before };
    let mut block = ReceivedBlockBuilder::new(first, size_before);
    for entry in rest {
        if !block.push(entry) {
            let next = ReceivedBlockBuilder::new(entry, block.size_after());
            put(std::mem::replace(&mut block, next));
        }
    }
    let size_after = block.size_after();
    put(block);
    size_after
}

const UNKNOWN_AUTHOR: QueueError = QueueError::Damaged("an author's row of a known peer");
