//! sled 0.34.7, with the fsync that its `flush` does not make. The one file that names sled.
//!
//! On Linux sled's `flush` ends in `sync_file_range`, which covers neither the file's length nor
//! the disk's own cache (`pagecache/iobuf.rs`). So each commit ends with `fdatasync` on a descriptor
//! of our own of sled's one data file, `db`. Its directory `blobs` must stay empty, because nothing
//! syncs the files there; `snap.*` is a cache that is rebuilt from `db` when it is damaged.
//! Deliberately unused: `flush_async` (it can deadlock), the flush timer (it hides failures),
//! transactions, several trees, compression.

use std::fs::{self, File, TryLockError};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use ::sled::{Config, Db, Error, IVec};

use crate::guard::contained;
use crate::mark::{Demand, Mark, Seal};
use crate::{Batch, Bytes, FENCE_KEYS, Health, OpenError, Scan, Store, StoreError, planted};

mod audit;
mod watchdog;

use audit::Extent;
use watchdog::Watchdog;

/// sled in one directory.
#[derive(Debug)]
pub(crate) struct SledStore {
    /// Dropped first: whoever drops sled's last handle meets the error of its last sync.
    watchdog: Watchdog,
    db: Db,
    /// A descriptor of our own of sled's data file, to sync it.
    data: File,
    blobs: Blobs,
}

impl SledStore {
    /// Opens the sled in `path`, or makes one in an empty directory.
    pub(crate) fn open(path: &Path, demand: Demand) -> Result<Self, OpenError> {
        let found = path.join(DATA).is_file();
        if found && !planted::is("unchecked") {
            // Also for who takes what there is: it puts what would stop sled out of its sight.
            let mark = if let Demand::Whole(mark) = demand { mark } else { Mark::UNKNOWN };
            let checked = check_whole(path, mark);
            if demand != Demand::Readable {
                checked?;
            }
        } else if !found && fs::read_dir(path)?.next().is_some() {
            return Err(OpenError::Corrupt(format!("expected a file {DATA}, got none")));
        }
        let db = open_released(path)?;
        let another = db.clone();
        let watchdog =
            Watchdog::start(FLUSH_PATIENCE, move || drop(contained(|| another.flush())))?;
        if !found {
            fence(&db)?;
            // Its first write is made by a thread of its own: without this an error of it is told to
            // nobody, and a close would pass over it.
            watchdog.watch(|| db.flush())?;
        } else if !db.was_recovered() {
            drop(watchdog);
            return Err(refuse_lost(db, path)?);
        }
        let data = File::open(path.join(DATA))?;
        Ok(Self { watchdog, db, data, blobs: Blobs::watch(&path.join(BLOBS))? })
    }
}

impl Store for SledStore {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Ok(self.db.get(key).map_err(read_error)?.map(Bytes::from_owner))
    }

    fn scan(&self, range: Range<&[u8]>) -> Scan<'_> {
        Box::new(self.db.range(range).filter_map(|pair| match pair {
            Ok((key, _)) if key.first() == Some(&FENCE_KEYS) => None,
            // A key that is kept must not keep the whole page that sled read it from.
            Ok((key, value)) => Some(Ok((Bytes::copy_from_slice(&key), Bytes::from_owner(value)))),
            Err(error) => Some(Err(read_error(error))),
        }))
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.apply(&batch).map_err(write_error)?;
        self.watchdog.watch(|| self.db.flush()).map_err(write_error)?;
        if !planted::is("plain-flush") {
            let synced = self.data.sync_data().map_err(StoreError::Sync);
            if !planted::is("swallowed") {
                synced?;
            }
        }
        self.blobs.check()
    }
}

impl SledStore {
    /// A step alone is one record of sled's log, and one write; a batch has a record of its own
    /// before the others, in a write of its own.
    fn apply(&self, batch: &Batch) -> Result<(), Error> {
        let mut steps = batch.steps();
        if let (Some((key, value)), None) = (steps.next(), steps.next()) {
            return match value {
                Some(value) => self.db.insert(key, value.as_ref()).map(drop),
                None => self.db.remove(key).map(drop),
            };
        }
        let mut together = ::sled::Batch::default();
        for (key, value) in batch.steps() {
            match value {
                Some(value) => together.insert(key.as_ref(), IVec::from(value.as_ref())),
                None => together.remove(key.as_ref()),
            }
        }
        self.db.apply_batch(together)
    }
}

/// Makes rows that are never removed, between narrow and wide ones: with every tenth change of a row
/// sled writes its whole leaf anew, and no leaf reaches over so many rows.
fn fence(db: &Db) -> Result<(), Error> {
    (0..FENCE_COUNT).try_for_each(|nth| db.insert([FENCE_KEYS, nth], &[]).map(drop))
}

/// sled's directory of pages too large for its log. They are never synced, so there may be none.
#[derive(Debug)]
struct Blobs {
    directory: File,
    changed: SystemTime,
}

impl Blobs {
    fn watch(path: &Path) -> Result<Self, OpenError> {
        if fs::read_dir(path)?.next().is_some() {
            return Err(OpenError::Corrupt("expected no page in a file of its own".to_owned()));
        }
        let directory = File::open(path)?;
        let changed = directory.metadata()?.modified()?;
        Ok(Self { directory, changed })
    }

    /// One system call: a file that came or went has changed the directory's time.
    fn check(&self) -> Result<(), StoreError> {
        let changed = self.directory.metadata().and_then(|metadata| metadata.modified());
        if changed.map_err(StoreError::Read)? == self.changed {
            return Ok(());
        }
        Err(StoreError::Sync(io::Error::other("expected no page in a file of its own, got one")))
    }
}

fn config(path: &Path) -> Config {
    Config::new()
        .path(path)
        .segment_size(SEGMENT_SIZE)
        .cache_capacity(CACHE_SIZE)
        .flush_every_ms(None)
}

/// Opens sled, waiting while its threads still let go of a handle that was dropped just before:
/// the lock on the store's directory says that no one else can have it.
fn open_released(path: &Path) -> Result<Db, Error> {
    for _ in 0..RELEASE_TRY_COUNT {
        match config(path).open() {
            Err(Error::Io(error)) if error.to_string().contains("could not acquire lock") => {
                thread::sleep(RELEASE_PAUSE);
            }
            opened => return opened,
        }
    }
    config(path).open()
}

/// Refuses a directory from which sled would start anew, in another shape, or with less than was
/// written, without a word.
fn check_whole(path: &Path, mark: Mark) -> Result<(), OpenError> {
    let corrupt = |what: &str| Err(OpenError::Corrupt(format!("expected {what}")));
    if !path.join(CONF).is_file() {
        return corrupt("a file conf beside the data");
    }
    let data = File::open(path.join(DATA))?;
    // What recovery will read must be durable before a snapshot speaks of it.
    data.sync_data()?;
    let extent = check_log(path, &data)?;
    let sealed = mark.seal.map(Extent::from_seal).map(|sealed| match mark.health {
        Health::Clean => sealed,
        // While a store is open, sled cuts off what is free at its file's end.
        Health::Recovered => Extent { size: 0, ..sealed },
    });
    match sealed {
        Some(sealed) if !extent.covers(sealed) => corrupt("the log that was closed, got less"),
        _ if extent.size == 0 => corrupt("data, got an empty file"),
        _ => Ok(()),
    }
}

/// Refuses a log whose first pages are unreadable: sled has begun another in its place. The file is
/// set aside, so that every later open refuses too.
fn refuse_lost(db: Db, path: &Path) -> io::Result<OpenError> {
    drop(db);
    fs::rename(path.join(DATA), path.join(format!("bad-{DATA}")))?;
    File::open(path)?.sync_all()?;
    Ok(OpenError::Corrupt("expected a log with its first pages, got none of them".to_owned()))
}

/// How far the log of a closed sled reaches. Threads of sled's may still have the file, locked, and
/// cut off what is free at its end: what they leave is sealed.
pub(crate) fn seal(path: &Path) -> Result<Seal, OpenError> {
    let data = File::options().read(true).write(true).open(path.join(DATA))?;
    for _ in 0..RELEASE_TRY_COUNT {
        match data.try_lock() {
            Ok(()) => return Ok(audit::extent(&data)?.to_seal()),
            Err(TryLockError::WouldBlock) => thread::sleep(RELEASE_PAUSE),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
    Err(OpenError::Held)
}

/// Checks the log from the snapshot on that sled will start from. A snapshot that is cut or damaged
/// would stop sled for ever, and one that tells of more than the log has would mislead it: they are
/// put out of its sight, and sled reads its whole log.
fn check_log(path: &Path, data: &File) -> Result<Extent, OpenError> {
    for name in snapshots(path)?.iter().rev() {
        if let Some(lsn) = audit::snapshot_lsn(name, &fs::read(path.join(name))?) {
            let extent = audit::audit(data, lsn)?;
            if extent.end >= lsn {
                return Ok(extent);
            }
        }
        fs::rename(path.join(name), path.join(format!("bad-{name}")))?;
    }
    audit::audit(data, 0)
}

/// The names of the snapshots, the newest last.
fn snapshots(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with(SNAPSHOT) {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn read_error(error: Error) -> StoreError {
    match error {
        Error::Io(error) => StoreError::Read(plain(error)),
        error => StoreError::Corrupt(error.to_string()),
    }
}

fn write_error(error: Error) -> StoreError {
    match error {
        Error::Io(error) => StoreError::write(plain(error)),
        error => StoreError::Corrupt(error.to_string()),
    }
}

/// An error that sled has copied tells in its text what a debugger shows; its kind tells the same.
fn plain(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::Other => error,
        _ if error.raw_os_error().is_some() => error,
        kind => kind.into(),
    }
}

impl From<Error> for OpenError {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(error) => plain(error).into(),
            error => Self::Corrupt(error.to_string()),
        }
    }
}

/// Bytes of a log segment. A leaf holds up to 17 values, and from a quarter of a segment on sled
/// writes a page to a file of its own: 17 x 64 KiB is under 2 MiB.
const SEGMENT_SIZE: usize = 8 << 20;
/// Bytes of pages that sled tries to keep in memory.
const CACHE_SIZE: u64 = 8 << 20;
/// Twice the rows of a leaf.
const FENCE_COUNT: u8 = 34;
/// How long a flush may wait before another looks whether an error was told to nobody.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);
/// How often, and how long each time, an open or a seal waits for sled's own threads.
const RELEASE_TRY_COUNT: usize = 500;
const RELEASE_PAUSE: Duration = Duration::from_millis(10);
const DATA: &str = "db";
const CONF: &str = "conf";
const BLOBS: &str = "blobs";
const SNAPSHOT: &str = "snap.";
