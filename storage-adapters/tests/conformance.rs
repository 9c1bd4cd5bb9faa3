//! What every adapter must do, said once for all of them.

use std::path::{Path, PathBuf};

use peermq_storage::{
    Batch, Bytes, Health, KEY_SIZE_MAX, Kind, LARGE_KEYS, MemoryStore, OpenError, Opened, Store,
    StoreError, VALUE_SIZE_MAX, WIDE_KEYS, open, shrink,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tempfile::TempDir;

/// Where a store lies that outlives its handles.
trait Place {
    fn name(&self) -> &'static str;
    fn open(&self) -> Result<Opened, OpenError>;
}

/// A data directory with room for one store.
struct Home {
    kind: Kind,
    dir: TempDir,
}

impl Home {
    fn new(kind: Kind) -> Self {
        Self { kind, dir: tempfile::tempdir().expect("a temporary directory") }
    }

    fn store_dir(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    fn poison(&self) -> PathBuf {
        self.dir.path().join("poison")
    }

    /// Another one, with what would lie here if the holder were killed now.
    fn as_a_kill_leaves_it(&self) -> Self {
        let copy = Self::new(self.kind);
        copy_tree(self.dir.path(), copy.dir.path());
        copy
    }

    /// The one directory of its engine.
    fn engine_dir(&self) -> PathBuf {
        let entries = std::fs::read_dir(self.store_dir()).expect("the store's directory");
        let mut dirs =
            entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir());
        let dir = dirs.next().expect("an engine's directory");
        assert_eq!(dirs.next(), None);
        dir
    }
}

impl Place for Home {
    fn name(&self) -> &'static str {
        self.kind.name()
    }

    fn open(&self) -> Result<Opened, OpenError> {
        open(self.kind, &self.store_dir(), &self.poison())
    }
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory of our own");
    for entry in std::fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_tree(&path, &to);
        } else {
            std::fs::copy(path, to).expect("a file");
        }
    }
}

#[cfg(feature = "faulty")]
impl Place for peermq_storage::FaultyDisk {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn open(&self) -> Result<Opened, OpenError> {
        Self::open(self)
    }
}

fn homes() -> impl Iterator<Item = Home> {
    Kind::available().iter().map(|kind| Home::new(*kind))
}

fn places() -> Vec<Box<dyn Place>> {
    let mut places: Vec<Box<dyn Place>> = Vec::new();
    places.extend(homes().map(|home| -> Box<dyn Place> { Box::new(home) }));
    #[cfg(feature = "faulty")]
    places.push(Box::new(peermq_storage::FaultyDisk::new()));
    places
}

fn opened(place: &dyn Place) -> Opened {
    place.open().unwrap_or_else(|error| panic!("{}: {error}", place.name()))
}

fn batch(steps: &[(&'static str, Option<&'static str>)]) -> Batch {
    let mut batch = Batch::new();
    for (key, value) in steps {
        match value {
            Some(value) => batch.put(*key, *value),
            None => batch.remove(*key),
        }
    }
    batch
}

fn all(store: &dyn Store) -> Vec<(Bytes, Bytes)> {
    let scan = store.scan(&[]..&[0xff; KEY_SIZE_MAX + 1]);
    scan.collect::<Result<_, _>>().expect("a scan of a good store")
}

fn pairs(pairs: &[(&'static str, &'static str)]) -> Vec<(Bytes, Bytes)> {
    pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
}

#[test]
fn what_was_committed_is_there_after_a_reopen() {
    for place in places() {
        let Opened { store, health } = opened(&*place);
        assert_eq!(health, Health::Clean);
        store.commit(batch(&[("a", Some("1")), ("b", Some("2")), ("c", Some("3"))])).unwrap();
        store.commit(batch(&[("b", None), ("c", Some("4")), ("absent", None)])).unwrap();
        assert_eq!(all(&*store), pairs(&[("a", "1"), ("c", "4")]));
        drop(store);
        let Opened { store, health } = opened(&*place);
        assert_eq!(health, Health::Clean);
        assert_eq!(all(&*store), pairs(&[("a", "1"), ("c", "4")]));
        assert_eq!(store.get(b"a").unwrap().unwrap(), "1");
        assert_eq!(store.get(b"b").unwrap(), None);
    }
}

#[test]
fn the_last_word_on_a_key_counts() {
    for place in places() {
        let store = opened(&*place).store;
        let steps =
            [("k", Some("1")), ("k", None), ("k", Some("2")), ("gone", Some("x")), ("gone", None)];
        store.commit(batch(&steps)).unwrap();
        assert_eq!(all(&*store), pairs(&[("k", "2")]));
        store.commit(Batch::new()).unwrap();
        assert_eq!(all(&*store), pairs(&[("k", "2")]));
    }
}

#[test]
fn a_second_opener_is_refused_and_the_first_goes_on() {
    for place in places() {
        let store = opened(&*place).store;
        assert!(matches!(place.open(), Err(OpenError::Held)));
        store.commit(batch(&[("a", Some("1"))])).unwrap();
        drop(store);
        assert_eq!(all(&*opened(&*place).store), pairs(&[("a", "1")]));
    }
}

#[test]
fn a_batch_beyond_the_bounds_is_refused_and_spoils_nothing() {
    for place in places() {
        let store = opened(&*place).store;
        let refuse = |key: Vec<u8>, value: Vec<u8>| {
            let mut batch = Batch::new();
            batch.put("kept", "no");
            batch.put(key, value);
            assert!(matches!(store.commit(batch), Err(StoreError::Batch(_))));
        };
        refuse(vec![], vec![1]);
        refuse(vec![b'k'; KEY_SIZE_MAX + 1], vec![1]);
        refuse(vec![b'k'], vec![0; VALUE_SIZE_MAX + 1]);
        refuse(vec![WIDE_KEYS - 1], vec![1]);
        refuse(vec![0xff, 1], vec![1]);
        assert_eq!(all(&*store), []);
        let mut batch = Batch::new();
        batch.put(vec![b'k'; KEY_SIZE_MAX], vec![7; VALUE_SIZE_MAX]);
        batch.put("empty", "");
        store.commit(batch).unwrap();
        drop(store);
        let store = opened(&*place).store;
        assert_eq!(store.get(&[b'k'; KEY_SIZE_MAX]).unwrap().unwrap(), vec![7; VALUE_SIZE_MAX]);
        assert_eq!(store.get(b"empty").unwrap().unwrap(), "");
    }
}

#[test]
fn the_largest_batches_are_taken_and_overwritten() {
    for place in places() {
        let store = opened(&*place).store;
        for round in 1..=3_u8 {
            let mut batch = Batch::new();
            for key in 0..127_u8 {
                batch.put(vec![WIDE_KEYS, key], vec![round; VALUE_SIZE_MAX]);
            }
            store.commit(batch).unwrap();
        }
        drop(store);
        let store = opened(&*place).store;
        let values: Vec<_> = store.scan(&[0]..&[200]).map(|pair| pair.unwrap().1).collect();
        assert_eq!(values.len(), 127, "{}", place.name());
        assert!(values.iter().all(|value| *value == vec![3; VALUE_SIZE_MAX]));
    }
}

#[test]
fn a_store_of_another_kind_is_refused_by_name() {
    let kinds = Kind::available();
    for (first, second) in kinds.iter().zip(kinds.iter().skip(1)) {
        let home = Home::new(*first);
        drop(opened(&home));
        let other = open(*second, &home.store_dir(), &home.poison());
        assert!(matches!(other, Err(OpenError::Kind { expected, found })
            if expected == *second && found == *first));
    }
}

#[test]
fn after_a_failed_fsync_in_this_boot_the_store_is_written_anew() {
    for home in homes() {
        let store = opened(&home).store;
        for _ in 0..9 {
            store.commit(batch(&[("a", Some("1")), ("b", Some("2"))])).unwrap();
        }
        drop(store);
        let engine_dir = home.engine_dir();
        poison_now(&home);
        let Opened { store, health } = opened(&home);
        assert_eq!(health, Health::Recovered);
        assert_eq!(all(&*store), pairs(&[("a", "1"), ("b", "2")]));
        assert_ne!(home.engine_dir(), engine_dir);
        let killed = opened(&home.as_a_kill_leaves_it());
        assert_eq!(killed.health, Health::Recovered);
        assert_eq!(all(&*killed.store), pairs(&[("a", "1"), ("b", "2")]));
        drop(store);
        assert_eq!(opened(&home).health, Health::Clean);
    }
}

/// Says that an fsync has failed since the machine was started.
fn poison_now(home: &Home) {
    let boot_id =
        std::fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("Linux tells it");
    let line = format!("peermqx1{:<36}{:19}\n", boot_id.trim(), "");
    std::fs::write(home.poison(), line).expect("a file of our own");
}

#[test]
fn many_large_values_come_back_after_a_kill_and_their_space_when_they_go() {
    for home in homes() {
        let store = opened(&home).store;
        let key = |number: u8| vec![*LARGE_KEYS.start(), number];
        let value = |number: u8| Bytes::from(vec![number; 1 << 15]);
        let mut batch = Batch::new();
        (0..100).for_each(|number| batch.put(key(number), value(number)));
        store.commit(batch).expect("a good store takes it");

        let killed = home.as_a_kill_leaves_it();
        poison_now(&killed);
        for _ in 0..2 {
            let opened = opened(&killed);
            let pairs: Vec<_> =
                (0..100).map(|number| (key(number).into(), value(number))).collect();
            assert_eq!(all(&*opened.store), pairs, "{}", home.name());
        }
        let mut batch = Batch::new();
        (0..100).for_each(|number| batch.remove(key(number)));
        store.commit(batch).expect("a good store takes it");
        let apart = std::fs::read_dir(home.engine_dir().join("apart")).expect("its files");
        assert_eq!(apart.count(), 0, "{}", home.name());
    }
}

#[test]
fn the_disk_gets_back_what_a_closed_store_does_not_need() {
    for home in homes() {
        let (dir, poison) = (home.store_dir(), home.poison());
        let opened = home.open().expect("a new store");
        fill(&*opened.store, 0..900);
        let held = shrink(home.kind, &dir, &poison);
        assert!(matches!(held, Err(OpenError::Held)), "{}", home.name());
        // The last one stays: redb gives back what is free at its file's end by itself.
        let mut batch = Batch::new();
        (0..899_u32).for_each(|key| batch.remove(key.to_be_bytes().to_vec()));
        opened.store.commit(batch).expect("a good store takes it");
        drop(opened);

        let shrunk = shrink(home.kind, &dir, &poison).expect("a good store");
        let shrunk = shrunk.unwrap_or_else(|| panic!("{} is full of nothing", home.name()));
        assert!(shrunk.before > 40_000_000, "{} {shrunk:?}", home.name());
        assert!(shrunk.after < 20_000_000, "{} {shrunk:?}", home.name());
        let again = shrink(home.kind, &dir, &poison).expect("a good store");
        assert_eq!(again, None, "{}", home.name());
        let Opened { store, health, .. } = home.open().expect("a good store");
        assert_eq!(health, Health::Clean, "{}", home.name());
        assert_eq!(all(&*store).len(), 1, "{}", home.name());
        assert_eq!(home.engine_dir(), dir.join(format!("{}-2", home.kind)));
    }
}

#[test]
fn a_sled_that_has_become_shorter_since_it_was_closed_is_opened_after_any_kill() {
    // Its threads cut it short when they come to it, and some logs never.
    let home = (0..50).find_map(|_| shortened_sled()).expect("some files become shorter");
    assert_eq!(opened(&home).health, Health::Recovered);
}

/// A sled, as a kill leaves it, that is shorter than when it was closed; none when it stays as long
/// as it was.
fn shortened_sled() -> Option<Home> {
    let mut home = Home::new(Kind::Sled);
    let store = opened(&home).store;
    fill(&*store, 0..600);
    drop(store);
    let size = |home: &Home| largest_file(&home.engine_dir()).metadata().expect("a file").len();
    let closed = size(&home);
    for _ in 0..8 {
        let store = opened(&home).store;
        for first in (0..600_u32).step_by(10) {
            let mut batch = Batch::new();
            (first..first + 10).for_each(|key| batch.remove(key.to_be_bytes().to_vec()));
            batch.put("kept", vec![7; 50_000]);
            store.commit(batch).expect("a good store takes it");
        }
        home = home.as_a_kill_leaves_it();
        if size(&home) < closed {
            return Some(home);
        }
    }
    None
}

fn fill(store: &dyn Store, keys: std::ops::Range<u32>) {
    for first in keys.clone().step_by(100) {
        let mut batch = Batch::new();
        for key in first..keys.end.min(first + 100) {
            batch.put(key.to_be_bytes().to_vec(), vec![7; 50_000]);
        }
        store.commit(batch).expect("a good store takes it");
    }
}

#[test]
fn a_store_half_made_or_half_replaced_is_passed_over() {
    for home in homes() {
        let store = opened(&home).store;
        store.commit(batch(&[("a", Some("1"))])).unwrap();
        drop(store);
        let fresh = home.store_dir().join("fresh");
        std::fs::create_dir(&fresh).unwrap();
        std::fs::write(fresh.join("db"), "cut").unwrap();
        let older = home.store_dir().join(format!("{}-0", home.kind));
        std::fs::create_dir(&older).unwrap();
        assert_eq!(all(&*opened(&home).store), pairs(&[("a", "1")]));
        assert!(!fresh.exists() && !older.exists());
    }
}

#[test]
fn a_store_full_of_noise_is_refused_every_time_and_never_begun_anew() {
    for home in homes() {
        let store = opened(&home).store;
        for _ in 0..9 {
            store.commit(batch(&[("a", Some("1"))])).unwrap();
        }
        drop(store);
        let data = largest_file(&home.engine_dir());
        let noise: Vec<u8> =
            (0..200_000_u32).map(|n| n.wrapping_mul(0x9E37_79B9).to_le_bytes()[3]).collect();
        std::fs::write(data, noise).unwrap();
        for _ in 0..2 {
            let refused = home.open().map(drop);
            assert!(matches!(refused, Err(OpenError::Corrupt(_))), "{}: {refused:?}", home.name());
        }
    }
}

/// The largest file from a directory down: where an engine keeps its pairs.
fn largest_file(dir: &Path) -> PathBuf {
    let mut dirs = vec![dir.to_owned()];
    let mut files = Vec::new();
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).expect("a directory") {
            let entry = entry.expect("an entry");
            if entry.path().is_dir() {
                dirs.push(entry.path());
            } else {
                files.push((entry.metadata().expect("a file").len(), entry.path()));
            }
        }
    }
    files.into_iter().max().expect("a file").1
}

#[test]
fn a_place_that_cannot_be_a_directory_is_an_error() {
    for home in homes() {
        std::fs::write(home.store_dir(), "a file").unwrap();
        assert!(matches!(home.open(), Err(OpenError::Io(_))));
        let nowhere = open(home.kind, Path::new("/proc/nowhere/store"), &home.poison());
        assert!(nowhere.is_err());
    }
}

/// One step of a random run.
#[derive(Debug, Clone)]
enum Step {
    Commit(Vec<(Vec<u8>, Option<Vec<u8>>)>),
    Reopen,
    /// A range, and for each turn whether the pair is taken from the back.
    Scan(Vec<u8>, Vec<u8>, Vec<bool>),
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![Just(0), Just(b'a'), Just(0x80), Just(0xfe)], 1..5)
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    let long = (any::<u8>(), 0..=VALUE_SIZE_MAX).prop_map(|(byte, size)| vec![byte; size]);
    prop_oneof![8 => vec(any::<u8>(), 0..64), 1 => long]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => vec((key(), proptest::option::weighted(0.7, value())), 0..12).prop_map(Step::Commit),
        1 => Just(Step::Reopen),
        4 => (key(), key(), vec(any::<bool>(), 0..8))
            .prop_map(|(low, high, turns)| Step::Scan(low, high, turns)),
    ]
}

/// What a scan yields from the front, and from the back, when its ends are taken in `turns`.
fn walk(store: &dyn Store, low: &[u8], high: &[u8], turns: &[bool]) -> Vec<(Bytes, Bytes)> {
    let mut scan = store.scan(low..high);
    let mut found = Vec::new();
    for from_back in turns.iter().cycle().chain(&[false; 1]).take(2000) {
        let pair = if *from_back { scan.next_back() } else { scan.next() };
        let Some(pair) = pair else { break };
        found.push(pair.expect("a scan of a good store"));
    }
    found
}

#[test]
fn any_run_of_steps_shows_what_the_model_shows() {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) };
    for index in 0..places().len() {
        let mut runner = TestRunner::new(config.clone());
        let run = |steps: Vec<Step>| {
            let place = places().swap_remove(index);
            let model = MemoryStore::new();
            let mut store = opened(&*place).store;
            for step in steps {
                match step {
                    Step::Commit(steps) => {
                        let mut batch = Batch::new();
                        for (key, value) in steps {
                            match value {
                                Some(value) => batch.put(key, value),
                                None => batch.remove(key),
                            }
                        }
                        model.commit(batch.clone()).expect("the model takes it");
                        store.commit(batch).expect("a good store takes it");
                    }
                    Step::Reopen => {
                        drop(store);
                        store = opened(&*place).store;
                    }
                    Step::Scan(low, high, turns) => {
                        let seen = walk(&*store, &low, &high, &turns);
                        prop_assert_eq!(seen, walk(&model, &low, &high, &turns));
                        prop_assert_eq!(store.get(&low).ok(), model.get(&low).ok());
                    }
                }
            }
            prop_assert_eq!(all(&*store), all(&model));
            Ok(())
        };
        runner.run(&vec(step(), 1..24), run).unwrap_or_else(|error| {
            panic!("{}: {error}", places().swap_remove(index).name());
        });
    }
}
