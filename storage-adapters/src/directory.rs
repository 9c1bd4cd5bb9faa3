//! The directory of a store: held by one handle, its engine's files in a numbered place.
//!
//! ```text
//! lock        locked by the holder, never deleted; holds the mark of the last one
//! sled-1/     the engine's files; the highest number counts
//! fresh/      a store in the making: worth nothing until it is renamed
//! ```
//!
//! *Invariant*: an engine's directory is whole and synced before it gets its number, so a crash
//! while a store is made or rewritten leaves the old one or none.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::mark::{MARK_SIZE, Mark, Seal};
use crate::{Health, Kind, OpenError};

/// A store's directory, locked for as long as this lives.
#[derive(Debug)]
pub(crate) struct Directory {
    kind: Kind,
    path: PathBuf,
    lock: File,
    mark: Mark,
}

impl Directory {
    /// Locks the directory, which is created when absent.
    pub(crate) fn hold(kind: Kind, path: &Path) -> Result<Self, OpenError> {
        if !path.is_dir() {
            fs::create_dir_all(path)?;
            sync_parent(path)?;
        }
        let mut lock = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::Held),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let mut mark = Vec::with_capacity(MARK_SIZE);
        lock.read_to_end(&mut mark)?;
        Ok(Self { kind, path: path.to_owned(), lock, mark: Mark::decode(&mark) })
    }

    /// The kind of the store.
    pub(crate) const fn kind(&self) -> Kind {
        self.kind
    }

    /// The word that the last holder left.
    pub(crate) const fn mark(&self) -> Mark {
        self.mark
    }

    /// The engine's directory, or none in a new store. What a crash left half made, or had already
    /// replaced, goes.
    pub(crate) fn engine_dir(&self) -> Result<Option<PathBuf>, OpenError> {
        remove_dir(&self.path.join(FRESH))?;
        let mut numbers = self.numbers()?;
        numbers.sort_unstable();
        let newest = numbers.pop();
        for number in numbers {
            remove_dir(&self.numbered(number))?;
        }
        Ok(newest.map(|number| self.numbered(number)))
    }

    /// Makes an engine's directory with `fill` in place of `old`, in one step that a crash cannot
    /// cut. The engine must be closed again when `fill` returns. What the mark told of the files of
    /// `old` is forgotten first: it is not true of those that take their place.
    pub(crate) fn replace(
        &mut self,
        old: Option<&Path>,
        fill: impl FnOnce(&Path) -> Result<(), OpenError>,
    ) -> Result<PathBuf, OpenError> {
        let fresh = self.path.join(FRESH);
        fs::create_dir(&fresh)?;
        fill(&fresh)?;
        sync_tree(&fresh)?;
        let newest = self.numbers()?.into_iter().max().unwrap_or(0);
        let number = newest.checked_add(1).ok_or_else(|| {
            OpenError::Corrupt(format!("expected a number below {newest} of its directory"))
        })?;
        let path = self.numbered(number);
        self.set(Mark::UNKNOWN)?;
        self.lock.sync_data()?;
        fs::rename(&fresh, &path)?;
        sync(&self.path)?;
        if let Some(old) = old {
            remove_dir(old)?;
        }
        Ok(path)
    }

    /// Notes durably, before the engine touches its files, that the store is open.
    pub(crate) fn begin(&mut self) -> io::Result<()> {
        self.set(Mark { health: Health::Recovered, ..self.mark })?;
        self.lock.sync_data()
    }

    /// Puts back whether the last holder closed the store: nothing was made of it since.
    pub(crate) fn restore(&mut self, health: Health) -> io::Result<()> {
        self.set(Mark { health, ..self.mark })?;
        self.lock.sync_data()
    }

    /// Notes that all is in place. Not durably: a mark that is lost costs a closer look, no more.
    pub(crate) fn end(&mut self, seal: Option<Seal>) -> io::Result<()> {
        self.set(Mark { health: Health::Clean, seal })
    }

    fn set(&mut self, mark: Mark) -> io::Result<()> {
        self.lock.seek(SeekFrom::Start(0))?;
        self.lock.write_all(&mark.encode())?;
        self.mark = mark;
        Ok(())
    }

    /// The numbers of the engine's directories.
    fn numbers(&self) -> Result<Vec<u64>, OpenError> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            let Some((kind, number)) = name.to_str().and_then(|name| name.split_once('-')) else {
                continue;
            };
            let Some(found) = Kind::named(kind) else { continue };
            let Ok(number) = number.parse() else { continue };
            if found != self.kind {
                return Err(OpenError::Kind { expected: self.kind, found });
            }
            numbers.push(number);
        }
        Ok(numbers)
    }

    fn numbered(&self, number: u64) -> PathBuf {
        self.path.join(format!("{}-{number}", self.kind))
    }
}

/// Syncs the directory in which a path stands.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync(parent),
        _ => sync(Path::new(".")),
    }
}

/// Syncs a file or a directory.
pub(crate) fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Syncs every file and directory from `path` down.
fn sync_tree(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        } else {
            sync(&entry.path())?;
        }
    }
    sync(path)
}

fn remove_dir(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

const LOCK: &str = "lock";
const FRESH: &str = "fresh";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seal_of_an_engine_goes_before_another_takes_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let on_disk = || Mark::decode(&fs::read(dir.path().join(LOCK)).unwrap());
        let mut directory = Directory::hold(Kind::Redb, dir.path()).unwrap();
        let old = directory.replace(None, |_| Ok(())).unwrap();
        directory.end(Some([7; 16])).unwrap();
        directory.begin().unwrap();
        let full = |_: &Path| Err(OpenError::Full(io::ErrorKind::StorageFull.into()));
        directory.replace(Some(&old), full).unwrap_err();
        assert_eq!(on_disk(), Mark { health: Health::Recovered, seal: Some([7; 16]) });
        assert_eq!(directory.engine_dir().unwrap(), Some(old.clone()));
        let new = directory.replace(Some(&old), |_| Ok(())).unwrap();
        assert_eq!(on_disk(), Mark::UNKNOWN);
        assert_eq!(directory.engine_dir().unwrap(), Some(new));
    }
}
