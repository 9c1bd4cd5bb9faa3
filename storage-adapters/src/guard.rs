//! The contract around an engine: bounds, one writer, fail-stop, and no panic that gets out.

use std::any::Any;
use std::cell::Cell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::directory::Directory;
use crate::open::seal;
use crate::poison::Poison;
use crate::{Batch, Bytes, Keys, Scan, Store, StoreError};

/// An engine in its directory, held to the contract.
#[derive(Debug)]
pub(crate) struct Guarded {
    /// None only while this is dropped.
    engine: Option<Box<dyn Store>>,
    engine_dir: PathBuf,
    writer: Mutex<Writer>,
}

/// What the one writing thread holds.
#[derive(Debug)]
struct Writer {
    state: State,
    poison: Poison,
    directory: Directory,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// All that was written is durable.
    Good,
    /// A write failed: nothing more is written.
    Poisoned,
}

impl Guarded {
    /// Takes over an engine, its own directory and the store's.
    pub(crate) const fn new(
        engine: Box<dyn Store>,
        engine_dir: PathBuf,
        directory: Directory,
        poison: Poison,
    ) -> Self {
        let writer = Writer { state: State::Good, poison, directory };
        Self { engine: Some(engine), engine_dir, writer: Mutex::new(writer) }
    }

    fn engine(&self) -> &dyn Store {
        self.engine.as_deref().expect("the engine is there until this is dropped")
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Guarded {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        contained(|| self.engine().get(key)).unwrap_or_else(|panic| Err(StoreError::Corrupt(panic)))
    }

    fn scan(&self, range: Range<&[u8]>) -> Scan<'_> {
        if range.start >= range.end {
            return Box::new(std::iter::empty());
        }
        contained_items(|| self.engine().scan(range))
    }

    fn keys(&self, range: Range<&[u8]>) -> Keys<'_> {
        if range.start >= range.end {
            return Box::new(std::iter::empty());
        }
        contained_keys(self.engine(), range)
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        batch.check()?;
        let mut writer = self.writer();
        if writer.state == State::Poisoned {
            return Err(StoreError::Poisoned);
        }
        let committed = contained(|| self.engine().commit(batch))
            .unwrap_or_else(|panic| Err(StoreError::Corrupt(panic)));
        committed.inspect_err(|error| writer.fail(error))
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let engine = self.engine.take();
        let closed = contained(|| drop(engine)).is_ok();
        let writer = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner);
        if writer.state == State::Poisoned {
            return;
        }
        if closed {
            let seal = contained(|| seal(writer.directory.kind(), &self.engine_dir));
            if let Ok(Ok(seal)) = seal {
                // Without the mark the next open says `Recovered`, which is true as well.
                let _ = writer.directory.end(seal);
            }
        } else {
            // sled panics when the sync at its close fails: what the next open in this boot reads may
            // not be on the disk.
            let _ = writer.poison.set();
        }
    }
}

impl Writer {
    /// Ends all writing. A full disk has confirmed nothing wrongly; any other failure may have.
    fn fail(&mut self, error: &StoreError) {
        self.state = State::Poisoned;
        if !matches!(error, StoreError::Full(_)) {
            // Nothing more can be done on a disk that takes not even this.
            let _ = self.poison.set();
        }
    }
}

/// The keys of an engine, up to its first error or panic.
pub(crate) fn contained_keys<'a>(engine: &'a dyn Store, range: Range<&[u8]>) -> Keys<'a> {
    contained_items(|| engine.keys(range))
}

/// What an engine yields, up to its first error or panic.
fn contained_items<'a, T: 'a>(items: impl FnOnce() -> Items<'a, T>) -> Items<'a, T> {
    match contained(items) {
        Ok(items) => Box::new(Contained { items: Some(items) }),
        Err(panic) => Box::new(std::iter::once(Err(StoreError::Corrupt(panic)))),
    }
}

/// What an engine yields from either end.
type Items<'a, T> = Box<dyn DoubleEndedIterator<Item = Result<T, StoreError>> + 'a>;

/// What ends at its first error or panic.
struct Contained<'a, T> {
    items: Option<Items<'a, T>>,
}

impl<'a, T> Contained<'a, T> {
    fn step(
        &mut self,
        step: impl FnOnce(&mut Items<'a, T>) -> Option<Result<T, StoreError>>,
    ) -> Option<Result<T, StoreError>> {
        let items = self.items.as_mut()?;
        let item =
            contained(|| step(items)).unwrap_or_else(|panic| Some(Err(StoreError::Corrupt(panic))));
        if !matches!(item, Some(Ok(_))) {
            self.items = None;
        }
        item
    }
}

impl<T> Iterator for Contained<'_, T> {
    type Item = Result<T, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step(Iterator::next)
    }
}

impl<T> DoubleEndedIterator for Contained<'_, T> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.step(DoubleEndedIterator::next_back)
    }
}

/// Runs what may panic on damaged bytes; a panic comes back as its message.
pub(crate) fn contained<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    let before = CONTAINED.replace(true);
    let done = catch_unwind(AssertUnwindSafe(run)).map_err(|panic| message(&*panic));
    CONTAINED.set(before);
    done
}

/// Whether this thread is inside an engine: a panic there is caught and comes back as an error, so a
/// panic hook that asks this here need not report it.
#[must_use]
pub fn is_contained() -> bool {
    CONTAINED.get()
}

thread_local! {
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("its engine gave up").to_owned()
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use super::*;
    use crate::{Kind, MemoryStore};

    /// An engine whose commits end as told, and whose close ends as told.
    #[derive(Debug)]
    struct Failing(fn() -> Result<(), StoreError>, fn());

    impl Drop for Failing {
        fn drop(&mut self) {
            (self.1)();
        }
    }

    impl Store for Failing {
        fn get(&self, _: &[u8]) -> Result<Option<Bytes>, StoreError> {
            panic!("a page of no kind")
        }

        fn scan(&self, _: Range<&[u8]>) -> Scan<'_> {
            Box::new(std::iter::once_with(|| panic!("a page of no kind")))
        }

        fn commit(&self, _: Batch) -> Result<(), StoreError> {
            (self.0)()
        }
    }

    fn guarded(engine: impl Store + 'static, dir: &Path) -> Guarded {
        let directory = Directory::hold(Kind::Redb, &dir.join("store")).unwrap();
        let poison = Poison::open(&dir.join("poison")).unwrap();
        Guarded::new(Box::new(engine), dir.to_owned(), directory, poison)
    }

    fn poisons(end: fn() -> Result<(), StoreError>) -> bool {
        let dir = tempfile::tempdir().unwrap();
        let store = guarded(Failing(end, || ()), dir.path());
        assert!(store.commit(Batch::new()).is_err());
        assert!(matches!(store.commit(Batch::new()), Err(StoreError::Poisoned)));
        drop(store);
        Poison::open(&dir.path().join("poison")).unwrap().is_fresh()
    }

    #[test]
    fn a_failed_commit_ends_all_writing_and_is_remembered_unless_the_disk_was_full() {
        assert!(poisons(|| Err(StoreError::Sync(io::ErrorKind::Other.into()))));
        assert!(poisons(|| Err(StoreError::Write(io::ErrorKind::Other.into()))));
        assert!(poisons(|| panic!("a page of no kind")));
        assert!(!poisons(|| Err(StoreError::Full(io::ErrorKind::StorageFull.into()))));
    }

    #[test]
    fn a_close_that_fails_is_remembered_as_a_failed_sync() {
        let is_remembered = |close: fn()| {
            let dir = tempfile::tempdir().unwrap();
            drop(guarded(Failing(|| Ok(()), close), dir.path()));
            Poison::open(&dir.path().join("poison")).unwrap().is_fresh()
        };
        assert!(is_remembered(|| panic!("the last sync")));
        assert!(!is_remembered(|| ()));
    }

    #[test]
    fn whoever_reports_panics_can_tell_those_of_an_engine() {
        assert!(!is_contained());
        contained(|| {
            assert!(contained(|| panic!("a page of no kind")).is_err());
            assert!(is_contained(), "the outer one goes on");
        })
        .unwrap();
        assert!(contained(is_contained).unwrap());
        assert!(!is_contained());
    }

    #[test]
    fn a_panic_of_the_engine_comes_back_as_corrupt_and_ends_the_scan() {
        let dir = tempfile::tempdir().unwrap();
        let store = guarded(Failing(|| Ok(()), || ()), dir.path());
        let error = store.get(b"key").unwrap_err().to_string();
        assert_eq!(error, "the store is damaged: a page of no kind");
        let found: Vec<_> = store.scan(b"a"..b"b").collect();
        assert!(matches!(&found[..], [Err(StoreError::Corrupt(_))]));
        assert_eq!(store.scan(b"b"..b"a").count(), 0);
    }

    #[test]
    fn the_bounds_hold_before_the_engine_sees_a_batch() {
        let dir = tempfile::tempdir().unwrap();
        let store = guarded(MemoryStore::new(), dir.path());
        let mut batch = Batch::new();
        batch.put("", "");
        assert!(matches!(store.commit(batch), Err(StoreError::Batch(_))));
        store.commit(Batch::new()).unwrap();
    }
}
