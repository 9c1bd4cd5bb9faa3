//! Messages and acknowledgements between two nodes in session.

use super::pair::Pair;
use super::*;
use crate::limits::DIVERGED_COUNT_MAX;
use crate::sync::{Misbehaviour, Receipt, Refusal};

fn pair() -> Pair {
    Pair::of([Node::new(1), Node::new(2)])
}

fn acked(node: &mut Node, to: Id) -> AckedSets {
    let epoch = node.queue.epoch();
    node.queue.acked(&to, epoch).unwrap()
}

#[test]
fn messages_go_both_ways_and_their_acknowledgements_come_back() {
    let mut pair = pair();
    let [a, b] = [pair.nodes[0].id(), pair.nodes[1].id()];
    for number in 0..300_u64 {
        pair.nodes[0].send(b, &number.to_be_bytes());
        pair.nodes[1].send(a, &[7]);
    }
    for node in &mut pair.nodes {
        node.queue.commit().unwrap();
    }
    pair.run().unwrap();
    for (side, other) in [(0, b), (1, a)] {
        let acked = acked(&mut pair.nodes[side], other);
        assert_eq!(acked.stored, Ranges::below(300));
        assert!(acked.archived.is_empty() && acked.rejected.is_empty());
        assert_eq!(pair.nodes[side].take(1, 1_000), (0..300).collect::<Vec<_>>());
    }
    let from = a;
    let epoch = pair.nodes[0].queue.epoch();
    pair.nodes[1].queue.mark(&[Place { from, epoch, seqs: 0..=9 }], Mark::Archived).unwrap();
    pair.nodes[1].queue.mark(&[Place { from, epoch, seqs: 20..=29 }], Mark::Cleared).unwrap();
    pair.nodes[1].queue.reject(&from, epoch, Seq(15)).unwrap();
    pair.commit(1).unwrap();
    let now = acked(&mut pair.nodes[0], b);
    assert_eq!(now.archived.iter().collect::<Vec<_>>(), [0..10, 20..30]);
    assert_eq!(now.rejected, run(15..16));
    pair.nodes[0].crash();
    assert_eq!(acked(&mut pair.nodes[0], b), now, "acknowledgements survive a crash");
    let figures = pair.nodes[0].figures(b);
    assert_eq!(
        (figures.sent, figures.stored, figures.archived, figures.rejected),
        (300, 300, 20, 1)
    );
    assert_eq!((figures.unread, figures.added), (300, true));
    assert_eq!(figures.position, [(pair.nodes[1].queue.epoch(), 300)]);
}

#[test]
fn a_session_goes_on_where_the_last_one_was_cut() {
    let mut pair = pair();
    let b = pair.nodes[1].id();
    pair.nodes[0].send_numbers(b, 0..10);
    pair.run().unwrap();
    pair.nodes[0].send_numbers(b, 10..20);
    for node in &mut pair.nodes {
        node.crash();
    }
    pair.reconnect();
    pair.run().unwrap();
    assert_eq!(pair.nodes[1].take(1, 100), (0..20).collect::<Vec<_>>());
    assert_eq!(acked(&mut pair.nodes[0], b).stored, Ranges::below(20));
}

#[test]
fn sets_in_many_pieces_are_told_in_windows_and_arrive_whole() {
    let mut pair = pair();
    let [a, b] = [pair.nodes[0].id(), pair.nodes[1].id()];
    // 18 receipts of 256 ranges: more than one reading gives.
    for start in (0..9_000).step_by(250) {
        pair.nodes[0].send_numbers(b, start..start + 250);
    }
    pair.run().unwrap();
    let epoch = pair.nodes[0].queue.epoch();
    let mut marked = Ranges::new();
    for seq in (0..9_000).step_by(2) {
        marked.insert(seq..seq + 1);
        let place = Place { from: a, epoch, seqs: seq..=seq };
        pair.nodes[1].queue.mark(&[place], Mark::Archived).unwrap();
    }
    pair.commit(1).unwrap();
    assert_eq!(acked(&mut pair.nodes[0], b).archived, marked);
    // One more mark in the middle is told in one window.
    let place = Place { from: a, epoch, seqs: 1_501..=1_501 };
    pair.nodes[1].queue.mark(&[place], Mark::Archived).unwrap();
    pair.nodes[1].queue.commit().unwrap();
    let due = pair.nodes[1].queue.receipts(&a, epoch).unwrap().receipts;
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].window.start, 1_501);
    assert_eq!(pair.nodes[1].queue.receipts(&a, epoch).unwrap().receipts, []);
    // A new session tells everything again.
    pair.reconnect();
    pair.run().unwrap();
    marked.insert(1_501..1_502);
    assert_eq!(acked(&mut pair.nodes[0], b).archived, marked);
    // The newest receipts are kept, for a recipient that lost its store.
    let kept = pair.nodes[0].queue.opening(&b).unwrap().receipts;
    assert!(kept.len() > 1 && kept.len() <= 64);
    pair.nodes[0].crash();
    assert_eq!(pair.nodes[0].queue.opening(&b).unwrap().receipts, kept);
}

/// The reader's receipt, changed before it is signed.
fn forged(
    author: &mut Node,
    reader: &mut Node,
    change: impl Fn(&mut Receipt),
) -> Result<Acknowledged, QueueError> {
    let mut receipt = reader.queue.opening(&author.id()).unwrap().held.remove(0).receipts.remove(0);
    change(&mut receipt);
    author.queue.acknowledge(&reader.id(), vec![receipt.sign(&reader.identity)])
}

#[test]
fn a_receipt_for_what_was_never_written_is_refused() {
    let (mut author, mut reader) = author_and_reader();
    author.send_numbers(reader.id(), 0..3);
    reader.receive_all(&mut author);
    let refused = forged(&mut author, &mut reader, |receipt| receipt.seen = 4);
    let beyond = Misbehaviour::ReceiptBeyond { length: 3, seen: 4 };
    match refused {
        Err(QueueError::Refused(refusal)) => assert_eq!(refusal, Refusal::Misbehaved(beyond)),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn a_recipient_whose_receipts_speak_of_other_entries_again_and_again_is_listened_to_no_more() {
    let (mut author, mut reader) = author_and_reader();
    author.send_numbers(reader.id(), 0..3);
    reader.receive_all(&mut author);
    for _ in 0..DIVERGED_COUNT_MAX {
        let other = |receipt: &mut Receipt| receipt.inbox.0[0] ^= 1;
        assert_eq!(forged(&mut author, &mut reader, other).unwrap(), Acknowledged::Diverged);
    }
    assert_eq!(forged(&mut author, &mut reader, |_| ()).unwrap(), Acknowledged::Diverged);
    assert!(acked(&mut author, reader.id()).stored.is_empty());
}

#[test]
fn nothing_is_taken_from_a_receipt_for_other_entries() {
    let (mut author, mut reader) = author_and_reader();
    author.send_numbers(reader.id(), 0..3);
    reader.receive_all(&mut author);
    let other = |receipt: &mut Receipt| receipt.inbox.0[0] ^= 1;
    assert_eq!(forged(&mut author, &mut reader, other).unwrap(), Acknowledged::Diverged);
    author.queue.commit().unwrap();
    assert!(acked(&mut author, reader.id()).stored.is_empty());
    assert_eq!(author.queue.opening(&reader.id()).unwrap().receipts, []);
    assert_eq!(forged(&mut author, &mut reader, |_| ()).unwrap(), Acknowledged::Merged);
    assert_eq!(author.queue.commit().unwrap().acked, [reader.id()]);
    assert_eq!(forged(&mut author, &mut reader, |_| ()).unwrap(), Acknowledged::Merged);
    assert!(author.queue.commit().unwrap().acked.is_empty(), "it says nothing new");
    // Word for word the same costs no commit.
    let size = author.queue.staged_size();
    assert_eq!(forged(&mut author, &mut reader, |_| ()).unwrap(), Acknowledged::Merged);
    assert_eq!(author.queue.staged_size(), size);
    // An older one, late, takes nothing back.
    let older = |receipt: &mut Receipt| (receipt.seen, receipt.stored.below) = (1, 1);
    assert_eq!(forged(&mut author, &mut reader, older).unwrap(), Acknowledged::Merged);
    assert_eq!(acked(&mut author, reader.id()).stored, Ranges::below(3));
}
