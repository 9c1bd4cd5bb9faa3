//! Stores that were set back, what peers give back to them, and new lives.

use super::check::findings;
use super::long_bodies::{hold, send_long};
use super::*;
use crate::log::{Announcement, Item, Tip};
use crate::sync::Returned;
use crate::sync::body::Progress;

const SALT: Salt = Salt([5; 16]);

/// A head of this node's log as a peer shows it.
fn shown(node: &Node, tip: Tip) -> Returned {
    let Tip { epoch, length, root } = tip;
    let head = Head { author: node.id(), epoch, length, root };
    Returned { heads: vec![head], receipts: Vec::new() }
}

#[test]
fn a_peer_that_holds_more_than_the_store_makes_it_stale() {
    let (mut author, mut reader) = author_and_reader();
    author.send_numbers(reader.id(), 0..3);
    let ahead = author.queue.tip();
    let mut restored = Node::new(1);
    restored.send_numbers(reader.id(), 0..1);
    let stored = restored.queue.tip();
    restored.queue.recall(&reader.id(), &shown(&restored, ahead)).unwrap();
    let changes = restored.queue.commit().unwrap();
    let stale = Stale::Outrun { signed: ahead, stored };
    assert_eq!((restored.queue.stale(), changes.stale), (Some(stale), Some(stale)));
    assert_eq!(restored.queue.take_shown(), Some(ahead));

    let draft = restored.draft(reader.id(), b"more");
    let refused = restored.queue.send(draft);
    assert!(matches!(refused, Err(QueueError::Stale(told)) if told == stale));
    let chunk = restored.queue.chunk(&reader.id(), stored.epoch, 0, &[], usize::MAX).unwrap();
    assert!(chunk.is_none(), "what is not read is not signed");
    // It goes on reading and receiving.
    restored.add(&reader);
    reader.send_numbers(restored.id(), 0..2);
    restored.receive_all(&mut reader);
    assert_eq!(restored.take(1, 9), [0, 1]);
}

#[test]
fn what_a_peer_holds_is_heard_though_the_store_is_known_to_be_a_copy() {
    let (mut author, reader) = author_and_reader();
    author.send_numbers(reader.id(), 0..3);
    let [known, newer] = [1, 2].map(|_| {
        author.send_numbers(reader.id(), 3..4);
        author.queue.tip()
    });
    for stale in [Stale::Copied, Stale::Unmarked] {
        let mut copied = Node::new(1);
        copied.send_numbers(reader.id(), 0..1);
        let stored = copied.queue.tip();
        copied.queue.suspend(stale);
        copied.queue.recall(&reader.id(), &shown(&copied, stored)).unwrap();
        assert_eq!(copied.queue.stale(), Some(stale), "the store has that");
        copied.queue.recall(&reader.id(), &shown(&copied, known)).unwrap();
        let told = Stale::Behind { signed: known, stored };
        assert_eq!(copied.queue.stale(), Some(told));
        assert!(!told.ends_by_word());
        assert_eq!(copied.queue.take_shown(), Some(known));
        // It was written to no more: what it still has to deliver is of the one version.
        let life = copied.queue.begin_life(NOW, SALT).unwrap();
        assert_eq!((life.earlier, life.serving), (known, Serving::Goes));
    }
    let mut behind = Node::new(1);
    let stored = behind.queue.tip();
    behind.queue.suspend(Stale::Behind { signed: known, stored });
    behind.queue.recall(&reader.id(), &shown(&behind, known)).unwrap();
    assert_eq!(behind.queue.stale(), Some(Stale::Behind { signed: known, stored }));
    for tip in [newer, known] {
        behind.queue.recall(&reader.id(), &shown(&behind, tip)).unwrap();
        assert_eq!(behind.queue.stale(), Some(Stale::Behind { signed: newer, stored }));
    }
}

#[test]
fn another_root_is_a_fork_and_the_same_root_is_nothing() {
    let mut author = Node::new(1);
    let to = Node::new(2).id();
    author.send_numbers(to, 0..3);
    let stored = author.queue.tip();
    author.queue.recall(&to, &shown(&author, stored)).unwrap();
    assert_eq!(author.queue.stale(), None);
    let signed = Tip { length: 2, root: stored.root, ..stored };
    author.queue.recall(&to, &shown(&author, signed)).unwrap();
    let Some(Stale::Forked { signed: told, stored: ours }) = author.queue.stale() else {
        panic!("expected a fork, got {:?}", author.queue.stale())
    };
    assert_eq!((told, ours.length), (signed, 2));
    assert_ne!(ours.root, signed.root);
}

#[test]
fn an_unknown_earlier_life_is_remembered_and_told_in_the_next() {
    let mut author = Node::new(1);
    let to = Node::new(2).id();
    let epoch = Epoch(author.queue.epoch().0 - 5);
    let lost = Tip { length: 7, ..Tip::start(epoch) };
    // Of several the newest, whether one peer shows them or two before the next commit.
    let older = |by| shown(&author, Tip { length: 9, ..Tip::start(Epoch(epoch.0 - by)) });
    let mut returned = shown(&author, lost);
    returned.heads.extend(older(1).heads);
    let other = older(2);
    author.queue.recall(&to, &returned).unwrap();
    author.queue.recall(&to, &other).unwrap();
    author.queue.commit().unwrap();
    assert_eq!(author.queue.stale(), None);
    author.crash();
    let life = author.queue.begin_life(NOW, SALT).unwrap();
    assert_eq!((life.earlier, life.tip.length), (lost, 1));
    assert_eq!(life.tip.epoch, Epoch(epoch.0 + 6));
}

#[test]
fn a_new_life_tells_everyone_where_the_last_ended_and_the_last_is_served_on() {
    let (mut author, reader) = author_and_reader();
    author.send_numbers(reader.id(), 0..3);
    let first = author.queue.tip();
    author.queue.suspend(Stale::Copied);
    let life = author.queue.begin_life(NOW, SALT).unwrap();
    assert_eq!((life.earlier, life.serving), (first, Serving::Goes));
    assert_eq!(life.tip.epoch, Epoch(first.epoch.0 + 1));
    author.crash();
    assert_eq!((author.queue.tip(), author.queue.stale()), (life.tip, None));
    author.send_numbers(reader.id(), 0..2);

    let lives: Vec<_> = author.queue.opening(&reader.id()).unwrap().lives;
    assert_eq!(
        lives.iter().map(|life| life.epoch).collect::<Vec<_>>(),
        [life.tip.epoch, first.epoch]
    );
    for epoch in [first.epoch, life.tip.epoch] {
        let chunk = author.queue.chunk(&reader.id(), epoch, 0, &[], usize::MAX).unwrap().unwrap();
        assert_eq!(chunk.to, 3);
    }
    let told = author.queue.chunk(&reader.id(), life.tip.epoch, 0, &[], usize::MAX).unwrap();
    let Item::Entry { header, body } = &told.unwrap().items[0] else {
        panic!("expected the announcement")
    };
    let header = Header::decode(header).unwrap();
    let told = Announcement::read(&header, body.as_ref().unwrap());
    assert_eq!(told, Some(Announcement::EarlierLife(first)));
    // Both lives are listed, and both are acknowledged.
    let listed = author.queue.list(ListSet::Sent, None).unwrap();
    assert_eq!(listed.items.len(), 5);
    assert_eq!(author.figures(reader.id()).sent, 5);
}

#[test]
fn a_life_of_which_another_version_was_signed_is_not_served() {
    let (mut author, reader) = author_and_reader();
    author.send_numbers(reader.id(), 0..3);
    let stored = author.queue.tip();
    let signed = Tip { length: 9, ..stored };
    author.queue.suspend(Stale::Outrun { signed, stored });
    let life = author.queue.begin_life(NOW, SALT).unwrap();
    assert_eq!((life.earlier, life.serving), (signed, Serving::Ends));
    let chunk = author.queue.chunk(&reader.id(), stored.epoch, 0, &[], usize::MAX).unwrap();
    assert!(chunk.is_none());
}

#[test]
fn an_ended_life_is_served_no_more_once_a_peer_shows_another_version_of_it() {
    let (mut author, reader) = author_and_reader();
    author.send_numbers(reader.id(), 0..3);
    let ended = author.queue.tip();
    author.queue.suspend(Stale::Copied);
    author.queue.begin_life(NOW, SALT).unwrap();
    author.send_numbers(reader.id(), 0..1);
    let is_served = |author: &mut Node| {
        let chunk = author.queue.chunk(&reader.id(), ended.epoch, 0, &[], usize::MAX).unwrap();
        assert_eq!(author.figures(reader.id()).sent, if chunk.is_some() { 4 } else { 1 });
        chunk.is_some()
    };
    // What it is itself, and what is longer, tell of no other version.
    for known in [ended, Tip { length: 9, ..ended }] {
        author.queue.recall(&reader.id(), &shown(&author, known)).unwrap();
        assert!(author.queue.commit().unwrap().given_up.is_empty());
        assert!(is_served(&mut author));
    }
    // Also of a peer that knows of the life after it.
    let other = Tip { length: 2, ..ended };
    let mut returned = shown(&author, author.queue.tip());
    returned.heads.extend(shown(&author, other).heads);
    author.queue.recall(&reader.id(), &returned).unwrap();
    assert_eq!(author.queue.commit().unwrap().given_up, [other]);
    assert!(!is_served(&mut author));
    author.crash();
    assert!(!is_served(&mut author));
    assert!(findings(&author).is_empty());
}

#[test]
fn a_restored_receiver_does_not_offer_again_what_it_had_archived() {
    let (mut author, mut reader) = author_and_reader();
    author.send_numbers(reader.id(), 0..4);
    reader.receive_all(&mut author);
    let old = Arc::new(copy(&reader.store));
    author.send_numbers(reader.id(), 4..8);
    reader.receive_all(&mut author);
    reader.mark(author.id(), 1..=2, Mark::Archived).unwrap();
    reader.mark(author.id(), 5..=6, Mark::Rejected).unwrap();
    reader.mark(author.id(), 7..=7, Mark::Cleared).unwrap();
    let epoch = author.queue.epoch();
    let receipts = reader.queue.receipts(&author.id(), epoch).unwrap().receipts;
    let signed: Vec<_> = receipts.into_iter().map(|it| it.sign(&reader.identity)).collect();
    author.queue.acknowledge(&reader.id(), signed).unwrap();
    author.queue.commit().unwrap();

    reader.store = old;
    reader.crash();
    let receipts = author.queue.opening(&reader.id()).unwrap().receipts;
    let returned = Returned { heads: Vec::new(), receipts };
    reader.queue.recall(&author.id(), &returned).unwrap();
    reader.queue.commit().unwrap();
    reader.receive_all(&mut author);
    assert_eq!(reader.take(1, 99), [0, 3, 4]);
    assert_eq!(reader.figures(author.id()).unread, 3);
    // What it says now is no less than what it said.
    let told = reader.queue.opening(&author.id()).unwrap().held.pop().unwrap().receipts;
    let archived = told[0].archived.to_ranges();
    assert!([1, 2, 7].into_iter().all(|seq| archived.contains(seq)));
    reader.crash();
    assert_eq!(reader.take(1, 99), [0, 3, 4]);
}

#[test]
fn a_restored_receiver_fetches_no_body_again_whose_message_it_had_archived() {
    let (mut author, mut reader) = author_and_reader();
    send_long(&mut author, reader.id(), 5_000);
    author.queue.commit().unwrap();
    reader.receive_all(&mut author);
    let old = Arc::new(copy(&reader.store));
    hold(&author, &mut reader, 0, 0, &[5_000], Progress::Whole).unwrap();
    reader.mark(author.id(), 0..=0, Mark::Archived).unwrap();
    let epoch = author.queue.epoch();
    let receipts = reader.queue.receipts(&author.id(), epoch).unwrap().receipts;
    let receipts: Vec<_> = receipts.into_iter().map(|it| it.sign(&reader.identity)).collect();

    reader.store = old;
    reader.crash();
    assert_eq!(reader.queue.wanted(&author.id()).unwrap().len(), 1);
    let returned = Returned { heads: Vec::new(), receipts };
    reader.queue.recall(&author.id(), &returned).unwrap();
    reader.queue.commit().unwrap();
    assert_eq!(reader.queue.wanted(&author.id()).unwrap(), []);
    assert!(reader.take(1, 99).is_empty());
    assert_eq!(reader.figures(author.id()).unread, 0);
    let told = reader.queue.opening(&author.id()).unwrap().held.pop().unwrap().receipts;
    assert!(told[0].archived.to_ranges().contains(0), "what it says now is what it said");
}

fn copy(store: &MemoryStore) -> MemoryStore {
    let mut batch = Batch::new();
    for pair in store.scan(&[]..&[0xff]) {
        let (key, value) = pair.unwrap();
        batch.put(key, value);
    }
    let copy = MemoryStore::new();
    copy.commit(batch).unwrap();
    copy
}
