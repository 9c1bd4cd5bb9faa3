//! Serving a log: what one reader sees of it, chunk by chunk.

use std::iter;
use std::ops::Range;

use peermq_storage::Store;

use super::Log;
use super::block::{Block, BlockEntry, Content};
use super::blocks::Blocks;
use super::chunk::{Chunk, Item};
use super::error::LogError;
use super::outbox::Place;
use super::tree::cover;
use crate::types::Recipient;

/// How far a chunk may go.
#[derive(Debug, Clone, Copy)]
pub struct ChunkBudget<'a> {
    /// Bytes of its items as encoded.
    pub bytes: usize,
    /// Its items.
    pub items: usize,
    /// Lengths at which it must end, if it reaches them; sorted.
    pub checkpoints: &'a [u64],
}

impl Log {
    /// The next stretch of the log for a reader that has its first `from` entries: up to the end of
    /// the block with the last entry taken, or to a checkpoint. Entries to everyone are taken too.
    /// `None` when there is neither an entry for the reader nor a checkpoint ahead.
    ///
    /// The entries of one block are taken whatever the budget. Bodies and headers are slices of the
    /// stored blocks; nothing is hashed where no entry is skipped. What was appended must be
    /// committed.
    ///
    /// # Errors
    /// [`LogError`] when the store fails or is damaged.
    pub fn chunk(
        &mut self,
        store: &dyn Store,
        recipient: &Recipient,
        from: u64,
        budget: &ChunkBudget<'_>,
    ) -> Result<Option<Chunk>, LogError> {
        let length = self.length();
        let checkpoint = budget.checkpoints.iter().copied().find(|at| *at > from);
        let checkpoint = checkpoint.filter(|at| *at <= length);
        let limit = checkpoint.unwrap_or(length);
        let mut stretch = Stretch { items: Vec::new(), size: 0, position: from };
        let (mut end, mut goes_on) = (None, false);
        let own = self.outbox.places_from(store, recipient, from);
        let everyones = self.outbox.places_from(store, &Recipient::Everyone, from);
        for last in merge(own, everyones) {
            let block = self.blocks.holding(store, last?)?;
            if block.first() >= limit {
                break;
            }
            let taken = entries_for(&block, recipient, stretch.position..limit);
            if end.is_some() && !stretch.has_room_for(&taken, budget) {
                goes_on = true;
                break;
            }
            for entry in &taken {
                stretch.take(&mut self.blocks, store, entry)?;
            }
            end = end.max((!taken.is_empty()).then(|| block.end().min(limit)));
        }
        let Some(to) = checkpoint.filter(|_| !goes_on).or(end) else { return Ok(None) };
        stretch.skip_to(&mut self.blocks, store, to)?;
        let root = self.blocks.root(store, to)?;
        Ok(Some(Chunk { from, to, items: stretch.items, root }))
    }
}

/// A chunk in the making.
#[derive(Debug)]
struct Stretch {
    items: Vec<Item>,
    /// Bytes of the items as encoded, at most.
    size: usize,
    /// The length of the log after the items.
    position: u64,
}

impl Stretch {
    /// Whether these entries, what is skipped before each and what may be skipped after the last
    /// keep the chunk within its budget.
    fn has_room_for(&self, entries: &[BlockEntry<'_>], budget: &ChunkBudget<'_>) -> bool {
        let (mut items, mut size) = (self.items.len() + GAP_COUNT_MAX, self.size);
        let mut position = self.position;
        for entry in entries {
            let skips = cover(position..entry.index().0).count();
            items += skips + 1;
            size += skips * SKIP_SIZE_MAX + entry_size(entry);
            position = entry.index().0 + 1;
        }
        items <= budget.items && size + GAP_COUNT_MAX * SKIP_SIZE_MAX <= budget.bytes
    }

    fn take(
        &mut self,
        blocks: &mut Blocks,
        store: &dyn Store,
        entry: &BlockEntry<'_>,
    ) -> Result<(), LogError> {
        self.skip_to(blocks, store, entry.index().0)?;
        self.items.push(match entry.content() {
            Content::Inline { header, body } => Item::Entry { header, body: Some(body) },
            Content::Long { header, .. } => Item::Entry { header, body: None },
            Content::Bare { .. } | Content::Gone { .. } => {
                Item::Gone { leaf: entry.leaf(&blocks.author(), blocks.epoch()) }
            }
        });
        self.size += entry_size(entry);
        self.position += 1;
        Ok(())
    }

    fn skip_to(
        &mut self,
        blocks: &mut Blocks,
        store: &dyn Store,
        position: u64,
    ) -> Result<(), LogError> {
        for subtree in cover(self.position..position) {
            let hash = blocks.subtree(store, subtree)?;
            self.items.push(Item::Skip { level: subtree.level, hash });
            self.size += SKIP_SIZE_MAX;
        }
        self.position = position;
        Ok(())
    }
}

/// The entries of a block for a reader, within a range of indexes. A gone entry to everyone is for
/// nobody.
fn entries_for<'a>(
    block: &'a Block,
    recipient: &Recipient,
    range: Range<u64>,
) -> Vec<BlockEntry<'a>> {
    let own = block.recipient_row(recipient);
    let everyones = block.recipient_row(&Recipient::Everyone);
    let entries = block.entries().filter(|entry| range.contains(&entry.index().0));
    let for_reader = entries.filter(|entry| {
        let row = Some(entry.recipient_row());
        row == own && *recipient != Recipient::Everyone || row == everyones && !entry.is_gone()
    });
    for_reader.collect()
}

/// Where the entries of either lie, in order and each block once.
fn merge(
    one: impl Iterator<Item = Result<Place, LogError>>,
    other: impl Iterator<Item = Result<Place, LogError>>,
) -> impl Iterator<Item = Result<u64, LogError>> {
    let last = |place: Result<Place, LogError>| place.map(|place| place.last);
    let (mut one, mut other) = (one.map(last).peekable(), other.map(last).peekable());
    iter::from_fn(move || match (one.peek(), other.peek()) {
        (Some(Ok(a)), Some(Ok(b))) if a == b => {
            other.next();
            one.next()
        }
        (Some(Ok(a)), Some(Ok(b))) if a > b => other.next(),
        (Some(_), _) => one.next(),
        (None, _) => other.next(),
    })
}

/// Bytes of an entry's item as encoded, at most: tags and lengths take up to 8.
fn entry_size(entry: &BlockEntry<'_>) -> usize {
    entry.size() + 8
}

/// Bytes of a skipped subtree's item: tag, level, hash.
const SKIP_SIZE_MAX: usize = 1 + 1 + 32;
/// Subtrees that one gap takes at most: two of each level.
const GAP_COUNT_MAX: usize = 2 * 63;
