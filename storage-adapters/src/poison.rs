//! The memory of a failed fsync: a file of 64 bytes, overwritten in place.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 8 | `peermqx1` |
//! | 8 | 36 | the boot id in which an fsync failed, as text; spaces when none did |
//! | 44 | 20 | spaces, the last one a line feed |
//!
//! After a failed fsync the kernel takes the pages for clean: reads show them, the disk may not have
//! them, and a second fsync succeeds without writing them (Rebello et al., "Can Applications
//! Recover from fsync Failures?", ATC'20). Only until the next boot do reads and disk differ.
//! The file is made before it is needed, so that setting it takes no new block of a failing disk.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::directory::sync_parent;

/// The poison file, open for writing.
#[derive(Debug)]
pub(crate) struct Poison {
    file: File,
    state: State,
}

/// What the file said when it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No fsync failed.
    Unset,
    /// An fsync failed in an earlier boot: what can be read is what the disk has.
    Stale,
    /// An fsync failed in this boot, or in one that cannot be told from it.
    Fresh,
}

impl Poison {
    /// Reads the file; makes it, unset and durable, when there is none.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut text = Vec::new();
        (&mut file).take(FILE_SIZE.saturating_add(1)).read_to_end(&mut text)?;
        if text.is_empty() {
            write(&mut file, UNSET)?;
            file.sync_all()?;
            sync_parent(path)?;
            return Ok(Self { file, state: State::Unset });
        }
        let state = state_of(&text, &boot_id());
        Ok(Self { file, state })
    }

    /// Whether an fsync has failed since the store was last known to be whole.
    pub(crate) fn is_set(&self) -> bool {
        self.state != State::Unset
    }

    /// Whether an fsync has failed in this boot, so that reads may show what the disk has not.
    pub(crate) fn is_fresh(&self) -> bool {
        self.state == State::Fresh
    }

    /// Notes that an fsync failed.
    pub(crate) fn set(&mut self) -> io::Result<()> {
        self.state = State::Fresh;
        write(&mut self.file, &boot_id())?;
        self.file.sync_data()
    }

    /// Notes that the store is whole again.
    pub(crate) fn clear(&mut self) -> io::Result<()> {
        if self.state == State::Unset {
            return Ok(());
        }
        write(&mut self.file, UNSET)?;
        self.file.sync_data()?;
        self.state = State::Unset;
        Ok(())
    }
}

fn write(file: &mut File, boot_id: &str) -> io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    file.write_all(format!("{MAGIC}{boot_id:<BOOT_ID_SIZE$.BOOT_ID_SIZE$}{:19}\n", "").as_bytes())
}

/// Bytes that were never written here, a torn line for one, count as fresh: that costs a rewrite.
fn state_of(text: &[u8], boot_id: &str) -> State {
    let line = str::from_utf8(text).ok().and_then(|text| text.strip_prefix(MAGIC));
    let Some(set_in) = line.and_then(|line| line.get(..BOOT_ID_SIZE)) else { return State::Fresh };
    match set_in.trim_end() {
        UNSET => State::Unset,
        UNKNOWN => State::Fresh,
        set_in if boot_id == UNKNOWN || set_in == boot_id => State::Fresh,
        _ => State::Stale,
    }
}

/// What tells this boot of the machine from all others, where the system says it.
fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let id = id.trim();
    if id.len() == BOOT_ID_SIZE { id.to_owned() } else { UNKNOWN.to_owned() }
}

const MAGIC: &str = "peermqx1";
/// Bytes of a boot id: a UUID with its hyphens.
const BOOT_ID_SIZE: usize = 36;
/// Bytes of the file.
const FILE_SIZE: u64 = 64;
const UNSET: &str = "";
const UNKNOWN: &str = "unknown";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_fresh_until_it_is_cleared() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("poison");
        assert!(!Poison::open(&path).unwrap().is_set());
        Poison::open(&path).unwrap().set().unwrap();
        let mut poison = Poison::open(&path).unwrap();
        assert!(poison.is_fresh());
        poison.clear().unwrap();
        assert!(!Poison::open(&path).unwrap().is_set());
        assert_eq!(fs::metadata(&path).unwrap().len(), FILE_SIZE);
    }

    #[test]
    fn another_boot_makes_it_stale() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("poison");
        let line = "peermqx100000000-0000-4000-8000-000000000000                   \n";
        fs::write(&path, line).unwrap();
        let poison = Poison::open(&path).unwrap();
        assert!(poison.is_set() && !poison.is_fresh());
    }

    #[test]
    fn bytes_of_no_known_form_count_as_fresh() {
        for text in [&b"p"[..], &[0; 64], &[0xff; 200], b"peermqx1", "peermqx1é".as_bytes()] {
            assert_eq!(state_of(text, "any"), State::Fresh, "{text:?}");
        }
    }
}
