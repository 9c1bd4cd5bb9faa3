//! What every adapter that keeps its pairs on disk must do, said once for all of them.

use std::path::{Path, PathBuf};

use peermq_storage::{
    Batch, Bytes, Health, KEY_SIZE_MAX, Kind, OpenError, Opened, Store, StoreError, VALUE_SIZE_MAX,
    open,
};
use tempfile::TempDir;

/// A data directory with room for one store.
struct Home {
    kind: Kind,
    dir: TempDir,
}

impl Home {
    fn new(kind: Kind) -> Self {
        Self { kind, dir: tempfile::tempdir().unwrap() }
    }

    fn store_dir(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    fn poison(&self) -> PathBuf {
        self.dir.path().join("poison")
    }

    fn try_open(&self) -> Result<Opened, OpenError> {
        open(self.kind, &self.store_dir(), &self.poison())
    }

    fn open(&self) -> Opened {
        self.try_open().unwrap_or_else(|error| panic!("{}: {error}", self.kind))
    }
}

fn each_kind(test: impl Fn(Home)) {
    for kind in Kind::available() {
        test(Home::new(*kind));
    }
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
    store.scan(&[]..&[0xff; KEY_SIZE_MAX + 1]).collect::<Result<_, _>>().unwrap()
}

fn pairs(store: &dyn Store) -> Vec<(String, String)> {
    let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    all(store).iter().map(|(key, value)| (text(key), text(value))).collect()
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn what_was_committed_is_there_after_a_reopen() {
    each_kind(|home| {
        let Opened { store, health } = home.open();
        assert_eq!(health, Health::Clean);
        store.commit(batch(&[("a", Some("1")), ("b", Some("2")), ("c", Some("3"))])).unwrap();
        store.commit(batch(&[("b", None), ("c", Some("4")), ("absent", None)])).unwrap();
        assert_eq!(pairs(&*store), owned(&[("a", "1"), ("c", "4")]));
        drop(store);
        let Opened { store, health } = home.open();
        assert_eq!(health, Health::Clean);
        assert_eq!(pairs(&*store), owned(&[("a", "1"), ("c", "4")]));
        assert_eq!(store.get(b"a").unwrap().unwrap(), "1");
        assert_eq!(store.get(b"b").unwrap(), None);
    });
}

#[test]
fn the_last_word_on_a_key_counts() {
    each_kind(|home| {
        let store = home.open().store;
        let steps =
            [("k", Some("1")), ("k", None), ("k", Some("2")), ("gone", Some("x")), ("gone", None)];
        store.commit(batch(&steps)).unwrap();
        assert_eq!(pairs(&*store), owned(&[("k", "2")]));
        store.commit(Batch::new()).unwrap();
        assert_eq!(pairs(&*store), owned(&[("k", "2")]));
    });
}

#[test]
fn a_second_opener_is_refused_and_the_first_goes_on() {
    each_kind(|home| {
        let store = home.open().store;
        assert!(matches!(home.try_open(), Err(OpenError::Held)));
        store.commit(batch(&[("a", Some("1"))])).unwrap();
        drop(store);
        assert_eq!(pairs(&*home.open().store), owned(&[("a", "1")]));
    });
}

#[test]
fn a_batch_beyond_the_bounds_is_refused_and_spoils_nothing() {
    each_kind(|home| {
        let store = home.open().store;
        let refuse = |key: Vec<u8>, value: Vec<u8>| {
            let mut batch = Batch::new();
            batch.put("kept", "no");
            batch.put(key, value);
            assert!(matches!(store.commit(batch), Err(StoreError::Batch(_))));
        };
        refuse(vec![], vec![1]);
        refuse(vec![b'k'; KEY_SIZE_MAX + 1], vec![1]);
        refuse(vec![b'k'], vec![0; VALUE_SIZE_MAX + 1]);
        assert_eq!(all(&*store), []);
        let mut batch = Batch::new();
        batch.put(vec![b'k'; KEY_SIZE_MAX], vec![7; VALUE_SIZE_MAX]);
        batch.put("empty", "");
        store.commit(batch).unwrap();
        drop(store);
        let store = home.open().store;
        assert_eq!(store.get(&[b'k'; KEY_SIZE_MAX]).unwrap().unwrap(), vec![7; VALUE_SIZE_MAX]);
        assert_eq!(store.get(b"empty").unwrap().unwrap(), "");
    });
}

#[test]
fn a_store_of_another_kind_is_refused_by_name() {
    let kinds = Kind::available();
    for (first, second) in kinds.iter().zip(kinds.iter().skip(1)) {
        let home = Home::new(*first);
        drop(home.open());
        let other = open(*second, &home.store_dir(), &home.poison());
        assert!(matches!(other, Err(OpenError::Kind { expected, found })
            if expected == *second && found == *first));
    }
}

#[test]
fn after_a_failed_fsync_in_this_boot_the_store_is_written_anew() {
    each_kind(|home| {
        let store = home.open().store;
        store.commit(batch(&[("a", Some("1")), ("b", Some("2"))])).unwrap();
        drop(store);
        let engine = engine_dir(&home.store_dir());
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        let line = format!("peermqx1{:<36}{:19}\n", boot_id.trim(), "");
        std::fs::write(home.poison(), line).unwrap();
        let Opened { store, health } = home.open();
        assert_eq!(health, Health::Recovered);
        assert_eq!(pairs(&*store), owned(&[("a", "1"), ("b", "2")]));
        assert_ne!(engine_dir(&home.store_dir()), engine);
        assert!(!engine.exists());
        drop(store);
        assert_eq!(home.open().health, Health::Clean);
    });
}

fn engine_dir(store_dir: &Path) -> PathBuf {
    let dirs: Vec<_> = std::fs::read_dir(store_dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    assert_eq!(dirs.len(), 1, "{dirs:?}");
    dirs[0].clone()
}
