//! Writing a received block: columns grow entry by entry and are joined once.

use super::block::{
    BLOCK_VERSION, HEAD_SIZE, KIND_APART, KIND_DROPPED, KIND_GONE, KIND_INLINE, Lens, ROW_SIZE,
    StoredContent, StoredEntry,
};
use crate::limits::{BLOCK_ENTRY_COUNT_MAX, BLOCK_SIZE_MAX};
use crate::sync::{Content, ReceivedEntry};
use crate::types::{Index, Seq};

/// A received block in the making.
#[derive(Debug, Clone)]
pub(in crate::queue) struct ReceivedBlockBuilder {
    first_index: Index,
    size_before: u64,
    size_after: u64,
    last: Seq,
    rows: Vec<[u8; ROW_SIZE]>,
    headers: Vec<u8>,
    bodies: Vec<u8>,
}

/// What a block holds of an entry.
#[derive(Debug, Clone, Copy)]
struct Columns<'a> {
    kind: u8,
    lens: Lens,
    header: &'a [u8],
    body: &'a [u8],
}

impl ReceivedBlockBuilder {
    /// A block that begins with `first`. `size_before` is what all blocks before it held.
    pub(in crate::queue) fn new(first: &ReceivedEntry, size_before: u64) -> Self {
        let mut block = Self::begin(first.index, first.seq, size_before);
        let fits = block.push(first);
        assert!(fits, "an empty block has room for any one entry");
        block
    }

    /// An empty block for entries from a place on.
    pub(in crate::queue) fn begin(first_index: Index, first: Seq, size_before: u64) -> Self {
        let (rows, headers, bodies) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            first_index,
            size_before,
            size_after: size_before,
            last: first,
            rows,
            headers,
            bodies,
        }
    }

    /// Adds the next entry, unless the block is full or its index too far from the first's.
    #[must_use]
    pub(in crate::queue) fn push(&mut self, entry: &ReceivedEntry) -> bool {
        self.push_columns(entry.index, entry.seq, Columns::of_received(entry))
    }

    /// Adds the next entry of another block, unless this one is full or its index too far from the
    /// first's.
    #[must_use]
    pub(in crate::queue) fn push_stored(&mut self, entry: &StoredEntry) -> bool {
        self.push_columns(entry.index, entry.seq, Columns::of_stored(&entry.content))
    }

    /// Bytes of headers and bodies in this block and all before it, as they came.
    pub(in crate::queue) const fn size_after(&self) -> u64 {
        self.size_after
    }

    /// The seq of the last entry, and the columns joined.
    pub(in crate::queue) fn finish(self) -> (Seq, Vec<u8>) {
        let mut bytes = Vec::with_capacity(self.size());
        let count = u16::try_from(self.rows.len()).expect("a block has at most 256 entries");
        bytes.push(BLOCK_VERSION);
        bytes.extend(count.to_be_bytes());
        bytes.extend(self.first_index.0.to_be_bytes());
        bytes.extend(self.size_before.to_be_bytes());
        bytes.extend_from_slice(self.rows.as_flattened());
        bytes.extend_from_slice(&self.headers);
        bytes.extend_from_slice(&self.bodies);
        (self.last, bytes)
    }

    /// Bytes of the block.
    pub(in crate::queue) fn size(&self) -> usize {
        HEAD_SIZE + self.rows.len() * ROW_SIZE + self.headers.len() + self.bodies.len()
    }

    fn push_columns(&mut self, index: Index, seq: Seq, columns: Columns<'_>) -> bool {
        let Columns { kind, lens, header, body } = columns;
        let offset = index.0.checked_sub(self.first_index.0).map(u32::try_from);
        let Some(Ok(offset)) = offset else { return false };
        let size = self.size() + ROW_SIZE + header.len() + body.len();
        if self.rows.len() == BLOCK_ENTRY_COUNT_MAX || size > BLOCK_SIZE_MAX {
            return false;
        }
        let ([b0, b1], [i0, i1, i2, i3]) = (lens.body.to_be_bytes(), offset.to_be_bytes());
        self.rows.push([kind, lens.header, b0, b1, i0, i1, i2, i3]);
        self.headers.extend_from_slice(header);
        self.bodies.extend_from_slice(body);
        let size = u64::from(lens.header) + u64::from(lens.body);
        self.size_after = self.size_after.saturating_add(size);
        self.last = seq;
        true
    }
}

impl<'a> Columns<'a> {
    fn of_received(entry: &'a ReceivedEntry) -> Self {
        match &entry.content {
            Content::Entry { header, body, .. } => Self::of_entry(header, body.as_deref()),
            Content::Gone => Self::new(KIND_GONE, &entry.leaf.0, &[]),
        }
    }

    fn of_stored(content: &'a StoredContent) -> Self {
        match content {
            StoredContent::Entry { header, body } => Self::of_entry(header, body.as_deref()),
            StoredContent::Gone { leaf } => Self::new(KIND_GONE, &leaf.0, &[]),
            StoredContent::Dropped { leaf, lens } => {
                Self { lens: *lens, ..Self::new(KIND_DROPPED, &leaf.0, &[]) }
            }
        }
    }

    fn of_entry(header: &'a [u8], body: Option<&'a [u8]>) -> Self {
        match body {
            Some(body) => Self::new(KIND_INLINE, header, body),
            None => Self::new(KIND_APART, header, &[]),
        }
    }

    fn new(kind: u8, header: &'a [u8], body: &'a [u8]) -> Self {
        Self { kind, lens: Lens::of(header, body), header, body }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::hash::Hash;
    use crate::log::Decoded;
    use crate::queue::received::block::{ReceivedBlock, StoredContent};
    use crate::types::Recipient;

    fn entry(seq: u64, index: u64, parts: &(Vec<u8>, Option<Vec<u8>>)) -> ReceivedEntry {
        let (seq, recipient) = (Seq(seq), Recipient::Everyone);
        let content = match parts {
            (header, _) if header.is_empty() => Content::Gone,
            (header, body) => Content::Entry {
                header: header.clone().into(),
                decoded: Decoded::Unsupported { recipient, seq },
                body: body.clone().map(Bytes::from),
            },
        };
        ReceivedEntry { index: Index(index), seq, leaf: Hash([9; 32]), content }
    }

    fn parts() -> impl Strategy<Value = (Vec<u8>, Option<Vec<u8>>)> {
        let bytes = |max| prop::collection::vec(any::<u8>(), 0..max);
        (bytes(256), prop::option::of(bytes(700)))
    }

    fn built(entries: &[ReceivedEntry]) -> Vec<(Seq, Vec<u8>)> {
        let (first, rest) = entries.split_first().unwrap();
        let mut builder = ReceivedBlockBuilder::new(first, 7);
        let mut blocks = Vec::new();
        for entry in rest {
            if !builder.push(entry) {
                let next = ReceivedBlockBuilder::new(entry, builder.size_after());
                blocks.push(std::mem::replace(&mut builder, next).finish());
            }
        }
        blocks.push(builder.finish());
        blocks
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn blocks_give_back_what_was_pushed(all in prop::collection::vec((parts(), 1u64..1 << 31), 1..400)) {
            let mut index = 0;
            let entries: Vec<_> = all.iter().zip(100..).map(|((parts, gap), seq)| {
                index += gap;
                entry(seq, index, parts)
            }).collect();
            let mut pushed = entries.iter();
            let (mut next, mut size) = (100, 7);
            for (last, bytes) in built(&entries) {
                prop_assert!(bytes.len() <= BLOCK_SIZE_MAX);
                let block = ReceivedBlock::parse(last, bytes.into()).unwrap();
                prop_assert_eq!(block.seqs(), next..last.0 + 1);
                prop_assert_eq!(block.size_before(), size);
                next = last.0 + 1;
                size += u64::try_from(block.sizes().sum::<usize>()).unwrap();
                for stored in block.entries_from(Seq(0)) {
                    let pushed = pushed.next().unwrap();
                    prop_assert_eq!((stored.seq, stored.index), (pushed.seq, pushed.index));
                    let content = match &pushed.content {
                        Content::Entry { header, body, .. } => {
                            StoredContent::Entry { header: header.clone(), body: body.clone() }
                        }
                        Content::Gone => StoredContent::Gone { leaf: pushed.leaf },
                    };
                    prop_assert_eq!(stored.content, content);
                }
                let tail: Vec<_> = block.entries_from(last).map(|stored| stored.seq).collect();
                prop_assert_eq!(tail, [last]);
            }
            prop_assert!(pushed.next().is_none());
        }

        #[test]
        fn a_damaged_block_is_read_or_refused(
            all in prop::collection::vec(parts(), 1..40),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            cut in any::<prop::sample::Index>(),
            last in any::<u64>(),
        ) {
            let entries: Vec<_> =
                all.iter().zip(0..).map(|(parts, place)| entry(place, place, parts)).collect();
            let (seq, bytes) = built(&entries).remove(0);
            let mut damaged = bytes.clone();
            *at.get_mut(&mut damaged) = byte;
            for (last, bytes) in [(seq, damaged), (Seq(last), bytes.clone())] {
                let Ok(block) = ReceivedBlock::parse(last, bytes.into()) else { continue };
                block.entries_from(Seq(0)).for_each(drop);
            }
            let cut = cut.index(bytes.len());
            let refused = ReceivedBlock::parse(seq, Bytes::from(bytes).slice(..cut));
            prop_assert!(refused.is_err());
        }
    }

    #[test]
    fn blocks_on_disk_do_not_change() {
        let entries = [
            entry(5, 300, &(vec![0xaa, 0xab], Some(vec![0xba]))),
            entry(6, 301, &(vec![0xac], None)),
            entry(7, 65_900, &(vec![], None)),
        ];
        let (last, bytes) = built(&entries).remove(0);
        assert_eq!(last, Seq(7));
        let head = "010003000000000000012c0000000000000007";
        let rows = "000200010000000001010000000000010220000000010040";
        let (headers, bodies) = (format!("aaabac{}", "09".repeat(32)), "ba");
        assert_eq!(hex::encode(&bytes), format!("{head}{rows}{headers}{bodies}"));

        let block = ReceivedBlock::parse(last, bytes.into()).unwrap();
        let mut dropped = ReceivedBlockBuilder::begin(Index(300), Seq(5), 7);
        for mut entry in block.entries_from(Seq(0)) {
            if entry.seq == Seq(5) {
                let (leaf, lens) = (Hash([8; 32]), Lens { header: 2, body: 1 });
                entry.content = StoredContent::Dropped { leaf, lens };
            }
            assert!(dropped.push_stored(&entry));
        }
        assert_eq!(dropped.size_after(), 43);
        let rows = rows.replacen("00", "03", 1);
        let headers = format!("{}ac{}", "08".repeat(32), "09".repeat(32));
        let (last, bytes) = dropped.finish();
        assert_eq!(hex::encode(&bytes), format!("{head}{rows}{headers}"));
        let again = ReceivedBlock::parse(last, bytes.into()).unwrap();
        assert_eq!(again.sizes().collect::<Vec<_>>(), block.sizes().collect::<Vec<_>>());
    }

    #[test]
    fn a_block_is_full_at_its_bounds() {
        let small = |seq| entry(seq, seq, &(vec![1], Some(vec![])));
        let blocks = built(&(0..257).map(small).collect::<Vec<_>>());
        assert_eq!(blocks.iter().map(|(last, _)| last.0).collect::<Vec<_>>(), [255, 256]);
        let large = |seq| entry(seq, seq, &(vec![1; 255], Some(vec![2; 4_096])));
        let blocks = built(&(0..16).map(large).collect::<Vec<_>>());
        assert_eq!(blocks.iter().map(|(last, _)| last.0).collect::<Vec<_>>(), [14, 15]);
        let far = [entry(0, 0, &(vec![1], None)), entry(1, 1 << 32, &(vec![1], None))];
        assert_eq!(built(&far).len(), 2);
    }
}
