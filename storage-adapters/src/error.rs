//! Why a store could not do what it was asked.

use std::io;

use thiserror::Error;

use crate::BatchError;

/// Why a store could not do what it was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Reading failed.
    #[error("the store could not read: {0}")]
    Read(#[source] io::Error),
    /// Writing failed; the batch may or may not be on disk.
    #[error("the store could not write: {0}")]
    Write(#[source] io::Error),
    /// An fsync failed; it must not be tried again in this process.
    #[error("the disk did not confirm a write: {0}")]
    Sync(#[source] io::Error),
    /// There is no space left.
    #[error("no space left for the store: {0}")]
    Full(#[source] io::Error),
    /// What is on disk is not what was written.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    /// The batch passes a bound of the contract; nothing was written.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// An earlier commit failed, and this handle writes no more.
    #[error("the store takes no more writes, because one failed before")]
    Poisoned,
}

impl StoreError {
    /// What a failed write means: a full disk, or one that cannot be trusted.
    pub(crate) fn write(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(error),
            _ => Self::Write(error),
        }
    }
}
