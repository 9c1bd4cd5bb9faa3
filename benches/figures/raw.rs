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

/// MiB per second of one file that is written and then synced.
pub(crate) fn file(dir: &Path, mib: u32) -> Outcome<f64> {
    let start = Instant::now();
    write(&dir.join("file"), mib)?;
    Ok(f64::from(mib) / start.elapsed().as_secs_f64())
}

fn write(path: &Path, mib: u32) -> Outcome<()> {
    let mut file = File::create(path)?;
    let piece = vec![7; 1 << 20];
    for _ in 0..mib {
        file.write_all(&piece)?;
    }
    Ok(file.sync_all()?)
}
