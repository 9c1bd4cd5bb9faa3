//! redb 4: one file, copy on write. The one file that names redb.
//!
//! Each commit is two-phase (`set_quick_repair`): the new root is on disk before the header points
//! to it, so an open after a crash trusts no checksum and walks no tree. A scan reads one snapshot,
//! which keeps the file from reusing its pages for as long as the scan lives.
//! Deliberately unused: savepoints, other durabilities, compaction, several tables.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::Path;

use ::redb::{
    Database, DatabaseError, Durability, Error, ReadOnlyTable, ReadableDatabase, StorageError,
    TableDefinition,
};

use self::file::{Failed, WatchedFile};
use crate::mark::Demand;
use crate::{Batch, Bytes, OpenError, Scan, Store, StoreError, planted};

mod file;

/// redb in one directory.
#[derive(Debug)]
pub(crate) struct RedbStore {
    /// There until this is dropped.
    db: Option<Database>,
    failed: Failed,
}

impl RedbStore {
    /// Opens the redb in `path`, or makes one in an empty directory.
    pub(crate) fn open(path: &Path, demand: Demand) -> Result<Self, OpenError> {
        let found = fs::read_dir(path)?.next().is_some();
        let mut builder = Database::builder();
        builder.set_cache_size(CACHE_SIZE);
        let path = path.join(DATA);
        let file = File::options().read(true).write(true).create_new(!found).open(&path);
        let file = file.map_err(DatabaseError::from)?;
        if found && file.metadata()?.len() == 0 {
            return Err(OpenError::Corrupt("expected data, got an empty file".to_owned()));
        }
        let failed = Failed::default();
        let db = builder.create_with_backend(WatchedFile::new(file, failed.clone())?)?;
        let mut store = Self { db: Some(db), failed };
        // Its reads look at no checksum: a flipped bit would be handed out as a value.
        let is_checked = found && !planted::is("unchecked");
        if is_checked && !store.db_mut().check_integrity()? && demand.is_of_clean() {
            return Err(refuse_damaged(store, &path)?);
        }
        if !found {
            store.write(&Batch::new()).map_err(|error| write_error(*error))?;
        }
        // Its table is made with the file, so a file without it is not ours.
        store.table().map_err(|error| read_error(*error))?;
        Ok(store)
    }

    fn db(&self) -> &Database {
        self.db.as_ref().expect("it is there until this is dropped")
    }

    fn db_mut(&mut self) -> &mut Database {
        self.db.as_mut().expect("it is there until this is dropped")
    }

    fn table(&self) -> Result<ReadOnlyTable<&'static [u8], &'static [u8]>, Box<Error>> {
        let reading = self.db().begin_read().map_err(boxed)?;
        reading.open_table(TABLE).map_err(boxed)
    }

    fn write(&self, batch: &Batch) -> Result<(), Box<Error>> {
        let mut writing = self.db().begin_write().map_err(boxed)?;
        writing.set_durability(Durability::Immediate).map_err(boxed)?;
        writing.set_quick_repair(true);
        let mut table = writing.open_table(TABLE).map_err(boxed)?;
        for (key, value) in batch.steps() {
            match value {
                Some(value) => table.insert(key.as_ref(), value.as_ref()).map_err(boxed)?,
                None => table.remove(key.as_ref()).map_err(boxed)?,
            };
        }
        drop(table);
        writing.commit().map_err(boxed)
    }
}

impl Drop for RedbStore {
    /// As sled does: what is closed on a disk that refuses is told by a panic, which is held; a
    /// second one would end the process.
    fn drop(&mut self) {
        drop(self.db.take());
        assert!(
            std::thread::panicking() || !self.failed.is_set(),
            "expected every write and sync to succeed, got a failed one"
        );
    }
}

impl Store for RedbStore {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let found = self.table().and_then(|table| table.get(key).map_err(boxed));
        let found = found.map_err(|error| read_error(*error))?;
        Ok(found.map(|value| Bytes::copy_from_slice(value.value())))
    }

    fn scan(&self, range: Range<&[u8]>) -> Scan<'_> {
        let pairs = self.table().and_then(|table| table.range::<&[u8]>(range).map_err(boxed));
        match pairs {
            Err(error) => Box::new(std::iter::once(Err(read_error(*error)))),
            Ok(pairs) => Box::new(pairs.map(|pair| {
                let (key, value) = pair.map_err(|error| read_error(error.into()))?;
                Ok((Bytes::copy_from_slice(key.value()), Bytes::copy_from_slice(value.value())))
            })),
        }
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.write(&batch).map_err(|error| write_error(*error))
    }
}

/// Refuses a closed file with damaged pages: redb has gone back to what it held before. The file is
/// set aside, so that every later open refuses too.
fn refuse_damaged(store: RedbStore, file: &Path) -> io::Result<OpenError> {
    drop(store);
    fs::rename(file, file.with_file_name(format!("bad-{DATA}")))?;
    Ok(OpenError::Corrupt("expected each page as its parent knows it".to_owned()))
}

fn boxed(error: impl Into<Error>) -> Box<Error> {
    Box::new(error.into())
}

fn read_error(error: Error) -> StoreError {
    match error {
        Error::Io(error) => StoreError::Read(error),
        Error::PreviousIo => StoreError::Read(io::Error::other(error.to_string())),
        error => StoreError::Corrupt(error.to_string()),
    }
}

fn write_error(error: Error) -> StoreError {
    match error {
        Error::Io(error) => StoreError::write(error),
        Error::PreviousIo => StoreError::Write(io::Error::other(error.to_string())),
        error => StoreError::Corrupt(error.to_string()),
    }
}

impl From<DatabaseError> for OpenError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::DatabaseAlreadyOpen => Self::Held,
            DatabaseError::Storage(StorageError::Io(error)) => match error.kind() {
                io::ErrorKind::NotFound
                | io::ErrorKind::InvalidData
                | io::ErrorKind::UnexpectedEof => Self::Corrupt(error.to_string()),
                _ => error.into(),
            },
            error => Self::Corrupt(error.to_string()),
        }
    }
}

const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("pairs");
/// Bytes of pages that redb keeps in memory.
const CACHE_SIZE: usize = 8 << 20;
const DATA: &str = "pairs.redb";
