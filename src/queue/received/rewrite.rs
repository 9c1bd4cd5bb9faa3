//! Received blocks written anew: of an entry that was cleared, rejected or is gone only its leaf hash
//! stays, and of one that was unread and has lapsed; neighbours that fit become one block.

use bytes::Bytes;
use peermq_storage::{Batch, Store};

use super::author_log::AuthorLog;
use super::block::{Lens, ReceivedBlock, StoredContent, StoredEntry};
use super::block_builder::ReceivedBlockBuilder;
use super::sets::Mark;
use crate::limits::REWRITE_READ_SIZE;
use crate::log::{RewriteStep, Rewritten, Worth, layout, leaf_hash};
use crate::queue::dispatch::LogKey;
use crate::queue::error::QueueError;
use crate::types::{Index, Ranges, Seq};

impl AuthorLog {
    /// Writes blocks anew without what was dropped, as many as one step may read. Places in the step
    /// and in what it comes to are seqs. Returns also which unread ones have lapsed: they are to be
    /// rejected in the same batch.
    pub(in crate::queue) fn rewrite(
        &mut self,
        store: &dyn Store,
        step: &RewriteStep,
        batch: &mut Batch,
    ) -> Result<(Rewritten, Ranges), QueueError> {
        let LogKey { author, epoch } = self.key;
        let rewritten = Rewritten { settled: step.from, ..Rewritten::default() };
        let mut writer = Writer { worth: step.worth, group: None, rewritten, is_settled: true };
        let (mut read, mut lapsed) = (0, Ranges::new());
        let keys = layout::received_blocks_from(author, epoch, Seq(step.from));
        for pair in store.scan(keys.as_range()) {
            let (key, bytes) = pair?;
            let last = layout::last_number(&key).expect("the key of a block ends with its seq");
            let size = bytes.len();
            let block = ReceivedBlock::parse(Seq(last), bytes)?;
            if block.seqs().end > step.end {
                break;
            }
            let shrunk = self.shrink(store, key, &block, step)?;
            if !writer.push(&shrunk) {
                writer.finish(batch);
                if read >= REWRITE_READ_SIZE {
                    writer.rewritten.next = Some(block.seqs().start);
                    break;
                }
                let fits = writer.push(&shrunk);
                assert!(fits, "a block alone is within its bounds");
            }
            read += size;
            lapsed.union(&shrunk.lapsed);
        }
        writer.finish(batch);
        Ok((writer.rewritten, lapsed))
    }

    fn shrink(
        &mut self,
        store: &dyn Store,
        key: Bytes,
        block: &ReceivedBlock,
        step: &RewriteStep,
    ) -> Result<Shrunk, QueueError> {
        let mut shrunk = Shrunk {
            key,
            size_before: block.size_before(),
            entries: Vec::new(),
            old_size: block.size(),
            useless: 0,
            lapsed: Ranges::new(),
        };
        for mut entry in block.entries_from(Seq(0)) {
            let StoredContent::Entry { header, body } = &entry.content else {
                shrunk.entries.push(entry);
                continue;
            };
            let mark = self.sets.mark_of(store, entry.seq)?;
            let has_lapsed = mark == Mark::Unread && step.is_lapsed(header);
            if has_lapsed {
                shrunk.lapsed.insert(entry.seq.0..entry.seq.0 + 1);
            }
            if has_lapsed || !mark.is_kept() {
                let leaf = leaf_hash(&self.id, self.key.epoch, entry.index, header);
                let lens = Lens::of(header, body.as_deref().unwrap_or_default());
                entry.content = StoredContent::Dropped { leaf, lens };
                shrunk.useless += 1;
            }
            shrunk.entries.push(entry);
        }
        Ok(shrunk)
    }
}

/// A block without what was dropped.
struct Shrunk {
    key: Bytes,
    size_before: u64,
    entries: Vec<StoredEntry>,
    old_size: usize,
    useless: usize,
    lapsed: Ranges,
}

/// Joins shrunk blocks while they fit, and writes those that are worth it.
struct Writer {
    worth: Worth,
    group: Option<Group>,
    rewritten: Rewritten,
    /// Whether there was nothing but leaf hashes so far.
    is_settled: bool,
}

/// Blocks that become one.
struct Group {
    builder: ReceivedBlockBuilder,
    keys: Vec<Bytes>,
    old_size: usize,
    useless: usize,
    is_settled: bool,
}

impl Writer {
    /// Adds a block, unless it does not fit.
    fn push(&mut self, shrunk: &Shrunk) -> bool {
        let mut builder = match &self.group {
            Some(group) => group.builder.clone(),
            None => shrunk.begin(),
        };
        if !shrunk.entries.iter().all(|entry| builder.push_stored(entry)) {
            return false;
        }
        let group = self.group.get_or_insert_with(|| Group {
            builder: shrunk.begin(),
            keys: Vec::new(),
            old_size: 0,
            useless: 0,
            is_settled: true,
        });
        group.builder = builder;
        group.keys.push(shrunk.key.clone());
        group.old_size += shrunk.old_size + shrunk.key.len();
        group.useless += shrunk.useless;
        let is_kept = |entry: &StoredEntry| matches!(entry.content, StoredContent::Entry { .. });
        group.is_settled &= !shrunk.entries.iter().any(is_kept);
        true
    }

    /// Writes what was gathered, if it is worth it.
    fn finish(&mut self, batch: &mut Batch) {
        let Some(Group { builder, keys, old_size, useless, is_settled }) = self.group.take() else {
            return;
        };
        let (last_key, others) = keys.split_last().expect("a group has at least one block");
        let freed = old_size.saturating_sub(builder.size() + last_key.len());
        let [old_size, freed] =
            [old_size, freed].map(|size| u64::try_from(size).expect("a length in memory fits u64"));
        let is_written = self.worth.is_met(useless, old_size, freed);
        let (last, bytes) = builder.finish();
        self.is_settled &= is_settled && (is_written || useless == 0);
        if self.is_settled {
            self.rewritten.settled = last.0.saturating_add(1);
        }
        if is_written {
            self.rewritten.freed += freed;
            others.iter().for_each(|key| batch.remove(key.clone()));
            batch.put(last_key.clone(), bytes);
        }
    }
}

impl Shrunk {
    fn begin(&self) -> ReceivedBlockBuilder {
        let first = self.entries.first().map(|entry| (entry.index, entry.seq));
        let (index, seq) = first.unwrap_or((Index(0), Seq(0)));
        ReceivedBlockBuilder::begin(index, seq, self.size_before)
    }
}
