//! A node's signed log: entries in a Merkle tree, packed into blocks, one per commit.
//!
//! [`Log`] numbers what is appended and serves it; [`fold`] is its reader's side. What lies where
//! in the store stands in [`layout`].
//!
//! *Invariant*: what is hashed, served or verified is the bytes as written or received; nothing is
//! encoded again. An append reads the store before it changes anything, so it succeeds as a whole
//! or leaves the log as it was. Deliberately absent: clock, randomness and sockets; the commit,
//! which is the caller's, with whatever else belongs to the same step; signing, which must follow
//! that commit.

mod announcement;
mod block;
mod block_builder;
mod blocks;
mod branch;
mod check;
mod chunk;
mod draft;
mod entry;
mod envelope;
mod error;
mod head;
mod idempotency;
mod inclusion;
pub mod layout;
mod outbox;
mod places;
mod retelling;
mod rewrite;
mod serve;
mod staging;
mod tree;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;

use std::ops::Range;

use bytes::Bytes;
use peermq_storage::{Batch, Store};

pub use announcement::Announcement;
pub use block::{Block, BlockEntry, Content};
pub use branch::{Branch, branch};
pub use check::{LogFault, LogObserver, check, lives, rebuild_outbox};
pub use chunk::{Chunk, FoldError, Folded, Item, Shown, fold};
pub use draft::{Appended, Draft, DraftBody};
pub use entry::{Decoded, HEADER_VERSION, Header, HeaderBytes, HeaderError, leaf_hash};
pub use envelope::{
    Envelope, EnvelopeError, PLAIN_HEAD_SIZE, ReplyTo, TraceContext, plain_text_size,
};
pub use error::{BlockError, LogError};
pub use head::{Head, SignedHead, Tip};
pub use idempotency::IdempotencyHash;
pub use inclusion::{Inclusion, InclusionBuilder};
pub use rewrite::{RewriteStep, Rewritten, Worth};
pub use serve::ChunkBudget;
pub use staging::{Abandoned, settled_bodies, stage, staged_chunk, sweep_staged};
pub use tree::{InboxTree, LogTree, Misaligned, Peaks, Subtree, Tree, cover, node_hash};

use crate::crypto::hash::Hash;
use crate::types::{Epoch, Id, Index, Recipient, Seq, UnixMs};
use block_builder::BlockBuilder;
use blocks::Blocks;
use idempotency::{KeyedSends, Now};
use outbox::Outbox;

/// One life of this node's log.
///
/// When the commit of a batch that [`Log::append`] filled fails, the log in memory is ahead of the
/// store: drop it and open it again.
#[derive(Debug)]
pub struct Log {
    peaks: Peaks<LogTree>,
    outbox: Outbox,
    blocks: Blocks,
    keyed_sends: KeyedSends,
}

/// An entry of this node's log, as it is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnEntry {
    /// Where it stands.
    pub place: Appended,
    /// What is held of it.
    pub content: Content<Bytes>,
}

impl Log {
    /// Takes up a log where the store has it; an empty one when the store has nothing of it. Reads
    /// the blocks after the newest outbox row and the peaks' hashes.
    ///
    /// # Errors
    /// [`LogError`] when the store fails or is damaged.
    pub fn open(store: &dyn Store, author: Id, epoch: Epoch) -> Result<Self, LogError> {
        let outbox = Outbox::open(store, epoch)?;
        let mut blocks = Blocks::new(author, epoch);
        let peaks = blocks.peaks(store, outbox.end())?;
        if let Some(last) = outbox.end().checked_sub(1) {
            let newest = blocks.holding(store, last)?;
            if newest.end() != outbox.end() || newest.root() != peaks.root() {
                return Err(LogError::Root(outbox.end()));
            }
        }
        Ok(Self { peaks, outbox, blocks, keyed_sends: KeyedSends::default() })
    }

    /// Whose log it is.
    #[must_use]
    pub const fn author(&self) -> Id {
        self.blocks.author()
    }

    /// Which life it is.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.blocks.epoch()
    }

    /// Its entries.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.peaks.length()
    }

    /// How far it has come.
    #[must_use]
    pub fn tip(&self) -> Tip {
        Tip { epoch: self.epoch(), length: self.length(), root: self.peaks.root() }
    }

    /// Numbers entries in order and adds their blocks to `batch`, which must be committed before
    /// the log is used again. Says where each entry stands. Whether a draft repeats another is not
    /// looked at here: [`Log::idempotent`] tells before.
    ///
    /// Beside the blocks, the batch may take 1 MiB of outbox rows.
    ///
    /// # Errors
    /// [`LogError`] when a draft's body has the wrong size or the store fails or is damaged; the
    /// log is then as before.
    pub fn append(
        &mut self,
        store: &dyn Store,
        drafts: &[Draft],
        batch: &mut Batch,
    ) -> Result<Vec<Appended>, LogError> {
        self.prepare(store, drafts)?;
        let mut appended = Vec::with_capacity(drafts.len());
        let mut builder = BlockBuilder::new(Index(self.length()));
        for draft in drafts {
            let seq = self.outbox.known_next_seq(&draft.recipient);
            let header = draft.header(seq);
            let content = draft.content(&header);
            if !builder.has_room_for(&content) {
                let next = BlockBuilder::new(Index(self.length()));
                self.finish(std::mem::replace(&mut builder, next), batch);
            }
            // Only now: a row that the block before has written tells of no later entry.
            let seq = self.outbox.number(&draft.recipient);
            let place = Appended { index: Index(self.length()), seq };
            let leaf = leaf_hash(&self.author(), self.epoch(), place.index, header.as_bytes());
            builder.push(&draft.recipient, seq, draft.idempotency, &content);
            self.peaks.push_leaf(leaf, |level, hash| builder.push_node(level, hash));
            if let DraftBody::Staged { .. } = draft.body {
                staging::settle(batch, &draft.salt);
            }
            self.note_key(draft, place);
            appended.push(place);
        }
        if !builder.is_empty() {
            self.finish(builder, batch);
        }
        Ok(appended)
    }

    /// Adds what an open would else have to read from the newest blocks: for the log's end of use.
    pub fn flush_index(&mut self, batch: &mut Batch) {
        self.outbox.flush(batch);
    }

    /// The root at a length, at a block's end or inside; `None` past the log's end.
    ///
    /// # Errors
    /// [`LogError`] when the store fails or is damaged.
    pub fn root_at(&mut self, store: &dyn Store, length: u64) -> Result<Option<Hash>, LogError> {
        if length >= self.length() {
            return Ok((length == self.length()).then(|| self.peaks.root()));
        }
        self.blocks.root(store, length).map(Some)
    }

    /// The seq that the next entry to a recipient gets: how many there are.
    ///
    /// # Errors
    /// [`LogError`] when the store fails or is damaged.
    pub fn next_seq(&mut self, store: &dyn Store, recipient: &Recipient) -> Result<Seq, LogError> {
        self.outbox.next_seq(store, recipient).map(Seq)
    }

    /// The entries to a recipient whose seqs lie in a range, as far as there are any.
    ///
    /// # Errors
    /// [`LogError`] when the store fails or is damaged.
    pub fn entries(
        &mut self,
        store: &dyn Store,
        recipient: &Recipient,
        seqs: Range<u64>,
    ) -> Result<Vec<OwnEntry>, LogError> {
        let mut entries = Vec::new();
        self.visit(store, recipient, seqs, |seq, entry| {
            let place = Appended { index: entry.index(), seq };
            entries.push(OwnEntry { place, content: entry.content() });
        })?;
        Ok(entries)
    }

    /// The leaf hashes of the entries to a recipient whose seqs lie in a range: what the inbox root
    /// of a receipt is folded from.
    ///
    /// # Errors
    /// [`LogError`] when the store fails or is damaged.
    pub fn leaves(
        &mut self,
        store: &dyn Store,
        recipient: &Recipient,
        seqs: Range<u64>,
    ) -> Result<Vec<Hash>, LogError> {
        let (author, epoch) = (self.author(), self.epoch());
        let mut leaves = Vec::new();
        self.visit(store, recipient, seqs, |_, entry| leaves.push(entry.leaf(&author, epoch)))?;
        Ok(leaves)
    }

    /// Where the first send with this hash to a recipient stands, when it is at most 24 h old and
    /// 65 536 sends back. What was appended must be committed.
    ///
    /// # Errors
    /// [`LogError`] when the store fails or is damaged.
    pub fn idempotent(
        &mut self,
        store: &dyn Store,
        recipient: &Recipient,
        hash: IdempotencyHash,
        time: UnixMs,
    ) -> Result<Option<Appended>, LogError> {
        self.keyed_sends.trim();
        let now = Now { time, next_seq: self.outbox.next_seq(store, recipient)? };
        self.keyed_sends.load(store, &mut self.blocks, &self.outbox, recipient, now)?;
        Ok(self.keyed_sends.find(recipient, hash, now))
    }

    /// Reads all that numbering these drafts needs.
    fn prepare(&mut self, store: &dyn Store, drafts: &[Draft]) -> Result<(), LogError> {
        let mut before = None;
        for draft in drafts {
            draft.check()?;
            if before.replace(draft.recipient) != Some(draft.recipient) {
                self.outbox.next_seq(store, &draft.recipient)?;
            }
        }
        Ok(())
    }

    fn note_key(&mut self, draft: &Draft, place: Appended) {
        if let Some(hash) = draft.idempotency {
            self.keyed_sends.note(&draft.recipient, hash, place, draft.time);
        }
    }

    fn finish(&mut self, builder: BlockBuilder, batch: &mut Batch) {
        let built = builder.finish(&self.peaks.root());
        self.outbox.append(&built, batch);
        batch.put(layout::own_block(self.epoch(), built.last), built.bytes);
    }

    /// Shows the entries to a recipient whose seqs lie in a range.
    fn visit(
        &mut self,
        store: &dyn Store,
        recipient: &Recipient,
        seqs: Range<u64>,
        mut show: impl FnMut(Seq, &BlockEntry<'_>),
    ) -> Result<(), LogError> {
        for place in self.outbox.places_from_seq(store, recipient, seqs.start)? {
            let place = place?;
            if place.first_seq >= seqs.end {
                break;
            }
            let block = self.blocks.holding(store, place.last)?;
            let within = block.entries_to(recipient).filter(|(seq, _)| seqs.contains(&seq.0));
            within.for_each(|(seq, entry)| show(seq, &entry));
        }
        Ok(())
    }
}
