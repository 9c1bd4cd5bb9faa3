//! Backups: a running node's store as a stream, and a file that holds it with the key.
//!
//! The file's bytes stand in the [manual](crate::manual::backup).

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use zeroize::Zeroizing;

use super::directory::{Directory, DirectoryError, key_size};
use super::error::NodeError;
use super::files;
use super::storage_thread::Storage;
use crate::limits::BACKUP_PIECE_SIZE;
use crate::queue::{BackupId, Record, RecordReader};

/// Reads a backup of a running store, and gives it up when dropped.
struct Reading {
    storage: Storage,
    id: BackupId,
}

/// The store of a running node, as it is when the stream ends.
pub(super) async fn stream(
    storage: Storage,
) -> Result<BoxStream<'static, Result<Bytes, NodeError>>, NodeError> {
    let id = storage.read(|queue| queue.begin_backup()).await?;
    let reading = Reading { storage, id };
    let next = |reading: Option<Reading>| async {
        let reading = reading?;
        let id = reading.id;
        let piece = reading.storage.read(move |queue| queue.continue_backup(id)).await;
        match piece.and_then(|piece| Ok(piece?)) {
            Ok(piece) => piece.map(|piece| (Ok(piece), Some(reading))),
            Err(error) => Some((Err(error), None)),
        }
    };
    Ok(stream::unfold(Some(reading), next).boxed())
}

impl Drop for Reading {
    fn drop(&mut self) {
        let id = self.id;
        self.storage.post(move |queue| queue.end_backup(id));
    }
}

/// A backup's file in the making: it has its name only when it is whole and on disk.
#[derive(Debug)]
pub struct BackupFile {
    path: PathBuf,
    draft: PathBuf,
    file: File,
}

impl BackupFile {
    /// Begins a file of mode 0600 at a path where nothing is, for the node of `directory`.
    ///
    /// # Errors
    /// [`NodeError::Directory`] when it cannot be written or the key cannot be read.
    pub fn create(path: &Path, directory: &Path) -> Result<Self, NodeError> {
        let directory = Directory::open(directory)?;
        if path.symlink_metadata().is_ok() {
            return Err(DirectoryError::at(path)(io::ErrorKind::AlreadyExists.into()).into());
        }
        let mut draft = path.as_os_str().to_owned();
        draft.push(format!(".{}", std::process::id()));
        let draft = PathBuf::from(draft);
        let head = [MAGIC, &read_key(&directory)?].concat();
        let head = Zeroizing::new(head);
        files::write_new(&draft, &head).map_err(DirectoryError::at(&draft))?;
        let file = File::options().append(true).open(&draft).map_err(DirectoryError::at(&draft))?;
        Ok(Self { path: path.to_owned(), draft, file })
    }

    /// Appends bytes of the stream.
    ///
    /// # Errors
    /// [`NodeError::Directory`] when they cannot be written.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), NodeError> {
        Ok(self.file.write_all(bytes).map_err(DirectoryError::at(&self.draft))?)
    }

    /// Makes the file last, reads it once more, and gives it its name. Returns its size.
    ///
    /// # Errors
    /// [`NodeError::Queue`] when the stream was cut, [`NodeError::Directory`].
    pub fn finish(self) -> Result<u64, NodeError> {
        self.file.sync_all().map_err(DirectoryError::at(&self.draft))?;
        read_records(&self.draft, |_| Ok(()))?;
        let size = self.file.metadata().map_err(DirectoryError::at(&self.draft))?.len();
        fs::hard_link(&self.draft, &self.path).map_err(DirectoryError::at(&self.path))?;
        files::sync_folder_of(&self.path).map_err(DirectoryError::at(&self.path))?;
        Ok(size)
    }
}

impl Drop for BackupFile {
    fn drop(&mut self) {
        // A draft that cannot be removed is in nobody's way.
        let _ = fs::remove_file(&self.draft);
    }
}

/// Hands each record of a backup's file on; returns the key file's bytes once the end was whole.
pub(super) fn read_records(
    path: &Path,
    mut take: impl FnMut(Record) -> Result<(), NodeError>,
) -> Result<Zeroizing<Vec<u8>>, NodeError> {
    let mut file = files::open_regular(path).map_err(DirectoryError::at(path))?;
    let mut head = [0; MAGIC.len() + KEY_BEGIN_SIZE];
    let is_read = file.read_exact(&mut head);
    let begin = head.strip_prefix(MAGIC).filter(|_| is_read.is_ok()).ok_or(NO_BACKUP)?;
    let mut key = Zeroizing::new(vec![0; key_size(begin).ok_or(NO_BACKUP)?]);
    let (copied, rest) = key.split_at_mut(KEY_BEGIN_SIZE);
    copied.copy_from_slice(begin);
    file.read_exact(rest).map_err(|_| NO_BACKUP)?;
    let mut records = RecordReader::default();
    let mut piece = vec![0; BACKUP_PIECE_SIZE];
    loop {
        let size = file.read(&mut piece).map_err(DirectoryError::at(path))?;
        let bytes = piece.get(..size).unwrap_or_default();
        records.push(bytes);
        while let Some(record) = records.next_record()? {
            take(record)?;
        }
        if bytes.is_empty() {
            return if records.is_ended() { Ok(key) } else { Err(NO_BACKUP) };
        }
    }
}

fn read_key(directory: &Directory) -> Result<Zeroizing<Vec<u8>>, DirectoryError> {
    // Reading the id checks the file.
    directory.id(|| [0; 32])?;
    let path = directory.path().join("key");
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * KEY_SIZE_MAX));
    let file = files::open_regular(&path).map_err(DirectoryError::at(&path))?;
    let limit = u64::try_from(KEY_SIZE_MAX).expect("it is small");
    file.take(limit).read_to_end(&mut bytes).map_err(DirectoryError::at(&path))?;
    Ok(bytes)
}

const NO_BACKUP: NodeError = NodeError::Queue(crate::queue::QueueError::Backup);
const MAGIC: &[u8] = b"peermqb2";
/// Bytes of a key file that tell its size.
const KEY_BEGIN_SIZE: usize = 9;
/// Bytes of a key file under a passphrase, the longest.
const KEY_SIZE_MAX: usize = 173;
