//! Giving the disk back what a store's files have taken and do not need: of the engines only redb
//! does that by itself, and only at its file's end, so the store is written anew.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::directory::Directory;
use crate::open::{open, seal};
use crate::{Health, KEY_SIZE_MAX, Kind, OpenError, Store, rewrite};

/// Bytes of a store's files before and after they were written anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shrunk {
    /// Before.
    pub before: u64,
    /// After.
    pub after: u64,
}

/// Writes the files of a store that nobody has open anew, if they are much larger than what they
/// hold: `None` when they are not. Until it is done, they take up both.
///
/// # Errors
/// As [`open`]; the store is then as it was.
pub fn shrink(kind: Kind, dir: &Path, poison: &Path) -> Result<Option<Shrunk>, OpenError> {
    let live = live_size(&*open(kind, dir, poison)?.store)?;
    let mut directory = Directory::hold(kind, dir)?;
    let (mark, engine_dir) = (directory.mark(), directory.engine_dir()?);
    let Some(old) = engine_dir.filter(|_| mark.health == Health::Clean) else { return Ok(None) };
    let before = files_size(&old)?;
    if before < live.saturating_mul(LIVE_FACTOR).saturating_add(SLACK_SIZE) {
        return Ok(None);
    }
    directory.begin()?;
    let new = directory.replace(Some(&old), |fresh| rewrite::copy(kind, &old, mark, fresh))?;
    directory.end(seal(kind, &new)?)?;
    Ok(Some(Shrunk { before, after: files_size(&new)? }))
}

/// Bytes of all pairs.
fn live_size(store: &dyn Store) -> Result<u64, OpenError> {
    let mut size = 0_u64;
    for pair in store.scan(&[]..&[u8::MAX; KEY_SIZE_MAX + 1]) {
        let (key, value) = pair?;
        let pair = u64::try_from(key.len() + value.len()).expect("lengths in memory fit u64");
        size = size.saturating_add(pair);
    }
    Ok(size)
}

/// Bytes on the disk of all files from `path` down: fjall's journal is longer than what is in it.
fn files_size(path: &Path) -> io::Result<u64> {
    let mut size = 0_u64;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        let more = match metadata.is_dir() {
            true => files_size(&entry.path())?,
            false => metadata.blocks().saturating_mul(BLOCK_SIZE),
        };
        size = size.saturating_add(more);
    }
    Ok(size)
}

/// Files are written anew from three times what they hold on: fresh ones of sled take twice that.
const LIVE_FACTOR: u64 = 3;
/// And some more: what journals and first segments take whatever a store holds.
const SLACK_SIZE: u64 = 32 << 20;
/// Bytes of what a file's metadata calls a block (stat(2)).
const BLOCK_SIZE: u64 = 512;
