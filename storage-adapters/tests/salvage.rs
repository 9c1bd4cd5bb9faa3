//! What comes back of stores that do not open.
#![cfg(any(feature = "sled", feature = "redb", feature = "fjall"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where it stands")]

use std::fs;
use std::path::{Path, PathBuf};

use peermq_storage::{Batch, Kind, LARGE_KEYS, OpenError, Store, open, salvage};

const ROW_COUNT: u32 = 2_000;

fn value(number: u32) -> Vec<u8> {
    number.to_be_bytes().repeat(50)
}

/// A closed store of numbered rows, in a folder with nothing else.
fn numbered(kind: Kind, folder: &Path) {
    let store = open(kind, &folder.join("store"), &folder.join("poison")).unwrap().store;
    for first in (0..ROW_COUNT).step_by(100) {
        let mut batch = Batch::new();
        (first..first + 100).for_each(|n| batch.put(n.to_be_bytes().to_vec(), value(n)));
        store.commit(batch).unwrap();
    }
}

/// The rows that a salvage brings, each of which is as it was written; `None` when nothing can be
/// read.
fn salvaged(kind: Kind, folder: &Path) -> Option<u32> {
    let [from, to, scratch] = ["store", "fresh", "scratch"].map(|name| folder.join(name));
    let told = match salvage(kind, &from, &to, &scratch, &folder.join("poison")) {
        Err(OpenError::Corrupt(_)) => None,
        told => Some(told.unwrap()),
    };
    assert!(!scratch.exists());
    let rows = told?;
    let store = open(kind, &to, &folder.join("poison")).unwrap().store;
    let found = count(&*store);
    assert_eq!(u64::from(found), rows);
    Some(found)
}

fn count(store: &dyn Store) -> u32 {
    let rows = store.scan(&[]..&[0xff; 9]).map(|row| {
        let (key, found) = row.unwrap();
        let number = u32::from_be_bytes(key[..].try_into().unwrap());
        assert_eq!(found, value(number));
    });
    u32::try_from(rows.count()).unwrap()
}

/// The largest file from `folder` down: the one with the rows.
fn largest(folder: &Path) -> PathBuf {
    let mut folders = vec![folder.to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                files.push((entry.metadata().unwrap().len(), entry.path()));
            }
        }
    }
    files.into_iter().max().unwrap().1
}

#[test]
fn of_a_whole_store_every_row_comes_back() {
    for &kind in Kind::available() {
        let folder = tempfile::tempdir().unwrap();
        numbered(kind, folder.path());
        assert_eq!(salvaged(kind, folder.path()), Some(ROW_COUNT), "{kind}");
    }
}

#[test]
fn of_a_store_that_does_not_open_some_rows_come_back_and_none_is_wrong() {
    for &kind in Kind::available() {
        let mut best = 0;
        for part in 1..8 {
            let folder = tempfile::tempdir().unwrap();
            numbered(kind, folder.path());
            let file = largest(&folder.path().join("store"));
            let mut bytes = fs::read(&file).unwrap();
            let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
            bytes[used * part / 8] ^= 1;
            fs::write(&file, bytes).unwrap();
            let opened = open(kind, &folder.path().join("store"), &folder.path().join("poison"));
            if matches!(&opened, Err(OpenError::Corrupt(_))) {
                best = best.max(salvaged(kind, folder.path()).unwrap_or(0));
            }
        }
        // redb's reads look at no checksum: nothing of a damaged file can be trusted.
        let expected = if kind.name() == "redb" { 0 } else { ROW_COUNT / 4 };
        assert!(best >= expected, "{kind}: at most {best} rows came back");
    }
}

#[test]
fn of_large_values_only_those_that_are_damaged_are_left_out() {
    for &kind in Kind::available() {
        let folder = tempfile::tempdir().unwrap();
        let (store, poison) = (folder.path().join("store"), folder.path().join("poison"));
        let opened = open(kind, &store, &poison).unwrap();
        let mut batch = Batch::new();
        for number in 0..100_u8 {
            batch.put(vec![*LARGE_KEYS.start(), number], vec![number; 1 << 15]);
        }
        batch.put(vec![0xfe], "after them");
        opened.store.commit(batch).unwrap();
        drop(opened);
        let file = store.join(format!("{kind}-1/apart/0"));
        let mut bytes = fs::read(&file).unwrap();
        for damaged in [20, 70] {
            bytes[damaged << 15] ^= 1;
        }
        fs::write(&file, bytes).unwrap();
        let (to, scratch) = (folder.path().join("to"), folder.path().join("scratch"));
        let rows = salvage(kind, &store, &to, &scratch, &poison).unwrap();
        assert_eq!(rows, 99, "{kind}");
    }
}

#[test]
fn of_noise_nothing_comes_back() {
    for &kind in Kind::available() {
        let folder = tempfile::tempdir().unwrap();
        numbered(kind, folder.path());
        let file = largest(&folder.path().join("store"));
        fs::write(&file, vec![0x5a; 100_000]).unwrap();
        assert_eq!(salvaged(kind, folder.path()).unwrap_or(0), 0, "{kind}");
    }
}
