//! The log against a model: a list of entries, and the tree by its recursive definition.

mod damage;
mod rewriting;
mod sending;
mod serving;

use peermq_storage::MemoryStore;
use proptest::prelude::*;

use super::*;
use crate::crypto::hash::body_hash;
use crate::crypto::{Salt, Suite};
use crate::limits::{ADVANCE_ITEM_COUNT_MAX, ADVANCE_SIZE_MAX};

const EPOCH: Epoch = Epoch(1_700_000_000);
const WHOLE: ChunkBudget<'_> =
    ChunkBudget { bytes: ADVANCE_SIZE_MAX, items: ADVANCE_ITEM_COUNT_MAX, checkpoints: &[] };

/// A log with its store, and what it should hold.
struct World {
    store: MemoryStore,
    log: Log,
    entries: Vec<Entry>,
    /// The lengths at which blocks end.
    ends: Vec<u64>,
    /// The root at each length.
    roots: Vec<Hash>,
    peaks: Peaks<LogTree>,
}

#[derive(Debug, Clone)]
struct Entry {
    recipient: Recipient,
    seq: u64,
    leaf: Hash,
    body: Option<Bytes>,
    gone: bool,
}

impl World {
    fn new() -> Self {
        let store = MemoryStore::new();
        let log = Log::open(&store, author(), EPOCH).unwrap();
        let peaks = Peaks::new();
        let roots = vec![peaks.root()];
        Self { store, log, entries: Vec::new(), ends: Vec::new(), roots, peaks }
    }

    fn append(&mut self, drafts: &[Draft]) -> Vec<Appended> {
        let mut batch = Batch::new();
        let before = self.log.length();
        let appended = self.log.append(&self.store, drafts, &mut batch).unwrap();
        self.store.commit(batch).unwrap();
        for (draft, place) in drafts.iter().zip(&appended) {
            self.expect(draft, *place);
        }
        let mut at = before;
        while at < self.log.length() {
            at = self.log.blocks.holding(&self.store, at).unwrap().end();
            self.ends.push(at);
        }
        appended
    }

    /// Appends a draft with a key, unless it repeats another.
    fn append_once(&mut self, draft: Draft) -> Appended {
        let hash = draft.idempotency.unwrap();
        let first = self.log.idempotent(&self.store, &draft.recipient, hash, draft.time).unwrap();
        first.unwrap_or_else(|| self.append(&[draft])[0])
    }

    fn expect(&mut self, draft: &Draft, place: Appended) {
        let header = draft.header(place.seq);
        let leaf = leaf_hash(&author(), EPOCH, place.index, header.as_bytes());
        let body = match &draft.body {
            DraftBody::Inline(body) => Some(body.clone()),
            DraftBody::Staged { .. } => None,
        };
        self.peaks.push_leaf(leaf, |_, _| ());
        self.roots.push(self.peaks.root());
        let (recipient, seq) = (draft.recipient, place.seq.0);
        self.entries.push(Entry { recipient, seq, leaf, body, gone: false });
    }

    fn reopen(&mut self) {
        self.log = Log::open(&self.store, author(), EPOCH).unwrap();
    }

    fn flush(&mut self) {
        let mut batch = Batch::new();
        self.log.flush_index(&mut batch);
        self.store.commit(batch).unwrap();
    }

    fn root(&self, length: u64) -> Hash {
        self.roots[usize::try_from(length).unwrap()]
    }

    /// Reads all chunks for a reader and holds each against the model. Says how many there were.
    fn check_chunks(&mut self, reader: Recipient, bytes: usize, checkpoints: &[u64]) -> usize {
        let budget = ChunkBudget { bytes, items: ADVANCE_ITEM_COUNT_MAX, checkpoints };
        let mut peaks = Peaks::new();
        let mut count = 0;
        while let Some(chunk) =
            self.log.chunk(&self.store, &reader, peaks.length(), &budget).unwrap()
        {
            let from = peaks.length();
            assert_eq!(chunk.from, from);
            let is_checkpoint = checkpoints.contains(&chunk.to);
            assert!(is_checkpoint || self.ends.contains(&chunk.to), "{} is no end", chunk.to);
            assert!(!checkpoints.iter().any(|at| (from + 1..chunk.to).contains(at)));
            let size: usize = chunk.items.iter().map(size).sum();
            let folded = fold(&peaks, &author(), EPOCH, chunk.to, chunk.items).unwrap();
            self.check_shown(&reader, from..chunk.to, &folded.shown);
            let block_of = |shown: &Shown| self.ends.partition_point(|end| *end <= shown.index.0);
            let mut blocks: Vec<_> = folded.shown.iter().map(block_of).collect();
            blocks.dedup();
            assert!(size <= bytes || blocks.len() <= 1, "{size} of {bytes} from {from}");
            assert_eq!(folded.peaks.root(), chunk.root);
            assert_eq!(chunk.root, self.root(chunk.to));
            peaks = folded.peaks;
            count += 1;
        }
        let rest = self.entries.iter().skip(usize::try_from(peaks.length()).unwrap());
        assert!(!rest.into_iter().any(|entry| is_for(entry, &reader)));
        count
    }

    fn check_shown(&self, reader: &Recipient, range: Range<u64>, shown: &[Shown]) {
        let entries = (0..).zip(&self.entries).filter(|(index, _)| range.contains(index));
        let expected: Vec<_> = entries.filter(|(_, entry)| is_for(entry, reader)).collect();
        assert_eq!(shown.len(), expected.len());
        for (shown, (index, entry)) in shown.iter().zip(expected) {
            assert_eq!((shown.index, shown.leaf), (Index(index), entry.leaf));
            if entry.gone {
                assert_eq!((&shown.header, &shown.body), (&None, &None));
                continue;
            }
            let decoded = Header::decode(shown.header.as_ref().unwrap()).unwrap();
            assert_eq!((decoded.recipient(), decoded.seq().0), (entry.recipient, entry.seq));
            assert_eq!(shown.body, entry.body);
        }
    }

    /// Reads each recipient's entries and leaves and holds them against the model.
    fn check_entries(&mut self, seqs: Range<u64>) {
        for recipient in (0..4).map(recipient) {
            let in_range = |(_, entry): &(u64, &Entry)| {
                entry.recipient == recipient && seqs.contains(&entry.seq)
            };
            let expected: Vec<_> = (0..).zip(&self.entries).filter(in_range).collect();
            let entries = self.log.entries(&self.store, &recipient, seqs.clone()).unwrap();
            let places = expected
                .iter()
                .map(|(index, entry)| Appended { index: Index(*index), seq: Seq(entry.seq) });
            assert!(entries.iter().map(|entry| entry.place).eq(places));
            let leaves = self.log.leaves(&self.store, &recipient, seqs.clone()).unwrap();
            assert!(leaves.iter().eq(expected.iter().map(|(_, entry)| &entry.leaf)));
        }
    }
}

fn author() -> Id {
    Id::from_trusted([1; 32])
}

fn recipient(number: u8) -> Recipient {
    match number {
        0 => Recipient::Everyone,
        3 => Recipient::Channel([3; 32]),
        _ => Recipient::Peer([number; 32]),
    }
}

fn is_for(entry: &Entry, reader: &Recipient) -> bool {
    entry.recipient == *reader || entry.recipient == Recipient::Everyone
}

fn draft(to: u8, body_len: usize) -> Draft {
    let body = Bytes::from(vec![to; body_len.min(4_096)]);
    Draft {
        recipient: recipient(to),
        suite: Suite::STATIC_X25519,
        salt: Salt([to; 16]),
        time: UnixMs(1_700_000_000_000),
        not_after: None,
        body_hash: body_hash(&body),
        body: match body_len {
            0..=4_096 => DraftBody::Inline(body),
            _ => DraftBody::Staged { body_len: u64::try_from(body_len).unwrap() },
        },
        idempotency: None,
    }
}

fn keyed(to: u8, key: &[u8]) -> Draft {
    let idempotency = IdempotencyHash::new(&recipient(to), key);
    Draft { idempotency, ..draft(to, 10) }
}

/// Bytes of an item as encoded: tags and the lengths' varints counted.
fn size(item: &Item) -> usize {
    match item {
        Item::Entry { header, body } => {
            1 + 2 + header.len() + 1 + 2 + body.as_ref().map_or(0, Bytes::len)
        }
        Item::Gone { .. } => 33,
        Item::Skip { .. } => 34,
    }
}

fn drafts_of(specs: &[(u8, usize)]) -> Vec<Draft> {
    specs.iter().map(|(to, body_len)| draft(*to, *body_len)).collect()
}

/// Recipients and body sizes: short, about the inline bound, staged.
fn drafts() -> impl Strategy<Value = Vec<(u8, usize)>> {
    let sizes = prop_oneof![6 => 0usize..50, 1 => 3_000usize..4_097, 1 => Just(9_000)];
    prop::collection::vec((0u8..4, sizes), 1..80)
}
