//! A backup is the store at its end, whatever is committed meanwhile.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

type Rows = BTreeMap<Bytes, Bytes>;

fn rows(store: &MemoryStore) -> Rows {
    store.scan(&[]..&[0xff]).map(Result::unwrap).collect()
}

fn next(node: &mut Node, id: BackupId) -> Option<Bytes> {
    node.queue.continue_backup(id).unwrap()
}

/// What a backup's bytes restore, read in pieces of some size.
fn restored(bytes: &[u8], piece: usize) -> Result<Option<Rows>, QueueError> {
    let (mut reader, mut rows) = (RecordReader::default(), Rows::new());
    for piece in bytes.chunks(piece) {
        reader.push(piece);
        while let Some(Record { key, value }) = reader.next_record()? {
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
    }
    Ok(reader.is_ended().then_some(rows))
}

#[test]
fn what_is_sent_and_marked_while_a_backup_is_read_is_in_it() {
    let (mut author, mut reader) = author_and_reader();
    let text = [7; 3_000];
    for _ in 0..300 {
        author.send(reader.id(), &text);
    }
    author.queue.commit().unwrap();
    reader.receive_all(&mut author);
    let id = reader.queue.begin_backup();
    let (mut bytes, mut seq) = (Vec::new(), 0);
    while let Some(piece) = next(&mut reader, id) {
        bytes.extend(piece);
        reader.mark(author.id(), seq..=seq + 20, Mark::Cleared).unwrap();
        author.send_numbers(reader.id(), 0..3);
        reader.receive_all(&mut author);
        seq += 10;
    }
    assert!(seq > 30, "the backup has several pieces");
    // What came with the last piece is what counts: undo the marks and sends after it.
    let at_end = restored(&bytes, 1_000).unwrap().unwrap();
    let again = Arc::new(MemoryStore::new());
    let mut batch = Batch::new();
    at_end.into_iter().for_each(|(key, value)| batch.put(key, value));
    again.commit(batch).unwrap();
    let mut copy =
        Node { store: Arc::clone(&again), queue: open(&again, &reader.identity), ..reader };
    // The last piece was read after all but the last marks.
    assert_eq!(copy.take(1, 1), [seq + 1]);
}

#[test]
fn a_backup_that_was_cut_or_changed_is_refused() {
    let (mut author, reader) = author_and_reader();
    author.send_numbers(reader.id(), 0..9);
    let id = author.queue.begin_backup();
    let mut bytes = next(&mut author, id).unwrap().to_vec();
    assert_eq!(next(&mut author, id), None);
    assert_eq!(restored(&bytes, 7).unwrap(), Some(rows(&author.store)));
    for cut in 0..bytes.len() {
        assert_eq!(restored(&bytes[..cut], 4_096).unwrap(), None);
    }
    for place in 0..bytes.len() {
        bytes[place] ^= 1;
        assert!(!matches!(restored(&bytes, 4_096), Ok(Some(_))), "changed at {place}");
        bytes[place] ^= 1;
    }
    bytes.push(0);
    restored(&bytes, 4_096).unwrap_err();
}

#[test]
fn the_bytes_of_a_backup_do_not_change() {
    let mut writer = RecordWriter::default();
    let mut bytes = Vec::new();
    writer.push(&mut bytes, b"ab", Some(b"value"));
    writer.push(&mut bytes, b"c", None);
    let bytes = hex::encode(writer.finish(bytes));
    let records = "010261620000000576616c7565020163000000000000000002";
    let line = include_str!("../../../tests/golden/backup.txt").trim_end();
    assert_eq!(line, format!("records = {bytes}"));
    assert!(bytes.starts_with(records));
}

proptest! {
    #[test]
    fn no_bytes_stop_the_reader(bytes in prop::collection::vec(0u8..4, 0..200), piece in 1usize..9) {
        let _ = restored(&bytes, piece);
    }
}
