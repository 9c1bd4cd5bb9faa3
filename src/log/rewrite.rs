//! Blocks written anew: of an entry that is of no more use only its leaf hash stays, and neighbours
//! that fit become one block.
//!
//! ```text
//! blocks      [ a b c ][ d ][ e ][ f g ]       all but d of no more use
//! one block   [ . . .    d    .    . . ]       . = leaf hash
//! ```
//!
//! What was sent with an idempotency key keeps its header, beside the key, for as long as a repeat must
//! find it. For ever stay: leaf hashes, whom each entry was for and its seq there, tree nodes of level 8 and
//! above, the root at the end of each block that is left. So the log verifies as before, and whoever
//! reads it from its beginning gets hashes in place of what went.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use peermq_storage::{Batch, Store};

use super::block::{Block, Content, ENTRY_ROW_SIZE, KEY_ROW_SIZE, RECIPIENT_ROW_SIZE};
use super::block_builder::BlockBuilder;
use super::error::LogError;
use super::idempotency::IdempotencyHash;
use super::retelling::retell;
use super::staging::Abandoned;
use super::tree::Subtree;
use super::{Decoded, Header, Log, blocks, layout};
use crate::crypto::hash::Hash;
use crate::limits::{
    IDEMPOTENCY_AGE_MS_MAX, REWRITE_READ_SIZE, REWRITTEN_NODE_LEVEL_MIN, TREE_LEVEL_MAX,
};
use crate::planted;
use crate::types::{Index, Recipient, Seq, UnixMs};

/// Which blocks are worth writing anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// Those of which at least half goes.
    Half,
    /// Those of which anything goes, and small ones that save a quarter together.
    Any,
}

impl Worth {
    /// Whether blocks of `old_size` bytes are written anew to free some of them and to drop `useless`
    /// entries.
    #[must_use]
    pub const fn is_met(self, useless: usize, old_size: u64, freed: u64) -> bool {
        let least = match self {
            Self::Half => old_size.div_ceil(2),
            Self::Any if useless > 0 => 1,
            Self::Any => old_size.div_ceil(4),
        };
        freed >= least && freed > 0
    }
}

/// One step through a log's blocks.
#[derive(Debug, Clone, Copy)]
pub struct RewriteStep {
    /// Where it begins: 0, or where the step before ended.
    pub from: u64,
    /// The blocks up to here are looked at: [`Log::indexed`], or the log's length by who only wants
    /// to know what would go.
    pub end: u64,
    /// Which blocks it writes.
    pub worth: Worth,
    /// By this node's clock: what was sent with an idempotency key keeps its header for a day.
    pub now: UnixMs,
    /// What expired by this time is of no more use.
    pub lapsed: UnixMs,
}

impl RewriteStep {
    /// Whether what has this header expired so long ago that it may go.
    #[must_use]
    pub fn is_lapsed(&self, header: &[u8]) -> bool {
        // Of what never expires no header is read.
        self.lapsed > UnixMs(0)
            && matches!(Header::decode(header), Ok(Decoded::Header(header))
                if header.not_after.is_some_and(|end| end <= self.lapsed))
    }
}

/// What a step came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rewritten {
    /// Where the next step begins; none after the last block.
    pub next: Option<u64>,
    /// Bytes of rows and long bodies that go.
    pub freed: u64,
    /// Up to here from the step's beginning there is nothing but leaf hashes.
    pub settled: u64,
    /// Long bodies whose chunks are to be removed once the step is durable.
    pub abandoned: Vec<Abandoned>,
}

impl Log {
    /// Writes blocks anew without the entries that are of no more use, as many as one step may read.
    /// `is_useless` says what is of no more use. No other step may be in `batch`, and
    /// [`Log::on_rewritten`] follows its commit.
    ///
    /// # Errors
    /// [`LogError`] when the store fails or is damaged, and what `is_useless` fails with.
    pub fn rewrite<E: From<LogError>>(
        &mut self,
        store: &dyn Store,
        step: &RewriteStep,
        mut is_useless: impl FnMut(&Recipient, Seq) -> Result<bool, E>,
        batch: &mut Batch,
    ) -> Result<Rewritten, E> {
        let epoch = self.epoch();
        let mut writer = Writer::new(step);
        let mut read = 0;
        let keys = layout::own_blocks_from(epoch, Index(step.from));
        for pair in store.scan(keys.as_range()) {
            let (key, bytes) = pair.map_err(LogError::from)?;
            let size = bytes.len();
            let block = blocks::parse(&key, bytes)?;
            if block.end() > step.end {
                break;
            }
            let shrunk = self.shrink(store, &block, step, &mut is_useless)?;
            if !writer.has_room_for(&shrunk) {
                writer.finish(batch);
                if read >= REWRITE_READ_SIZE {
                    writer.rewritten.next = Some(block.first());
                    break;
                }
            }
            writer.push(key, size, shrunk);
            read += size;
        }
        writer.finish(batch);
        for (recipient, joined) in writer.joined {
            if planted::is("joined-untold") {
                continue;
            }
            retell(store, epoch, &recipient, &joined, batch)?;
        }
        Ok(writer.rewritten)
    }

    /// The log's length up to which blocks may be written anew: the outbox rows tell of them.
    #[must_use]
    pub const fn indexed(&self) -> u64 {
        self.outbox.indexed()
    }

    /// What a step staged is durable.
    pub fn on_rewritten(&mut self) {
        self.blocks.forget();
    }

    fn shrink<E: From<LogError>>(
        &mut self,
        store: &dyn Store,
        block: &Block,
        step: &RewriteStep,
        is_useless: &mut impl FnMut(&Recipient, Seq) -> Result<bool, E>,
    ) -> Result<Shrunk, E> {
        let (author, epoch) = (self.author(), self.epoch());
        let keys: BTreeMap<_, _> = block.idempotency_keys().collect();
        let mut next: Vec<_> = block.recipients().collect();
        let (root, first) = (block.root(), block.first());
        let mut shrunk =
            Shrunk { first, root, entries: Vec::new(), abandoned: Vec::new(), useless: 0 };
        for entry in block.entries() {
            let (recipient, seq) = next
                .get_mut(usize::from(entry.recipient_row()))
                .expect("a block that parses has a row for each entry's recipient");
            let place = (*recipient, *seq);
            seq.0 += 1;
            let key = keys.get(&entry.index()).copied();
            let mut content = entry.content();
            let is_remembered = key.is_some() && is_recent(&content, step.now);
            let stays = match &content {
                Content::Gone { .. } => true,
                Content::Bare { .. } => is_remembered,
                Content::Inline { header, .. } | Content::Long { header, .. } => {
                    !step.is_lapsed(header) && !is_useless(&place.0, place.1)?
                }
            };
            if !stays {
                shrunk.abandoned.extend(Abandoned::of(&content));
                shrunk.useless += 1;
                content = match content.header().filter(|_| is_remembered) {
                    Some(header) => Content::Bare { header: header.clone() },
                    None => Content::Gone { leaf: entry.leaf(&author, epoch) },
                };
            }
            let nodes = self.nodes_at(store, entry.index())?;
            let key = key.filter(|_| content.header().is_some());
            shrunk.entries.push(Kept { place, key, content, nodes });
        }
        Ok(shrunk)
    }

    /// The nodes that an entry completes, as far as they are kept for ever.
    fn nodes_at(&mut self, store: &dyn Store, index: Index) -> Result<Vec<(u8, Hash)>, LogError> {
        let levels = u8::try_from(index.0.trailing_ones()).expect("a u64 has 64 bits");
        let levels = REWRITTEN_NODE_LEVEL_MIN..=levels.min(TREE_LEVEL_MAX);
        let node = |level| Subtree { level, number: index.0 >> level };
        levels.map(|level| Ok((level, self.blocks.subtree(store, node(level))?))).collect()
    }
}

/// Whether a send was so short a time ago that it must be found by its idempotency key.
fn is_recent(content: &Content<Bytes>, now: UnixMs) -> bool {
    match content.header().map(|header| Header::decode(header)) {
        Some(Ok(Decoded::Header(header))) => {
            now.0.saturating_sub(header.time.0) <= IDEMPOTENCY_AGE_MS_MAX
        }
        _ => false,
    }
}

/// A block without what is of no more use.
struct Shrunk {
    first: u64,
    root: Hash,
    entries: Vec<Kept>,
    abandoned: Vec<Abandoned>,
    /// Entries that lose their header and body.
    useless: usize,
}

/// What stays of an entry.
struct Kept {
    place: (Recipient, Seq),
    key: Option<IdempotencyHash>,
    content: Content<Bytes>,
    nodes: Vec<(u8, Hash)>,
}

impl Shrunk {
    /// Bytes that it adds to a block, at most.
    fn size(&self) -> usize {
        let rows = RECIPIENT_ROW_SIZE + ENTRY_ROW_SIZE + KEY_ROW_SIZE;
        let sizes = self.entries.iter().map(|Kept { content, nodes, .. }| {
            let content = content.header_column().len() + content.body_column().len();
            rows + content + nodes.len() * size_of::<Hash>()
        });
        sizes.sum()
    }
}

/// Joins shrunk blocks while they fit, and writes those that are worth it.
struct Writer {
    worth: Worth,
    group: Option<Group>,
    /// By recipient: the stretches of the log that are one block each now.
    joined: BTreeMap<Recipient, Vec<Range<u64>>>,
    rewritten: Rewritten,
    /// Whether there was nothing but leaf hashes so far.
    is_settled: bool,
}

/// Blocks that become one.
struct Group {
    first: u64,
    builder: BlockBuilder,
    root: Hash,
    keys: Vec<Bytes>,
    old_size: usize,
    abandoned: Vec<Abandoned>,
    useless: usize,
    is_settled: bool,
}

impl Writer {
    fn new(step: &RewriteStep) -> Self {
        let rewritten = Rewritten { settled: step.from, ..Rewritten::default() };
        Self {
            worth: step.worth,
            group: None,
            joined: BTreeMap::new(),
            rewritten,
            is_settled: true,
        }
    }

    fn has_room_for(&self, shrunk: &Shrunk) -> bool {
        let room =
            |group: &Group| group.builder.has_room_for_block(shrunk.entries.len(), shrunk.size());
        self.group.as_ref().is_none_or(room)
    }

    fn push(&mut self, key: Bytes, size: usize, shrunk: Shrunk) {
        let group = self.group.get_or_insert_with(|| Group::new(&shrunk));
        group.root = shrunk.root;
        group.keys.push(key);
        group.old_size += size + KEY_SIZE;
        group.abandoned.extend(shrunk.abandoned);
        group.useless += shrunk.useless;
        for Kept { place: (recipient, seq), key, content, nodes } in shrunk.entries {
            group.is_settled &= matches!(content, Content::Gone { .. });
            group.builder.push(&recipient, seq, key, &content);
            nodes.into_iter().for_each(|(level, hash)| group.builder.push_node(level, hash));
        }
    }

    /// Writes what was gathered, if it is worth it.
    fn finish(&mut self, batch: &mut Batch) {
        let Some(mut group) = self.group.take() else { return };
        let bodies: u64 = group.abandoned.iter().map(Abandoned::size).sum();
        let old_size = bodies.saturating_add(size_u64(group.old_size));
        let freed = old_size.saturating_sub(size_u64(group.builder.size() + KEY_SIZE));
        let is_written = self.worth.is_met(group.useless, old_size, freed);
        self.is_settled &= group.is_settled && (is_written || group.useless == 0);
        let end = group.builder.end();
        if self.is_settled {
            self.rewritten.settled = end;
        }
        if !is_written {
            return;
        }
        self.rewritten.freed += freed;
        group.abandoned.iter().for_each(|body| body.mark(batch));
        self.rewritten.abandoned.append(&mut group.abandoned);
        let Group { first, builder, root, keys, .. } = group;
        let (last_key, others) = keys.split_last().expect("a group has at least one block");
        others.iter().for_each(|key| batch.remove(key.clone()));
        let built = builder.finish(&root);
        batch.put(last_key.clone(), built.bytes);
        if !others.is_empty() {
            for (recipient, _) in built.recipients {
                self.joined.entry(recipient).or_default().push(first..end);
            }
        }
    }
}

impl Group {
    fn new(first: &Shrunk) -> Self {
        Self {
            first: first.first,
            builder: BlockBuilder::rewriting(Index(first.first)),
            root: first.root,
            keys: Vec::new(),
            old_size: 0,
            abandoned: Vec::new(),
            useless: 0,
            is_settled: true,
        }
    }
}

fn size_u64(size: usize) -> u64 {
    u64::try_from(size).expect("a length in memory fits u64")
}

/// Bytes of an own block's key: prefix, epoch, index.
const KEY_SIZE: usize = 1 + 8 + 8;
