//! How long one message takes from `send` to the reader of a connected peer that waits for it.

use std::path::Path;
use std::time::Instant;

use peermq::node::{Mode, Set};
use peermq_storage::Kind;

use crate::pair::Pair;
use crate::{Outcome, message};

const SAMPLE_COUNT: usize = 1_000;

pub(crate) struct Latency {
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

pub(crate) async fn measure(store: Kind, dir: &Path) -> Outcome<Latency> {
    let pair = Pair::open(store, dir).await?;
    let connection = pair.connect().await?;
    let mut unread = pair.receiver.stream(Set::Unread, Mode::Live);
    let mut samples = Vec::with_capacity(SAMPLE_COUNT);
    // The first one waits for the session.
    for sample in 0..=SAMPLE_COUNT {
        let start = Instant::now();
        pair.sender.send(pair.receiver.id(), message()).await?;
        let received = unread.next_message().await?.ok_or("the stream ended")?;
        if sample > 0 {
            samples.push(start.elapsed().as_secs_f64() * 1_000.0);
        }
        pair.receiver.archive(&received).await?;
    }
    drop(unread);
    connection.close().await;
    pair.close().await?;
    samples.sort_by(f64::total_cmp);
    let at = |percent: usize| samples.get(samples.len() * percent / 100).copied();
    let (Some(p50_ms), Some(p99_ms)) = (at(50), at(99)) else { return Err("no samples".into()) };
    Ok(Latency { p50_ms, p99_ms })
}
