//! A block: all entries of one commit, under one key.
//!
//! Columns of fixed width, so that a node, a header or a body is cut out of the stored bytes without
//! reading the rest; their bytes are drawn in the [manual](crate::manual::disk#own-block).

use bytes::Bytes;

use super::entry::leaf_hash;
use super::error::BlockError;
use super::idempotency::IdempotencyHash;
use super::tree::Subtree;
use crate::crypto::hash::Hash;
use crate::limits::{BLOCK_ENTRY_COUNT_MAX, BODY_SIZE_MAX, INLINE_BODY_SIZE_MAX, TREE_LEVEL_MAX};
use crate::types::{Epoch, Id, Index, Recipient, Seq};

/// The entries of one commit, as stored: a view of the stored bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    first: u64,
    end: u64,
    node_level_min: u8,
    entries_at: usize,
    nodes_at: usize,
    keys_at: usize,
    headers_at: usize,
    bodies_at: usize,
    bytes: Bytes,
}

/// One entry of a block.
#[derive(Debug, Clone, Copy)]
pub struct BlockEntry<'a> {
    index: Index,
    row: Row,
    header_at: usize,
    body_at: usize,
    bytes: &'a Bytes,
}

/// What a block holds of an entry: its bytes in `B`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content<B> {
    /// Header and sealed body.
    Inline {
        /// The header.
        header: B,
        /// The sealed body.
        body: B,
    },
    /// The header; the body lies in chunks of its own.
    Long {
        /// The header.
        header: B,
        /// Bytes of the sealed body.
        body_len: u32,
    },
    /// The header; the body was dropped.
    Bare {
        /// The header.
        header: B,
    },
    /// The leaf hash.
    Gone {
        /// The leaf hash.
        leaf: Hash,
    },
}

/// An entry's row.
#[derive(Debug, Clone, Copy)]
struct Row {
    kind: Kind,
    recipient: u8,
    header_len: u8,
    body_len: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Inline,
    Long,
    Gone,
    Bare,
}

impl Block {
    /// Takes a block as it was stored under `last`, the index of its last entry. Every length and
    /// offset is checked; hashes are not.
    ///
    /// # Errors
    /// [`BlockError`] when the bytes are no block that ends there.
    pub fn parse(last: Index, bytes: Bytes) -> Result<Self, BlockError> {
        let got = bytes.len();
        let short = BlockError::Size { expected: HEAD_SIZE, got };
        let head = bytes.first_chunk::<HEAD_SIZE>().ok_or(short)?;
        let [version, node_level_min, n0, n1, r0, r1, k0, k1, ..] = *head;
        let [entries, recipients, keys] = [[n0, n1], [r0, r1], [k0, k1]].map(u16::from_be_bytes);
        if version != BLOCK_VERSION {
            return Err(BlockError::Version(version));
        }
        let ordered = keys <= entries && 0 < recipients && recipients <= entries;
        if !ordered || usize::from(entries) > BLOCK_ENTRY_COUNT_MAX {
            return Err(BlockError::Counts { entries, recipients, keys });
        }
        let misplaced = BlockError::Place { end: last.0.saturating_add(1), entries };
        let end = last.0.checked_add(1).ok_or(misplaced)?;
        let first = end.checked_sub(entries.into()).ok_or(misplaced)?;
        let entries_at = HEAD_SIZE + usize::from(recipients) * RECIPIENT_ROW_SIZE;
        let nodes_at = entries_at + usize::from(entries) * ENTRY_ROW_SIZE;
        let keys_at = nodes_at + node_count(first, end, node_level_min) * HASH_SIZE;
        let headers_at = keys_at + usize::from(keys) * KEY_ROW_SIZE;
        if got < headers_at {
            return Err(BlockError::Size { expected: headers_at, got });
        }
        let mut block = Self {
            first,
            end,
            node_level_min,
            entries_at,
            nodes_at,
            keys_at,
            headers_at,
            bodies_at: headers_at,
            bytes,
        };
        block.check_recipients()?;
        block.check_keys()?;
        block.bodies_at = block.check_entries()?;
        Ok(block)
    }

    /// The index of its first entry.
    #[must_use]
    pub const fn first(&self) -> u64 {
        self.first
    }

    /// The length of the log at its end.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// The root of the log at its end.
    #[must_use]
    pub fn root(&self) -> Hash {
        hash_at(&self.bytes, ROOT_AT).expect("parse saw the whole head")
    }

    /// Whom its entries are addressed to, with the seq of the first of them.
    pub fn recipients(&self) -> impl Iterator<Item = (Recipient, Seq)> {
        let rows = self.recipient_rows().iter();
        rows.map(|row| read_recipient(row).expect("parse read the same row"))
    }

    /// The row of a recipient, when an entry is addressed to it.
    #[must_use]
    pub fn recipient_row(&self, recipient: &Recipient) -> Option<u8> {
        let bytes = recipient.to_bytes();
        let row = self.recipient_rows().iter().position(|row| row.starts_with(&bytes))?;
        u8::try_from(row).ok()
    }

    /// Its entries, in order.
    pub fn entries(&self) -> impl Iterator<Item = BlockEntry<'_>> {
        let (mut header_at, mut body_at) = (self.headers_at, self.bodies_at);
        self.entry_rows().iter().zip(self.first..).map(move |(row, index)| {
            let row = Row::read(row).expect("parse read the same row");
            let entry =
                BlockEntry { index: Index(index), row, header_at, body_at, bytes: &self.bytes };
            header_at += usize::from(row.header_len);
            body_at += row.inline_len();
            entry
        })
    }

    /// Its entries to one recipient, in order, with their seqs.
    pub fn entries_to(&self, recipient: &Recipient) -> impl Iterator<Item = (Seq, BlockEntry<'_>)> {
        let row = self.recipient_row(recipient);
        let first = row.and_then(|row| self.recipients().nth(row.into())).map(|(_, first)| first);
        let entries = first.map(|first| {
            let to_it = self.entries().filter(move |entry| Some(entry.recipient_row()) == row);
            (first.0..).map(Seq).zip(to_it)
        });
        entries.into_iter().flatten()
    }

    /// A node, when it ends in this block and is of a level kept.
    #[must_use]
    pub fn node(&self, node: Subtree) -> Option<Hash> {
        let above = node.level.checked_sub(self.node_level_min)?;
        let last = node.last();
        if !(self.first..self.end).contains(&last) {
            return None;
        }
        let before = node_count(self.first, last, self.node_level_min) + usize::from(above);
        hash_at(&self.bytes, self.nodes_at + before * HASH_SIZE)
    }

    /// The hashes of the idempotency keys that its entries were sent with, by entry.
    pub fn idempotency_keys(&self) -> impl Iterator<Item = (Index, IdempotencyHash)> {
        let rows = self.key_rows().iter();
        rows.map(|[entry, key @ ..]| (Index(self.first + u64::from(*entry)), IdempotencyHash(*key)))
    }

    /// A recipient has no more entries before this block than the log has.
    fn check_recipients(&self) -> Result<(), BlockError> {
        for (row, bytes) in self.recipient_rows().iter().enumerate() {
            if read_recipient(bytes).is_none_or(|(_, seq)| seq.0 > self.first) {
                return Err(BlockError::Row { column: "a recipient", row });
            }
        }
        Ok(())
    }

    fn check_keys(&self) -> Result<(), BlockError> {
        let mut next = 0;
        for (row, [entry, ..]) in self.key_rows().iter().enumerate() {
            let entry = usize::from(*entry);
            if entry < next || entry >= self.entry_rows().len() {
                return Err(BlockError::Row { column: "an idempotency key", row });
            }
            next = entry + 1;
        }
        Ok(())
    }

    /// Checks the entries against the block's end; says where their bodies begin.
    fn check_entries(&self) -> Result<usize, BlockError> {
        let recipients = self.recipient_rows().len();
        let (mut bodies_at, mut inline) = (self.headers_at, 0);
        for (row, bytes) in self.entry_rows().iter().enumerate() {
            let entry = Row::read(bytes).filter(|entry| usize::from(entry.recipient) < recipients);
            let entry = entry.ok_or(BlockError::Row { column: "an entry", row })?;
            bodies_at += usize::from(entry.header_len);
            inline += entry.inline_len();
        }
        let (expected, got) = (bodies_at + inline, self.bytes.len());
        if expected == got { Ok(bodies_at) } else { Err(BlockError::Size { expected, got }) }
    }

    fn recipient_rows(&self) -> &[[u8; RECIPIENT_ROW_SIZE]] {
        rows(&self.bytes, HEAD_SIZE, self.entries_at)
    }

    fn entry_rows(&self) -> &[[u8; ENTRY_ROW_SIZE]] {
        rows(&self.bytes, self.entries_at, self.nodes_at)
    }

    fn key_rows(&self) -> &[[u8; KEY_ROW_SIZE]] {
        rows(&self.bytes, self.keys_at, self.headers_at)
    }
}

impl BlockEntry<'_> {
    /// Its place in the log.
    #[must_use]
    pub const fn index(&self) -> Index {
        self.index
    }

    /// The row of its recipient in the block.
    #[must_use]
    pub const fn recipient_row(&self) -> u8 {
        self.row.recipient
    }

    /// Bytes that the block holds of it, beside its row.
    #[must_use]
    pub fn size(&self) -> usize {
        usize::from(self.row.header_len) + self.row.inline_len()
    }

    /// Whether its leaf hash is all that is left.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.row.kind == Kind::Gone
    }

    /// What the block holds of it, as slices of the block.
    #[must_use]
    pub fn content(&self) -> Content<Bytes> {
        let header = || self.bytes.slice(self.header_at..self.header_end());
        match self.row.kind {
            Kind::Inline => {
                let body_end = self.body_at + self.row.inline_len();
                Content::Inline { header: header(), body: self.bytes.slice(self.body_at..body_end) }
            }
            Kind::Long => Content::Long { header: header(), body_len: self.row.body_len },
            Kind::Bare => Content::Bare { header: header() },
            Kind::Gone => Content::Gone { leaf: self.gone_leaf() },
        }
    }

    /// Its leaf hash, when this is a block of that life of that author's log.
    #[must_use]
    pub fn leaf(&self, author: &Id, epoch: Epoch) -> Hash {
        match self.row.kind {
            Kind::Inline | Kind::Long | Kind::Bare => {
                let header = self.bytes.get(self.header_at..self.header_end());
                leaf_hash(author, epoch, self.index, header.unwrap_or_default())
            }
            Kind::Gone => self.gone_leaf(),
        }
    }

    fn gone_leaf(&self) -> Hash {
        hash_at(self.bytes, self.header_at).expect("parse saw all headers")
    }

    fn header_end(&self) -> usize {
        self.header_at + usize::from(self.row.header_len)
    }
}

impl<B> Content<B> {
    /// The header, when it is held.
    pub const fn header(&self) -> Option<&B> {
        match self {
            Self::Inline { header, .. } | Self::Long { header, .. } | Self::Bare { header } => {
                Some(header)
            }
            Self::Gone { .. } => None,
        }
    }
}

impl<B: AsRef<[u8]>> Content<B> {
    /// The bytes of the header column: header, or leaf hash.
    pub(super) fn header_column(&self) -> &[u8] {
        match self {
            Self::Gone { leaf } => &leaf.0,
            Self::Inline { header, .. } | Self::Long { header, .. } | Self::Bare { header } => {
                header.as_ref()
            }
        }
    }

    /// The bytes of the body column.
    pub(super) fn body_column(&self) -> &[u8] {
        match self {
            Self::Inline { body, .. } => body.as_ref(),
            Self::Long { .. } | Self::Bare { .. } | Self::Gone { .. } => &[],
        }
    }

    /// The row of an entry to the recipient of that row.
    pub(super) fn row(&self, recipient: u8) -> [u8; ENTRY_ROW_SIZE] {
        let (kind, body_len) = match self {
            Self::Inline { body, .. } => (0, u32::try_from(body.as_ref().len())),
            Self::Long { body_len, .. } => (1, Ok(*body_len)),
            Self::Gone { .. } => (2, Ok(0)),
            Self::Bare { .. } => (3, Ok(0)),
        };
        let header_len = u8::try_from(self.header_column().len());
        let header_len = header_len.expect("no header exceeds 255 bytes");
        let [a, b, c, d] = body_len.expect("an inline body is short").to_be_bytes();
        [kind, recipient, header_len, a, b, c, d]
    }
}

impl Row {
    /// `None` when no entry can have such a row.
    fn read([kind, recipient, header_len, len @ ..]: &[u8; ENTRY_ROW_SIZE]) -> Option<Self> {
        let (kind, recipient, header_len) = (*kind, *recipient, *header_len);
        let body_len = u32::from_be_bytes(*len);
        let (kind, sound) = match kind {
            0 => (Kind::Inline, usize::try_from(body_len).ok()? <= INLINE_BODY_SIZE_MAX),
            1 => (Kind::Long, u64::from(body_len) <= BODY_SIZE_MAX),
            2 => (Kind::Gone, usize::from(header_len) == HASH_SIZE && body_len == 0),
            3 => (Kind::Bare, body_len == 0),
            _ => return None,
        };
        (sound && header_len > 0).then_some(Self { kind, recipient, header_len, body_len })
    }

    /// Bytes in the body column.
    fn inline_len(&self) -> usize {
        let inline = self.kind == Kind::Inline;
        usize::try_from(self.body_len).ok().filter(|_| inline).unwrap_or(0)
    }
}

/// How many nodes of at least that level end among the leaves first .. end.
pub(super) fn node_count(first: u64, end: u64, level_min: u8) -> usize {
    let levels = level_min..=TREE_LEVEL_MAX;
    let count = levels.map(|level| (end >> level) - (first >> level)).sum::<u64>();
    usize::try_from(count).expect("a block has at most 256 leaves, each ends at most 63 nodes")
}

fn read_recipient(row: &[u8; RECIPIENT_ROW_SIZE]) -> Option<(Recipient, Seq)> {
    let (recipient, seq) = row.split_last_chunk::<8>()?;
    let recipient = Recipient::from_bytes(recipient.try_into().ok()?)?;
    Some((recipient, Seq(u64::from_be_bytes(*seq))))
}

fn rows<const SIZE: usize>(bytes: &Bytes, from: usize, to: usize) -> &[[u8; SIZE]] {
    bytes.get(from..to).unwrap_or_default().as_chunks().0
}

fn hash_at(bytes: &Bytes, at: usize) -> Option<Hash> {
    bytes.get(at..)?.first_chunk().map(|hash| Hash(*hash))
}

pub(super) const BLOCK_VERSION: u8 = 1;
pub(super) const HEAD_SIZE: usize = ROOT_AT + HASH_SIZE;
pub(super) const RECIPIENT_ROW_SIZE: usize = Recipient::SIZE + 8;
pub(super) const ENTRY_ROW_SIZE: usize = 7;
pub(super) const HASH_SIZE: usize = 32;
pub(super) const KEY_ROW_SIZE: usize = 1 + 16;
const ROOT_AT: usize = 8;
