//! The test double: a disk with a live and a durable image, which fails, freezes or loses its power
//! when told. Compiled by the feature `faulty`.
//!
//! ```text
//! commit n    live image ── sync ──> durable image
//!                  ^                       │
//!                  └────── power cut ──────┘
//! ```
//!
//! Commits, each with its one sync, are counted from 1 over the life of the disk, whichever handle
//! makes them, so a test that counts a first run can fail each of them in the next.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::memory::{Tree, write};
use crate::{Batch, Bytes, Health, MemoryStore, OpenError, Opened, Scan, Store, StoreError};

/// A disk that holds one store, and outlives its handles. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct FaultyDisk {
    disk: Arc<Mutex<Disk>>,
}

/// What happens to one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// What the commit reports.
    pub cause: Cause,
    /// What it did nevertheless.
    pub effect: Effect,
}

/// What a failing commit reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// [`StoreError::Full`].
    Full,
    /// [`StoreError::Write`].
    Write,
    /// [`StoreError::Sync`].
    Sync,
}

/// Whether a failing commit took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It did not reach the durable image. After [`Cause::Sync`] the live image shows it, as the
    /// page cache does.
    None,
    /// It reached both images.
    Whole,
}

impl FaultyDisk {
    /// An empty disk without faults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the store. As with the other adapters, what a failed sync left in the live image alone
    /// is written anew.
    ///
    /// # Errors
    /// [`OpenError::Held`] while another handle lives.
    pub fn open(&self) -> Result<Opened, OpenError> {
        let mut disk = self.lock();
        if disk.held {
            return Err(OpenError::Held);
        }
        if !disk.is_frozen() {
            disk.durable = disk.live.image();
        }
        let health = if disk.is_open { Health::Recovered } else { Health::Clean };
        disk.held = true;
        let (live, life) = (Arc::clone(&disk.live), disk.life);
        drop(disk);
        let store = FaultyStore { live, life, disk: self.clone(), poisoned: Mutex::new(false) };
        Ok(Opened { store: Box::new(store), health })
    }

    /// Makes one commit fail.
    pub fn fail(&self, commit: u64, failure: Failure) {
        self.lock().failures.insert(commit, failure);
    }

    /// No later commit fails.
    pub fn heal(&self) {
        self.lock().failures.clear();
    }

    /// Keeps the durable image as it is before the sync of `commit`, as if the power went then,
    /// while the machine does not know it yet. Ends with [`Self::power_cut`].
    pub fn freeze(&self, commit: u64) {
        self.lock().frozen_from = Some(commit);
    }

    /// Takes the power away: the live image falls back to the durable one, and handles die.
    pub fn power_cut(&self) {
        let mut disk = self.lock();
        disk.live = Arc::new(MemoryStore::of(Arc::clone(&disk.durable)));
        disk.life = disk.life.wrapping_add(1);
        disk.held = false;
        disk.frozen_from = None;
    }

    /// A backup: another disk, with what this one would hold after a power cut.
    #[must_use]
    pub fn copy(&self) -> Self {
        let durable = Arc::clone(&self.lock().durable);
        let copy = Self::new();
        copy.lock().durable = durable;
        copy.power_cut();
        copy
    }

    /// How many commits were tried.
    #[must_use]
    pub fn commit_count(&self) -> u64 {
        self.lock().commit_count
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handle on the store of a [`FaultyDisk`].
#[derive(Debug)]
struct FaultyStore {
    live: Arc<MemoryStore>,
    life: u64,
    disk: FaultyDisk,
    poisoned: Mutex<bool>,
}

impl Store for FaultyStore {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.live.get(key)
    }

    fn scan(&self, range: Range<&[u8]>) -> Scan<'_> {
        self.live.scan(range)
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        batch.check()?;
        let mut poisoned = self.poisoned.lock().unwrap_or_else(PoisonError::into_inner);
        let mut disk = self.disk.lock();
        if *poisoned || disk.life != self.life {
            return Err(StoreError::Poisoned);
        }
        let committed = disk.commit(batch);
        *poisoned = committed.is_err();
        committed
    }
}

impl Drop for FaultyStore {
    fn drop(&mut self) {
        let poisoned = *self.poisoned.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut disk = self.disk.lock();
        if disk.life == self.life {
            disk.held = false;
            disk.is_open &= poisoned;
        }
    }
}

#[derive(Debug, Default)]
struct Disk {
    live: Arc<MemoryStore>,
    durable: Arc<Tree>,
    commit_count: u64,
    failures: BTreeMap<u64, Failure>,
    frozen_from: Option<u64>,
    /// Raised by each power cut, so that the handles of before are told from those of after.
    life: u64,
    held: bool,
    /// Whether it was written to since a holder closed it.
    is_open: bool,
}

impl Disk {
    fn commit(&mut self, batch: Batch) -> Result<(), StoreError> {
        self.is_open = true;
        self.commit_count = self.commit_count.saturating_add(1);
        let failure = self.failures.get(&self.commit_count).copied();
        let effect = failure.map_or(Effect::Whole, |failure| failure.effect);
        let cause = failure.map(|failure| failure.cause);
        let is_durable = effect == Effect::Whole && !self.is_frozen();
        let is_live = effect == Effect::Whole || cause == Some(Cause::Sync);
        match (is_durable, is_live) {
            (true, _) if self.is_in_step() => {
                // Nobody holds the image meanwhile, so that it is not copied.
                self.durable = Arc::default();
                self.live.apply(batch);
                self.durable = self.live.image();
            }
            (true, _) => {
                write(Arc::make_mut(&mut self.durable), batch.clone());
                self.live.apply(batch);
            }
            (false, true) => self.live.apply(batch),
            (false, false) => {}
        }
        cause.map_or(Ok(()), |cause| Err(cause.error()))
    }

    /// Whether the two images are one.
    fn is_in_step(&self) -> bool {
        Arc::ptr_eq(&self.durable, &self.live.image())
    }

    fn is_frozen(&self) -> bool {
        self.frozen_from.is_some_and(|from| self.commit_count >= from)
    }
}

impl Cause {
    fn error(self) -> StoreError {
        match self {
            Self::Full => StoreError::Full(io::ErrorKind::StorageFull.into()),
            Self::Write => StoreError::Write(io::Error::from_raw_os_error(EIO)),
            Self::Sync => StoreError::Sync(io::Error::from_raw_os_error(EIO)),
        }
    }
}

/// The number of "input/output error" on every Unix.
const EIO: i32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(key: &'static str) -> Batch {
        let mut batch = Batch::new();
        batch.put(key, "value");
        batch
    }

    fn keys(store: &dyn Store) -> Vec<Bytes> {
        store.scan(b""..b"~").map(|pair| pair.unwrap().0).collect()
    }

    #[test]
    fn a_power_cut_falls_back_to_the_last_sync_before_the_freeze() {
        let disk = FaultyDisk::new();
        disk.freeze(3);
        let store = disk.open().unwrap().store;
        for key in ["a", "b", "c", "d"] {
            store.commit(batch(key)).unwrap();
        }
        assert_eq!(keys(&*store), ["a", "b", "c", "d"]);
        disk.power_cut();
        assert!(matches!(store.commit(batch("e")), Err(StoreError::Poisoned)));
        let Opened { store, health } = disk.open().unwrap();
        assert_eq!(health, Health::Recovered);
        assert_eq!(keys(&*store), ["a", "b"]);
    }

    #[test]
    fn a_backup_holds_what_is_durable_and_goes_its_own_way() {
        let disk = FaultyDisk::new();
        disk.freeze(2);
        let store = disk.open().unwrap().store;
        store.commit(batch("a")).unwrap();
        store.commit(batch("b")).unwrap();
        let backup = disk.copy();
        store.commit(batch("c")).unwrap();
        let copied = backup.open().unwrap().store;
        assert_eq!(keys(&*copied), ["a"]);
        copied.commit(batch("d")).unwrap();
        assert_eq!(keys(&*store), ["a", "b", "c"]);
    }

    #[test]
    fn a_failed_commit_took_effect_or_not_and_poisons_its_handle() {
        for cause in [Cause::Full, Cause::Write, Cause::Sync] {
            for effect in [Effect::None, Effect::Whole] {
                let disk = FaultyDisk::new();
                disk.fail(2, Failure { cause, effect });
                let store = disk.open().unwrap().store;
                store.commit(batch("a")).unwrap();
                let error = store.commit(batch("b")).unwrap_err();
                assert_eq!(error.to_string(), cause.error().to_string());
                assert!(matches!(store.commit(batch("c")), Err(StoreError::Poisoned)));
                disk.power_cut();
                let store = disk.open().unwrap().store;
                let expected = if effect == Effect::Whole { vec!["a", "b"] } else { vec!["a"] };
                assert_eq!(keys(&*store), expected);
                assert_eq!(disk.commit_count(), 2);
            }
        }
    }

    #[test]
    fn what_a_failed_sync_left_in_the_live_image_is_written_anew_at_open() {
        let disk = FaultyDisk::new();
        disk.fail(1, Failure { cause: Cause::Sync, effect: Effect::None });
        let store = disk.open().unwrap().store;
        store.commit(batch("a")).unwrap_err();
        drop(store);
        assert_eq!(keys(&*disk.open().unwrap().store), ["a"]);
        disk.power_cut();
        assert_eq!(keys(&*disk.open().unwrap().store), ["a"]);
    }
}
