//! Steps on files that last, and are never seen half done.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Makes a folder of mode 0700 with all that lead to it, and syncs each new name.
pub(super) fn create_folders(path: &Path) -> io::Result<()> {
    let missing: Vec<_> = path.ancestors().take_while(|folder| !folder.exists()).collect();
    for folder in missing.into_iter().rev() {
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other?,
        }
        sync_folder_of(folder)?;
    }
    Ok(())
}

/// Makes the name of a file last.
pub(super) fn sync_folder_of(path: &Path) -> io::Result<()> {
    let Some(folder) = path.parent() else { return Ok(()) };
    let is_here = folder.as_os_str().is_empty();
    File::open(if is_here { Path::new(".") } else { folder })?.sync_all()
}

/// Writes a file that did not exist, of mode 0600, and syncs it, but not its name.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Puts a file of mode 0600 in place of whatever has its name, in one durable step. Two writers at
/// once are the caller's to prevent.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = draft_of(path);
    remove_if_there(&draft)?;
    write_new(&draft, bytes)?;
    fs::rename(&draft, path)?;
    sync_folder_of(path)
}

/// Removes a file, or finds it removed.
pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Removes a folder with all that is in it, or finds it removed.
pub(super) fn remove_folder_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// At most the first `size_max` bytes of a regular file; `None` when nothing has its name.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] for a link or a folder, else what the file system says.
pub(super) fn read_start(path: &Path, size_max: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    match open_regular(path).and_then(|file| file.take(size_max).read_to_end(&mut bytes)) {
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Opens a regular file for reading: what was looked at is what was opened, so that no link can
/// slip in between.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] for a link or a folder, else what the file system says.
pub(super) fn open_regular(path: &Path) -> io::Result<File> {
    let not_regular = || io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
    let seen = fs::symlink_metadata(path)?;
    if !seen.is_file() {
        return Err(not_regular());
    }
    let file = File::open(path)?;
    let opened = file.metadata()?;
    let same = (seen.dev(), seen.ino()) == (opened.dev(), opened.ino());
    same.then_some(file).ok_or_else(not_regular)
}

/// Where a file is written before it gets its name.
fn draft_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}
