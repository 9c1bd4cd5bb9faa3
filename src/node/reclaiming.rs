//! Space that comes back while the node runs.
//!
//! A pass over the blocks is worth its while once a good part of them is of no more use; what is less
//! waits for ten minutes. Each step is a job of the storage thread like any other, so sends go in
//! between.

use std::sync::Weak;
use std::time::Duration;

use tokio::sync::watch;

use super::clock::Clock;
use super::error::NodeError;
use super::inner::Inner;
use super::storage_thread::Storage;
use crate::limits::RECLAIM_AFTER_MS;
use crate::log::Worth;
use crate::queue::{Intent, Keep, Pass};

/// Frees space for as long as the node is there.
pub(super) async fn run(node: Weak<Inner>, mut litter: watch::Receiver<u64>, keep: Keep) {
    loop {
        let due = tokio::time::timeout(Duration::from_millis(RECLAIM_AFTER_MS), litter.changed());
        let worth = match due.await {
            Ok(Ok(())) => Worth::Half,
            Ok(Err(_)) => return,
            Err(_) => Worth::Any,
        };
        let Some((storage, clock)) = node.upgrade().map(|node| (node.storage.clone(), node.clock))
        else {
            return;
        };
        if let Err(error) = free(&storage, clock, (worth, keep)).await {
            tracing::debug!(%error, "no space was freed");
            return;
        }
    }
}

async fn free(
    storage: &Storage,
    clock: Clock,
    (worth, keep): (Worth, Keep),
) -> Result<(), NodeError> {
    if storage.read(|queue| queue.has_litter()).await? {
        let bytes = pass(storage, clock, Pass::new(worth, Intent::Free, keep)).await?;
        tracing::debug!(bytes, "space was freed");
    }
    Ok(())
}

/// Does a whole pass; returns the bytes that were of no more use.
pub(super) async fn pass(
    storage: &Storage,
    clock: Clock,
    mut pass: Pass,
) -> Result<u64, NodeError> {
    while !pass.is_over() {
        let step = move |queue: &mut crate::queue::Queue| queue.reclaim(pass, clock.unix_ms());
        pass = match pass.intent() {
            Intent::Free => storage.write(step).await?,
            Intent::Tell => storage.read(step).await??,
        };
    }
    Ok(pass.freed())
}
