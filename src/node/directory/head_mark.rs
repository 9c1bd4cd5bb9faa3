//! The file `head-mark`: the newest head that this node is known to have signed, apart from the
//! store.
//!
//! Two slots, at 0 and 4 096, each in the form of the [manual](crate::manual::disk#head-mark). They
//! are overwritten in turn, in place, so that a torn write leaves the other; the valid slot with the
//! higher number counts. Inode and birth time of the file stand in the slot: a copy of the directory
//! has a head mark that is another file, and shows so.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use super::DirectoryError;
use crate::crypto::hash::Hash;
use crate::limits::HEAD_MARK_SYNC_MS;
use crate::log::Tip;
use crate::node::files;
use crate::types::{Epoch, Instant};

/// The open file. A node writes it after each batch that makes its log longer, before anyone hears
/// of the new length.
#[derive(Debug)]
pub(in crate::node) struct HeadMark {
    file: File,
    /// This file, as the file system knows it.
    here: Origin,
    newest: Option<Slot>,
    /// When a sync was due last.
    synced_at: Option<Instant>,
    is_synced: bool,
}

/// Which store signed a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::node) enum Source {
    /// This one when it grew, or one that it is an older copy of.
    Store,
    /// Another one, while this one was written to: a peer showed the signature.
    Peer,
}

/// What a slot says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    number: u64,
    tip: Tip,
    origin: Origin,
    source: Source,
}

/// A file's inode, and its birth in nanoseconds since 1970; 0 where the file system tells none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Origin {
    inode: u64,
    birth: u64,
}

impl HeadMark {
    /// Opens the file, after making it; its name is durable on return.
    pub(super) fn open_or_create(path: &Path) -> Result<Self, DirectoryError> {
        Self::open(path).map_err(DirectoryError::at(path))
    }

    fn open(path: &Path) -> io::Result<Self> {
        match files::open_regular(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                files::write_new(path, &EMPTY)?
            }
            other => drop(other?),
        }
        files::sync_folder_of(path)?;
        let file = OpenOptions::new().read(true).write(true).mode(0o600).open(path)?;
        let (here, newest) = (Origin::of(&file)?, newest(&file)?);
        Ok(Self { file, here, newest, synced_at: None, is_synced: false })
    }

    /// The newest head that is known to be signed; `None` when the file says nothing.
    pub(in crate::node) fn tip(&self) -> Option<Tip> {
        self.newest.map(|slot| slot.tip)
    }

    /// Which store signed it.
    pub(in crate::node) fn source(&self) -> Option<Source> {
        self.newest.map(|slot| slot.source)
    }

    /// Whether it is the file that its slots were written to.
    pub(in crate::node) fn is_at_home(&self) -> bool {
        self.newest.is_some_and(|slot| slot.origin == self.here)
    }

    /// Writes a head down; where the file's home is stays as it was. Durable only once synced.
    pub(in crate::node) fn write(&mut self, tip: Tip, source: Source) -> io::Result<()> {
        let origin = self.newest.map(|slot| slot.origin).unwrap_or_default();
        self.put(tip, source, origin)
    }

    /// Writes a head down, durably, and makes this file the head mark's home.
    pub(in crate::node) fn settle(&mut self, tip: Tip) -> io::Result<()> {
        self.put(tip, Source::Store, self.here)?;
        self.sync()
    }

    /// Syncs what was written, unless it was synced less than a second ago.
    pub(in crate::node) fn sync_when_due(&mut self, now: Instant) -> io::Result<()> {
        let pause = Duration::from_millis(HEAD_MARK_SYNC_MS);
        let due = self.synced_at.is_none_or(|last| now.since(last) >= pause);
        if due && !self.is_synced {
            self.synced_at = Some(now);
            self.sync()?;
        }
        Ok(())
    }

    /// Syncs what was written.
    pub(in crate::node) fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        self.is_synced = true;
        Ok(())
    }

    fn put(&mut self, tip: Tip, source: Source, origin: Origin) -> io::Result<()> {
        let number = self.newest.map_or(0, |slot| slot.number.wrapping_add(1));
        let slot = Slot { number, tip, origin, source };
        let place = if number.is_multiple_of(2) { FIRST_PLACE } else { SECOND_PLACE };
        self.is_synced = false;
        self.file.write_all_at(&slot.encode(), place)?;
        self.newest = Some(slot);
        Ok(())
    }
}

impl Origin {
    fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let birth = metadata.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let birth = birth.and_then(|time| u64::try_from(time.as_nanos()).ok());
        Ok(Self { inode: metadata.ino(), birth: birth.unwrap_or(0) })
    }
}

impl Slot {
    fn encode(&self) -> Vec<u8> {
        let Self { number, tip, origin, source } = *self;
        let source: u64 = match source {
            Source::Store => 0,
            Source::Peer => 1,
        };
        let mut bytes = Vec::with_capacity(SLOT_SIZE);
        bytes.extend_from_slice(MAGIC);
        for field in [number, tip.epoch.0, tip.length] {
            bytes.extend_from_slice(&field.to_be_bytes());
        }
        bytes.extend_from_slice(&tip.root.0);
        for field in [origin.inode, origin.birth, source] {
            bytes.extend_from_slice(&field.to_be_bytes());
        }
        let checksum = blake3::hash(&bytes);
        bytes.extend_from_slice(checksum.as_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (summed, checksum) = bytes.split_last_chunk::<32>()?;
        if blake3::hash(summed) != *checksum {
            return None;
        }
        let mut rest = summed.strip_prefix(MAGIC)?;
        let [number, epoch, length] = numbers(&mut rest)?;
        let (root, mut rest) = rest.split_first_chunk()?;
        let [inode, birth, source] = numbers(&mut rest)?;
        let source = match source {
            0 => Source::Store,
            1 => Source::Peer,
            _ => return None,
        };
        let tip = Tip { epoch: Epoch(epoch), length, root: Hash(*root) };
        Some(Self { number, tip, origin: Origin { inode, birth }, source })
    }
}

/// The next three numbers.
fn numbers(bytes: &mut &[u8]) -> Option<[u64; 3]> {
    let mut found = [0; 3];
    for number in &mut found {
        let (first, rest) = bytes.split_first_chunk()?;
        (*number, *bytes) = (u64::from_be_bytes(*first), rest);
    }
    Some(found)
}

/// The valid slot with the higher number.
fn newest(file: &File) -> io::Result<Option<Slot>> {
    let mut slots = Vec::new();
    for place in [FIRST_PLACE, SECOND_PLACE] {
        let mut bytes = [0; SLOT_SIZE];
        match file.read_exact_at(&mut bytes, place) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            other => other.map(|()| slots.extend(Slot::decode(&bytes)))?,
        }
    }
    Ok(slots.into_iter().max_by_key(|slot| slot.number))
}

const MAGIC: &[u8; 8] = b"peermqh1";
const SLOT_SIZE: usize = 8 + 3 * 8 + 32 + 3 * 8 + 32;
/// The slots lie in two blocks of the file system: one torn write hurts one of them.
const FIRST_PLACE: u64 = 0;
const SECOND_PLACE: u64 = 4_096;
/// The new file, whose room no full disk can deny later.
const EMPTY: [u8; 4_096 + SLOT_SIZE] = [0; 4_096 + SLOT_SIZE];

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const GOLDEN: &str = include_str!("../../../tests/golden/head_mark.txt");

    fn tip(length: u64) -> Tip {
        Tip { epoch: Epoch(1_700_000_000), length, root: Hash([7; 32]) }
    }

    #[test]
    fn a_slot_is_what_it_always_was() {
        let origin = Origin { inode: 258, birth: 1_700_000_000_000_000_001 };
        let mut found = String::new();
        for (number, source) in [(3, Source::Store), (4, Source::Peer)] {
            let slot = Slot { number, tip: tip(5), origin, source };
            assert_eq!(Slot::decode(&slot.encode()), Some(slot));
            found.push_str(&format!("{}\n", hex::encode(slot.encode())));
        }
        assert_eq!(found, GOLDEN);
    }

    #[test]
    fn the_newest_whole_slot_counts_and_a_damaged_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("head-mark");
        let mut mark = HeadMark::open_or_create(&path).unwrap();
        assert_eq!(mark.tip(), None);
        mark.settle(tip(1)).unwrap();
        mark.write(tip(2), Source::Store).unwrap();
        mark.write(tip(3), Source::Peer).unwrap();
        let size = fs::metadata(&path).unwrap().len();
        let read = || HeadMark::open_or_create(&path).unwrap();
        assert_eq!((read().tip(), read().source()), (Some(tip(3)), Some(Source::Peer)));
        assert!(read().is_at_home());

        // The newest is torn: the one before is left.
        let mut bytes = fs::read(&path).unwrap();
        bytes[60] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert_eq!(read().tip(), Some(tip(2)));
        bytes[4_096] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert_eq!((read().tip(), read().is_at_home()), (None, false));
        assert_eq!(fs::metadata(&path).unwrap().len(), size);
    }

    #[test]
    fn a_copy_shows_and_its_slots_still_tell_the_head() {
        let folder = tempfile::tempdir().unwrap();
        let [path, copy] = ["one", "two"].map(|name| folder.path().join(name));
        HeadMark::open_or_create(&path).unwrap().settle(tip(9)).unwrap();
        fs::copy(&path, &copy).unwrap();
        let mut copied = HeadMark::open_or_create(&copy).unwrap();
        assert_eq!((copied.tip(), copied.is_at_home()), (Some(tip(9)), false));
        copied.write(tip(10), Source::Peer).unwrap();
        assert!(!HeadMark::open_or_create(&copy).unwrap().is_at_home());
        copied.settle(tip(10)).unwrap();
        assert!(HeadMark::open_or_create(&copy).unwrap().is_at_home());
    }
}
