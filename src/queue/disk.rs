//! The disk under the store: before it is full nothing new is taken in, while marks, receipts and
//! what is served go on.

use thiserror::Error;

use super::Queue;
use super::error::QueueError;
use crate::limits::{DISK_FREE_AGAIN_MIN, DISK_FREE_MIN};
use crate::planted;

/// The disk has too little room left for anything new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "expected a disk with {} MiB of free space, got {} MiB: it goes on by itself once there are {} MiB",
    DISK_FREE_MIN >> 20, free >> 20, DISK_FREE_AGAIN_MIN >> 20
)]
pub struct DiskFull {
    /// Bytes that were free when it was noticed.
    pub free: u64,
}

impl Queue {
    /// Takes in how many bytes the disk has free. Between the bound at which nothing new is taken
    /// in and the one at which it is again, all stays as it was.
    pub fn on_disk(&mut self, free: u64) {
        let now = match self.disk_full {
            None if free < DISK_FREE_MIN => Some(DiskFull { free }),
            Some(_) if planted::is("full-for-ever") => self.disk_full,
            Some(_) if free >= DISK_FREE_AGAIN_MIN => None,
            same => same,
        };
        self.changes.is_disk_other |= now.is_some() != self.disk_full.is_some();
        self.disk_full = now;
    }

    /// Why nothing new is taken in, if that is so.
    #[must_use]
    pub const fn disk_full(&self) -> Option<DiskFull> {
        self.disk_full
    }

    /// Refuses what would take room that is not there.
    pub(super) fn check_disk(&self) -> Result<(), QueueError> {
        self.disk_full.map_or(Ok(()), |full| Err(full.into()))
    }
}
