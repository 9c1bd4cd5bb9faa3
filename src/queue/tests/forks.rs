//! Readers of an author that has two versions of its log: real sessions between real queues.
//!
//! A forked author is two nodes with one identity that were made in the same second.

use super::pair::Pair;
use super::*;
use crate::sync::Refusal;
use crate::sync::proof::Proven;

/// The two versions of one author.
fn forked_author() -> [Node; 2] {
    [Node::new(1), Node::new(1)]
}

/// Runs a session between two nodes, and gives them back.
pub(super) fn meet(one: Node, other: Node) -> (Node, Node) {
    let mut pair = Pair::of([one, other]);
    pair.run().unwrap();
    let [one, other] = pair.nodes;
    (one, other)
}

/// Two readers, of whom each has met one version of the author; so many messages for each.
pub(super) fn readers(for_b: u64, for_c: u64) -> ([Node; 2], Node, Node) {
    let [mut a, mut other_a] = forked_author();
    let (b, c) = (Node::new(2), Node::new(3));
    a.send_numbers(b.id(), 0..for_b);
    other_a.send_numbers(c.id(), 0..for_c);
    let (a, b) = meet(a, b);
    let (other_a, c) = meet(other_a, c);
    ([a, other_a], b, c)
}

fn is_frozen(reader: &Node, author: &Node) -> bool {
    let forks = reader.queue.forks();
    forks.iter().any(|fork| (fork.author(), fork.epoch()) == (author.id(), author.queue.epoch()))
}

fn checkpoints(reader: &mut Node, author: &Node) -> Vec<u64> {
    let held = reader.queue.opening(&author.id()).unwrap().held;
    held.iter().flat_map(|held| held.checkpoints.iter().map(|head| head.length)).collect()
}

#[test]
fn two_readers_of_two_versions_find_the_fork_when_they_meet() {
    let ([mut a, _], b, c) = readers(2, 2);
    let (mut b, mut c) = meet(b, c);
    for reader in [&mut b, &mut c] {
        reader.crash();
        assert!(is_frozen(reader, &a), "it is durable");
        let Proven::Fork(fork) = reader.queue.fork_proof(&a.id(), None).unwrap().verify().unwrap()
        else {
            panic!("expected a fork")
        };
        assert_eq!([fork.first().length, fork.second().length], [2, 2]);
        assert_eq!(reader.take(1, 10), [0, 1], "what is stored stays readable");
    }
    a.send_numbers(b.id(), 2..4);
    let (_, mut b) = meet(a, b);
    assert_eq!(b.figures(c.id()).unread, 0);
    assert_eq!(b.take(1, 10).len(), 0, "nothing more of it is taken in");
}

#[test]
fn two_readers_whose_lengths_never_agree_find_the_fork() {
    let ([mut a, _], b, c) = readers(2, 5);
    let (mut b, mut c) = meet(b, c);
    assert!(!is_frozen(&b, &a) && !is_frozen(&c, &a));
    b.crash();
    assert_eq!(checkpoints(&mut b, &a), [5], "what the other knows is durable");
    assert!(checkpoints(&mut c, &a).is_empty());
    // The author has 2 and then 9 entries, and never stood at 5 by itself.
    a.send_numbers(b.id(), 2..9);
    let (a, b) = meet(a, b);
    assert!(is_frozen(&b, &a));
    assert_eq!(checkpoints_in_store(&b), 0);
    let (b, c) = meet(b, c);
    assert!(is_frozen(&c, &a), "the evidence is passed on");
    assert_eq!(b.queue.forks(), c.queue.forks());
}

#[test]
fn a_fork_of_a_life_that_has_ended_is_found_though_one_reader_knows_no_other() {
    let ([a, _], b, c) = readers(1, 1);
    let mut again = later_life(&a);
    again.send_numbers(b.id(), 0..3);
    let (again, b) = meet(again, b);
    let (b, c) = meet(b, c);
    assert!(is_frozen(&b, &a) && is_frozen(&c, &a));
    assert!(!is_frozen(&b, &again));
}

#[test]
fn evidence_of_each_life_is_passed_on_though_that_of_another_is_known() {
    let ([a, _], b, c) = readers(1, 1);
    let (mut b, c) = meet(b, c);
    b.queue.acknowledge_fork(&a.id(), None).unwrap();
    b.queue.commit().unwrap();
    let [mut later, mut other] = [later_life(&a), later_life(&a)];
    let mut d = Node::new(4);
    later.send_numbers(b.id(), 0..1);
    other.send_numbers(d.id(), 0..1);
    let (_, b) = meet(later, b);
    (other, d) = meet(other, d);
    let (b, _) = meet(b, d);
    assert!(is_frozen(&b, &other));
    assert!(!is_frozen(&c, &other));
    let (b, c) = meet(b, c);
    assert_eq!(b.queue.forks().len(), 2);
    assert!(is_frozen(&c, &other));
}

/// The same author in a life that begins later, with nothing of the one before.
fn later_life(author: &Node) -> Node {
    let store = Arc::new(MemoryStore::new());
    let later = UnixMs(NOW.0 + 5_000);
    let queue = Queue::open(Box::new(Shared(Arc::clone(&store))), author.id(), later).unwrap();
    Node { identity: Arc::clone(&author.identity), store, queue, salts: 9 }
}

fn checkpoints_in_store(node: &Node) -> usize {
    node.store.scan(&[0x31][..]..&[0x32][..]).count()
}

#[test]
fn an_honest_author_leads_the_slower_reader_to_what_the_faster_one_has() {
    let mut a = Node::new(1);
    let (b, mut c) = (Node::new(2), Node::new(3));
    a.send_numbers(b.id(), 0..2);
    let (mut a, b) = meet(a, b);
    a.send_numbers(c.id(), 0..300);
    let (a, met) = meet(a, c);
    c = met;
    let (b, mut c) = meet(b, c);
    assert_eq!(checkpoints_in_store(&b), 1);
    let (a, mut b) = meet(a, b);
    assert_eq!(b.figures(a.id()).position, [(a.queue.epoch(), 302)]);
    assert_eq!(checkpoints_in_store(&b), 0);
    assert_eq!(b.take(1, 10), [0, 1]);
    assert_eq!(c.take(1, 1_000).len(), 300);
    let (b, c) = meet(b, c);
    assert!(b.queue.forks().is_empty() && c.queue.forks().is_empty());
}

#[test]
fn forks_of_lives_that_nobody_follows_keep_no_real_one_out() {
    let ([a, _], b, c) = readers(1, 1);
    let mut b = b;
    for nth in 1..=20 {
        let epoch = Epoch(a.queue.epoch().0 + nth);
        let [one, other] = [1, 2].map(|root| {
            let root = crate::crypto::hash::Hash([root; 32]);
            Head { author: a.id(), epoch, length: 5, root }.sign(&a.identity)
        });
        let evidence = crate::sync::proof::Evidence::of_heads(a.id(), one, other);
        b.queue.add_fork(&evidence.verify().unwrap());
        b.queue.commit().unwrap();
    }
    assert_eq!(b.queue.forks().len(), 16, "the author made up more lives");
    let (b, c) = meet(b, c);
    assert!(is_frozen(&b, &a) && is_frozen(&c, &a));
    assert_eq!(b.queue.forks().len(), 17);
}

#[test]
fn a_later_life_is_followed_once_the_user_knows_of_the_fork() {
    let ([a, _], b, c) = readers(1, 1);
    let (mut b, _) = meet(b, c);
    let mut again = later_life(&a);
    again.send_numbers(b.id(), 0..3);
    let (again, met) = meet(again, b);
    b = met;
    assert_eq!(b.figures(a.id()).unread, 1);
    assert!(matches!(
        b.queue.acknowledge_fork(&again.id(), Some(Epoch(1))),
        Err(QueueError::NoFork(_))
    ));
    b.queue.acknowledge_fork(&again.id(), None).unwrap();
    b.queue.commit().unwrap();
    b.crash();
    assert!(b.queue.forks().iter().all(|fork| fork.is_acknowledged));
    let (_, mut b) = meet(again, b);
    assert_eq!(b.figures(a.id()).unread, 4);
}

#[test]
fn the_store_takes_no_group_of_a_forked_log_nor_one_that_passes_a_checkpoint() {
    let ([mut a, other_a], mut b, c) = readers(1, 3);
    a.send_numbers(b.id(), 1..5);
    let group = b.next_group(&mut a).unwrap();
    let (met, _) = meet(b, c);
    b = met;
    let epoch = a.queue.epoch();
    let refused = b.queue.receive(&a.id(), &group);
    let expected = Refusal::PassesCheckpoint(epoch);
    assert!(matches!(refused, Err(QueueError::Refused(refusal)) if refusal == expected));
    let (_, mut b) = meet(a, b);
    assert!(is_frozen(&b, &other_a));
    let refused = b.queue.receive(&other_a.id(), &group);
    assert!(matches!(refused, Err(QueueError::Refused(Refusal::Forked(it))) if it == epoch));
}

#[test]
fn rows_of_forks_and_checkpoints_do_not_change() {
    let golden = include_str!("../../../tests/golden/forks.txt");
    let ([_, _], b, c) = readers(1, 1);
    let (frozen, _) = meet(b, c);
    let ([_, _], b, c) = readers(1, 3);
    let (waiting, _) = meet(b, c);
    let mut rows = String::new();
    for (node, prefix) in [(frozen, 0x30_u8), (waiting, 0x31)] {
        let pairs = node.store.scan(&[prefix][..]..&[prefix + 1][..]).map(Result::unwrap);
        for (key, row) in pairs {
            rows += &format!("{} = {}\n", hex::encode(key), hex::encode(row));
        }
    }
    assert_eq!(rows, golden);
}

#[test]
fn a_fork_s_row_that_proves_nothing_is_damage() {
    let ([_, _], b, c) = readers(1, 1);
    let (b, _) = meet(b, c);
    let (key, row) = b.store.scan(&[0x30][..]..&[0x31][..]).next().unwrap().unwrap();
    for at in 0..row.len() - 1 {
        let mut changed = row.to_vec();
        changed[at] ^= 1;
        let mut batch = Batch::new();
        batch.put(key.clone(), changed);
        b.store.commit(batch).unwrap();
        let opened = Queue::open(Box::new(Shared(Arc::clone(&b.store))), b.id(), NOW);
        assert!(matches!(opened, Err(QueueError::Damaged("a fork's row"))), "flipped at {at}");
    }
}
