//! How much room the disk has that the node's directory lies on.

use std::io;
use std::path::PathBuf;
use std::sync::Weak;
use std::time::Duration;

use tokio::sync::watch;

use super::inner::Inner;
use crate::limits::DISK_LOOK_MS;
use crate::queue::Queue;

/// The disk that a folder lies on.
#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
}

impl Disk {
    pub(super) const fn of(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Bytes that this user may still write.
    pub(super) fn free(&self) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(&self.folder)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
}

/// Has the storage thread look at a full disk again and again, until it has room: without writes
/// nothing else would.
pub(super) async fn watch(node: Weak<Inner>, mut standing: watch::Receiver<u64>) {
    standing.mark_changed();
    while standing.changed().await.is_ok() {
        loop {
            let Some(storage) = node.upgrade().map(|node| node.storage.clone()) else { return };
            let is_full = storage.read(|queue: &mut Queue| queue.disk_full().is_some()).await;
            if !matches!(is_full, Ok(true)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(DISK_LOOK_MS)).await;
        }
    }
}
