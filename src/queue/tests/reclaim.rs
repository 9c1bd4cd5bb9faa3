//! Space that comes back: what may go goes, and nobody misses it.

use super::check::{findings, settled_pair};
use super::forks::meet;
use super::*;
use crate::limits::LAPSE_UPTIME_MS;
use crate::log::Worth;

/// A whole pass; says what it freed.
fn pass(node: &mut Node, worth: Worth, intent: Intent) -> u64 {
    pass_keeping(node, worth, intent, Keep::Archived)
}

fn pass_keeping(node: &mut Node, worth: Worth, intent: Intent, keep: Keep) -> u64 {
    let mut pass = Pass::new(worth, intent, keep);
    while !pass.is_over() {
        pass = node.queue.reclaim(pass, NOW).unwrap();
        node.queue.commit().unwrap();
    }
    while node.queue.has_leftovers() {
        node.queue.commit().unwrap();
    }
    pass.freed()
}

fn size(node: &Node) -> u64 {
    let rows = node.store.scan(&[0]..&[0xff]).map(Result::unwrap);
    rows.map(|(key, row)| u64::try_from(key.len() + row.len()).unwrap()).sum()
}

/// Brings the reader's receipts to the author.
fn acknowledge(author: &mut Node, reader: &mut Node) {
    let receipts = reader.queue.opening(&author.id()).unwrap().held.remove(0).receipts;
    let signed = receipts.into_iter().map(|receipt| receipt.sign(&reader.identity)).collect();
    author.queue.acknowledge(&reader.id(), signed).unwrap();
    author.queue.commit().unwrap();
}

#[test]
fn what_both_sides_are_done_with_goes_and_the_rest_stays_as_it_was() {
    let (mut author, mut reader) = settled_pair();
    for node in [&mut author, &mut reader] {
        let before = size(node);
        let told = pass(node, Worth::Any, Intent::Tell);
        assert_eq!(size(node), before, "telling writes nothing");
        assert!(told > 0);
        let freed = pass(node, Worth::Any, Intent::Free);
        assert_eq!(freed, told);
        assert!(findings(node).is_empty(), "{:?}", findings(node));
        assert_eq!(pass(node, Worth::Any, Intent::Free), 0);
    }
    let held = |node: &mut Node, set| {
        let page = node.queue.list(set, None).unwrap();
        page.items.iter().map(|item| item.seq.0).collect::<Vec<_>>()
    };
    // 0-59 archived, of them 20-29 cleared; 70 rejected.
    let archived: Vec<_> = (0..20).chain(30..60).collect();
    let unread: Vec<_> = (60..70).chain(71..120).collect();
    assert_eq!(held(&mut reader, ListSet::Archived), archived);
    assert_eq!(held(&mut reader, ListSet::Unread), unread);
    assert_eq!(held(&mut author, ListSet::Sent), unread);
    assert_eq!(reader.take(1, 200), unread);
    reader.crash();
    author.crash();
    assert_eq!(reader.take(1, 200), unread);
    assert!(findings(&author).is_empty() && findings(&reader).is_empty());
}

#[test]
fn what_is_only_stored_or_archived_here_is_kept() {
    let (mut author, mut reader) = author_and_reader();
    author.send_numbers(reader.id(), 0..40);
    reader.receive_all(&mut author);
    acknowledge(&mut author, &mut reader);
    assert_eq!(pass(&mut author, Worth::Any, Intent::Tell), 0);
    assert!(pass_keeping(&mut author, Worth::Any, Intent::Tell, Keep::Stored) > 0);
    reader.mark(author.id(), 0..=39, Mark::Archived).unwrap();
    assert_eq!(pass(&mut reader, Worth::Any, Intent::Tell), 0);
    acknowledge(&mut author, &mut reader);
    assert!(pass(&mut author, Worth::Any, Intent::Tell) > 0);
}

#[test]
fn what_was_sent_in_a_life_that_a_kill_ended_goes_when_it_is_archived() {
    let (mut author, mut reader) = author_and_reader();
    author.send_numbers(reader.id(), 0..40);
    author.crash();
    let (from, epoch) = (author.id(), author.queue.epoch());
    author.queue.begin_life(NOW, Salt([5; 16])).unwrap();
    (author, reader) = meet(author, reader);
    reader.queue.mark(&[Place { from, epoch, seqs: 0..=39 }], Mark::Archived).unwrap();
    reader.queue.commit().unwrap();
    (author, _) = meet(author, reader);
    let told = pass(&mut author, Worth::Any, Intent::Tell);
    assert!(told > 0);
    assert_eq!(pass(&mut author, Worth::Any, Intent::Free), told);
    assert_eq!(pass(&mut author, Worth::Any, Intent::Tell), 0);
    assert!(findings(&author).is_empty(), "{:?}", findings(&author));
}

#[test]
fn quotas_count_rightly_over_blocks_with_dropped_entries() {
    for is_reopened in [false, true] {
        let (mut author, mut reader) = author_and_reader();
        for start in (0..100).step_by(10) {
            author.send_numbers(reader.id(), start..start + 10);
            reader.receive_all(&mut author);
        }
        let unread = |reader: &mut Node| reader.figures(author.id()).unread_bytes;
        let one = unread(&mut reader) / 100;
        for seqs in [3..=7, 15..=24, 40..=40, 58..=63] {
            reader.mark(author.id(), seqs, Mark::Cleared).unwrap();
        }
        assert_eq!(unread(&mut reader), 78 * one);
        pass(&mut reader, Worth::Any, Intent::Free);
        if is_reopened {
            reader.crash();
        }
        // Runs that begin, end and lie in blocks that were joined.
        for (seqs, left) in [(0..=2, 75), (8..=14, 68), (25..=30, 62), (41..=57, 45), (64..=99, 9)]
        {
            reader.mark(author.id(), seqs.clone(), Mark::Archived).unwrap();
            assert_eq!(unread(&mut reader), left * one, "{seqs:?}");
        }
        assert!(findings(&reader).is_empty());
    }
}

#[test]
fn a_reader_that_is_new_or_has_forgotten_gets_hashes_in_place_of_what_went() {
    let (mut author, mut reader) = settled_pair();
    pass(&mut author, Worth::Any, Intent::Free);
    let mut again = Node::new(2);
    assert_eq!(again.id(), reader.id());
    again.add(&author);
    again.receive_all(&mut author);
    let unread: Vec<_> = (60..70).chain(71..120).collect();
    assert_eq!(again.take(1, 200), unread);
    // The others are done with, as its earlier store was.
    let receipt = again.queue.opening(&author.id()).unwrap().held.remove(0).receipts.remove(0);
    let earlier = reader.queue.opening(&author.id()).unwrap().held.remove(0).receipts.remove(0);
    assert_eq!((receipt.seen, receipt.inbox), (earlier.seen, earlier.inbox));
    acknowledge(&mut author, &mut again);
    assert!(findings(&author).is_empty() && findings(&again).is_empty());
}

#[test]
fn a_crash_between_any_two_commits_of_a_pass_leaves_a_sound_store() {
    for worth in [Worth::Half, Worth::Any] {
        for crash_after in 0..12 {
            let (mut author, mut reader) = settled_pair();
            let send = |author: &mut Node| {
                let long = author.draft(reader.id(), b"long");
                for number in 0..3 {
                    author.queue.stage_body(&long.salt, number, Bytes::from(vec![7; 32_768]));
                }
                let body_hash = body_hash(&[7; 3 * 32_768]);
                let body = DraftBody::Staged { body_len: 3 * 32_768 };
                author.queue.send(Draft { body, body_hash, ..long }).unwrap();
                author.queue.commit().unwrap();
            };
            send(&mut author);
            reader.receive_all(&mut author);
            reader.mark(author.id(), 60..=120, Mark::Rejected).unwrap();
            acknowledge(&mut author, &mut reader);
            for node in [&mut author, &mut reader] {
                let mut pass = Pass::new(worth, Intent::Free, Keep::Archived);
                for _ in 0..crash_after {
                    pass = node.queue.reclaim(pass, NOW).unwrap();
                    node.queue.commit().unwrap();
                }
                node.crash();
                assert!(findings(node).is_empty(), "{crash_after}: {:?}", findings(node));
            }
            pass(&mut author, Worth::Any, Intent::Free);
            for prefix in [0x14, 0x80] {
                let left = author.store.scan(&[prefix]..&[prefix + 1]).count();
                assert_eq!(left, 0, "no chunk is left, and no mark");
            }
            assert!(findings(&author).is_empty());
        }
    }
}

#[test]
fn a_pass_is_due_once_much_is_of_no_more_use() {
    let (mut author, mut reader) = author_and_reader();
    let count = crate::limits::LITTER_COUNT_MIN;
    author.send_numbers(reader.id(), 0..count);
    reader.receive_all(&mut author);
    pass(&mut reader, Worth::Any, Intent::Free);
    assert!(!reader.queue.has_litter());
    let clear = |reader: &mut Node, seqs| {
        let place = Place { from: author.id(), epoch: author.queue.epoch(), seqs };
        reader.queue.mark(&[place], Mark::Cleared).unwrap();
        reader.queue.commit().unwrap().is_littered
    };
    assert!(!clear(&mut reader, 0..=count - 2));
    assert!(reader.queue.has_litter());
    assert!(clear(&mut reader, count - 1..=count - 1));
    assert!(!clear(&mut reader, 0..=0), "it is told once");
    let before = size(&reader);
    assert!(pass(&mut reader, Worth::Half, Intent::Free) > before / 2);
    assert!(size(&reader) < count * 45);
}

/// A sends one message that expires in 5 ms, one in an hour, and one that never does.
fn send_expiring(author: &mut Node, reader: &Node) {
    for (text, end) in [("soon", Some(5)), ("later", Some(3_600_000)), ("never", None)] {
        let draft = author.draft(reader.id(), text.as_bytes());
        let not_after = end.map(|end| UnixMs(NOW.0 + end));
        author.queue.send(Draft { not_after, ..draft }).unwrap();
    }
    author.queue.commit().unwrap();
}

/// A day of uptime, all of it at one time of the clock.
fn pass_day(node: &mut Node, now: u64) {
    node.queue.pass_time(UnixMs(now), LAPSE_UPTIME_MS);
    node.queue.commit().unwrap();
}

#[test]
fn what_expired_a_day_ago_unread_is_rejected_and_goes_on_both_sides() {
    let (mut author, mut reader) = author_and_reader();
    send_expiring(&mut author, &reader);
    reader.receive_all(&mut author);
    for node in [&mut author, &mut reader] {
        assert_eq!(pass(node, Worth::Any, Intent::Tell), 0);
        pass_day(node, NOW.0 + 5);
        node.crash();
        let told = pass(node, Worth::Any, Intent::Tell);
        assert!(told > 0);
        assert_eq!(pass(node, Worth::Any, Intent::Free), told);
        assert!(findings(node).is_empty(), "{:?}", findings(node));
    }
    assert_eq!(reader.figures(author.id()).unread, 2);
    assert_eq!(reader.take(1, 9), [1, 2]);
    // The author hears of what was not read, and whoever comes later gets its hash.
    acknowledge(&mut author, &mut reader);
    assert_eq!(author.figures(reader.id()).rejected, 1);
    let mut late = Node::new(2);
    late.add(&author);
    late.receive_all(&mut author);
    assert_eq!(late.take(1, 9), [1, 2]);
}

#[test]
fn what_was_archived_before_it_expired_stays() {
    let (mut author, mut reader) = author_and_reader();
    send_expiring(&mut author, &reader);
    reader.receive_all(&mut author);
    reader.mark(author.id(), 0..=0, Mark::Archived).unwrap();
    pass_day(&mut reader, NOW.0 + 5);
    assert_eq!(pass(&mut reader, Worth::Any, Intent::Free), 0);
    let archived = reader.queue.list(ListSet::Archived, None).unwrap();
    assert_eq!(archived.items.len(), 1);
}

#[test]
fn a_long_body_that_lapses_goes_with_its_chunks() {
    let (mut author, mut reader) = author_and_reader();
    let chunks = |node: &Node| node.store.scan(&[0x80]..&[0x81]).count();
    let draft = author.draft(reader.id(), b"its hash is not looked at here");
    author.queue.stage_body(&draft.salt, 0, Bytes::from(vec![1; 9]));
    let (body, not_after) = (DraftBody::Staged { body_len: 5_000 }, Some(UnixMs(NOW.0 + 5)));
    author.queue.send(Draft { body, not_after, ..draft }).unwrap();
    author.queue.commit().unwrap();
    reader.receive_all(&mut author);
    assert_eq!(chunks(&author), 1);
    for node in [&mut author, &mut reader] {
        pass_day(node, NOW.0 + 5);
        assert!(pass(node, Worth::Any, Intent::Free) > 0);
    }
    assert_eq!(chunks(&author), 0);
    // Its body, which was never fetched, is not waited for any more.
    assert_eq!(reader.figures(author.id()).unread, 0);
    assert!(findings(&reader).is_empty(), "{:?}", findings(&reader));
}
