//! From a backup's file to a data directory, which appears in one step, whole.
//!
//! *Invariant*: a directory in the making holds the lock of a data directory for as long as there is
//! a use for it, and the file `restoring` until it has its name. What does not is somebody else's, and
//! is left alone.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use peermq_storage::{Batch, Kind, Store};

use super::backup::read_records;
use super::directory::{Directory, DirectoryError, Lock};
use super::error::NodeError;
use super::files;
use crate::limits::BACKUP_BATCH_SIZE;
use crate::queue::Record;

/// Makes a data directory of a backup, where nothing is or an empty directory. It appears in one
/// step, whole; until then it grows beside it, with `.restoring` to its name, and what an earlier try
/// left there goes. It has no head mark: how far the log has come since the backup, nobody here knows.
///
/// # Errors
/// [`NodeError::Queue`] for a file that is no whole backup, [`NodeError::Directory`] when the
/// directory is not empty or cannot be written, or is being restored by another process,
/// [`NodeError::Open`] and [`NodeError::Queue`] from the store.
pub fn restore(backup: &Path, directory: &Path, wanted: Option<Kind>) -> Result<(), NodeError> {
    let target = std::path::absolute(directory).map_err(DirectoryError::at(directory))?;
    if fs::read_dir(&target).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(DirectoryError::NotEmpty { path: target }.into());
    }
    let key = read_records(backup, |_| Ok(()))?;
    let draft = Draft::begin(&target)?;
    draft.fill(&key, backup, wanted)?;
    draft.name(&target)
}

/// A data directory in the making, with a secret key in it: it goes unless it gets its name.
struct Draft {
    directory: Directory,
    lock: Lock,
    is_named: bool,
}

impl Draft {
    /// Begins a draft, or an earlier try's anew.
    fn begin(target: &Path) -> Result<Self, NodeError> {
        let mut path = target.as_os_str().to_owned();
        path.push(".restoring");
        let path = PathBuf::from(path);
        if let Some(folder) = path.parent() {
            files::create_folders(folder).map_err(DirectoryError::at(folder))?;
        }
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if !is_draft(&path).map_err(DirectoryError::at(&path))? {
                    return Err(DirectoryError::NotEmpty { path }.into());
                }
            }
            made => made.map_err(DirectoryError::at(&path))?,
        }
        let directory = Directory::open_or_create(&path)?;
        let lock = directory.lock()?;
        let draft = Self { directory, lock, is_named: false };
        draft.clear().map_err(DirectoryError::at(&path))?;
        Ok(draft)
    }

    /// Leaves the lock alone of what an earlier try has left.
    fn clear(&self) -> io::Result<()> {
        let path = self.directory.path();
        let mark = path.join(MARK);
        File::options().append(true).create(true).mode(0o600).open(&mark)?;
        files::sync_folder_of(&mark)?;
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            if [MARK, LOCK].iter().any(|kept| entry.file_name() == *kept) {
                continue;
            }
            match entry.file_type()?.is_dir() {
                true => fs::remove_dir_all(entry.path())?,
                false => fs::remove_file(entry.path())?,
            }
        }
        Ok(())
    }

    fn fill(&self, key: &[u8], backup: &Path, wanted: Option<Kind>) -> Result<(), NodeError> {
        let directory = &self.directory;
        let path = directory.path().join("key");
        files::write_new(&path, key).map_err(DirectoryError::at(&path))?;
        directory.id(|| [0; 32])?;
        let kind = directory.store_kind(&self.lock, wanted)?;
        let store = peermq_storage::open(kind, &directory.store(), &directory.poison())?.store;
        let mut batch = Batch::new();
        read_records(backup, |Record { key, value }| {
            match value {
                Some(value) => batch.put(key, value),
                None => batch.remove(key),
            }
            if batch.size() >= BACKUP_BATCH_SIZE { commit(&*store, &mut batch) } else { Ok(()) }
        })?;
        commit(&*store, &mut batch)
    }

    fn name(mut self, target: &Path) -> Result<(), NodeError> {
        fs::rename(self.directory.path(), target).map_err(DirectoryError::at(target))?;
        self.is_named = true;
        let settled = files::remove_if_there(&target.join(MARK));
        let synced = settled.and_then(|()| files::sync_folder_of(target));
        Ok(synced.map_err(DirectoryError::at(target))?)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_named {
            // One that cannot be removed now goes with the next try.
            let _ = fs::remove_dir_all(self.directory.path());
        }
    }
}

/// Whether a restore left what lies there, or nothing lies there. The lock comes before the mark.
fn is_draft(path: &Path) -> io::Result<bool> {
    let names = fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.file_name()));
    let names = names.collect::<io::Result<Vec<_>>>()?;
    Ok(names.iter().any(|name| name == MARK) || names.iter().all(|name| name == LOCK))
}

fn commit(store: &dyn Store, batch: &mut Batch) -> Result<(), NodeError> {
    store.commit(std::mem::take(batch)).map_err(|error| NodeError::Queue(error.into()))
}

/// The file that a directory in the making holds.
const MARK: &str = "restoring";
/// The file that a data directory is held by.
const LOCK: &str = "lock";
