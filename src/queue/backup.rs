//! A store as one stream of bytes, consistent although it is written to meanwhile.
//!
//! The rows are read in the order of their keys, a piece at a time between commits. What a commit
//! changes among the rows that are in the stream already follows them as it was committed; what it
//! changes behind them is read later. So the stream, taken in order, is the store as it stood when
//! the last piece was read. Its bytes stand in the [manual](crate::manual::backup).

use std::collections::BTreeMap;

use bytes::Bytes;
use peermq_storage::{Batch, KEY_SIZE_MAX, Store, VALUE_SIZE_MAX};

use super::Queue;
use super::error::QueueError;
use crate::limits::{BACKUP_PENDING_SIZE_MAX, BACKUP_PIECE_SIZE};

/// A backup in the making.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BackupId(u64);

/// All backups in the making.
#[derive(Debug, Default)]
pub(super) struct Backups {
    next: u64,
    running: BTreeMap<BackupId, Backup>,
}

#[derive(Debug)]
struct Backup {
    records: RecordWriter,
    /// Every key below it is in the stream; `None` when all are.
    cursor: Option<Bytes>,
    /// Bytes that the reader has not taken yet.
    pending: Vec<u8>,
}

impl Queue {
    /// Begins a backup, which ends with [`Queue::end_backup`].
    pub fn begin_backup(&mut self) -> BackupId {
        let id = BackupId(self.backups.next);
        self.backups.next += 1;
        let (records, cursor) = (RecordWriter::default(), Some(Bytes::from_static(&[0])));
        self.backups.running.insert(id, Backup { records, cursor, pending: Vec::new() });
        id
    }

    /// The next bytes of a backup; `None` after the last ones.
    ///
    /// # Errors
    /// [`QueueError::BackupBehind`] when the reader was so slow that too much has changed, and
    /// [`QueueError::Store`].
    pub fn continue_backup(&mut self, id: BackupId) -> Result<Option<Bytes>, QueueError> {
        let Some(mut backup) = self.backups.running.remove(&id) else { return Ok(None) };
        if self.is_broken {
            return Err(QueueError::Broken);
        }
        if backup.pending.len() > BACKUP_PENDING_SIZE_MAX {
            return Err(QueueError::BackupBehind);
        }
        backup.read(&*self.store)?;
        if backup.cursor.is_none() {
            return Ok(Some(backup.records.finish(backup.pending).into()));
        }
        let piece = std::mem::take(&mut backup.pending);
        self.backups.running.insert(id, backup);
        Ok(Some(piece.into()))
    }

    /// Gives a backup up; one that has come to its end is gone already.
    pub fn end_backup(&mut self, id: BackupId) {
        self.backups.running.remove(&id);
    }
}

impl Backups {
    /// A batch is about to be committed. When that fails the queue is broken, and with it each
    /// backup.
    pub(super) fn note(&mut self, batch: &Batch) {
        for backup in self.running.values_mut() {
            if backup.pending.len() <= BACKUP_PENDING_SIZE_MAX {
                backup.note(batch);
            }
        }
    }
}

impl Backup {
    /// Reads the rows of the next piece.
    fn read(&mut self, store: &dyn Store) -> Result<(), QueueError> {
        let Some(cursor) = self.cursor.take() else { return Ok(()) };
        for pair in store.scan(&cursor..&KEY_END) {
            let (key, value) = pair?;
            if self.pending.len() >= BACKUP_PIECE_SIZE {
                self.cursor = Some(key);
                return Ok(());
            }
            self.records.push(&mut self.pending, &key, Some(&value));
        }
        Ok(())
    }

    fn note(&mut self, batch: &Batch) {
        let Some(cursor) = &self.cursor else { return };
        for (key, value) in batch.steps().filter(|(key, _)| *key < cursor) {
            self.records.push(&mut self.pending, key, value.map(|value| &value[..]));
        }
    }
}

/// Writes records, then what tells that they are all there and whole.
#[derive(Debug, Default)]
pub struct RecordWriter {
    count: u64,
    hasher: blake3::Hasher,
}

impl RecordWriter {
    /// Appends a row, or without a value its removal.
    pub fn push(&mut self, bytes: &mut Vec<u8>, key: &[u8], value: Option<&[u8]>) {
        let start = bytes.len();
        let key_len = u8::try_from(key.len()).expect("a key is at most 128 bytes");
        bytes.push(if value.is_some() { PUT } else { REMOVE });
        bytes.push(key_len);
        bytes.extend_from_slice(key);
        if let Some(value) = value {
            let value_len = u32::try_from(value.len()).expect("a value is at most 64 KiB");
            bytes.extend(value_len.to_be_bytes());
            bytes.extend_from_slice(value);
        }
        self.hasher.update(bytes.get(start..).unwrap_or_default());
        self.count += 1;
    }

    /// Appends the end.
    #[must_use]
    pub fn finish(mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        let end = [&[END][..], &self.count.to_be_bytes()].concat();
        self.hasher.update(&end);
        bytes.extend(end);
        bytes.extend(self.hasher.finalize().as_bytes());
        bytes
    }
}

/// Reads records, in pieces of any size.
#[derive(Debug, Default)]
pub struct RecordReader {
    rest: Vec<u8>,
    /// Bytes of `rest` that are read.
    at: usize,
    count: u64,
    hasher: blake3::Hasher,
    is_ended: bool,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The key.
    pub key: Bytes,
    /// Its value; `None` when it is removed.
    pub value: Option<Bytes>,
}

impl RecordReader {
    /// Takes bytes in.
    pub fn push(&mut self, bytes: &[u8]) {
        self.rest.drain(..self.at);
        self.at = 0;
        self.rest.extend_from_slice(bytes);
    }

    /// The next record; `None` when more bytes are needed, and after the end.
    ///
    /// # Errors
    /// [`QueueError::Backup`] for what no backup holds.
    pub fn next_record(&mut self) -> Result<Option<Record>, QueueError> {
        let rest = self.rest.get(self.at..).unwrap_or_default();
        if self.is_ended {
            return if rest.is_empty() { Ok(None) } else { Err(QueueError::Backup) };
        }
        let (size, record) = match *rest {
            [] => return Ok(None),
            [END, ..] => return self.end(),
            [PUT | REMOVE] => return Ok(None),
            [PUT, key_len, ref rest @ ..] => match read_put(key_len, rest)? {
                Some(read) => read,
                None => return Ok(None),
            },
            [REMOVE, key_len, ref rest @ ..] => match rest.get(..check_key(key_len)?) {
                Some(key) => {
                    (2 + key.len(), Record { key: Bytes::copy_from_slice(key), value: None })
                }
                None => return Ok(None),
            },
            _ => return Err(QueueError::Backup),
        };
        self.hasher.update(rest.get(..size).unwrap_or_default());
        self.at += size;
        self.count += 1;
        Ok(Some(record))
    }

    /// Whether the end was read, and all before it was whole.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        self.is_ended
    }

    fn end(&mut self) -> Result<Option<Record>, QueueError> {
        let rest = self.rest.get(self.at..).unwrap_or_default();
        let Some((end, rest)) = rest.split_first_chunk::<END_SIZE>() else { return Ok(None) };
        let Some(hash) = rest.first_chunk::<32>() else { return Ok(None) };
        self.hasher.update(end);
        let is_whole =
            end.ends_with(&self.count.to_be_bytes()) && self.hasher.finalize().as_bytes() == hash;
        self.at += END_SIZE + hash.len();
        self.is_ended = is_whole;
        if is_whole { self.next_record() } else { Err(QueueError::Backup) }
    }
}

/// A put whose kind and key length were read, with its whole size; `None` when it is cut off.
fn read_put(key_len: u8, rest: &[u8]) -> Result<Option<(usize, Record)>, QueueError> {
    let Some((key, rest)) = rest.split_at_checked(check_key(key_len)?) else { return Ok(None) };
    let Some((value_len, rest)) = rest.split_first_chunk() else { return Ok(None) };
    let value_len = usize::try_from(u32::from_be_bytes(*value_len)).unwrap_or(usize::MAX);
    if value_len > VALUE_SIZE_MAX {
        return Err(QueueError::Backup);
    }
    let Some(value) = rest.get(..value_len) else { return Ok(None) };
    let value = Some(Bytes::copy_from_slice(value));
    let size = 2 + key.len() + 4 + value_len;
    Ok(Some((size, Record { key: Bytes::copy_from_slice(key), value })))
}

fn check_key(len: u8) -> Result<usize, QueueError> {
    let len = usize::from(len);
    if (1..=KEY_SIZE_MAX).contains(&len) { Ok(len) } else { Err(QueueError::Backup) }
}

const END: u8 = 0;
const PUT: u8 = 1;
const REMOVE: u8 = 2;
const END_SIZE: usize = 1 + 8;
/// No key is as long as this one, so it is above them all.
const KEY_END: [u8; KEY_SIZE_MAX + 1] = [u8::MAX; KEY_SIZE_MAX + 1];
