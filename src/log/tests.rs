//! The log against a model: a list of entries, and the tree by its recursive definition.

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
            if place.index.0 == u64::try_from(self.entries.len()).unwrap() {
                self.expect(draft, *place);
            }
        }
        let mut at = before;
        while let Some(end) = self.log.block_end_at_or_after(&self.store, Index(at)).unwrap() {
            self.ends.push(end);
            at = end;
        }
        appended
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn every_chunk_folds_from_its_peaks_to_the_root(
        batches in prop::collection::vec(drafts(), 1..12),
        bytes in 1usize..40_000,
        checkpoints in prop::collection::btree_set(1u64..500, 0..4),
    ) {
        let mut world = World::new();
        batches.iter().for_each(|specs| drop(world.append(&drafts_of(specs))));
        let checkpoints: Vec<_> = checkpoints.into_iter().collect();
        for reader in 0..5 {
            world.check_chunks(recipient(reader), bytes, &[]);
            world.check_chunks(recipient(reader), bytes, &checkpoints);
        }
        for length in 0..=world.log.length() {
            prop_assert_eq!(world.log.root_at(&world.store, length).unwrap(), Some(world.root(length)));
        }
        let past = world.log.length() + 1;
        prop_assert_eq!(world.log.root_at(&world.store, past).unwrap(), None);
    }

    #[test]
    fn a_log_reopened_at_any_point_is_the_same(
        batches in prop::collection::vec((drafts(), any::<bool>(), any::<bool>()), 1..12),
        seqs in (0u64..60, 0u64..60),
    ) {
        let mut world = World::new();
        for (specs, flush, reopen) in &batches {
            world.append(&drafts_of(specs));
            if *flush {
                world.flush();
            }
            if *reopen {
                let before = world.log.length();
                world.reopen();
                prop_assert_eq!(world.log.length(), before);
            }
            world.check_entries(seqs.0..seqs.0 + seqs.1);
        }
        let length = world.log.length();
        prop_assert_eq!(world.log.root_at(&world.store, length).unwrap(), Some(world.root(length)));
        world.check_entries(0..u64::MAX);
        world.check_chunks(recipient(1), 10_000, &[]);
    }
}

#[test]
fn commits_of_one_entry_are_found_through_the_index() {
    let mut world = World::new();
    for number in 0..900_u64 {
        let to = u8::try_from(number % 7 % 3).unwrap();
        world.append(&[draft(to, 5)]);
        if number % 211 == 0 {
            world.reopen();
        }
    }
    let rows = layout::outbox_rows_from(EPOCH, &recipient(1), Index(0));
    assert_eq!(world.store.scan(rows.as_range()).count(), 3);
    for reader in 0..4 {
        world.check_chunks(recipient(reader), 2_000, &[]);
    }
    for start in (0..420).step_by(17) {
        world.check_entries(start..start + 5);
    }
    world.flush();
    world.reopen();
    world.check_entries(0..1_000);
    world.check_entries(299..302);
    for to in 0..4 {
        let count = world.entries.iter().filter(|entry| entry.recipient == recipient(to)).count();
        let next = world.log.next_seq(&world.store, &recipient(to)).unwrap();
        assert_eq!(next, Seq(u64::try_from(count).unwrap()));
    }
}

#[test]
fn a_dense_log_is_served_in_full_chunks_of_slices() {
    let mut world = World::new();
    let drafts: Vec<_> = (0..2_000).map(|_| draft(1, 117)).collect();
    world.append(&drafts);
    assert_eq!(world.ends.len(), 8);
    let chunk = world.log.chunk(&world.store, &recipient(1), 0, &WHOLE).unwrap().unwrap();
    assert_eq!(chunk.to, 1_024);
    assert!(chunk.items.iter().all(|item| matches!(item, Item::Entry { body: Some(_), .. })));
    assert_eq!(world.check_chunks(recipient(1), ADVANCE_SIZE_MAX, &[]), 2);
}

#[test]
fn a_gap_costs_two_hashes_a_level_at_most() {
    let mut world = World::new();
    world.append(&[draft(1, 5)]);
    for _ in 0..40 {
        world.append(&vec![draft(2, 5); 100]);
    }
    world.append(&[draft(1, 5)]);
    let chunk = world.log.chunk(&world.store, &recipient(1), 0, &WHOLE).unwrap().unwrap();
    assert_eq!(chunk.to, 4_002);
    assert!(chunk.items.len() <= 2 + 2 * 12);
    world.check_chunks(recipient(1), ADVANCE_SIZE_MAX, &[]);
    let nothing = world.log.chunk(&world.store, &recipient(1), 4_002, &WHOLE).unwrap();
    assert_eq!(nothing, None);
    assert_eq!(world.log.chunk(&world.store, &recipient(1), u64::MAX, &WHOLE).unwrap(), None);
}

#[test]
fn a_checkpoint_is_reached_without_an_entry() {
    let mut world = World::new();
    world.append(&vec![draft(2, 5); 300]);
    let budget = ChunkBudget { checkpoints: &[100, 299, 301], ..WHOLE };
    let lengths = [0, 100, 299].map(|from| {
        let chunk = world.log.chunk(&world.store, &recipient(1), from, &budget).unwrap();
        chunk.map(|chunk| chunk.to)
    });
    assert_eq!(lengths, [Some(100), Some(299), None]);
    world.check_chunks(recipient(1), 1, &[100, 299, 301]);
}

#[test]
fn a_gone_entry_goes_as_its_leaf_to_its_reader_alone() {
    let mut world = World::new();
    let to = [1, 2, 0, 1, 1, 2, 1];
    world.append(&to.map(|to| draft(to, 20)));
    let key = layout::own_block(EPOCH, Index(6));
    let block = Block::parse(Index(6), world.store.get(&key).unwrap().unwrap()).unwrap();
    let mut builder = BlockBuilder::new(Index(0));
    for (entry, model) in block.entries().zip(&mut world.entries) {
        model.gone = [2, 3, 5].contains(&entry.index().0);
        let content = if model.gone { Content::Gone { leaf: model.leaf } } else { entry.content() };
        builder.push(&model.recipient, Seq(model.seq), None, &content);
    }
    let mut batch = Batch::new();
    batch.put(key, builder.finish(&block.root()).bytes);
    world.store.commit(batch).unwrap();
    world.reopen();
    // The gone entry to everyone is nobody's: it is skipped like those of others.
    world.entries[2].recipient = recipient(3);
    for reader in [1, 2] {
        world.check_chunks(recipient(reader), 1_000, &[]);
    }
}

#[test]
fn a_repeated_key_gives_the_first_place() {
    let mut world = World::new();
    let places = world.append(&[keyed(1, b"a"), keyed(1, b"b"), keyed(1, b"a"), keyed(2, b"a")]);
    assert_eq!(places[0], places[2]);
    assert_eq!(world.log.length(), 3);
    world.append(&vec![draft(1, 10); 600]);
    world.reopen();
    assert_eq!(world.append(&[keyed(1, b"b"), keyed(1, b"c")])[0], places[1]);
    let hash = IdempotencyHash::new(&recipient(1), b"a").unwrap();
    let day = 24 * 60 * 60 * 1_000;
    for (age, expected) in [(day, Some(places[0])), (day + 1, None)] {
        let time = UnixMs(1_700_000_000_000 + age);
        for reopen in [false, true] {
            if reopen {
                world.reopen();
            }
            let found = world.log.idempotent(&world.store, &recipient(1), hash, time).unwrap();
            assert_eq!(found, expected);
        }
    }
    assert_eq!(IdempotencyHash::new(&recipient(1), &[0; 65]), None);
}

#[test]
fn a_key_is_forgotten_after_its_count_of_sends() {
    let mut world = World::new();
    let [first] = world.append(&[keyed(1, b"a")])[..] else { panic!("one was sent") };
    let others = vec![draft(1, 0); 4_096];
    (0..15).for_each(|_| drop(world.append(&others)));
    world.append(&others[1..]);
    let last = world.append(&[keyed(1, b"a"), draft(1, 0), keyed(1, b"a"), keyed(1, b"a")]);
    assert_eq!(last[0], first);
    assert_eq!(last[2].seq, Seq(65_537));
    assert_eq!(last[3], last[2]);
    world.reopen();
    assert_eq!(world.append(&[keyed(1, b"a")]), [last[2]]);
}

#[test]
fn many_recipients_with_keys_do_not_fill_the_memory() {
    let mut world = World::new();
    let to = |number: u8| Draft {
        recipient: Recipient::Peer([number; 32]),
        idempotency: IdempotencyHash::new(&Recipient::Peer([number; 32]), b"k"),
        ..draft(1, 10)
    };
    let drafts: Vec<_> = (0..100).chain(0..100).map(to).collect();
    let places = world.append(&drafts);
    assert_eq!(places[..100], places[100..]);
    assert_eq!(world.append(&drafts), places);
    assert_eq!(world.log.length(), 100);
}

#[test]
fn staged_chunks_stay_when_an_entry_claims_them_and_go_when_none_does() {
    let mut world = World::new();
    let [kept, lost] = [1, 2].map(|to| draft(to, 40_000));
    let mut batch = Batch::new();
    for salt in [&kept.salt, &lost.salt] {
        for number in 0..2 {
            stage(&mut batch, salt, number, vec![7; 20_000]);
        }
    }
    world.store.commit(batch).unwrap();
    world.append(std::slice::from_ref(&kept));
    assert_eq!(sweep_staged(&world.store).unwrap(), 2);
    assert_eq!(sweep_staged(&world.store).unwrap(), 0);
    for number in 0..3 {
        let held = |salt| staged_chunk(&world.store, salt, number).unwrap().is_some();
        assert_eq!(held(&kept.salt), number < 2);
        assert!(!held(&lost.salt));
    }
}

#[test]
fn a_draft_of_the_wrong_size_changes_nothing() {
    let mut world = World::new();
    world.append(&[draft(1, 1)]);
    let body = DraftBody::Inline(vec![0; 4_097].into());
    let wrong = [
        Draft { body, ..draft(1, 0) },
        Draft { body: DraftBody::Staged { body_len: 4_096 }, ..draft(1, 0) },
        Draft { body: DraftBody::Staged { body_len: u64::MAX }, ..draft(1, 0) },
    ];
    for wrong in wrong {
        let mut batch = Batch::new();
        let refused = world.log.append(&world.store, &[draft(1, 1), wrong], &mut batch);
        assert!(matches!(refused, Err(LogError::BodySize(_))));
        assert!(batch.is_empty());
    }
    assert_eq!(world.append(&[draft(1, 1)])[0], Appended { index: Index(1), seq: Seq(1) });
}

#[test]
fn a_damaged_store_is_an_error_and_not_a_wrong_answer() {
    let mut world = World::new();
    (0..3).for_each(|_| drop(world.append(&vec![draft(1, 5); 10])));
    let keys: Vec<_> = {
        let all = layout::own_blocks(EPOCH);
        world.store.scan(all.as_range()).map(|pair| pair.unwrap()).collect()
    };
    let reopened_after = |change: &dyn Fn(&mut Batch)| {
        let store = MemoryStore::new();
        let mut batch = Batch::new();
        keys.iter().for_each(|(key, value)| batch.put(key.clone(), value.clone()));
        change(&mut batch);
        store.commit(batch).unwrap();
        Log::open(&store, author(), EPOCH).unwrap_err()
    };
    let missing = reopened_after(&|batch| batch.remove(keys[1].0.clone()));
    assert!(matches!(missing, LogError::Missing(10)));
    let cut = reopened_after(&|batch| batch.put(keys[1].0.clone(), keys[1].1.slice(..90)));
    assert!(matches!(cut, LogError::Block { last: 19, .. }));
    let swapped = reopened_after(&|batch| batch.put(keys[2].0.clone(), keys[0].1.clone()));
    assert!(matches!(swapped, LogError::Root(30)));
    let mark = reopened_after(&|batch| batch.put(layout::outbox_mark(EPOCH), vec![1]));
    assert!(matches!(mark, LogError::Outbox { got: 1, .. }));
}

#[test]
fn lives_of_a_log_are_apart() {
    let mut world = World::new();
    world.append(&[draft(1, 5)]);
    let later = Log::open(&world.store, author(), Epoch(EPOCH.0 + 1)).unwrap();
    assert_eq!(later.length(), 0);
    assert_eq!((later.author(), later.epoch()), (author(), Epoch(EPOCH.0 + 1)));
    assert_eq!(Log::open(&world.store, author(), EPOCH).unwrap().length(), 1);
}
