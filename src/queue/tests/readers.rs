//! Readers: competing, in order, fair, and never given what another has.

use super::*;

#[test]
fn two_readers_share_what_is_unread_and_inherit_from_one_another() {
    let (mut author, mut reader) = author_and_reader();
    let from = author.id();
    author.send_numbers(reader.id(), 0..600);
    reader.receive_all(&mut author);
    assert_eq!(reader.take(1, 300), (0..300).collect::<Vec<_>>());
    assert_eq!(reader.take(2, 300), (300..600).collect::<Vec<_>>());
    assert_eq!(reader.take(1, 300), [0; 0]);
    reader.mark(from, 0..=9, Mark::Archived).unwrap();
    reader.mark(from, 295..=304, Mark::Cleared).unwrap();
    reader.queue.release(ReaderId(1));
    assert_eq!(reader.take(2, 300), (10..295).collect::<Vec<_>>());
    reader.queue.release(ReaderId(2));
    let all: Vec<_> = (10..295).chain(305..600).collect();
    assert_eq!(reader.take(3, 1_000), all);
}

#[test]
fn a_mark_that_changes_nothing_takes_nothing_from_a_reader() {
    let (mut author, mut reader) = author_and_reader();
    author.send_numbers(reader.id(), 0..3);
    reader.receive_all(&mut author);
    assert_eq!(reader.take(1, 9), [0, 1, 2]);
    // Its body is here, so it cannot be gone, and is still with its reader.
    reader.queue.mark_gone(&author.id(), author.queue.epoch(), Seq(0)).unwrap();
    reader.queue.commit().unwrap();
    reader.mark(author.id(), 1..=2, Mark::Archived).unwrap();
    assert_eq!(reader.take(2, 9), [0_u64; 0]);
    reader.queue.release(ReaderId(1));
    assert_eq!(reader.take(2, 9), [0]);
}

#[test]
fn authors_take_turns() {
    let mut reader = Node::new(9);
    let mut authors = [1, 2, 3].map(Node::new);
    for author in &mut authors {
        reader.add(author);
        author.send_numbers(reader.id(), 0..10);
        reader.receive_all(author);
    }
    let budget = TakeBudget { count: 4, size: usize::MAX };
    let mut turns = Vec::new();
    loop {
        let offers = reader.queue.take(ReaderId(1), budget, NOW).unwrap();
        if offers.is_empty() {
            break;
        }
        assert!(offers.len() <= 4);
        turns.extend(offers.into_iter().map(|offer| (offer.from, offer.seq.0)));
    }
    for author in &authors {
        let own = turns.iter().filter(|(from, _)| *from == author.id()).map(|(_, seq)| *seq);
        assert_eq!(own.collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
        let first = turns.iter().position(|(from, _)| *from == author.id()).unwrap();
        assert!(first <= 8, "each author has its turn within one round");
    }
}

#[test]
fn a_budget_is_kept_and_passed_by_at_most_the_first() {
    let (mut author, mut reader) = author_and_reader();
    for size in [3_000, 3_000, 100, 4_000] {
        author.send(reader.id(), &vec![1; size]);
    }
    author.queue.commit().unwrap();
    reader.receive_all(&mut author);
    let mut take = |size| {
        let budget = TakeBudget { count: 9, size };
        seqs(&reader.queue.take(ReaderId(1), budget, NOW).unwrap())
    };
    assert_eq!(take(10), [0]);
    assert_eq!(take(3_100), [1, 2]);
    assert_eq!(take(3_100), [3]);
    assert_eq!(take(3_100), [0; 0]);
}

#[test]
fn an_expired_message_is_not_offered_and_stays() {
    let (mut author, mut reader) = author_and_reader();
    let draft = author.draft(reader.id(), b"short-lived");
    author.queue.send(Draft { not_after: Some(UnixMs(NOW.0 + 5)), ..draft }).unwrap();
    author.send(reader.id(), b"lasting");
    author.queue.commit().unwrap();
    reader.receive_all(&mut author);
    let take = |reader: &mut Node, now| {
        seqs(&reader.queue.take(ReaderId(1), EVERYTHING, UnixMs(now)).unwrap())
    };
    assert_eq!(take(&mut reader, NOW.0 + 5), [1]);
    reader.crash();
    assert_eq!(take(&mut reader, NOW.0 + 4), [0, 1]);
}

#[test]
fn what_comes_later_is_offered_after_what_was_there() {
    let (mut author, mut reader) = author_and_reader();
    author.send_numbers(reader.id(), 0..3);
    reader.receive_all(&mut author);
    assert_eq!(reader.take(1, 2), [0, 1]);
    author.send_numbers(reader.id(), 3..5);
    let group = reader.next_group(&mut author).unwrap();
    reader.queue.receive(&author.id(), &group).unwrap();
    let changes = reader.queue.commit().unwrap();
    assert_eq!(changes.unread, [author.id()]);
    assert_eq!(changes.marked, [(author.id(), author.queue.epoch())]);
    assert_eq!(reader.take(1, 9), [2, 3, 4]);
}

#[test]
fn an_offer_carries_what_the_author_wrote() {
    let (mut author, mut reader) = author_and_reader();
    author.send(Node::new(7).id(), b"for another");
    author.send(reader.id(), b"for the reader");
    author.queue.commit().unwrap();
    reader.receive_all(&mut author);
    let [offer] = &reader.queue.take(ReaderId(1), EVERYTHING, NOW).unwrap()[..] else {
        panic!("one message is for the reader")
    };
    assert_eq!((offer.from, offer.epoch), (author.id(), author.queue.epoch()));
    assert_eq!((offer.seq, offer.index), (Seq(0), crate::types::Index(1)));
    assert!(offer.is_first_life);
    assert_eq!(offer.body, OfferBody::Inline(Bytes::from_static(b"for the reader")));
    assert_eq!(offer.time(), NOW);
    assert_eq!(reader.queue.offer(&author.id(), None, Seq(0)).unwrap(), Some(offer.clone()));
    assert_eq!(reader.queue.offer(&author.id(), None, Seq(1)).unwrap(), None);
    assert_eq!(reader.queue.offer(&author.id(), Some(Epoch(1)), Seq(0)).unwrap(), None);
    reader.mark(author.id(), 0..=0, Mark::Archived).unwrap();
    assert!(reader.queue.offer(&author.id(), None, Seq(0)).unwrap().is_some());
    reader.mark(author.id(), 0..=0, Mark::Cleared).unwrap();
    assert_eq!(reader.queue.offer(&author.id(), None, Seq(0)).unwrap(), None);
}
