//! fjall 3: a log-structured merge tree. The one file that names fjall.
//!
//! A commit is one record of its journal, synced before it is applied in memory. Readers look at
//! the newest published batch, so they never see half of one.
//! Deliberately unused: several keyspaces, separated values, compression, transactions.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

use ::fjall::{Database, Error, Keyspace, KeyspaceCreateOptions, PersistMode, Readable};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use crate::mark::{Demand, Mark, Seal};
use crate::{Batch, Bytes, Health, OpenError, Scan, Store, StoreError, planted};

/// fjall in one directory.
pub(crate) struct FjallStore {
    db: Database,
    pairs: Keyspace,
}

impl FjallStore {
    /// Opens the fjall in `path`, or makes one in an empty directory.
    pub(crate) fn open(path: &Path, demand: Demand) -> Result<Self, OpenError> {
        let found = fs::read_dir(path)?.next().is_some();
        if let Demand::Whole(mark) = demand
            && found
            && !planted::is("unchecked")
        {
            check_whole(path, mark)?;
        }
        let db = Database::builder(path)
            .cache_size(CACHE_SIZE)
            .max_journaling_size(JOURNAL_SIZE)
            .max_cached_files(Some(FILE_COUNT))
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

impl Drop for FjallStore {
    /// Syncs the journal, as fjall does when it is dropped, where it passes over an error. As sled
    /// does: what is closed on a disk that refuses is told by a panic, which is held.
    fn drop(&mut self) {
        let synced = self.db.persist(PersistMode::SyncAll);
        assert!(
            std::thread::panicking() || synced.is_ok(),
            "expected the journal to be synced, got {synced:?}"
        );
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

/// Refuses a directory whose first files are damaged. fjall checks its journals and tables, but not
/// the lists of tables, although their checksums are at hand: a damaged one makes it panic under a
/// lock whose loss panics again, which ends the process; and one that is gone makes it delete all.
fn check_whole(path: &Path, mark: Mark) -> Result<(), OpenError> {
    let corrupt = |what: String| Err(OpenError::Corrupt(format!("expected {what}")));
    if !path.join(VERSION).is_file() {
        return corrupt(format!("a file {VERSION}"));
    }
    for tree in fs::read_dir(path.join(TREES))? {
        let (tree, name) = tree.map(|tree| (tree.path(), tree.file_name()))?;
        if name.to_str().is_none_or(|name| name.parse::<u64>().is_err()) {
            return corrupt(format!("a number, got {}", name.display()));
        }
        let current = fs::read(tree.join(CURRENT)).unwrap_or_default();
        let whole = list_of(&current).is_some_and(|(list, checksum)| {
            fs::read(tree.join(list)).is_ok_and(|list| xxh3_128(&list) == checksum)
        });
        if !whole {
            return corrupt(format!("the list of tables of tree {}", name.display()));
        }
    }
    let sealed = mark.seal.filter(|_| mark.health == Health::Clean);
    match sealed {
        Some(sealed) if seal(path)? != sealed => corrupt("the journal that was closed".to_owned()),
        _ => Ok(()),
    }
}

/// The checksum of the newest journal of a closed fjall. Every byte of it was synced, and fjall
/// takes a cut or damaged journal for one whose end was never written.
pub(crate) fn seal(path: &Path) -> Result<Seal, OpenError> {
    let mut newest = None;
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == JOURNAL) {
            let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
            newest = newest.max(number.map(|number| (number, path)));
        }
    }
    let (number, path) =
        newest.ok_or_else(|| OpenError::Corrupt("expected a journal, got none".to_owned()))?;
    let mut hasher = Xxh3::new();
    hasher.update(&number.to_be_bytes());
    let mut journal = File::open(path)?;
    let mut piece = vec![0; PIECE_SIZE];
    loop {
        match journal.read(&mut piece)? {
            0 => return Ok(hasher.digest128().to_be_bytes()),
            size => hasher.update(piece.get(..size).unwrap_or_default()),
        }
    }
}

/// The name and the checksum of a tree's list of tables, as its file `current` tells them: number
/// 8, checksum 16, kind of checksum 1, little-endian. (lsm-tree 3.1.10, `version/persist.rs`.)
fn list_of(current: &[u8]) -> Option<(String, u128)> {
    let (number, rest) = current.split_first_chunk()?;
    let (checksum, rest) = rest.split_first_chunk()?;
    let number = u64::from_le_bytes(*number);
    (rest == [XXH3]).then(|| (format!("v{number}"), u128::from_le_bytes(*checksum)))
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
const VERSION: &str = "version";
const TREES: &str = "keyspaces";
const CURRENT: &str = "current";
const XXH3: u8 = 0;
const JOURNAL: &str = "jnl";
/// Bytes of a journal read at once.
const PIECE_SIZE: usize = 1 << 16;
/// Bytes of blocks that fjall keeps in memory.
const CACHE_SIZE: u64 = 4 << 20;
/// Bytes of writes that it gathers in memory before it sorts them into a file.
const MEMTABLE_SIZE: u64 = 8 << 20;
/// Bytes of journals; fjall takes no less.
const JOURNAL_SIZE: u64 = 64 << 20;
/// Threads that sort and merge.
const WORKER_COUNT: usize = 2;
/// Tables that it keeps open: by default it takes 900 of the 1 024 descriptors that a process often has.
const FILE_COUNT: usize = 16;
