//! Space that comes back while the node runs.
//!
//! A pass over the blocks is worth its while once a good part of them is of no more use; what is less
//! waits for ten minutes. Each step is a job of the storage thread like any other, so sends go in
//! between.

use std::sync::Weak;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::clock::Clock;
use super::error::NodeError;
use super::inner::Inner;
use super::storage_thread::Storage;
use crate::limits::RECLAIM_AFTER_MS;
use crate::log::Worth;
use crate::queue::{Intent, Keep, Pass, Queue};

/// Frees space for as long as the node is there.
pub(super) async fn run(node: Weak<Inner>, mut litter: watch::Receiver<u64>, keep: Keep) {
    let mut rounds = interval(Duration::from_millis(RECLAIM_AFTER_MS));
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    rounds.tick().await; // The first one is at once.
    while let Some(worth) = next_worth(&mut rounds, &mut litter).await {
        let Some((storage, clock)) = node.upgrade().map(|node| (node.storage.clone(), node.clock))
        else {
            return;
        };
        if let Err(error) = round(&storage, clock, (worth, keep)).await {
            tracing::debug!(%error, "no space was freed");
            return;
        }
    }
}

/// What the next pass is for; none once nobody tells of litter any more. However often that comes,
/// it puts off no round.
async fn next_worth(rounds: &mut Interval, litter: &mut watch::Receiver<u64>) -> Option<Worth> {
    tokio::select! {
        _ = rounds.tick() => Some(Worth::Any),
        told = litter.changed() => told.is_ok().then_some(Worth::Half),
    }
}

async fn round(
    storage: &Storage,
    clock: Clock,
    (worth, keep): (Worth, Keep),
) -> Result<(), NodeError> {
    if worth == Worth::Any {
        let now = clock.unix_ms();
        let pass_time = move |queue: &mut Queue| {
            queue.pass_time(now, RECLAIM_AFTER_MS);
            Ok(())
        };
        storage.write(pass_time).await?;
    }
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
        let step = move |queue: &mut Queue| queue.reclaim(pass, clock.unix_ms());
        pass = match pass.intent() {
            Intent::Free => storage.write(step).await?,
            Intent::Tell => storage.read(step).await??,
        };
    }
    Ok(pass.freed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn litter_that_keeps_coming_puts_off_no_round() {
        let (tell, mut litter) = watch::channel(0_u64);
        let mut rounds = interval(Duration::from_mins(10));
        rounds.tick().await;
        let teller = tokio::spawn(async move {
            for count in 1..=9 {
                tokio::time::sleep(Duration::from_mins(3)).await;
                let _ = tell.send(count);
            }
        });
        let mut seen = Vec::new();
        while let Some(worth) = next_worth(&mut rounds, &mut litter).await {
            seen.push(worth);
        }
        teller.await.unwrap();
        let any: Vec<_> =
            (0..).zip(&seen).filter(|(_, worth)| **worth == Worth::Any).map(|(at, _)| at).collect();
        assert_eq!((seen.len(), any), (11, vec![3, 7]), "{seen:?}");
    }
}
