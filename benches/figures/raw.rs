//! What the disk gives without any queue.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Instant;

use rustix::fs::{Advice, fadvise};

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

/// Milliseconds to read so many blocks: with nothing of them in the page cache, and once more.
pub(crate) struct Reads {
    pub(crate) cold_ms: f64,
    pub(crate) warm_ms: f64,
}

/// The blocks lie evenly spread over a file as long as a log of `messages`.
pub(crate) fn reads(dir: &Path, count: usize, messages: usize) -> Outcome<Reads> {
    let path = dir.join("spread");
    let size = u64::try_from(messages)? * BLOCK_SIZE / BLOCK_MESSAGE_COUNT;
    write(&path, u32::try_from(size >> 20)? + 1)?;
    forget_cached(dir)?;
    let file = File::open(&path)?;
    let mut block = vec![0; usize::try_from(BLOCK_SIZE)?];
    let count = u64::try_from(count)?;
    let mut read_all = || -> Outcome<f64> {
        let start = Instant::now();
        for number in 0..count {
            // The last one may end with the file.
            let _size = file.read_at(&mut block, number * size / count)?;
        }
        Ok(start.elapsed().as_secs_f64() * 1_000.0)
    };
    Ok(Reads { cold_ms: read_all()?, warm_ms: read_all()? })
}

/// Has the page cache forget all files of a directory.
pub(crate) fn forget_cached(dir: &Path) -> Outcome<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            forget_cached(&entry.path())?;
        } else if kind.is_file() {
            let file = File::open(entry.path())?;
            file.sync_all()?;
            fadvise(&file, 0, None, Advice::DontNeed)?;
        }
    }
    Ok(())
}

fn write(path: &Path, mib: u32) -> Outcome<()> {
    let mut file = File::create(path)?;
    let piece = vec![7; 1 << 20];
    for _ in 0..mib {
        file.write_all(&piece)?;
    }
    Ok(file.sync_all()?)
}

/// Messages of a full block, and its bytes.
const BLOCK_MESSAGE_COUNT: u64 = 256;
const BLOCK_SIZE: u64 = 56 * 1024;
