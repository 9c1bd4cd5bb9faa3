//! How long a node with a full directory takes to open.

use std::path::Path;
use std::time::Instant;

use peermq::node::Options;
use peermq_storage::Kind;

use crate::pair::stranger;
use crate::{Outcome, texts};

/// Milliseconds to open a directory with `count` messages that a node has sent.
pub(crate) async fn measure(store: Kind, count: usize, dir: &Path) -> Outcome<f64> {
    let to = stranger(dir).await?;
    let open = || Options::new(dir.join("node")).store(store).open();
    let node = open().await?;
    node.send_all(to, texts(count)).await?;
    node.shutdown().await?;
    let start = Instant::now();
    let node = open().await?;
    let elapsed = start.elapsed();
    node.shutdown().await?;
    Ok(elapsed.as_secs_f64() * 1_000.0)
}
