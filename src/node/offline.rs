//! A data directory on which no node runs, held to look at its store or to mend it.
//!
//! What a repair takes out of the store it first writes to a file under `aside/`, whose bytes stand
//! in the [manual](crate::manual::backup); a store that does not open is moved there as a whole.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use peermq_storage::{Kind, OpenError, Shrunk, Store, StoreError};

use super::clock::Clock;
use super::directory::{Directory, DirectoryError, Lock};
use super::error::NodeError;
use super::files;
use crate::limits::BACKUP_PIECE_SIZE;
use crate::queue::check::{CheckObserver, Finding, check};
use crate::queue::{QueueError, RecordWriter, Repair};
use crate::types::{Id, UnixMs};

/// What became of a store that did not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Salvaged {
    /// What is wrong with it.
    pub why: String,
    /// The folder that it lies in now.
    pub aside: PathBuf,
    /// Rows that could be read of it.
    pub rows: u64,
}

/// A data directory whose store is open and on which no node runs. Blocks; needs no runtime.
#[derive(Debug)]
pub struct Offline {
    id: Id,
    store: Box<dyn Store>,
    directory: Directory,
    #[expect(dead_code, reason = "the directory is held for as long as the lock lives")]
    lock: Lock,
}

impl Offline {
    /// Holds a directory that a node was made in before, with the store that is wanted or whichever
    /// it has.
    ///
    /// # Errors
    /// [`NodeError::Directory`] when another process holds it or it cannot be used,
    /// [`NodeError::Open`] when its store does not open.
    pub fn open(path: &Path, wanted: Option<Kind>) -> Result<Self, NodeError> {
        let directory = Directory::open(path)?;
        let lock = directory.lock()?;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(NodeError::Random)?;
        let id = directory.id(|| seed)?;
        let kind = directory.store_kind(&lock, wanted)?;
        let opened = peermq_storage::open(kind, &directory.store(), &directory.poison())?;
        Ok(Self { id, store: opened.store, directory, lock })
    }

    /// Looks at everything in the store, and changes nothing.
    ///
    /// # Errors
    /// [`NodeError::Queue`] when the store cannot be read.
    pub fn check(&self, observer: &mut dyn CheckObserver) -> Result<(), NodeError> {
        Ok(check(&*self.store, &self.id, observer)?)
    }

    /// Mends what a check has found. Returns the file that holds all that was taken out of the
    /// store; `None` when that is nothing.
    ///
    /// # Errors
    /// [`NodeError::Directory`] when the file cannot be written, and [`NodeError::Queue`] from the
    /// store; a repair that was cut off is begun again with a new check.
    pub fn repair(&self, findings: &[Finding]) -> Result<Option<PathBuf>, NodeError> {
        let repair = Repair::plan(&*self.store, &self.id, findings)?;
        let now = Clock::system().unix_ms();
        let file = match repair.aside() {
            [] => None,
            keys => Some(self.set_aside(keys, now)?),
        };
        repair.apply(&*self.store, now)?;
        Ok(file)
    }

    /// Replaces a store that does not open by one with whatever can be read of it, which a check has
    /// still to look at: the first step of a repair. The old one lies under `aside/` from then on. What
    /// is left is behind the head mark if anything that this node has signed is lost, and then signs
    /// nothing until it is told to begin a new life. `None` when the store opens.
    ///
    /// # Errors
    /// [`NodeError::Directory`] when another process holds the directory or it cannot be used,
    /// [`NodeError::Open`] when the new store cannot be made.
    pub fn salvage(path: &Path, wanted: Option<Kind>) -> Result<Option<Salvaged>, NodeError> {
        let directory = Directory::open(path)?;
        let lock = directory.lock()?;
        let kind = directory.store_kind(&lock, wanted)?;
        match peermq_storage::open(kind, &directory.store(), &directory.poison()) {
            Err(OpenError::Corrupt(why)) => replace_store(&directory, kind, why).map(Some),
            opened => Ok(opened.map(|_| None)?),
        }
    }

    /// Copies rows to a file of their own, which lasts when this returns.
    fn set_aside(&self, keys: &[Bytes], now: UnixMs) -> Result<PathBuf, NodeError> {
        let path = aside(&self.directory, &now.0.to_string())?;
        files::write_new(&path, ASIDE_MAGIC).map_err(DirectoryError::at(&path))?;
        let mut file =
            File::options().append(true).open(&path).map_err(DirectoryError::at(&path))?;
        let (mut records, mut bytes) = (RecordWriter::default(), Vec::new());
        for key in keys {
            let value = match self.store.get(key) {
                Err(StoreError::Corrupt(_)) => None,
                value => value.map_err(QueueError::from)?,
            };
            records.push(&mut bytes, key, value.as_deref());
            if bytes.len() >= BACKUP_PIECE_SIZE {
                file.write_all(&bytes).map_err(DirectoryError::at(&path))?;
                bytes.clear();
            }
        }
        let written = file.write_all(&records.finish(bytes)).and_then(|()| file.sync_all());
        written.and_then(|()| files::sync_folder_of(&path)).map_err(DirectoryError::at(&path))?;
        Ok(path)
    }
}

/// Sets a store aside, and puts what can be read of it in its place.
fn replace_store(directory: &Directory, kind: Kind, why: String) -> Result<Salvaged, NodeError> {
    let store = directory.store();
    let drafts = [directory.salvaged_store(), store.with_extension("scratch")];
    let clear = || {
        let mut drafts = drafts.iter();
        drafts.try_for_each(|draft| {
            files::remove_folder_if_there(draft).map_err(DirectoryError::at(draft))
        })
    };
    clear()?;
    let [fresh, scratch] = &drafts;
    let read = peermq_storage::salvage(kind, &store, fresh, scratch, &directory.poison());
    if read.is_err() {
        // Half of it is of no use, and takes up space.
        clear()?;
    }
    let rows = match read {
        Err(OpenError::Corrupt(_)) => 0,
        read => read?,
    };
    let aside = aside(directory, &format!("store-{}", Clock::system().unix_ms().0))?;
    let moved = fs::rename(&store, &aside)
        .and_then(|()| files::sync_folder_of(&aside))
        .and_then(|()| files::sync_folder_of(&store));
    moved.map_err(DirectoryError::at(&store))?;
    directory.settle_store()?;
    Ok(Salvaged { why, aside, rows })
}

/// Where something is set aside: a name in a folder that is there.
fn aside(directory: &Directory, name: &str) -> Result<PathBuf, NodeError> {
    let folder = directory.path().join("aside");
    files::create_folders(&folder).map_err(DirectoryError::at(&folder))?;
    Ok(folder.join(name))
}

/// Writes a directory's store anew if its files are much larger than what they hold; `None` when they
/// are not, or a node runs there. Blocks; needs no runtime.
///
/// # Errors
/// [`NodeError::Directory`] when the directory cannot be used, [`NodeError::Open`] when its store does
/// not open or there is no space for a second one.
pub fn shrink(path: &Path, wanted: Option<Kind>) -> Result<Option<Shrunk>, NodeError> {
    let directory = Directory::open(path)?;
    let lock = match directory.lock() {
        Err(DirectoryError::Held { .. }) => return Ok(None),
        lock => lock?,
    };
    let kind = directory.store_kind(&lock, wanted)?;
    Ok(peermq_storage::shrink(kind, &directory.store(), &directory.poison())?)
}

const ASIDE_MAGIC: &[u8] = b"peermqa2";
