//! fjall 3: a log-structured merge tree. The one file that names fjall.
//!
//! A commit is one record of its journal, synced before it is applied in memory. Readers look at
//! the newest published batch, so they never see half of one.
//! Deliberately unused: several keyspaces, separated values, compression, transactions.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;

use std::collections::BTreeMap;

use ::fjall::{Database, Error, Keyspace, KeyspaceCreateOptions, PersistMode, Readable};

use crate::{Batch, Bytes, OpenError, Scan, Store, StoreError};

/// fjall in one directory.
pub(crate) struct FjallStore {
    db: Database,
    pairs: Keyspace,
}

impl FjallStore {
    /// Opens the fjall in `path`, or makes one in an empty directory.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let found = fs::read_dir(path)?.next().is_some();
        let db = Database::builder(path)
            .cache_size(CACHE_SIZE)
            .max_journaling_size(JOURNAL_SIZE)
            .worker_threads(WORKER_COUNT)
            .open()?;
        if found && !db.keyspace_exists(KEYSPACE) {
            return Err(OpenError::Corrupt(format!("expected a keyspace {KEYSPACE}, got none")));
        }
        let pairs = db.keyspace(KEYSPACE, || {
            KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_SIZE)
        })?;
        Ok(Self { db, pairs })
    }
}

impl std::fmt::Debug for FjallStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FjallStore").field("path", &self.pairs.path()).finish_non_exhaustive()
    }
}

impl Store for FjallStore {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let value = self.db.snapshot().get(&self.pairs, key).map_err(read_error)?;
        Ok(value.map(Bytes::from))
    }

    fn scan(&self, range: Range<&[u8]>) -> Scan<'_> {
        Box::new(self.db.snapshot().range(&self.pairs, range).map(|pair| {
            let (key, value) = pair.into_inner().map_err(read_error)?;
            Ok((Bytes::from(key), Bytes::from(value)))
        }))
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        // Within a batch fjall gives all steps one number, so each key may come but once.
        let steps: BTreeMap<_, _> = batch.into_steps().collect();
        let mut writes = self.db.batch().durability(Some(PersistMode::SyncData));
        for (key, value) in steps {
            match value {
                Some(value) => writes.insert(&self.pairs, key, value),
                None => writes.remove(&self.pairs, key),
            }
        }
        writes.commit().map_err(write_error)
    }
}

fn read_error(error: Error) -> StoreError {
    match io_error(error) {
        Ok(error) => StoreError::Read(error),
        Err(error) => StoreError::Corrupt(error.to_string()),
    }
}

fn write_error(error: Error) -> StoreError {
    match io_error(error) {
        Ok(error) => StoreError::write(error),
        Err(Error::Poisoned) => StoreError::Sync(io::Error::other("a write in its back failed")),
        Err(error) => StoreError::Corrupt(error.to_string()),
    }
}

/// The error of the disk, if it is one.
fn io_error(error: Error) -> Result<io::Error, Error> {
    match error {
        Error::Io(error) => Ok(error),
        error => Err(error),
    }
}

impl From<Error> for OpenError {
    fn from(error: Error) -> Self {
        match error {
            Error::Locked => Self::Held,
            Error::Io(error) => match error.kind() {
                io::ErrorKind::NotFound
                | io::ErrorKind::InvalidData
                | io::ErrorKind::UnexpectedEof => Self::Corrupt(error.to_string()),
                _ => error.into(),
            },
            error => Self::Corrupt(error.to_string()),
        }
    }
}

const KEYSPACE: &str = "pairs";
/// Bytes of blocks that fjall keeps in memory.
const CACHE_SIZE: u64 = 4 << 20;
/// Bytes of writes that it gathers in memory before it sorts them into a file.
const MEMTABLE_SIZE: u64 = 8 << 20;
/// Bytes of journals; fjall takes no less.
const JOURNAL_SIZE: u64 = 64 << 20;
/// Threads that sort and merge.
const WORKER_COUNT: usize = 2;
