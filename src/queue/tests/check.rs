//! A check of a whole store: silent on a sound one, and naming each damaged row's part.

use super::forks::{meet, readers};
use super::long_bodies::{hold, reader_of_long, send_long};
use super::*;
use crate::limits::BODY_CHUNK_SIZE;
use crate::queue::check::{CheckObserver, Fault, Finding, Part, Remedy, check};
use crate::sync::body::Progress;

/// What a check saw.
#[derive(Debug, Default)]
struct Report {
    entries: u64,
    findings: Vec<Finding>,
}

impl CheckObserver for Report {
    fn checked(&mut self) {
        self.entries += 1;
    }

    fn found(&mut self, finding: Finding) {
        self.findings.push(finding);
    }
}

fn report(node: &Node) -> Report {
    let mut report = Report::default();
    check(&*node.store, &node.id(), &mut report).unwrap();
    report
}

/// What a check finds.
pub(super) fn findings(node: &Node) -> Vec<Finding> {
    report(node).findings
}

/// An author and a reader after marks of each kind and receipts, both in order.
pub(super) fn settled_pair() -> (Node, Node) {
    let (mut author, mut reader) = author_and_reader();
    for start in (0..120).step_by(40) {
        author.send_numbers(reader.id(), start..start + 40);
    }
    reader.receive_all(&mut author);
    reader.mark(author.id(), 0..=59, Mark::Archived).unwrap();
    reader.mark(author.id(), 20..=29, Mark::Cleared).unwrap();
    reader.mark(author.id(), 70..=70, Mark::Rejected).unwrap();
    let receipts = reader.queue.opening(&author.id()).unwrap().held.remove(0).receipts;
    let receipts = receipts.into_iter().map(|receipt| receipt.sign(&reader.identity)).collect();
    author.queue.acknowledge(&reader.id(), receipts).unwrap();
    author.queue.commit().unwrap();
    (author, reader)
}

/// Every row of a store.
fn rows(node: &Node) -> Vec<(Bytes, Bytes)> {
    node.store.scan(&[]..&[0xff]).map(Result::unwrap).collect()
}

fn bitmap(row: &[u8]) -> Option<roaring::RoaringBitmap> {
    roaring::RoaringBitmap::deserialize_from(row).ok()
}

fn put(node: &Node, key: &Bytes, value: Vec<u8>) {
    let mut batch = Batch::new();
    batch.put(key.clone(), value);
    node.store.commit(batch).unwrap();
}

#[test]
fn a_sound_store_has_no_findings() {
    let (author, reader) = settled_pair();
    for node in [&author, &reader] {
        let report = report(node);
        assert_eq!(report.entries, 120);
        assert!(report.findings.is_empty(), "{:?}", report.findings);
    }
}

/// The 256th block brings the outbox rows while the same step goes on with the 257th: the rows once
/// counted the first entry of that one too.
#[test]
fn outbox_rows_that_are_written_within_a_step_tell_of_no_later_entry() {
    let (mut author, reader) = author_and_reader();
    for number in 0..255 {
        author.send_numbers(reader.id(), number..number + 1);
    }
    author.send_numbers(reader.id(), 255..555);
    let report = report(&author);
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

#[test]
fn every_row_that_is_changed_or_lost_is_found() {
    let (mut author, reader) = settled_pair();
    author.queue.close().unwrap();
    author.queue = open(&author.store, &author.identity);
    for node in [&author, &reader] {
        for (key, value) in rows(node) {
            // A peer's state, quota and addresses are the user's word, which nothing can prove.
            let is_free = key[0] == 0x26 || key[0] == 0x00;
            for place in 0..value.len() {
                let mut changed = value.to_vec();
                changed[place] ^= 0x40;
                let is_idle = match key[0] {
                    // One set of messages is as sound as another.
                    0x23 => true,
                    // Not every byte of a bitmap says something that its others do not.
                    0x24 => bitmap(&changed) == bitmap(&value),
                    // Bounds may lie lower than they could.
                    0x27 => value.len() - place <= 3,
                    0x2a => value.len() - place == 5 || value.len() - place == 4,
                    _ => false,
                };
                if is_free || is_idle || place % 61 > 1 && place + 9 < value.len() {
                    continue;
                }
                put(node, &key, changed);
                let found = report(node).findings;
                assert!(!found.is_empty(), "{key:02x?} changed at {place} of {}", value.len());
            }
            let mut batch = Batch::new();
            batch.remove(key.clone());
            node.store.commit(batch).unwrap();
            // Of the receipts the newest few are kept anyway.
            let may_go = is_free || key[0] == 0x25;
            assert!(may_go || !report(node).findings.is_empty(), "{key:02x?} lost");
            put(node, &key, value.to_vec());
        }
        assert!(report(node).findings.is_empty());
    }
}

#[test]
fn a_finding_names_the_part_and_what_a_repair_would_do() {
    let (author, reader) = settled_pair();
    let epoch = author.queue.epoch();
    let (key, _) = rows(&reader).into_iter().find(|(key, _)| key[0] == 0x27).unwrap();
    put(&reader, &key, vec![1, 0, 0, 0, 0, 0, 0, 0]);
    let found = report(&reader).findings;
    let [finding] = &found[..] else { panic!("{found:?}") };
    assert_eq!(finding.part, Part::Received { from: author.id(), epoch });
    assert!(matches!(finding.fault, Fault::Tally));
    assert_eq!(finding.remedy(), Remedy::Rebuild);
    let (key, _) = rows(&author).into_iter().find(|(key, _)| key[0] == 0x70).unwrap();
    put(&author, &key, vec![1; 9]);
    let found = report(&author).findings;
    assert_eq!(found[0].part, Part::Log { epoch });
    assert_eq!(found[0].remedy(), Remedy::NewEpoch);
    assert_eq!(
        found[0].to_string(),
        format!(
            "own log {epoch}: expected a block of 40 bytes, got 9; repair would set the log aside \
             and begin a new one"
        )
    );
}

/// Checks and repairs a node whose queue is closed; returns what was set aside.
fn mend(node: &mut Node) -> Vec<Bytes> {
    let findings = report(node).findings;
    let repair = Repair::plan(&*node.store, &node.id(), &findings).unwrap();
    let aside = repair.aside().to_vec();
    repair.apply(&*node.store, NOW).unwrap();
    let left = report(node).findings;
    assert!(left.is_empty(), "{left:?}");
    node.crash();
    aside
}

fn first_row(node: &Node, prefix: u8) -> Bytes {
    rows(node).into_iter().find(|(key, _)| key[0] == prefix).unwrap().0
}

#[test]
fn messages_that_were_lost_come_again_and_what_was_marked_stays_marked() {
    let (mut author, mut reader) = settled_pair();
    let before = reader.figures(author.id());
    let row = first_row(&reader, 0x71);
    put(&reader, &row, vec![1; 9]);
    assert!(mend(&mut reader).contains(&row));
    assert_eq!(reader.figures(author.id()).unread, 0);
    reader.receive_all(&mut author);
    assert_eq!(reader.figures(author.id()), before);
    let expected: Vec<_> = (60..120).filter(|seq| *seq != 70).collect();
    assert_eq!(reader.take(1, 200), expected);
    assert!(report(&reader).findings.is_empty());
}

#[test]
fn what_only_the_tally_tells_archived_stays_so_when_it_goes() {
    let (mut author, mut reader) = author_and_reader();
    author.send_numbers(reader.id(), 0..9);
    author.queue.commit().unwrap();
    reader.receive_all(&mut author);
    reader.mark(author.id(), 0..=2, Mark::Archived).unwrap();
    let row = first_row(&reader, 0x71);
    put(&reader, &row, vec![1; 9]);
    let tally = first_row(&reader, 0x27);
    assert!(mend(&mut reader).contains(&tally));
    reader.receive_all(&mut author);
    assert_eq!(reader.take(1, 20), (3..9).collect::<Vec<_>>());
}

#[test]
fn an_index_and_counts_are_made_again() {
    let (mut author, mut reader) = settled_pair();
    let key = first_row(&reader, 0x27);
    let before = reader.store.get(&key).unwrap();
    let unread = reader.figures(author.id()).unread;
    put(&reader, &key, vec![1, 0, 0, 0, 0, 0, 0, 0]);
    assert!(mend(&mut reader).is_empty());
    assert_eq!(reader.figures(author.id()).unread, unread);
    assert!(before.is_some());

    std::mem::replace(&mut author.queue, open(&Arc::default(), &author.identity)).close().unwrap();
    let key = first_row(&author, 0x11);
    put(&author, &key, vec![7; 24]);
    assert_eq!(mend(&mut author).len(), 2);
    assert_eq!(author.send(reader.id(), b"next").seq, Seq(120));
}

#[test]
fn facts_about_lives_that_are_lost_or_changed_are_found_and_mended() {
    let (mut author, _) = settled_pair();
    let epoch = author.queue.epoch();
    for (name, row) in
        [("lives", vec![9]), ("earlier", vec![]), ("lapse", vec![1, 1]), ("epoch", vec![1])]
    {
        put(&author, &layout::meta(name), row);
        let found = findings(&author);
        let [finding] = &found[..] else { panic!("{found:?}") };
        assert_eq!(finding.part, Part::Node);
        assert_eq!(mend(&mut author), [layout::meta(name)]);
        assert_eq!(author.queue.epoch(), epoch);
    }
    let mut batch = Batch::new();
    batch.remove(layout::meta("epoch"));
    author.store.commit(batch).unwrap();
    assert!(matches!(findings(&author)[..], [Finding { fault: Fault::Epoch, .. }]));
    mend(&mut author);
    assert_eq!(author.queue.epoch(), epoch);
}

#[test]
fn a_damaged_log_is_set_aside_and_a_later_one_begins() {
    let (mut author, reader) = settled_pair();
    let epoch = author.queue.epoch();
    let key = first_row(&author, 0x70);
    put(&author, &key, vec![1; 9]);
    assert!(mend(&mut author).contains(&key));
    assert!(author.queue.epoch() > epoch);
    assert_eq!(author.send(reader.id(), b"first").seq, Seq(0));
    author.queue.commit().unwrap();
}

/// A store that takes so many commits more.
#[derive(Debug)]
struct Dying(Arc<MemoryStore>, std::sync::atomic::AtomicUsize);

impl Store for Dying {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.0.get(key)
    }

    fn scan(&self, range: std::ops::Range<&[u8]>) -> Scan<'_> {
        self.0.scan(range)
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        use std::sync::atomic::Ordering::SeqCst;
        let left = self.1.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1));
        left.map_err(|_| StoreError::Poisoned)?;
        self.0.commit(batch)
    }
}

#[test]
fn a_repair_that_is_cut_off_leaves_no_empty_log_under_the_old_epoch() {
    for commit_count in 0..4 {
        let (mut author, _) = settled_pair();
        let epoch = author.queue.epoch();
        let key = first_row(&author, 0x70);
        put(&author, &key, vec![1; 9]);
        let repair = Repair::plan(&*author.store, &author.id(), &findings(&author)).unwrap();
        let dying = Dying(Arc::clone(&author.store), commit_count.into());
        let ended = repair.apply(&dying, NOW);
        assert!(ended.is_ok() || commit_count < 3);
        if findings(&author).is_empty() {
            author.crash();
            assert!(author.queue.epoch() > epoch, "after {commit_count} commits");
        }
    }
}

#[test]
fn chunks_of_no_message_are_found_and_set_aside() {
    let (mut author, reader) = author_and_reader();
    let stray = [0, 1].map(|number| layout::own_chunk(&Salt([9; 16]), number));
    stray.iter().for_each(|key| put(&author, key, vec![7; 100]));
    let found = findings(&author);
    let [Finding { part: Part::Bodies, fault: Fault::Unowned, .. }] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(mend(&mut author), stray);
    assert!(findings(&author).is_empty());
    // Those of a message on its way belong to it in a moment.
    author.queue.stage_body(&Salt([8; 16]), 0, Bytes::from(vec![1; 9]));
    author.send(reader.id(), b"short");
    author.queue.commit().unwrap();
    assert!(findings(&author).is_empty(), "{:?}", findings(&author));
}

#[test]
fn the_row_of_a_long_body_that_is_held_in_part_is_looked_at() {
    let (author, mut reader) = reader_of_long();
    hold(&author, &mut reader, 1, 0, &[BODY_CHUNK_SIZE], Progress::More).unwrap();
    assert!(findings(&reader).is_empty());
    let row = first_row(&reader, 0x28);
    put(&reader, &row, vec![9; 3]);
    let found = findings(&reader);
    assert!(matches!(&found[..], [Finding { fault: Fault::Body(1), .. }]), "{found:?}");
    assert!(mend(&mut reader).contains(&row));
}

#[test]
fn the_long_bodies_of_a_log_are_set_aside_with_it() {
    let (mut author, mut reader) = author_and_reader();
    send_long(&mut author, reader.id(), 5_000);
    author.queue.commit().unwrap();
    author.send_numbers(reader.id(), 0..9);
    reader.receive_all(&mut author);
    let chunks = |node: &Node| {
        let keys = rows(node).into_iter().map(|(key, _)| key);
        keys.filter(|key| key[0] == 0x80).collect::<Vec<_>>()
    };
    let [chunk] = &chunks(&author)[..] else { panic!("one chunk holds the body") };
    let damaged = rows(&author).into_iter().rfind(|(key, _)| key[0] == 0x70).unwrap().0;
    put(&author, &damaged, vec![1; 9]);
    assert!(mend(&mut author).contains(chunk));
    assert!(chunks(&author).is_empty());
}

#[test]
fn a_proof_of_a_fork_and_heads_to_reach_that_do_not_hold_are_set_aside_alone() {
    for (lengths, prefix) in [((1, 1), 0x30), ((1, 3), 0x31)] {
        let ([mut author, _], b, c) = readers(lengths.0, lengths.1);
        let (mut reader, _) = meet(b, c);
        assert!(report(&reader).findings.is_empty());
        let key = first_row(&reader, prefix);
        let mut changed = reader.store.get(&key).unwrap().unwrap().to_vec();
        let signature = changed.len() - 10;
        changed[signature] ^= 1;
        put(&reader, &key, changed);
        let found = report(&reader).findings;
        assert_eq!((found[0].part, found.len()), (Part::Forks, 1), "{found:?}");
        assert_eq!(mend(&mut reader), [key]);
        author.send_numbers(reader.id(), 1..9);
        let (_, mut reader) = meet(author, reader);
        assert_eq!(reader.take(1, 20).len(), 9, "the log is followed again");
    }
}
