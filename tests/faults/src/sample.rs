//! Whole stores to harm: each fault gets a fresh copy.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use peermq_storage::Kind;
use tempfile::TempDir;

use crate::harness::Outcome;
use crate::workload::{batch, opened};

/// How the last holder of a sample ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It closed the store.
    Closed,
    /// It was killed after its last commit had returned.
    Killed,
}

impl Ending {
    /// Both endings.
    pub(crate) const ALL: [Self; 2] = [Self::Closed, Self::Killed];
}

/// A whole store, and room for a copy of it.
#[derive(Debug)]
pub(crate) struct Sample {
    dir: TempDir,
    /// How many batches it holds.
    pub(crate) batch_count: u64,
}

impl Sample {
    /// Makes a store of a kind.
    ///
    /// # Errors
    /// What the store or the disk refused.
    pub(crate) fn new(kind: Kind, ending: Ending, batch_count: u64) -> Outcome<Self> {
        let dir = tempfile::tempdir()?;
        let sample = Self { dir, batch_count };
        let live = sample.dir.path().join("live");
        fs::create_dir(&live)?;
        let store = opened(kind, &live)?.store;
        for number in 0..batch_count {
            store.commit(batch(number))?;
        }
        match ending {
            Ending::Closed => drop(store),
            Ending::Killed => {
                copy_tree(&live, &sample.whole())?;
                return Ok(sample);
            }
        }
        fs::rename(live, sample.whole())?;
        Ok(sample)
    }

    /// Its files, as paths below its directory, with their sizes, in the order of their names.
    ///
    /// # Errors
    /// What the disk refused.
    pub(crate) fn files(&self) -> io::Result<Vec<(PathBuf, u64)>> {
        let mut found = Vec::new();
        let mut dirs = vec![self.whole()];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(dir)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    dirs.push(entry.path());
                } else if let Ok(path) = entry.path().strip_prefix(self.whole()) {
                    found.push((path.to_owned(), entry.metadata()?.len()));
                }
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// A fresh copy; the one before is gone.
    ///
    /// # Errors
    /// What the disk refused.
    pub(crate) fn copy(&self) -> io::Result<PathBuf> {
        let copy = self.dir.path().join("copy");
        if copy.exists() {
            fs::remove_dir_all(&copy)?;
        }
        copy_tree(&self.whole(), &copy)?;
        Ok(copy)
    }

    fn whole(&self) -> PathBuf {
        self.dir.path().join("whole")
    }
}

/// Copies folders and files; of a socket there is nothing to copy.
pub(crate) fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else if entry.file_type()?.is_file() {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
