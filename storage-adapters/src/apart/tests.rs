//! The rows and the files, over an engine that outlives its stores.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use tempfile::TempDir;

use super::*;
use crate::MemoryStore;
use crate::mark::Mark;

/// An engine that outlives the stores over it.
#[derive(Debug, Clone, Default)]
struct Engine(Arc<MemoryStore>);

impl Store for Engine {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.0.get(key)
    }

    fn scan(&self, range: Range<&[u8]>) -> Scan<'_> {
        self.0.scan(range)
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.0.apply(batch);
        Ok(())
    }
}

struct Home {
    engine: Engine,
    dir: TempDir,
}

impl Home {
    fn new() -> Self {
        Self { engine: Engine::default(), dir: tempfile::tempdir().unwrap() }
    }

    fn open(&self) -> Apart {
        self.open_with(Demand::Whole(Mark::NEW))
    }

    fn open_with(&self, demand: Demand) -> Apart {
        Apart::open(Box::new(self.engine.clone()), self.dir.path(), demand).unwrap()
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.dir.path().join("apart")).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }
}

fn key(number: u8) -> [u8; 2] {
    [*LARGE_KEYS.start(), number]
}

fn value(number: u8) -> Bytes {
    vec![number; 32 << 10].into()
}

/// Large values of the numbers, and one row that is not large.
fn much(numbers: Range<u8>) -> Batch {
    let mut batch = Batch::new();
    batch.put("small", "row");
    numbers.for_each(|number| batch.put(key(number).to_vec(), value(number)));
    batch
}

fn less(numbers: Range<u8>) -> Batch {
    let mut batch = Batch::new();
    numbers.for_each(|number| batch.remove(key(number).to_vec()));
    batch
}

fn scanned(store: &Apart) -> Vec<(Bytes, Bytes)> {
    store.scan(&[]..&[0xff; 200]).collect::<Result<_, _>>().unwrap()
}

#[test]
fn much_of_large_values_is_one_file_and_little_is_none() {
    let home = Home::new();
    let store = home.open();
    store.commit(much(0..7)).unwrap();
    assert_eq!(home.files().len(), 0);
    store.commit(much(7..15)).unwrap();
    assert_eq!(home.files().len(), 1);
    for store in [store, home.open()] {
        for number in 0..15 {
            assert_eq!(store.get(&key(number)).unwrap(), Some(value(number)));
        }
        let mut pairs = vec![("small".into(), "row".into())];
        pairs.extend((0..15).map(|number| (key(number).to_vec().into(), value(number))));
        assert_eq!(scanned(&store), pairs);
    }
}

#[test]
fn a_file_goes_with_the_last_of_its_values() {
    let home = Home::new();
    let store = home.open();
    store.commit(much(0..16)).unwrap();
    store.commit(much(16..32)).unwrap();
    store.commit(less(0..15)).unwrap();
    assert_eq!(home.files().len(), 2);
    let store = home.open();
    let mut others = less(16..31);
    others.put(key(15).to_vec(), "another");
    store.commit(others).unwrap();
    assert_eq!(home.files().len(), 1, "that of value 31");
    assert_eq!(store.get(&key(15)).unwrap().unwrap(), "another");
    store.commit(less(15..32)).unwrap();
    assert_eq!(home.files().len(), 0);
    assert_eq!(scanned(&home.open()), [("small".into(), "row".into())]);
    assert_eq!(home.engine.scan(&[]..&[0xff; 200]).count(), 1, "nor a row of a file");
}

#[test]
fn the_last_word_on_a_key_in_a_batch_counts() {
    let home = Home::new();
    let store = home.open();
    let mut batch = much(0..16);
    batch.remove(key(3).to_vec());
    batch.put(key(4).to_vec(), value(40));
    batch.append(much(2..3));
    store.commit(batch).unwrap();
    assert_eq!(store.get(&key(3)).unwrap(), None);
    assert_eq!(store.get(&key(4)).unwrap(), Some(value(40)));
    store.commit(less(0..16)).unwrap();
    assert_eq!(home.files().len(), 0);
}

#[test]
fn a_file_whose_commit_never_came_goes_at_open_and_its_number_is_not_taken_twice() {
    let home = Home::new();
    home.open().commit(much(0..16)).unwrap();
    let stray = home.dir.path().join("apart/9");
    fs::write(&stray, "half").unwrap();
    let store = home.open();
    assert!(!stray.exists());
    store.commit(much(16..32)).unwrap();
    assert!(home.dir.path().join("apart/10").exists());
    fs::write(&stray, "half").unwrap();
    home.open_with(Demand::Readable);
    assert!(stray.exists(), "of a damaged store nothing is removed");
}

#[test]
fn a_damaged_file_is_told_and_never_read_as_something_else() {
    let home = Home::new();
    let store = home.open();
    store.commit(much(0..16)).unwrap();
    let [file] = home.files().try_into().unwrap();
    let whole = fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    flipped[5 << 15] ^= 1;
    for (bytes, damaged) in [(&flipped[..], 5), (&whole[..whole.len() - 1], 15)] {
        fs::write(&file, bytes).unwrap();
        for number in 0..16 {
            match store.get(&key(number)) {
                Err(StoreError::Corrupt(_)) => assert_eq!(number, damaged),
                got => assert_eq!(got.unwrap(), Some(value(number))),
            }
        }
    }
    let keys: Vec<_> = store.keys(&[]..&[0xff; 200]).collect::<Result<_, _>>().unwrap();
    assert_eq!(keys.len(), 17, "no value is read for them");
    store.commit(less(0..16)).unwrap();
    assert_eq!(home.files(), [file.with_extension("damaged")], "what is left of it stays");
    drop(store);
    let store = home.open();

    store.commit(much(0..16)).unwrap();
    fs::remove_file(&home.files()[1]).unwrap();
    assert!(matches!(store.get(&key(0)), Err(StoreError::Corrupt(_))));
}

#[test]
fn what_is_read_while_it_goes_is_whole_or_gone() {
    let home = Home::new();
    let store = home.open();
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while store.get(b"done").unwrap().is_none() {
                for (key, found) in scanned(&store).into_iter().filter(|(key, _)| is_large(key)) {
                    assert_eq!(found, value(key[1]));
                }
                let got = store.get(&key(7)).unwrap();
                assert!(got.is_none_or(|got| got == value(7)));
            }
        });
        for _ in 0..200 {
            store.commit(much(0..16)).unwrap();
            store.commit(less(0..16)).unwrap();
        }
        let mut done = Batch::new();
        done.put("done", "");
        store.commit(done).unwrap();
        reader.join().unwrap();
    });
}
