//! Writing a block: columns grow entry by entry and are joined once.

use std::collections::BTreeMap;

use super::block::{
    BLOCK_VERSION, Content, ENTRY_ROW_SIZE, HASH_SIZE, HEAD_SIZE, KEY_ROW_SIZE, RECIPIENT_ROW_SIZE,
};
use super::idempotency::IdempotencyHash;
use crate::crypto::hash::Hash;
use crate::limits::{
    BLOCK_ENTRY_COUNT_MAX, BLOCK_NODE_LEVEL_MIN, BLOCK_SIZE_MAX, REWRITTEN_NODE_LEVEL_MIN,
};
use crate::types::{Index, Recipient, Seq};

/// A block in the making.
#[derive(Debug)]
pub(super) struct BlockBuilder {
    end: u64,
    node_level_min: u8,
    recipients: Vec<(Recipient, Seq)>,
    recipient_rows: BTreeMap<Recipient, u8>,
    entries: Vec<[u8; ENTRY_ROW_SIZE]>,
    nodes: Vec<[u8; HASH_SIZE]>,
    keys: Vec<[u8; KEY_ROW_SIZE]>,
    headers: Vec<u8>,
    bodies: Vec<u8>,
}

/// A block ready to be stored.
#[derive(Debug)]
pub(super) struct BuiltBlock {
    /// The index of its last entry: the key it goes under.
    pub(super) last: Index,
    /// Its bytes.
    pub(super) bytes: Vec<u8>,
    /// Whom its entries are addressed to, with the seq of the first of them.
    pub(super) recipients: Vec<(Recipient, Seq)>,
}

impl BlockBuilder {
    /// An empty block whose first entry will be `first`.
    pub(super) const fn new(first: Index) -> Self {
        Self::with_nodes_from(BLOCK_NODE_LEVEL_MIN, first)
    }

    /// The same for a block that takes the place of others.
    pub(super) const fn rewriting(first: Index) -> Self {
        Self::with_nodes_from(REWRITTEN_NODE_LEVEL_MIN, first)
    }

    const fn with_nodes_from(node_level_min: u8, first: Index) -> Self {
        Self {
            end: first.0,
            node_level_min,
            recipients: Vec::new(),
            recipient_rows: BTreeMap::new(),
            entries: Vec::new(),
            nodes: Vec::new(),
            keys: Vec::new(),
            headers: Vec::new(),
            bodies: Vec::new(),
        }
    }

    /// The length of the log after the newest entry.
    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    /// Whether nothing was pushed yet.
    pub(super) const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether one more entry keeps the block within its bounds. An empty block has room for any.
    pub(super) fn has_room_for<B: AsRef<[u8]>>(&self, content: &Content<B>) -> bool {
        let levels = self.end.trailing_ones();
        let nodes = levels.saturating_sub(u32::from(self.node_level_min) - 1);
        let nodes = usize::try_from(nodes).expect("a u64 has 64 bits");
        let rows = RECIPIENT_ROW_SIZE + ENTRY_ROW_SIZE + KEY_ROW_SIZE + nodes * HASH_SIZE;
        let size = self.size() + rows + content.header_column().len() + content.body_column().len();
        self.entries.len() < BLOCK_ENTRY_COUNT_MAX && size <= BLOCK_SIZE_MAX
    }

    /// Adds an entry. `seq` must follow on that of the entry to this recipient before it.
    ///
    /// # Panics
    /// When a full block is filled further.
    pub(super) fn push<B: AsRef<[u8]>>(
        &mut self,
        recipient: &Recipient,
        seq: Seq,
        key: Option<IdempotencyHash>,
        content: &Content<B>,
    ) {
        let row = self.recipient_row(recipient, seq);
        if let Some(key) = key {
            let entry = u8::try_from(self.entries.len()).expect("a block has at most 256 entries");
            let mut bytes = [entry; KEY_ROW_SIZE];
            bytes.split_at_mut(1).1.copy_from_slice(&key.0);
            self.keys.push(bytes);
        }
        self.entries.push(content.row(row));
        self.headers.extend_from_slice(content.header_column());
        self.bodies.extend_from_slice(content.body_column());
        self.end += 1;
    }

    /// Adds a node that the newest entry completes: lowest levels first.
    pub(super) fn push_node(&mut self, level: u8, hash: Hash) {
        if level >= self.node_level_min {
            self.nodes.push(hash.0);
        }
    }

    /// Joins the columns, with the root of the log at the block's end.
    ///
    /// # Panics
    /// When nothing was pushed.
    pub(super) fn finish(self, root: &Hash) -> BuiltBlock {
        let last = self.end.checked_sub(1).filter(|_| !self.is_empty());
        let last = Index(last.expect("a block holds at least one entry"));
        let mut bytes = Vec::with_capacity(self.size());
        bytes.extend([BLOCK_VERSION, self.node_level_min]);
        for count in [self.entries.len(), self.recipients.len(), self.keys.len()] {
            let count = u16::try_from(count).expect("a block has at most 256 entries");
            bytes.extend(count.to_be_bytes());
        }
        bytes.extend(root.0);
        for (recipient, seq) in &self.recipients {
            bytes.extend(recipient.to_bytes());
            bytes.extend(seq.0.to_be_bytes());
        }
        bytes.extend_from_slice(self.entries.as_flattened());
        bytes.extend_from_slice(self.nodes.as_flattened());
        bytes.extend_from_slice(self.keys.as_flattened());
        bytes.extend_from_slice(&self.headers);
        bytes.extend_from_slice(&self.bodies);
        BuiltBlock { last, bytes, recipients: self.recipients }
    }

    /// Whether entries of another block keep this one within its bounds, whatever their nodes.
    pub(super) fn has_room_for_block(&self, entries: usize, size: usize) -> bool {
        self.entries.len() + entries <= BLOCK_ENTRY_COUNT_MAX
            && self.size() + size <= BLOCK_SIZE_MAX
    }

    /// Bytes of all columns.
    pub(super) fn size(&self) -> usize {
        HEAD_SIZE
            + self.recipients.len() * RECIPIENT_ROW_SIZE
            + self.entries.as_flattened().len()
            + self.nodes.as_flattened().len()
            + self.keys.as_flattened().len()
            + self.headers.len()
            + self.bodies.len()
    }

    fn recipient_row(&mut self, recipient: &Recipient, seq: Seq) -> u8 {
        if let Some(row) = self.recipient_rows.get(recipient) {
            return *row;
        }
        let row = u8::try_from(self.recipients.len()).expect("a block has at most 256 entries");
        self.recipients.push((*recipient, seq));
        self.recipient_rows.insert(*recipient, row);
        row
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::super::block::Block;
    use super::super::error::BlockError;
    use super::super::tree::{LogTree, Peaks, Subtree};
    use super::*;
    use crate::log::leaf_hash;
    use crate::types::{Epoch, Id};

    const EPOCH: Epoch = Epoch(5);

    fn author() -> Id {
        Id::from_trusted([1; 32])
    }

    fn recipient(number: u8) -> Recipient {
        match number {
            0 => Recipient::Everyone,
            _ => Recipient::Peer([number; 32]),
        }
    }

    /// What went into a block.
    #[derive(Debug, Clone)]
    struct Pushed {
        recipient: Recipient,
        content: Content<Bytes>,
        key: Option<IdempotencyHash>,
    }

    fn pushed() -> impl Strategy<Value = Pushed> {
        let bytes = |sizes| prop::collection::vec(any::<u8>(), sizes).prop_map(Bytes::from);
        let inline = (bytes(1..256), bytes(0..300));
        let content = prop_oneof![
            6 => inline.prop_map(|(header, body)| Content::Inline { header, body }),
            1 => (bytes(1..256), 0u32..1 << 30)
                .prop_map(|(header, body_len)| Content::Long { header, body_len }),
            1 => bytes(1..256).prop_map(|header| Content::Bare { header }),
            1 => any::<[u8; 32]>().prop_map(|leaf| Content::Gone { leaf: Hash(leaf) }),
        ];
        (0u8..4, content, prop::option::of(any::<[u8; 16]>().prop_map(IdempotencyHash)))
            .prop_map(|(to, content, key)| Pushed { recipient: recipient(to), content, key })
    }

    fn leaf(index: u64, content: &Content<Bytes>) -> Hash {
        match content {
            Content::Inline { header, .. }
            | Content::Long { header, .. }
            | Content::Bare { header } => leaf_hash(&author(), EPOCH, Index(index), header),
            Content::Gone { leaf } => *leaf,
        }
    }

    /// A block over what was pushed, with each node that it should hold.
    fn build(first: u64, pushed: &[Pushed]) -> (BuiltBlock, Vec<(Subtree, Hash)>) {
        let mut peaks = Peaks::<LogTree>::new();
        for subtree in crate::log::cover(0..first) {
            peaks.push_subtree(subtree.level, Hash([subtree.level; 32])).unwrap();
        }
        let mut builder = BlockBuilder::new(Index(first));
        let mut nodes = Vec::new();
        let mut next = BTreeMap::<_, u64>::new();
        for (index, Pushed { recipient, content, key }) in (first..).zip(pushed) {
            assert!(builder.has_room_for(content));
            let seq = next.entry(*recipient).or_insert_with(|| first.min(100));
            builder.push(recipient, Seq(*seq), *key, content);
            *seq += 1;
            peaks.push_leaf(leaf(index, content), |level, hash| {
                builder.push_node(level, hash);
                nodes.push((Subtree { level, number: index >> level }, hash));
            });
        }
        (builder.finish(&peaks.root()), nodes)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_block_gives_back_what_was_pushed(
            first in prop_oneof![0u64..600, Just(u64::MAX - 256)],
            pushed in prop::collection::vec(pushed(), 1..100),
        ) {
            let (built, nodes) = build(first, &pushed);
            let block = Block::parse(built.last, built.bytes.into()).unwrap();
            prop_assert_eq!(block.first(), first);
            prop_assert_eq!(block.end() - first, u64::try_from(pushed.len()).unwrap());
            prop_assert_eq!(block.recipients().collect::<Vec<_>>(), built.recipients);
            for (entry, pushed) in block.entries().zip(&pushed) {
                prop_assert_eq!(entry.content(), pushed.content.clone());
                let row = block.recipient_row(&pushed.recipient);
                prop_assert_eq!(Some(entry.recipient_row()), row);
                prop_assert_eq!(entry.leaf(&author(), EPOCH), leaf(entry.index().0, &pushed.content));
            }
            for to in 0..5 {
                let seqs: Vec<_> = block.entries_to(&recipient(to)).map(|(seq, _)| seq).collect();
                let count = pushed.iter().filter(|p| p.recipient == recipient(to)).count();
                prop_assert_eq!(seqs, (first.min(100)..).map(Seq).take(count).collect::<Vec<_>>());
            }
            let keys = (first..).map(Index).zip(&pushed).filter_map(|(i, p)| Some((i, p.key?)));
            prop_assert!(block.idempotency_keys().eq(keys));
            for (node, hash) in nodes {
                prop_assert_eq!(block.node(node), (node.level >= 4).then_some(hash));
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            read_all(Index(7), bytes);
        }

        #[test]
        fn a_damaged_block_is_read_or_refused(
            pushed in prop::collection::vec(pushed(), 1..40),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            cut in any::<prop::sample::Index>(),
            last in any::<u64>(),
        ) {
            let (built, _) = build(3, &pushed);
            let mut damaged = built.bytes.clone();
            *at.get_mut(&mut damaged) = byte;
            read_all(built.last, damaged);
            read_all(Index(last), built.bytes.clone());
            let cut = cut.index(built.bytes.len());
            let refused = Block::parse(built.last, Bytes::from(built.bytes).slice(..cut));
            prop_assert!(refused.is_err());
        }
    }

    /// Reads all that a block says, if it is one.
    fn read_all(last: Index, bytes: Vec<u8>) {
        let Ok(block) = Block::parse(last, bytes.into()) else { return };
        let _ = block.root();
        for entry in block.entries() {
            let _ = (entry.content(), entry.leaf(&author(), EPOCH));
            for level in 0..=63 {
                let _ = block.node(Subtree { level, number: entry.index().0 >> level });
            }
        }
        for (recipient, _) in block.recipients() {
            block.entries_to(&recipient).for_each(drop);
        }
        block.idempotency_keys().for_each(drop);
    }

    #[test]
    fn a_block_is_full_at_its_bounds() {
        let small = Content::Inline { header: &[1; 100][..], body: &[][..] };
        let mut builder = BlockBuilder::new(Index(0));
        for seq in 0..256 {
            assert!(builder.has_room_for(&small));
            builder.push(&Recipient::Everyone, Seq(seq), None, &small);
        }
        assert!(!builder.has_room_for(&small));

        let large = Content::Inline { header: &[1; 255][..], body: &[2; 4_096][..] };
        // The 14th entry completes a node of each level.
        let mut builder = BlockBuilder::new(Index((1 << 63) - 14));
        let mut count = 0;
        while builder.has_room_for(&large) {
            builder.push(&recipient(count), Seq(0), Some(IdempotencyHash([0; 16])), &large);
            count += 1;
        }
        (0..60).for_each(|_| builder.push_node(63, Hash([0; 32])));
        assert_eq!(count, 14);
        assert!(builder.finish(&Hash([0; 32])).bytes.len() <= BLOCK_SIZE_MAX);
    }

    #[test]
    fn what_is_wrong_with_a_block_is_named() {
        let content = Content::Inline { header: Bytes::from_static(b"h"), body: Bytes::new() };
        let one =
            Pushed { recipient: Recipient::Everyone, content, key: Some(IdempotencyHash([0; 16])) };
        let (built, _) = build(0, &[one]);
        let refused = |at: usize, byte: u8| {
            let mut bytes = built.bytes.clone();
            bytes[at] = byte;
            Block::parse(Index(0), bytes.into()).unwrap_err()
        };
        assert_eq!(refused(0, 2), BlockError::Version(2));
        let counts = BlockError::Counts { entries: 0, recipients: 1, keys: 1 };
        assert_eq!(refused(3, 0), counts);
        let row = |column| BlockError::Row { column, row: 0 };
        assert_eq!(refused(40, 3), row("a recipient"));
        assert_eq!(refused(81, 4), row("an entry"));
        assert_eq!(refused(82, 1), row("an entry"));
        assert_eq!(refused(83, 0), row("an entry"));
        assert_eq!(refused(88, 1), row("an idempotency key"));
        assert_eq!(refused(83, 2), BlockError::Size { expected: 107, got: 106 });
        let misplaced = Block::parse(Index(u64::MAX), built.bytes.clone().into());
        let end = u64::MAX;
        assert_eq!(misplaced, Err(BlockError::Place { end, entries: 1 }));
    }
}
