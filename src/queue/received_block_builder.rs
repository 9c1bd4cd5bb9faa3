//! Writing a received block: columns grow entry by entry and are joined once.

use super::received_block::{
    BLOCK_VERSION, HEAD_SIZE, KIND_APART, KIND_GONE, KIND_INLINE, ROW_SIZE,
};
use crate::limits::{BLOCK_ENTRY_COUNT_MAX, BLOCK_SIZE_MAX};
use crate::sync::{Content, ReceivedEntry};
use crate::types::{Index, Seq};

/// A received block in the making.
#[derive(Debug)]
pub(super) struct ReceivedBlockBuilder {
    first_index: Index,
    size_before: u64,
    last: Seq,
    rows: Vec<[u8; ROW_SIZE]>,
    headers: Vec<u8>,
    bodies: Vec<u8>,
}

impl ReceivedBlockBuilder {
    /// A block that begins with `first`. `size_before` is what all blocks before it hold.
    pub(super) fn new(first: &ReceivedEntry, size_before: u64) -> Self {
        let (rows, headers, bodies) = (Vec::new(), Vec::new(), Vec::new());
        let (first_index, last) = (first.index, first.seq);
        let mut block = Self { first_index, size_before, last, rows, headers, bodies };
        let fits = block.push(first);
        assert!(fits, "an empty block has room for any one entry");
        block
    }

    /// Adds the next entry, unless the block is full or its index too far from the first's.
    #[must_use]
    pub(super) fn push(&mut self, entry: &ReceivedEntry) -> bool {
        let (kind, header, body) = columns(entry);
        let offset = entry.index.0.checked_sub(self.first_index.0).map(u32::try_from);
        let Some(Ok(offset)) = offset else { return false };
        let size = self.size() + ROW_SIZE + header.len() + body.len();
        if self.rows.len() == BLOCK_ENTRY_COUNT_MAX || size > BLOCK_SIZE_MAX {
            return false;
        }
        let header_len = u8::try_from(header.len()).expect("no header exceeds 255 bytes");
        let body_len = u16::try_from(body.len()).expect("an inline body is at most 4 096 bytes");
        let ([b0, b1], [i0, i1, i2, i3]) = (body_len.to_be_bytes(), offset.to_be_bytes());
        self.rows.push([kind, header_len, b0, b1, i0, i1, i2, i3]);
        self.headers.extend_from_slice(header);
        self.bodies.extend_from_slice(body);
        self.last = entry.seq;
        true
    }

    /// Bytes of headers and bodies in this block and all before it.
    pub(super) fn size_after(&self) -> u64 {
        let own = u64::try_from(self.headers.len() + self.bodies.len());
        self.size_before.saturating_add(own.expect("a block is at most 64 KiB"))
    }

    /// The seq of the last entry, and the columns joined.
    pub(super) fn finish(self) -> (Seq, Vec<u8>) {
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

    fn size(&self) -> usize {
        HEAD_SIZE + self.rows.len() * ROW_SIZE + self.headers.len() + self.bodies.len()
    }
}

/// An entry's kind, header column and body column.
fn columns(entry: &ReceivedEntry) -> (u8, &[u8], &[u8]) {
    match &entry.content {
        Content::Entry { header, body: Some(body), .. } => (KIND_INLINE, header, body),
        Content::Entry { header, body: None, .. } => (KIND_APART, header, &[]),
        Content::Gone => (KIND_GONE, &entry.leaf.0, &[]),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::super::received_block::{ReceivedBlock, StoredContent};
    use super::*;
    use crate::crypto::hash::Hash;
    use crate::log::Decoded;
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
        assert_eq!(hex::encode(bytes), format!("{head}{rows}{headers}{bodies}"));
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
