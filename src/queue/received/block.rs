//! A received block: entries of one stored group, under one key.
//!
//! Columns of fixed width, numbers big-endian, so that an entry is cut out of the stored bytes
//! without reading the rest:
//!
//! | size | field |
//! |---|---|
//! | 1 | version: 1 |
//! | 2 | entries n: 1 to 256; the key names the seq of the last |
//! | 8 | index of the first entry in its author's log |
//! | 8 | bytes of headers and bodies in all blocks of this log before this one |
//! | 8 n | entries: kind 1, header length 1, body length 2, index less that of the first 4 |
//! | | headers |
//! | | bodies |
//!
//! Kinds: 0 inline; 1 its body is not in the block; 2 gone, its leaf hash in place of the header; 3
//! dropped, likewise, but with the lengths of the header and the body that it had: what the blocks
//! after this one say of those before them stays true.

use std::ops::Range;

use bytes::Bytes;

use crate::crypto::hash::Hash;
use crate::limits::{BLOCK_ENTRY_COUNT_MAX, INLINE_BODY_SIZE_MAX};
use crate::queue::error::QueueError;
use crate::types::{Index, Seq};

/// Entries as stored: a view of the stored bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::queue) struct ReceivedBlock {
    first: u64,
    end: u64,
    headers_at: usize,
    bodies_at: usize,
    bytes: Bytes,
}

/// One entry of a received block, as slices of the block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::queue) struct StoredEntry {
    pub(in crate::queue) seq: Seq,
    pub(in crate::queue) index: Index,
    pub(in crate::queue) content: StoredContent,
}

/// What a received block holds of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::queue) enum StoredContent {
    /// The header, and the sealed body when it is inline.
    Entry { header: Bytes, body: Option<Bytes> },
    /// The leaf hash: the author had no more.
    Gone { leaf: Hash },
    /// The leaf hash, and the lengths of what was dropped here.
    Dropped { leaf: Hash, lens: Lens },
}

/// Bytes of a header and of the body beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queue) struct Lens {
    pub(in crate::queue) header: u8,
    pub(in crate::queue) body: u16,
}

/// An entry's row.
#[derive(Debug, Clone, Copy)]
struct Row {
    kind: u8,
    lens: Lens,
    index_offset: u64,
}

impl ReceivedBlock {
    /// Takes a block as it was stored under `last`, the seq of its last entry. Every length and
    /// offset is checked.
    pub(in crate::queue) fn parse(last: Seq, bytes: Bytes) -> Result<Self, QueueError> {
        Self::checked(last, bytes).ok_or(QueueError::Damaged("a block of received entries"))
    }

    fn checked(last: Seq, bytes: Bytes) -> Option<Self> {
        let [version, n0, n1, ..] = *bytes.first_chunk::<HEAD_SIZE>()?;
        let count = u16::from_be_bytes([n0, n1]);
        let counted = (1..=BLOCK_ENTRY_COUNT_MAX).contains(&count.into());
        let end = last.0.checked_add(1)?;
        let first = end.checked_sub(count.into())?;
        let headers_at = HEAD_SIZE + usize::from(count) * ROW_SIZE;
        if version != BLOCK_VERSION || !counted || bytes.len() < headers_at {
            return None;
        }
        let mut block = Self { first, end, headers_at, bodies_at: headers_at, bytes };
        let (mut header_size, mut body_size, mut total) = (0, 0, 0);
        for row in block.raw_rows() {
            let row = Row::read(row)?;
            block.first_index().0.checked_add(row.index_offset)?;
            header_size += row.header_column();
            body_size += row.body_column();
            total += row.size();
        }
        block.bodies_at += header_size;
        block.size_before().checked_add(u64::try_from(total).ok()?)?;
        (block.bodies_at + body_size == block.bytes.len()).then_some(block)
    }

    /// Bytes of the block.
    pub(in crate::queue) const fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The seqs of its entries.
    pub(in crate::queue) const fn seqs(&self) -> Range<u64> {
        self.first..self.end
    }

    /// Bytes of headers and bodies in all blocks before it.
    pub(in crate::queue) fn size_before(&self) -> u64 {
        self.number_at(SIZE_BEFORE_AT)
    }

    /// Bytes of each entry's header and inline body as they came, in order.
    pub(in crate::queue) fn sizes(&self) -> impl Iterator<Item = usize> + '_ {
        self.rows().map(|row| row.size())
    }

    /// The entries from `seq` on, in order.
    pub(in crate::queue) fn entries_from(
        &self,
        seq: Seq,
    ) -> impl Iterator<Item = StoredEntry> + '_ {
        let (mut header_at, mut body_at) = (self.headers_at, self.bodies_at);
        let entries = self.rows().zip(self.first..).map(move |(row, place)| {
            let at = (header_at, body_at);
            header_at += row.header_column();
            body_at += row.body_column();
            (row, place, at)
        });
        let skipped = entries.skip_while(move |(_, place, _)| *place < seq.0);
        skipped.map(|(row, place, at)| self.entry(row, Seq(place), at))
    }

    fn entry(&self, row: Row, seq: Seq, (header_at, body_at): (usize, usize)) -> StoredEntry {
        let header = self.bytes.slice(header_at..header_at + row.header_column());
        let leaf = |header: Bytes| {
            Hash(*header.first_chunk().expect("parse saw that a leaf hash has 32 bytes"))
        };
        let content = match row.kind {
            KIND_GONE => StoredContent::Gone { leaf: leaf(header) },
            KIND_DROPPED => StoredContent::Dropped { leaf: leaf(header), lens: row.lens },
            kind => {
                let body = || self.bytes.slice(body_at..body_at + row.body_column());
                StoredContent::Entry { header, body: (kind == KIND_INLINE).then(body) }
            }
        };
        let index = Index(self.first_index().0 + row.index_offset);
        StoredEntry { seq, index, content }
    }

    fn first_index(&self) -> Index {
        Index(self.number_at(FIRST_INDEX_AT))
    }

    fn number_at(&self, at: usize) -> u64 {
        let number = self.bytes.get(at..).and_then(<[u8]>::first_chunk);
        u64::from_be_bytes(*number.expect("parse saw the whole head"))
    }

    fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        self.raw_rows().iter().map(|row| Row::read(row).expect("parse read the same row"))
    }

    fn raw_rows(&self) -> &[[u8; ROW_SIZE]] {
        self.bytes.get(HEAD_SIZE..self.headers_at).unwrap_or_default().as_chunks().0
    }
}

impl Lens {
    /// Of a header, and a body that is empty or inline.
    pub(in crate::queue) fn of(header: &[u8], body: &[u8]) -> Self {
        Self {
            header: u8::try_from(header.len()).expect("no header exceeds 255 bytes"),
            body: u16::try_from(body.len()).expect("an inline body is at most 4 096 bytes"),
        }
    }
}

impl Row {
    /// `None` when no entry can have such a row.
    fn read([kind, header, b0, b1, index_offset @ ..]: &[u8; ROW_SIZE]) -> Option<Self> {
        let lens = Lens { header: *header, body: u16::from_be_bytes([*b0, *b1]) };
        let index_offset = u32::from_be_bytes(*index_offset).into();
        let sound = match *kind {
            KIND_INLINE | KIND_DROPPED => usize::from(lens.body) <= INLINE_BODY_SIZE_MAX,
            KIND_APART => lens.body == 0,
            KIND_GONE => usize::from(lens.header) == LEAF_SIZE && lens.body == 0,
            _ => false,
        };
        sound.then_some(Self { kind: *kind, lens, index_offset })
    }

    /// Bytes of header and body as they came.
    fn size(&self) -> usize {
        usize::from(self.lens.header) + usize::from(self.lens.body)
    }

    fn header_column(&self) -> usize {
        if self.kind == KIND_DROPPED { LEAF_SIZE } else { usize::from(self.lens.header) }
    }

    fn body_column(&self) -> usize {
        if self.kind == KIND_DROPPED { 0 } else { usize::from(self.lens.body) }
    }
}

pub(in crate::queue) const BLOCK_VERSION: u8 = 1;
pub(in crate::queue) const KIND_INLINE: u8 = 0;
pub(in crate::queue) const KIND_APART: u8 = 1;
pub(in crate::queue) const KIND_GONE: u8 = 2;
pub(in crate::queue) const KIND_DROPPED: u8 = 3;
pub(in crate::queue) const HEAD_SIZE: usize = SIZE_BEFORE_AT + 8;
pub(in crate::queue) const ROW_SIZE: usize = 8;
const FIRST_INDEX_AT: usize = 3;
const SIZE_BEFORE_AT: usize = FIRST_INDEX_AT + 8;
const LEAF_SIZE: usize = 32;
