//! redb's file, with a memory: redb passes over what fails while it is closed.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::redb::backends::FileBackend;
use ::redb::{BackendError, DatabaseError, StorageBackend};

/// A file of redb's that notes failed writes and syncs.
#[derive(Debug)]
pub(super) struct WatchedFile {
    file: FileBackend,
    failed: Failed,
}

/// Whether a write or a sync has failed; outlives the file.
#[derive(Debug, Clone, Default)]
pub(super) struct Failed(Arc<AtomicBool>);

impl WatchedFile {
    pub(super) fn new(file: File, failed: Failed) -> Result<Self, DatabaseError> {
        Ok(Self { file: FileBackend::new(file)?, failed })
    }

    fn note<T, E>(&self, done: Result<T, E>) -> Result<T, E> {
        done.inspect_err(|_| self.failed.0.store(true, Ordering::Relaxed))
    }
}

impl Failed {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl StorageBackend for WatchedFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.note(self.file.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.note(self.file.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.note(self.file.write(offset, data))
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_fails_is_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "data").unwrap();
        let failed = Failed::default();
        let file = WatchedFile::new(File::open(&path).unwrap(), failed.clone()).unwrap();
        file.read(0, &mut [0; 4]).unwrap();
        assert!(file.read(1, &mut [0; 4]).is_err());
        assert!(!failed.is_set(), "nothing was to be written");
        assert!(file.write(0, b"more").is_err(), "it is open for reading alone");
        drop(file);
        assert!(failed.is_set());
    }
}
