//! What every row of the queue must look like on disk, byte by byte, for ever.
//!
//! `tests/golden/queue.txt` holds a line per row, `name key = value`. Lines may be added; none may
//! change, since stored queues depend on them.

use std::fmt::Write as _;

use super::*;
use crate::limits::BODY_CHUNK_SIZE;
use crate::sync::body::Progress;

const GOLDEN: &str = include_str!("../../../tests/golden/queue.txt");

#[test]
fn every_row_is_what_it_always_was() {
    let (author, reader) = nodes();
    let mut found = String::new();
    let all = &[0x20][..]..&[0xff];
    let tallies = &[0x27][..]..&[0x28];
    let nodes = [("author", author, all.clone()), ("reader", reader, all)];
    for (name, node, keys) in nodes.into_iter().chain([("archiver", archiver(), tallies)]) {
        for pair in node.store.scan(keys) {
            let (key, row) = pair.unwrap();
            if [0x70, 0x80].contains(&key[0]) {
                // The log's own rows have golden lines of their own.
                continue;
            }
            // A body chunk is as it was sealed.
            let row = if key[0] == 0x81 { row.slice(..1) } else { row };
            writeln!(found, "{name} {} = {}", hex::encode(key), hex::encode(row)).unwrap();
        }
    }
    for (found, golden) in found.lines().zip(GOLDEN.lines()) {
        assert_eq!(found, golden);
    }
    assert_eq!(found.lines().count(), GOLDEN.lines().count(), "all that is made:\n{found}");
}

/// A node that has archived and nothing else since: its tally tells of it.
fn archiver() -> Node {
    let (mut author, mut reader) = author_and_reader();
    author.send_numbers(reader.id(), 0..8);
    author.queue.commit().unwrap();
    reader.receive_all(&mut author);
    reader.mark(author.id(), 0..=1, Mark::Archived).unwrap();
    reader.mark(author.id(), 3..=3, Mark::Archived).unwrap();
    reader
}

/// Two nodes that have every kind of row in their stores.
fn nodes() -> (Node, Node) {
    let (mut author, mut reader) = author_and_reader();
    let (from, epoch) = (author.id(), author.queue.epoch());
    author.send_numbers(reader.id(), 0..8);
    for body_len in [40_000, 40_000, 50_000, 50_000] {
        let draft = author.draft(reader.id(), b"long");
        author.queue.stage_body(&draft.salt, 0, Bytes::from_static(b"chunk"));
        author.queue.send(Draft { body: DraftBody::Staged { body_len }, ..draft }).unwrap();
    }
    author.queue.commit().unwrap();
    reader.receive_all(&mut author);
    let hold = |reader: &mut Node, seq, sizes: &[usize], progress| {
        let chunks = sizes.iter().map(|size| Bytes::from(vec![7; *size])).collect();
        reader.queue.hold_chunks(&from, epoch, Seq(seq), 0, chunks, progress).unwrap();
        reader.queue.commit().unwrap();
    };
    hold(&mut reader, 8, &[BODY_CHUNK_SIZE], Progress::More);
    hold(&mut reader, 9, &[BODY_CHUNK_SIZE, 7_232], Progress::Whole);
    hold(&mut reader, 10, &[BODY_CHUNK_SIZE, 17_232], Progress::Whole);
    reader.mark(from, 0..=1, Mark::Archived).unwrap();
    reader.mark(from, 3..=3, Mark::Archived).unwrap();
    reader.mark(from, 4..=4, Mark::Cleared).unwrap();
    reader.mark(from, 5..=5, Mark::Rejected).unwrap();
    reader.mark(from, 11..=11, Mark::Gone).unwrap();
    let receipts = reader.queue.opening(&from).unwrap().held.remove(0).receipts;
    let signed = receipts.into_iter().map(|receipt| receipt.sign(&reader.identity)).collect();
    author.queue.acknowledge(&reader.id(), signed).unwrap();
    author.queue.commit().unwrap();
    // A full batch leaves the chunks of a cleared body for a later one.
    reader.queue.mark(&[Place { from, epoch, seqs: 10..=10 }], Mark::Cleared).unwrap();
    for number in 0..80 {
        reader.queue.stage_body(&Salt([1; 16]), number, Bytes::from(vec![0; 60_000]));
    }
    reader.queue.commit().unwrap();
    (author, reader)
}
