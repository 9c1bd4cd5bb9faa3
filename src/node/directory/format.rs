//! The file `format`: which version of the directory this is, and which store lies in it.
//!
//! ```text
//! peermq-format 2
//! store sled
//! ```
//!
//! Written before the store is made. A later version may say anything after the first line.

use std::fs;
use std::io;
use std::path::Path;

use peermq_storage::Kind;

use super::DirectoryError;
use crate::node::files;

/// The store of a directory: the one that it has, else `wanted`, which it then has for good.
pub(super) fn store_kind(directory: &Path, wanted: Option<Kind>) -> Result<Kind, DirectoryError> {
    if let Some(made_with) = made_with(directory, wanted)? {
        return Ok(made_with);
    }
    refuse_orphan(directory)?;
    let kind = choose(wanted, directory)?;
    let path = directory.join("format");
    files::replace(&path, text(kind).as_bytes()).map_err(DirectoryError::at(&path))?;
    Ok(kind)
}

/// The store that a directory has, if it has one: `wanted`, when one is.
pub(super) fn made_with(
    directory: &Path,
    wanted: Option<Kind>,
) -> Result<Option<Kind>, DirectoryError> {
    let path = directory.join("format");
    let found = files::read_start(&path, SIZE_MAX).map_err(DirectoryError::at(&path))?;
    let Some(found) = found else { return Ok(None) };
    let made_with = parse(&String::from_utf8_lossy(&found), directory)?;
    match wanted {
        Some(wanted) if wanted != made_with => Err(DirectoryError::OtherStore {
            path: directory.to_owned(),
            wanted: wanted.to_string(),
            got: made_with.to_string(),
        }),
        _ => Ok(Some(made_with)),
    }
}

/// The store of a new directory.
fn choose(wanted: Option<Kind>, directory: &Path) -> Result<Kind, DirectoryError> {
    match (wanted, Kind::available()) {
        (Some(wanted), _) => available(wanted.name(), directory),
        (None, [first, ..]) => Ok(*first),
        (None, []) => Err(DirectoryError::NoStoreBuilt),
    }
}

fn available(name: &str, directory: &Path) -> Result<Kind, DirectoryError> {
    let path = directory.to_owned();
    name.parse().map_err(|source| DirectoryError::StoreNotBuilt { path, source })
}

/// A store without `format` may be of any kind; one more beside it would sign its log anew.
fn refuse_orphan(directory: &Path) -> Result<(), DirectoryError> {
    let store = directory.join("store");
    match fs::read_dir(&store).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(DirectoryError::FormatMissing { path: directory.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(DirectoryError::at(&store)(error)),
    }
}

fn text(kind: Kind) -> String {
    format!("peermq-format {VERSION}\nstore {kind}\n")
}

fn parse(text: &str, directory: &Path) -> Result<Kind, DirectoryError> {
    let path = || directory.to_owned();
    let unreadable = || DirectoryError::FormatUnreadable { path: path(), got: text.to_owned() };
    let (first, rest) = text.split_once('\n').ok_or_else(unreadable)?;
    let version = first.strip_prefix("peermq-format ").and_then(|number| number.parse().ok());
    match version.ok_or_else(unreadable)? {
        VERSION => {}
        0 => return Err(unreadable()),
        got if got > VERSION => {
            return Err(DirectoryError::FormatNewer { path: path(), known: VERSION, got });
        }
        got => return Err(DirectoryError::FormatOlder { path: path(), known: VERSION, got }),
    }
    let name = rest.strip_prefix("store ").and_then(|rest| rest.strip_suffix('\n'));
    let name = name.filter(|name| name.chars().all(|c| c.is_ascii_lowercase()));
    available(name.ok_or_else(unreadable)?, directory)
}

/// The version that this code writes and reads: in 1, blocks and chunks had other keys.
const VERSION: u32 = 2;
/// Bytes of the file that are looked at.
const SIZE_MAX: u64 = 64;
