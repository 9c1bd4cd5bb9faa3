//! The files of large values: each written once, synced with its name, and read by place.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::row::Place;
use crate::directory::sync;
use crate::{Bytes, OpenError, StoreError, VALUE_SIZE_MAX, planted};

/// A directory of files with numbers for names.
#[derive(Debug)]
pub(super) struct Files {
    dir: PathBuf,
    /// The number of the next file: above those of all that are here.
    next: AtomicU64,
    /// Those in which something could not be read.
    damaged: Mutex<BTreeSet<u64>>,
}

impl Files {
    /// The files in the directory of an engine.
    pub(super) fn open(engine_dir: &Path) -> Result<Self, OpenError> {
        let dir = engine_dir.join(NAME);
        if !dir.is_dir() {
            fs::create_dir(&dir)?;
            sync(engine_dir)?;
        }
        let newest = paths(&dir)?.iter().filter_map(|path| number(path.file_stem())).max();
        let next = newest.map_or(0, |newest| newest.saturating_add(1));
        Ok(Self { dir, next: next.into(), damaged: Mutex::default() })
    }

    /// Removes the files that are not wanted.
    pub(super) fn retain(&self, wanted: impl Fn(u64) -> bool) -> io::Result<()> {
        let is_unwanted = |path: &PathBuf| number(path.file_name()).is_some_and(|at| !wanted(at));
        paths(&self.dir)?.iter().filter(|path| is_unwanted(path)).try_for_each(fs::remove_file)
    }

    /// Writes values into a new file; returns where they lie, once they are synced.
    pub(super) fn write<'a>(
        &self,
        values: impl Iterator<Item = &'a Bytes>,
    ) -> Result<Vec<Place>, StoreError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let written = self.fill(number, values);
        if written.is_err() {
            // On a full disk its bytes are missed.
            self.remove(number);
        }
        written
    }

    fn fill<'a>(
        &self,
        number: u64,
        values: impl Iterator<Item = &'a Bytes>,
    ) -> Result<Vec<Place>, StoreError> {
        let mut file = File::create_new(self.path(number)).map_err(StoreError::write)?;
        let (mut places, mut offset) = (Vec::new(), 0_u32);
        for value in values {
            file.write_all(value).map_err(StoreError::write)?;
            let size = u32::try_from(value.len()).expect("a value is far below 4 GiB");
            places.push(Place { file: number, offset, size, checksum: crc32fast::hash(value) });
            offset = offset.checked_add(size).expect("a batch is far below 4 GiB");
        }
        if !planted::is("unsynced-file") {
            file.sync_data().map_err(StoreError::Sync)?;
            sync(&self.dir).map_err(StoreError::Sync)?;
        }
        Ok(places)
    }

    /// The value at a place; `None` when its file is not there.
    pub(super) fn read(&self, place: Place) -> Result<Option<Bytes>, StoreError> {
        let file = match File::open(self.path(place.file)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::Read(error)),
        };
        let damaged = || {
            self.damaged().insert(place.file);
            StoreError::Corrupt(format!("a large value in file {}", place.file))
        };
        let size = usize::try_from(place.size).map_err(|_| damaged())?;
        if size > VALUE_SIZE_MAX {
            return Err(damaged());
        }
        let mut value = vec![0; size];
        match file.read_exact_at(&mut value, place.offset.into()) {
            Ok(()) if crc32fast::hash(&value) == place.checksum => Ok(Some(value.into())),
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                Err(StoreError::Read(error))
            }
            _ => Err(damaged()),
        }
    }

    /// Removes a file that nothing points to. One that stays goes at the next open, unless it is
    /// damaged: what is left of it is never deleted.
    pub(super) fn remove(&self, number: u64) {
        let path = self.path(number);
        let _ = match self.damaged().contains(&number) {
            true => fs::rename(&path, path.with_extension("damaged")),
            false => fs::remove_file(&path),
        };
    }

    fn damaged(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.dir.join(number.to_string())
    }
}

/// What is in a directory.
fn paths(dir: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect()
}

fn number(name: Option<&OsStr>) -> Option<u64> {
    name?.to_str()?.parse().ok()
}

const NAME: &str = "apart";
