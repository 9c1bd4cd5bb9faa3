//! Marks: forward only, all or nothing, final.

use super::*;

#[test]
fn what_is_archived_or_cleared_is_never_offered_again() {
    let (mut author, mut reader) = author_and_reader();
    let from = author.id();
    author.send_numbers(reader.id(), 0..10);
    reader.receive_all(&mut author);
    reader.mark(from, 2..=4, Mark::Archived).unwrap();
    reader.mark(from, 4..=6, Mark::Cleared).unwrap();
    for _ in 0..2 {
        assert_eq!(reader.take(1, 100), [0, 1, 7, 8, 9]);
        reader.crash();
    }
    // The author's log comes a second time.
    let again = author.group_for(reader.id(), &Follow::default()).unwrap();
    reader.queue.receive(&from, &again).unwrap();
    assert!(reader.queue.commit().unwrap().is_empty());
    reader.mark(from, 4..=4, Mark::Archived).unwrap();
    assert_eq!(reader.take(1, 100), [0, 1, 7, 8, 9]);
    assert_eq!(reader.figures(from).unread, 5);
}

#[test]
fn a_mark_takes_all_or_nothing_and_names_what_is_absent() {
    let (mut author, mut reader) = author_and_reader();
    let from = author.id();
    author.send_numbers(reader.id(), 0..3);
    reader.receive_all(&mut author);
    let epoch = author.queue.epoch();
    let place = |epoch, seqs| Place { from, epoch, seqs };
    let absent = |result| match result {
        Err(QueueError::NotFound { epoch, seq, .. }) => (epoch, seq),
        other => panic!("expected an absent message, got {other:?}"),
    };
    let marked = reader.queue.mark(&[place(epoch, 0..=1), place(epoch, 2..=9)], Mark::Archived);
    assert_eq!(absent(marked), (epoch, Seq(3)));
    let marked = reader.queue.mark(&[place(Epoch(1), 0..=0)], Mark::Cleared);
    assert_eq!(absent(marked), (Epoch(1), Seq(0)));
    let marked = reader.queue.mark(&[place(epoch, 0..=u64::MAX)], Mark::Cleared);
    assert!(matches!(marked, Err(QueueError::TooMany)));
    reader.queue.commit().unwrap();
    assert_eq!(reader.take(1, 9), [0, 1, 2]);
    // Repeating is Ok, and tells nobody.
    reader.mark(from, 0..=2, Mark::Archived).unwrap();
    assert!(reader.mark(from, 0..=2, Mark::Archived).unwrap().is_empty());
    // What is staged but not durable cannot be marked yet.
    author.send_numbers(reader.id(), 3..4);
    let group = reader.next_group(&mut author).unwrap();
    reader.queue.receive(&from, &group).unwrap();
    let marked = reader.queue.mark(&[place(epoch, 3..=3)], Mark::Archived);
    assert_eq!(absent(marked), (epoch, Seq(3)));
}

/// One turn of the storage thread stages what waits: a group that came, then marks of what came
/// before it. The sizes of the new entries stood in no block yet, and the store was called damaged.
#[test]
fn the_newest_durable_messages_are_marked_beside_a_group_that_is_staged() {
    let (mut author, mut reader) = author_and_reader();
    let (from, epoch) = (author.id(), author.queue.epoch());
    author.send_numbers(reader.id(), 0..3);
    reader.receive_all(&mut author);
    author.send_numbers(reader.id(), 3..5);
    let group = reader.next_group(&mut author).unwrap();
    reader.queue.receive(&from, &group).unwrap();
    reader.queue.mark(&[Place { from, epoch, seqs: 1..=2 }], Mark::Archived).unwrap();
    reader.queue.commit().unwrap();
    assert_eq!(reader.take(1, 9), [0, 3, 4]);
    let bytes = reader.figures(from).unread_bytes;
    reader.mark(from, 0..=0, Mark::Archived).unwrap();
    let of_one = bytes - reader.figures(from).unread_bytes;
    assert_eq!(bytes, 3 * of_one, "messages of one size");
}

#[test]
fn a_rejected_message_is_passed_over_by_later_marks() {
    let (mut author, mut reader) = author_and_reader();
    let (from, epoch) = (author.id(), author.queue.epoch());
    author.send_numbers(reader.id(), 0..3);
    reader.receive_all(&mut author);
    reader.queue.reject(&from, epoch, Seq(1)).unwrap();
    reader.queue.commit().unwrap();
    reader.mark(from, 0..=2, Mark::Archived).unwrap();
    assert_eq!(reader.take(1, 9), [0; 0]);
    let receipts = reader.queue.opening(&from).unwrap().held.remove(0).receipts;
    let [receipt] = &receipts[..] else { panic!("one receipt says it all") };
    assert_eq!(receipt.rejected, run(1..2));
    assert_eq!(receipt.archived.below, 1);
    assert_eq!(receipt.archived.ranges, run(2..3));
    assert_eq!(receipt.stored.below, 3);
}

#[test]
fn a_removed_peers_entries_stay_out_and_what_it_sent_before_is_offered() {
    let (mut author, mut reader) = author_and_reader();
    author.send_numbers(reader.id(), 0..2);
    reader.receive_all(&mut author);
    author.send_numbers(reader.id(), 2..3);
    let group = reader.next_group(&mut author).unwrap();
    reader.queue.remove_peer(&author.id()).unwrap();
    let refused = reader.queue.receive(&author.id(), &group);
    assert!(matches!(refused, Err(QueueError::Refused(crate::sync::Refusal::Removed))));
    reader.queue.commit().unwrap();
    assert_eq!(reader.queue.grant(&author.id()), None);
    assert_eq!(reader.take(1, 9), [0, 1]);
    assert_eq!(reader.queue.chunk(&author.id(), reader.queue.epoch(), 0, &[], 9).unwrap(), None);
}

#[test]
fn a_group_that_does_not_follow_is_refused() {
    let (mut author, mut reader) = author_and_reader();
    author.send_numbers(reader.id(), 0..2);
    let first = reader.next_group(&mut author).unwrap();
    author.send_numbers(reader.id(), 2..3);
    let second = author.group_for(reader.id(), &first.follow).unwrap();
    let refused = reader.queue.receive(&author.id(), &second);
    assert!(matches!(refused, Err(QueueError::Refused(crate::sync::Refusal::Misbehaved(_)))));
    reader.queue.receive(&author.id(), &first).unwrap();
    reader.queue.receive(&author.id(), &second).unwrap();
    reader.queue.commit().unwrap();
    assert_eq!(reader.take(1, 9), [0, 1, 2]);
}

/// One key a commit: sled writes two of them in two steps.
#[test]
fn a_few_archives_are_one_row_until_they_are_many() {
    let (mut author, mut reader) = author_and_reader();
    let from = author.id();
    author.send_numbers(reader.id(), 0..400);
    author.queue.commit().unwrap();
    reader.receive_all(&mut author);
    let rows = |reader: &Node| reader.store.scan(&[0x20]..&[0xff]).count();
    let before = rows(&reader);
    for seq in (0..2 * 64).step_by(2) {
        reader.mark(from, seq..=seq, Mark::Archived).unwrap();
    }
    assert_eq!(rows(&reader), before, "all in the tally");
    reader.crash();
    assert_eq!(reader.take(1, 2), [1, 3]);
    reader.mark(from, 200..=200, Mark::Archived).unwrap();
    assert_eq!(rows(&reader), before + 1, "one run too many: the set's chunk");
    reader.mark(from, 202..=202, Mark::Archived).unwrap();
    reader.crash();
    reader.mark(from, 202..=204, Mark::Cleared).unwrap();
    assert_eq!(rows(&reader), before + 2, "the chunk of another set");
    reader.crash();
    let expected: Vec<_> = (0..400)
        .filter(|seq| *seq >= 128 || seq % 2 == 1)
        .filter(|seq| ![200, 202, 203, 204].contains(seq))
        .collect();
    assert_eq!(reader.take(1, 500), expected);
    assert_eq!(reader.figures(from).unread, u64::try_from(expected.len()).unwrap());
}
