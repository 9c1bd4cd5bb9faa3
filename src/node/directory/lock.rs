//! The file `lock`: which process is the directory's node.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::DirectoryError;
use crate::node::files;
use crate::planted;

/// Held by the one process that is a directory's node; dropping it, or the process's end however
/// it comes, sets the directory free.
///
/// The lock is the operating system's, on an open file; the holder's process id in it is for
/// people. The file is never deleted: a lock on a deleted file keeps nobody out.
#[derive(Debug)]
pub struct Lock {
    #[expect(dead_code, reason = "the lock is held for as long as the file is open")]
    file: File,
}

impl Lock {
    pub(super) fn acquire(path: &Path, directory: &Path) -> Result<Self, DirectoryError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(DirectoryError::at(path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) if planted::is("unlocked") => {}
            Err(TryLockError::WouldBlock) => {
                let pid = holder(path).map_err(DirectoryError::at(path))?;
                let path = directory.to_owned();
                return Err(DirectoryError::Held { path, pid });
            }
            Err(TryLockError::Error(error)) => return Err(DirectoryError::at(path)(error)),
        }
        if !is_at(&file, path) {
            // The directory has got another name since, or has gone: what lies here now counts.
            return Self::acquire(path, directory);
        }
        sign(&file).map_err(DirectoryError::at(path))?;
        Ok(Self { file })
    }
}

/// Whether a path leads to an open file.
fn is_at(file: &File, path: &Path) -> bool {
    let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), path.metadata()) {
        (Ok(file), Ok(there)) => identity(file) == identity(there),
        _ => false,
    }
}

/// Writes this process's id over the last holder's, of one length, so that nobody reads half of it.
///
/// It is for people only: a full disk, which the node may be about to clear, is no hindrance.
fn sign(file: &File) -> io::Result<()> {
    let line = format!("{:<10}\n", std::process::id());
    match file.write_all_at(line.as_bytes(), 0) {
        Err(error) if error.kind() == io::ErrorKind::StorageFull => Ok(()),
        other => other,
    }
}

/// The process id in the file, if its writer has come that far.
fn holder(path: &Path) -> io::Result<Option<u32>> {
    let line = files::read_start(path, LINE_SIZE)?.unwrap_or_default();
    Ok(str::from_utf8(&line).ok().and_then(|line| line.trim_end().parse().ok()))
}

/// Bytes of the file: a process id of at most ten digits, spaces, a line feed.
const LINE_SIZE: u64 = 11;
