//! Stores that fail or hold other bytes than were written.

use std::io;

use peermq_storage::{Scan, StoreError};
use proptest::prelude::*;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn a_damaged_store_is_read_or_refused(
        batches in prop::collection::vec(drafts(), 1..5),
        flush in any::<bool>(),
        pair in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut world = World::new();
        batches.iter().for_each(|specs| drop(world.append(&drafts_of(specs))));
        if flush {
            world.flush();
        }
        let pairs: Vec<_> = world.store.scan(&[0][..]..&[255][..]).map(Result::unwrap).collect();
        let (key, value) = pair.get(&pairs);
        let mut value = value.to_vec();
        *at.get_mut(&mut value) = byte;
        let mut batch = Batch::new();
        batch.put(key.clone(), value);
        world.store.commit(batch).unwrap();
        if let Ok(log) = Log::open(&world.store, author(), EPOCH) {
            world.log = log;
            read_all(&mut world);
        }
    }
}

/// Reads and appends whatever a damaged store lets be read and appended.
fn read_all(world: &mut World) {
    let World { store, log, .. } = world;
    for recipient in (0..4).map(recipient) {
        let mut from = 0;
        while let Ok(Some(chunk)) = log.chunk(store, &recipient, from, &WHOLE) {
            assert!(chunk.to > from);
            from = chunk.to;
        }
        let _ = log.entries(store, &recipient, 0..u64::MAX);
        let _ = log.leaves(store, &recipient, 3..5);
        let hash = IdempotencyHash::new(&recipient, b"key").unwrap();
        let _ = log.idempotent(store, &recipient, hash, UnixMs(0));
    }
    for length in 0..log.length() {
        let _ = log.root_at(store, length);
    }
    let _ = log.append(store, &[0, 1, 2, 3].map(|to| draft(to, 5)), &mut Batch::new());
}

#[test]
fn an_impossible_seq_in_the_index_is_an_error_and_not_an_overflow() {
    let mut world = World::new();
    world.append(&[draft(1, 5)]);
    world.flush();
    let row = layout::outbox_row(EPOCH, &recipient(1), Index(0));
    let mut batch = Batch::new();
    batch.put(row, [u64::MAX, 0, 0].map(u64::to_be_bytes).concat());
    world.store.commit(batch).unwrap();
    world.reopen();
    let refused = world.log.append(&world.store, &[draft(1, 5)], &mut Batch::new());
    assert!(matches!(refused, Err(LogError::OutboxSeq { length: 1, next_seq: u64::MAX })));
}

#[test]
fn a_failing_store_leaves_the_log_as_it_was() {
    let mut world = World::new();
    world.append(&[draft(1, 5)]);
    world.flush();
    world.reopen();
    let mut batch = Batch::new();
    let refused = world.log.append(&Unreadable, &[draft(2, 5), draft(1, 5)], &mut batch);
    assert!(matches!(refused, Err(LogError::Store(_))));
    assert!(batch.is_empty());
    let places = world.append(&[draft(1, 5), draft(2, 5)]);
    let places: Vec<_> = places.iter().map(|place| (place.index.0, place.seq.0)).collect();
    assert_eq!(places, [(1, 1), (2, 0)]);
    world.check_chunks(recipient(1), 1_000, &[]);
}

/// A disk that has gone away.
#[derive(Debug)]
struct Unreadable;

impl Store for Unreadable {
    fn get(&self, _: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Err(StoreError::Read(io::ErrorKind::Other.into()))
    }

    fn scan(&self, _: Range<&[u8]>) -> Scan<'_> {
        Box::new(std::iter::once(Err(StoreError::Read(io::ErrorKind::Other.into()))))
    }

    fn commit(&self, _: Batch) -> Result<(), StoreError> {
        Err(StoreError::Write(io::ErrorKind::Other.into()))
    }
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
