//! Durable sends: one at a time, many in flight, and in groups.

use std::path::Path;
use std::time::Instant;

use futures::{StreamExt as _, stream};
use peermq::node::Options;
use peermq_storage::Kind;

use crate::pair::stranger;
use crate::{IN_FLIGHT_COUNT, Outcome, disk_size, float, message, texts};

/// Sends per second, and what they take on the disk.
pub(crate) struct Sends {
    pub(crate) one_at_a_time: f64,
    pub(crate) in_flight: f64,
    pub(crate) in_groups: f64,
    pub(crate) disk_size_per_message: f64,
}

pub(crate) async fn measure(store: Kind, count: usize, dir: &Path) -> Outcome<Sends> {
    let node = Options::new(dir.join("node")).store(store).open().await?;
    let to = stranger(dir).await?;
    let single_count = count / 20;
    let start = Instant::now();
    for _ in 0..single_count {
        node.send(to, message()).await?;
    }
    let one_at_a_time = float(single_count) / start.elapsed().as_secs_f64();

    let start = Instant::now();
    let mut sends =
        stream::iter(0..count).map(|_| node.send(to, message())).buffer_unordered(IN_FLIGHT_COUNT);
    while let Some(sent) = sends.next().await {
        sent?;
    }
    drop(sends);
    let in_flight = float(count) / start.elapsed().as_secs_f64();

    let start = Instant::now();
    node.send_all(to, texts(count)).await?;
    let in_groups = float(count) / start.elapsed().as_secs_f64();

    node.shutdown().await?;
    let size = u32::try_from(disk_size(&dir.join("node"))? >> 10)?;
    let disk_size_per_message = f64::from(size) * 1_024.0 / float(2 * count + single_count);
    Ok(Sends { one_at_a_time, in_flight, in_groups, disk_size_per_message })
}
