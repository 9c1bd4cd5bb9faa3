//! Received blocks written anew: of an entry that was cleared, rejected or is gone only its leaf hash
//! stays, and neighbours that fit become one block.

use bytes::Bytes;
use peermq_storage::{Batch, Store};

use super::author_log::AuthorLog;
use super::block::{Lens, ReceivedBlock, StoredContent, StoredEntry};
use super::block_builder::ReceivedBlockBuilder;
use crate::limits::REWRITE_READ_SIZE;
use crate::log::{Rewritten, Worth, layout, leaf_hash};
use crate::queue::dispatch::LogKey;
use crate::queue::error::QueueError;
use crate::types::{Index, Seq};

impl AuthorLog {
    /// Writes blocks anew without what was dropped, from a seq on, as many as one step may read.
    /// Places in what it comes to are seqs.
    pub(in crate::queue) fn rewrite(
        &mut self,
        store: &dyn Store,
        (from, worth): (u64, Worth),
        batch: &mut Batch,
    ) -> Result<Rewritten, QueueError> {
        let LogKey { author, epoch } = self.key;
        let rewritten = Rewritten { settled: from, ..Rewritten::default() };
        let mut writer = Writer { worth, group: None, rewritten, is_settled: true };
        let mut read = 0;
        let keys = layout::received_blocks_from(author, epoch, Seq(from));
        for pair in store.scan(keys.as_range()) {
            let (key, bytes) = pair?;
            let last = layout::last_number(&key).expect("the key of a block ends with its seq");
            let size = bytes.len();
            let block = ReceivedBlock::parse(Seq(last), bytes)?;
            let shrunk = self.shrink(store, key, &block)?;
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
        }
        writer.finish(batch);
        Ok(writer.rewritten)
    }

    fn shrink(
        &mut self,
        store: &dyn Store,
        key: Bytes,
        block: &ReceivedBlock,
    ) -> Result<Shrunk, QueueError> {
        let mut shrunk = Shrunk {
            key,
            size_before: block.size_before(),
            entries: Vec::new(),
            old_size: block.size(),
            useless: 0,
        };
        for mut entry in block.entries_from(Seq(0)) {
            if let StoredContent::Entry { header, body } = &entry.content
                && !self.sets.mark_of(store, entry.seq)?.is_kept()
            {
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
