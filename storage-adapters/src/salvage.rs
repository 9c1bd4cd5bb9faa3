//! What can still be read of a store that does not open, in a store of its own.
//!
//! The engine reads a copy of its files, since it writes where it reads, from both ends up to what it
//! cannot read. Each row is as it was once written, by the checksums of sled and fjall; redb's reads
//! look at none, so of a damaged file of its nothing is taken. Nothing says that all rows belong
//! together: whoever knows them has to check.

use std::fs;
use std::io;
use std::path::Path;

use crate::directory::Directory;
use crate::guard::{contained, contained_keys};
use crate::mark::Demand;
use crate::open::{close, engine, open};
use crate::rewrite::COPY_SIZE;
use crate::{Batch, Bytes, KEY_SIZE_MAX, Kind, OpenError, Store, VALUE_SIZE_MAX};

/// Makes a store in `to`, where nothing is, of what can be read of the one in `from`, which stays as
/// it is; returns how many rows that are. `poison` is as of [`open`]. Until it is done, `scratch`,
/// where nothing is either, takes up as much as the files.
///
/// # Errors
/// [`OpenError::Corrupt`] when nothing can be read; else as [`open`].
pub fn salvage(
    kind: Kind,
    from: &Path,
    to: &Path,
    scratch: &Path,
    poison: &Path,
) -> Result<u64, OpenError> {
    let Some(files) = Directory::hold(kind, from)?.engine_dir()? else {
        return Err(OpenError::Corrupt("expected the files of a store, got none".to_owned()));
    };
    copy_files(&files, scratch)?;
    let rows = engine(kind, scratch, Demand::Readable).and_then(|damaged| {
        let rows = open(kind, to, poison).and_then(|fresh| copy_readable(&*damaged, &*fresh.store));
        // It may have been hurt while it was read.
        let _ = close(damaged);
        rows
    });
    fs::remove_dir_all(scratch)?;
    rows
}

/// Copies the rows of both ends of a store.
fn copy_readable(damaged: &dyn Store, fresh: &dyn Store) -> Result<u64, OpenError> {
    let end = [u8::MAX; KEY_SIZE_MAX + 1];
    let mut copy = Copy { damaged, fresh, batch: Batch::new(), rows: 0 };
    let mut last = Bytes::new();
    for key in contained_keys(damaged, &[]..&end) {
        let Ok(key) = key else { break };
        last = key.clone();
        copy.push(key)?;
    }
    for key in contained_keys(damaged, &last..&end).rev() {
        match key {
            Ok(key) if key > last => copy.push(key)?,
            _ => break,
        }
    }
    fresh.commit(copy.batch)?;
    Ok(copy.rows)
}

/// Rows on their way.
struct Copy<'a> {
    damaged: &'a dyn Store,
    fresh: &'a dyn Store,
    batch: Batch,
    rows: u64,
}

impl Copy<'_> {
    /// Copies a row whose value can be read: large ones lie apart, each for itself.
    fn push(&mut self, key: Bytes) -> Result<(), OpenError> {
        let Ok(Ok(Some(value))) = contained(|| self.damaged.get(&key)) else { return Ok(()) };
        if (1..=KEY_SIZE_MAX).contains(&key.len()) && value.len() <= VALUE_SIZE_MAX {
            self.batch.put(key, value);
            self.rows += 1;
        }
        if self.batch.size() >= COPY_SIZE {
            self.fresh.commit(std::mem::take(&mut self.batch))?;
        }
        Ok(())
    }
}

/// Copies a directory's files; those that were put aside when it did not open get their names again.
fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let (entry, mut name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        if let Some(put_aside) = name.to_str().and_then(|name| name.strip_prefix("bad-"))
            && !from.join(put_aside).exists()
        {
            name = put_aside.into();
        }
        if entry.is_dir() {
            copy_files(&entry, &to.join(name))?;
        } else {
            fs::copy(&entry, to.join(name))?;
        }
    }
    Ok(())
}
