//! Looking at every byte of a log: blocks, tree, bodies and the outbox index against one another.

use std::collections::BTreeMap;

use bytes::Bytes;
use peermq_storage::Store;
use thiserror::Error;

use super::block::{Block, BlockEntry, Content};
use super::error::{BlockError, LogError};
use super::places::Places;
use super::tree::{LogTree, Peaks, Subtree};
use super::{Decoded, Header, blocks, layout, staging};
use crate::crypto::Salt;
use crate::crypto::hash::{Hash, body_hash};
use crate::limits::BODY_CHUNK_SIZE;
use crate::types::{Epoch, Id, Recipient, Seq};

/// What is wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LogFault {
    /// What lies under a block's key is no block.
    #[error("{0}")]
    Block(#[from] BlockError),
    /// Blocks do not follow one another.
    #[error("expected a block that begins with entry {expected}, got one that begins with {got}")]
    Gap {
        /// Where the blocks before it end.
        expected: u64,
        /// Where it begins.
        got: u64,
    },
    /// A header is not that of its place.
    #[error("expected a header of that place at entry {0}, got another")]
    Header(u64),
    /// A body is not what its header names.
    #[error("expected the body that the header of entry {0} names, got another or none")]
    Body(u64),
    /// A tree node or the root at a block's end is not that of the entries.
    #[error("expected the tree over the first {0} entries, got another")]
    Tree(u64),
    /// The outbox index tells of other blocks than there are.
    #[error("expected the outbox index to tell of all blocks up to entry {0}, got another")]
    Outbox(u64),
}

/// Who is told what a check sees.
pub trait LogObserver {
    /// The next entry: whom to, its place among those, its leaf hash.
    fn entry(&mut self, recipient: &Recipient, seq: Seq, leaf: Hash);

    /// An entry has a long body, whose chunks lie under this salt.
    fn long_body(&mut self, salt: &Salt);

    /// Something is wrong with what lies under `key`.
    fn found(&mut self, key: Bytes, fault: LogFault);
}

/// Reads all of one life of a log and tells what is wrong with it. Behind a block that is damaged
/// the tree cannot be folded, and only what each block says of itself is compared. Returns the
/// log's length.
///
/// # Errors
/// [`LogError::Store`] when the store cannot be read.
pub fn check(
    store: &dyn Store,
    author: Id,
    epoch: Epoch,
    observer: &mut dyn LogObserver,
) -> Result<u64, LogError> {
    let mut check = Check {
        store,
        author,
        epoch,
        observer,
        peaks: Some(Peaks::new()),
        end: 0,
        next: BTreeMap::new(),
        places: Places::default(),
    };
    for pair in store.scan(layout::own_blocks(epoch).as_range()) {
        let (key, bytes) = pair?;
        check.block(&key, bytes);
    }
    let end = check.end;
    check.outbox()?;
    Ok(end)
}

struct Check<'a> {
    store: &'a dyn Store,
    author: Id,
    epoch: Epoch,
    observer: &'a mut dyn LogObserver,
    /// None behind a block that is damaged.
    peaks: Option<Peaks<LogTree>>,
    /// Where the blocks so far end.
    end: u64,
    /// The next seq to each recipient.
    next: BTreeMap<Recipient, u64>,
    places: Places,
}

impl Check<'_> {
    fn block(&mut self, key: &Bytes, bytes: Bytes) {
        match blocks::parse(key, bytes) {
            Ok(block) => {
                if let Err(fault) = self.entries(&block) {
                    self.damaged(key, fault);
                }
                self.places.note(&block);
                self.end = block.end();
            }
            Err(LogError::Block { last, source }) => {
                self.damaged(key, source.into());
                self.end = last.saturating_add(1);
            }
            Err(_) => self.damaged(key, LogFault::Tree(self.end)),
        }
    }

    fn damaged(&mut self, key: &Bytes, fault: LogFault) {
        self.peaks = None;
        self.observer.found(key.clone(), fault);
    }

    fn entries(&mut self, block: &Block) -> Result<(), LogFault> {
        if block.first() != self.end {
            return Err(LogFault::Gap { expected: self.end, got: block.first() });
        }
        let recipients: Vec<_> = block.recipients().collect();
        let mut seqs: Vec<_> = recipients.iter().map(|(_, first)| first.0).collect();
        let mut firsts = recipients.iter().map(|(recipient, seq)| (self.next_seq(recipient), seq));
        if self.peaks.is_some() && !firsts.all(|(next, seq)| next == seq.0) {
            return Err(LogFault::Header(block.first()));
        }
        for entry in block.entries() {
            let row = usize::from(entry.recipient_row());
            let (Some((recipient, _)), Some(seq)) = (recipients.get(row), seqs.get_mut(row)) else {
                return Err(LogFault::Header(entry.index().0));
            };
            self.entry(block, &entry, recipient, Seq(*seq))?;
            *seq += 1;
        }
        let next = recipients.iter().map(|(recipient, _)| *recipient).zip(seqs);
        self.next.extend(next);
        match &self.peaks {
            Some(peaks) if peaks.root() != block.root() => Err(LogFault::Tree(block.end())),
            _ => Ok(()),
        }
    }

    fn entry(
        &mut self,
        block: &Block,
        entry: &BlockEntry<'_>,
        recipient: &Recipient,
        seq: Seq,
    ) -> Result<(), LogFault> {
        let index = entry.index();
        self.content(entry, recipient, seq)?;
        let leaf = entry.leaf(&self.author, self.epoch);
        let Some(peaks) = &mut self.peaks else { return Ok(()) };
        let mut is_sound = true;
        peaks.push_leaf(leaf, |level, hash| {
            let node = Subtree { level, number: index.0 >> level };
            is_sound &= block.node(node).is_none_or(|kept| kept == hash);
        });
        if !is_sound {
            return Err(LogFault::Tree(index.0.saturating_add(1)));
        }
        self.observer.entry(recipient, seq, leaf);
        Ok(())
    }

    /// Holds header and body against each other and their place.
    fn content(
        &mut self,
        entry: &BlockEntry<'_>,
        recipient: &Recipient,
        seq: Seq,
    ) -> Result<(), LogFault> {
        let (index, content) = (entry.index(), entry.content());
        let Some(header) = content.header() else { return Ok(()) };
        let decoded = Header::decode(header).map_err(|_| LogFault::Header(index.0))?;
        if (decoded.recipient(), decoded.seq()) != (*recipient, seq) {
            return Err(LogFault::Header(index.0));
        }
        let Decoded::Header(header) = decoded else { return Ok(()) };
        let hash = match content {
            Content::Inline { body, .. } => Some(body_hash(&body)),
            Content::Long { .. } => {
                self.observer.long_body(&header.salt);
                self.long_body_hash(&header)
            }
            Content::Bare { .. } | Content::Gone { .. } => return Ok(()),
        };
        if hash == Some(header.body_hash) { Ok(()) } else { Err(LogFault::Body(index.0)) }
    }

    /// The hash of a long body; `None` when a chunk is not there.
    fn long_body_hash(&self, header: &Header) -> Option<Hash> {
        let chunk_size = u64::try_from(BODY_CHUNK_SIZE).expect("a chunk's size fits u64");
        let count = u32::try_from(header.body_len.div_ceil(chunk_size)).ok()?;
        let mut hasher = blake3::Hasher::new();
        for number in 0..count {
            let chunk = staging::staged_chunk(self.store, &header.salt, number).ok()??;
            hasher.update(&chunk);
        }
        Some(Hash(*hasher.finalize().as_bytes()))
    }

    fn outbox(self) -> Result<(), LogError> {
        let Some(fault) = self.places.compare(self.store, self.epoch)? else { return Ok(()) };
        self.observer.found(layout::outbox_mark(self.epoch), LogFault::Outbox(fault));
        Ok(())
    }

    fn next_seq(&self, recipient: &Recipient) -> u64 {
        self.next.get(recipient).copied().unwrap_or_default()
    }
}

impl LogFault {
    /// Whether the entries themselves are sound, and what is wrong can be made again from them.
    #[must_use]
    pub const fn is_derived(&self) -> bool {
        matches!(self, Self::Outbox(_))
    }
}

/// The lives of this node's log that have blocks, oldest first.
///
/// # Errors
/// [`LogError::Store`].
pub fn lives(store: &dyn Store) -> Result<Vec<Epoch>, LogError> {
    let mut lives: Vec<Epoch> = Vec::new();
    let mut from = Some(Epoch(0));
    while let Some(epoch) = from {
        let keys = layout::own_lives_from(epoch);
        let Some(key) = store.keys(keys.as_range()).next().transpose()? else { break };
        let Some(found) = layout::own_block_epoch(&key) else { break };
        lives.push(found);
        from = found.0.checked_add(1).map(Epoch);
    }
    Ok(lives)
}

/// Writes the outbox index anew, from blocks that are sound, where none is left.
///
/// # Errors
/// [`LogError::Store`], and what the blocks do not hold.
pub fn rebuild_outbox(store: &dyn Store, epoch: Epoch) -> Result<(), LogError> {
    super::outbox::Outbox::rebuild(store, epoch)
}
