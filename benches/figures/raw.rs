//! What the disk gives without any queue.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use crate::{Outcome, float};

/// Appends of 200 bytes, each followed by `fdatasync`, per second.
pub(crate) fn appends(dir: &Path, count: usize) -> Outcome<f64> {
    let mut file = File::create(dir.join("append"))?;
    let record = [7; 200];
    let start = Instant::now();
    for _ in 0..count {
        file.write_all(&record)?;
        file.sync_data()?;
    }
    Ok(float(count) / start.elapsed().as_secs_f64())
}
