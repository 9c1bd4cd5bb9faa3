//! Backups: a file from anywhere, read in pieces of any size, and made a directory of.

use std::fs;

use bytes::Bytes;
use peermq::node::{NodeError, restore};
use peermq::queue::{Queue, QueueError, Record, RecordReader};
use peermq_storage::{Batch, BatchError, Kind, MemoryStore, Store, StoreError};

use crate::choices::Choices;
use crate::node::NOW;

/// Reads the bytes as records, and once more with a right end; what they hold is opened as a store.
pub fn backup(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let (way, piece_size) = (choices.byte(), 1 + choices.below(40));
    let records = choices.rest();
    if way == RESTORE {
        restore_file(records);
    }
    check(records, piece_size);
    check(&ended(records), piece_size);
}

/// The whole at once and piece by piece give one answer.
fn check(bytes: &[u8], piece_size: usize) {
    let whole = read([bytes]);
    let pieces = read(bytes.chunks(piece_size));
    assert_eq!(whole.is_ok(), pieces.is_ok(), "pieces of {piece_size} bytes make no difference");
    let (Ok((records, is_ended)), Ok(others)) = (whole, pieces) else { return };
    assert_eq!((&records, is_ended), (&others.0, others.1), "nor to what is read");
    if is_ended {
        open(records);
    }
}

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<(Vec<Record>, bool), QueueError> {
    let (mut reader, mut records) = (RecordReader::default(), Vec::new());
    for piece in pieces {
        reader.push(piece);
        while let Some(record) = reader.next_record()? {
            records.push(record);
        }
    }
    Ok((records, reader.is_ended()))
}

/// The records that can be read in front, and the end that belongs to them.
fn ended(bytes: &[u8]) -> Vec<u8> {
    let mut reader = RecordReader::default();
    reader.push(bytes);
    let mut written = Vec::new();
    let mut count: u64 = 0;
    while let Ok(Some(Record { key, value })) = reader.next_record() {
        written.push(if value.is_some() { 1 } else { 2 });
        written.push(u8::try_from(key.len()).expect("a key is short"));
        written.extend_from_slice(&key);
        if let Some(value) = value {
            let size = u32::try_from(value.len()).expect("a value is short");
            written.extend(size.to_be_bytes());
            written.extend_from_slice(&value);
        }
        count += 1;
    }
    written.push(0);
    written.extend(count.to_be_bytes());
    let hash = blake3::hash(&written);
    [&written[..], hash.as_bytes()].concat()
}

/// A store that was restored opens, or says what is damaged.
fn open(records: Vec<Record>) {
    let store = MemoryStore::new();
    for Record { key, value } in records {
        let mut batch = Batch::new();
        match value {
            Some(value) => batch.put(key, value),
            None => batch.remove(key),
        }
        if let Err(error) = store.commit(batch) {
            // A record is within the bounds of a row.
            assert!(matches!(error, StoreError::Batch(BatchError::Hidden)), "{error}");
            return;
        }
    }
    let me = peermq::crypto::Identity::from_seed(&[1; 32]).id();
    // Either is an answer.
    let _ = Queue::open(Box::new(store), me, NOW);
}

/// The bytes as a file: it becomes a directory as a whole, or nothing of it does.
fn restore_file(bytes: &[u8]) {
    let dir = tempfile::tempdir().expect("there is room for a small file");
    let (file, target) = (dir.path().join("backup"), dir.path().join("node"));
    fs::write(&file, Bytes::copy_from_slice(bytes)).expect("there is room for a small file");
    match restore(&file, &target, Some(Kind::Redb)) {
        Ok(()) => assert!(target.join("key").is_file(), "a directory has its key"),
        Err(NodeError::Queue(_) | NodeError::Directory(_)) => {
            assert!(!target.exists(), "half a backup is no directory");
        }
        Err(error) => panic!("expected another refusal of a file, got {error}"),
    }
}

/// The first byte of an input that is taken for a whole file too: files cost a thousand times more.
const RESTORE: u8 = b'p';
