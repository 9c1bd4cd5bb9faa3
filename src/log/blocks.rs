//! The blocks of one life of a log, read from the store; and the tree that they hold together.

use std::collections::{BTreeMap, VecDeque};

use peermq_storage::Store;

use super::block::Block;
use super::error::LogError;
use super::layout;
use super::tree::{LogTree, Peaks, Subtree, cover, node_hash};
use crate::crypto::hash::Hash;
use crate::limits::BLOCK_CACHE_COUNT;
use crate::types::{Epoch, Id, Index};

/// Reads blocks, and keeps those read last: the hashes of a gap lie in few of them.
#[derive(Debug)]
pub(super) struct Blocks {
    author: Id,
    epoch: Epoch,
    /// By the length at their end.
    kept: BTreeMap<u64, Block>,
    /// The keys of `kept`, oldest first.
    order: VecDeque<u64>,
}

impl Blocks {
    pub(super) const fn new(author: Id, epoch: Epoch) -> Self {
        Self { author, epoch, kept: BTreeMap::new(), order: VecDeque::new() }
    }

    pub(super) const fn author(&self) -> Id {
        self.author
    }

    pub(super) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The block that holds an entry.
    pub(super) fn holding(&mut self, store: &dyn Store, index: u64) -> Result<Block, LogError> {
        let near = index.checked_add(1).and_then(|end| self.kept.range(end..).next());
        if let Some((_, block)) = near
            && block.first() <= index
        {
            return Ok(block.clone());
        }
        let keys = layout::own_block_of(self.epoch, Index(index));
        let found = store.scan(keys.as_range()).next().transpose()?;
        let (key, bytes) = found.ok_or(LogError::Missing(index))?;
        let block = parse(&key, bytes)?;
        if block.first() > index {
            return Err(LogError::Missing(index));
        }
        self.keep(&block);
        Ok(block)
    }

    /// The peaks of the log's first `length` entries.
    pub(super) fn peaks(
        &mut self,
        store: &dyn Store,
        length: u64,
    ) -> Result<Peaks<LogTree>, LogError> {
        let hashes = cover(0..length).map(|peak| self.subtree(store, peak));
        let hashes = hashes.collect::<Result<_, _>>()?;
        Ok(Peaks::from_parts(length, hashes).expect("a cover from 0 has a subtree for each bit"))
    }

    /// The root of the log's first `length` entries: as kept at a block's end, else folded.
    pub(super) fn root(&mut self, store: &dyn Store, length: u64) -> Result<Hash, LogError> {
        if let Some(last) = length.checked_sub(1) {
            let block = self.holding(store, last)?;
            if block.end() == length {
                return Ok(block.root());
            }
        }
        Ok(self.peaks(store, length)?.root())
    }

    /// The root of a full subtree: as kept, or else folded from its leaves.
    pub(super) fn subtree(&mut self, store: &dyn Store, node: Subtree) -> Result<Hash, LogError> {
        let block = self.holding(store, node.last())?;
        if let Some(hash) = block.node(node) {
            return Ok(hash);
        }
        if let Some((left, right)) = node.halves()
            && node.first() < block.first()
        {
            let (left, right) = (self.subtree(store, left)?, self.subtree(store, right)?);
            return Ok(node_hash::<LogTree>(&left, &right));
        }
        let before = usize::try_from(node.first() - block.first()).expect("a block is short");
        let mut peaks = Peaks::<LogTree>::new();
        for entry in block.entries().skip(before).take(1 << node.level) {
            peaks.push_leaf(entry.leaf(&self.author, self.epoch), |_, _| ());
        }
        let root = peaks.hashes().first().copied();
        Ok(root.expect("the block holds the subtree's last leaf"))
    }

    /// Forgets the blocks that were read: others may have taken their place.
    pub(super) fn forget(&mut self) {
        self.kept.clear();
        self.order.clear();
    }

    fn keep(&mut self, block: &Block) {
        if self.order.len() == BLOCK_CACHE_COUNT
            && let Some(oldest) = self.order.pop_front()
        {
            self.kept.remove(&oldest);
        }
        if self.kept.insert(block.end(), block.clone()).is_none() {
            self.order.push_back(block.end());
        }
    }
}

/// The block under a key.
pub(super) fn parse(key: &[u8], bytes: bytes::Bytes) -> Result<Block, LogError> {
    let last = layout::last_number(key).unwrap_or(u64::MAX);
    Block::parse(Index(last), bytes).map_err(|source| LogError::Block { last, source })
}
