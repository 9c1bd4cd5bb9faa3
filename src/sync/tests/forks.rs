//! Sessions that compare heads, reach checkpoints, and find an author with two versions.

use std::time::Duration;

use super::pair::{EPOCH, End, carry, open, settle, third};
use crate::crypto::Identity;
use crate::crypto::hash::Hash;
use crate::limits::CHECKPOINT_MS_MAX;
use crate::log::{Head, SignedHead};
use crate::sync::proof::Evidence;
use crate::sync::*;
use crate::types::{Epoch, Id, Instant, Recipient};

const BOTH: [Grant; 2] = [Grant::Receive, Grant::Receive];

fn to(id: Id) -> Recipient {
    Recipient::Peer(*id.as_bytes())
}

/// A head of the author with this seed, as it signed it.
fn head(seed: u8, length: u64, root: Hash) -> SignedHead {
    let identity = Identity::from_seed(&[seed; 32]);
    Head { author: identity.id(), epoch: EPOCH, length, root }.sign(&identity)
}

fn followed(seed: u8, head: SignedHead) -> Followed {
    let author = Identity::from_seed(&[seed; 32]).id();
    Followed { author, heads: vec![head], evidence: Vec::new() }
}

fn checkpoint(length: u64, root: Hash) -> Input {
    Input::Checkpoints { epoch: EPOCH, heads: vec![head(1, length, root)] }
}

/// A pair in session; a has written four entries, the middle two of them for b, and the chunk that
/// tells b of them is taken off the wire.
fn caught() -> ([End; 2], UnverifiedAdvance) {
    let mut ends = End::pair(BOTH);
    open(&mut ends);
    let b = ends[1].id;
    ends[0].append(&[(third(), "secret"), (to(b), "one"), (to(b), "two"), (third(), "secret")]);
    let frame = ends[0].frames.pop_back().unwrap();
    let Message::Advance(advance) = Message::decode(&frame).unwrap() else { panic!("{frame:?}") };
    (ends, advance)
}

/// How often an end was told that an author is unproven.
fn told(end: &End) -> usize {
    end.events.iter().filter(|it| matches!(it, Event::Unproven { .. })).count()
}

fn at(ms: u64) -> Instant {
    Instant(0) + Duration::from_millis(ms)
}

/// What b has become after a chunk that passes a checkpoint at 2.
fn passed(root: impl FnOnce(&[End; 2]) -> Hash) -> End {
    let (mut ends, mut advance) = caught();
    let root = root(&ends);
    ends[1].handle(checkpoint(2, root));
    advance.number = 2;
    ends[1].handle(Input::Received(Message::Advance(advance).encode()));
    ends[1].finish_writes();
    let [_, b] = ends;
    b
}

#[test]
fn heads_go_only_to_whoever_follows_the_same_log() {
    let mut ends = End::pair(BOTH);
    let root = Hash([1; 32]);
    ends[0].followed = vec![followed(3, head(3, 5, root)), followed(4, head(4, 5, root))];
    ends[1].followed = vec![followed(4, head(4, 6, root)), followed(5, head(5, 6, root))];
    open(&mut ends);
    let both = Identity::from_seed(&[4; 32]).id();
    assert_eq!(ends[0].heads, [(both, head(4, 6, root))]);
    assert_eq!(ends[1].heads, [], "the shorter one says nothing");
}

#[test]
fn a_head_that_says_no_more_than_the_last_one_is_not_looked_at_again() {
    let mut ends = End::pair(BOTH);
    let root = Hash([1; 32]);
    ends[1].followed = vec![followed(3, head(3, 5, root))];
    open(&mut ends);
    let tag = Tag::new(&[7; 32], &Identity::from_seed(&[3; 32]).id());
    let heads = |heads| Message::Heads(Heads { followed: Vec::new(), heads }).encode();
    // The last one is no signature of that author.
    let told = [head(3, 9, root), head(3, 9, root), head(3, 7, root), head(4, 8, root)];
    for head in told {
        ends[1].handle(Input::Received(heads(vec![(tag, head)])));
        ends[1].finish_writes();
    }
    assert_eq!((ends[1].heads.len(), ends[1].closed.take()), (1, None));
    let twice = vec![(tag, head(3, 9, root)); 2];
    ends[1].handle(Input::Received(heads(twice)));
    assert_eq!(ends[1].closed, Some(Reason::Failed(Misbehaviour::Repeated(Kind::Heads).into())));
}

#[test]
fn a_head_of_another_signer_ends_the_session() {
    let mut ends = End::pair(BOTH);
    let root = Hash([1; 32]);
    ends[0].followed = vec![followed(3, head(3, 5, root))];
    ends[1].followed = vec![followed(3, head(4, 6, root))];
    open(&mut ends);
    let signature = Misbehaviour::Signature(Kind::Heads);
    assert_eq!(ends[0].closed, Some(Reason::Failed(signature.into())));
}

#[test]
fn heads_that_grow_are_told_again_and_a_session_that_is_quiet_looks_for_them() {
    let mut ends = End::pair(BOTH);
    let root = Hash([1; 32]);
    for end in &mut ends {
        end.followed = vec![followed(3, head(3, 5, root))];
    }
    open(&mut ends);
    ends[1].followed = vec![followed(3, head(3, 9, root))];
    let look = ends[1].session.poll_timeout().unwrap();
    ends[1].handle_at(Input::Timeout, look);
    settle(&mut ends);
    assert_eq!(ends[0].heads, [(Identity::from_seed(&[3; 32]).id(), head(3, 9, root))]);
}

#[test]
fn a_peer_that_does_not_know_of_heads_gets_none() {
    let mut ends = End::pair(BOTH);
    ends[0].followed = vec![followed(3, head(3, 5, Hash([1; 32])))];
    ends[0].handle(Input::Flushed(0));
    let life = Life { epoch: EPOCH, length: 0 };
    let (heads, receipts) = (Vec::new(), Vec::new());
    let hello = Hello { version: 1, features: !3, lives: vec![life], heads, receipts };
    ends[0].frames.clear();
    ends[0].handle(Input::Received(Message::Hello(hello).encode()));
    assert!(ends[0].frames.iter().all(|frame| frame.kind != Kind::Heads));
}

#[test]
fn evidence_is_passed_on_once_to_whoever_follows_the_log() {
    let mut ends = End::pair(BOTH);
    let [one, other] = [1, 2].map(|root| head(3, 5, Hash([root; 32])));
    let author = Identity::from_seed(&[3; 32]).id();
    let evidence = vec![Evidence::of_heads(author, one, other)];
    ends[0].followed = vec![Followed { author, heads: Vec::new(), evidence }];
    ends[1].followed = vec![followed(3, one)];
    open(&mut ends);
    assert_eq!(ends[1].forks.len(), 1);
    assert_eq!(ends[1].forks[0].first().length, 5);
    ends[0].handle(Input::Forks);
    settle(&mut ends);
    assert_eq!(ends[1].forks.len(), 1);
}

#[test]
fn evidence_of_a_life_that_is_held_is_taken_however_many_others_are_known() {
    let author = Identity::from_seed(&[3; 32]);
    let of_life = |epoch| {
        let head = |root| Head { author: author.id(), epoch, length: 5, root: Hash([root; 32]) };
        let [one, other] = [1, 2].map(|root| head(root).sign(&author));
        Evidence::of_heads(author.id(), one, other)
    };
    let mut ends = End::pair(BOTH);
    let evidence = vec![of_life(EPOCH), of_life(Epoch(EPOCH.0 + 99))];
    ends[0].followed = vec![Followed { author: author.id(), heads: Vec::new(), evidence }];
    let evidence = (1..=16).map(|nth| of_life(Epoch(EPOCH.0 + nth))).collect();
    let heads = vec![head(3, 5, Hash([1; 32]))];
    ends[1].followed = vec![Followed { author: author.id(), heads, evidence }];
    open(&mut ends);
    let found: Vec<_> = ends[1].forks.iter().map(|fork| fork.first().epoch).collect();
    assert_eq!(found, [EPOCH]);
}

#[test]
fn evidence_that_proves_nothing_ends_the_session() {
    let mut ends = End::pair(BOTH);
    let same = head(3, 5, Hash([1; 32]));
    let author = Identity::from_seed(&[3; 32]).id();
    let evidence = vec![Evidence::of_heads(author, same, same)];
    ends[0].followed = vec![Followed { author, heads: Vec::new(), evidence }];
    ends[1].followed = vec![followed(3, same)];
    open(&mut ends);
    assert_eq!(ends[1].closed, Some(Reason::Failed(Misbehaviour::Evidence.into())));
}

#[test]
fn a_checkpoint_is_reached_though_nothing_there_is_for_the_reader() {
    let mut ends = End::pair(BOTH);
    let b = ends[1].id;
    ends[0].append(&[(to(b), "one")]);
    open(&mut ends);
    ends[0].append(&[(third(), "secret"), (third(), "secret"), (third(), "secret")]);
    assert!(ends[0].frames.is_empty(), "there is nothing to tell");
    let root = ends[0].root_at(3);
    ends[1].handle(checkpoint(3, root));
    settle(&mut ends);
    assert_eq!(ends[1].reached, [3]);
    assert_eq!((ends[1].texts(), ends[1].forks.len()), (vec!["one".to_owned()], 0));
    ends[0].append(&[(to(b), "two")]);
    settle(&mut ends);
    assert_eq!(ends[1].texts(), ["one", "two"]);
}

#[test]
fn a_chunk_that_was_being_read_when_a_checkpoint_came_is_read_anew() {
    let mut ends = End::pair(BOTH);
    let b = ends[1].id;
    open(&mut ends);
    ends[0].holds_loads = true;
    ends[0].append(&[(to(b), "one"), (to(b), "two"), (to(b), "three")]);
    let root = ends[0].root_at(2);
    ends[1].handle(checkpoint(2, root));
    carry(&mut ends);
    ends[0].finish_loads();
    settle(&mut ends);
    assert_eq!((ends[1].closed.take(), ends[1].reached.clone()), (None, vec![2]));
    assert_eq!(ends[1].texts(), ["one", "two", "three"]);
}

#[test]
fn an_author_that_signs_another_root_at_a_checkpoint_is_proven_to_have_forked() {
    let mut ends = End::pair(BOTH);
    let b = ends[1].id;
    open(&mut ends);
    ends[1].handle(checkpoint(2, Hash([9; 32])));
    ends[0].append(&[(to(b), "one"), (to(b), "two"), (to(b), "three")]);
    settle(&mut ends);
    assert!(ends[1].entries.is_empty(), "nothing of the other version is stored");
    let [fork] = &ends[1].forks[..] else { panic!("{:?}", ends[1].forks) };
    assert_eq!([fork.first().length, fork.second().length], [2, 2]);
    assert_eq!(fork.first().root, Hash([9; 32]));
    fork.evidence().clone().verify().unwrap();
}

#[test]
fn a_chunk_that_passes_a_checkpoint_proves_the_fork_that_it_shows() {
    let b = passed(|_| Hash([9; 32]));
    let [fork] = &b.forks[..] else { panic!("{:?}", b.forks) };
    assert_eq!([fork.first().length, fork.second().length], [2, 4]);
    fork.evidence().clone().verify().unwrap();
    assert!(b.entries.is_empty());
}

#[test]
fn a_chunk_that_passes_a_checkpoint_of_its_own_version_ends_the_session() {
    let b = passed(|ends| ends[0].root_at(2));
    let wrong = Misbehaviour::Checkpoint { length: 2 };
    assert_eq!((b.closed, b.forks.len()), (Some(Reason::Failed(wrong.into())), 0));
}

#[test]
fn what_was_taken_in_beyond_a_new_checkpoint_is_asked_for_anew() {
    let mut ends = End::pair(BOTH);
    let b = ends[1].id;
    open(&mut ends);
    ends[0].append(&[(to(b), "one")]);
    carry(&mut ends);
    ends[0].append(&[(to(b), "two"), (to(b), "three"), (to(b), "four")]);
    carry(&mut ends);
    assert_eq!(ends[1].writes.len(), 1, "the first is with the store, the second waits");
    let root = ends[0].root_at(3);
    ends[1].handle(checkpoint(3, root));
    settle(&mut ends);
    assert_eq!(ends[1].texts(), ["one", "two", "three", "four"]);
    assert_eq!((ends[1].reached.clone(), ends[1].closed.take()), (vec![3], None));
}

#[test]
fn a_group_that_the_store_refuses_for_a_checkpoint_is_asked_for_anew() {
    let mut ends = End::pair(BOTH);
    let b = ends[1].id;
    open(&mut ends);
    ends[0].append(&[(to(b), "one"), (to(b), "two"), (to(b), "three")]);
    carry(&mut ends);
    ends[1].writes.clear();
    ends[1].handle(Input::Stored(Stored::Refused(Refusal::PassesCheckpoint(EPOCH))));
    let root = ends[0].root_at(2);
    ends[1].handle(checkpoint(2, root));
    settle(&mut ends);
    assert_eq!(ends[1].texts(), ["one", "two", "three"]);
    assert_eq!(ends[1].reached, [2]);
}

#[test]
fn an_author_that_does_not_lead_to_what_it_signed_is_unproven_once() {
    let mut ends = End::pair(BOTH);
    open(&mut ends);
    ends[1].handle(checkpoint(7, Hash([9; 32])));
    settle(&mut ends);
    let late = at(CHECKPOINT_MS_MAX);
    ends[1].handle(Input::Flushed(usize::MAX));
    ends[1].handle_at(Input::Timeout, Instant(late.0 - 1));
    assert_eq!(told(&ends[1]), 0);
    ends[1].handle_at(Input::Received(Message::Ping(1).encode()), late);
    ends[1].handle_at(Input::Flushed(usize::MAX), late);
    ends[1].handle_at(Input::Timeout, late);
    let event = Event::Unproven { peer: ends[0].id, epoch: EPOCH, length: 7 };
    assert!(ends[1].events.contains(&event), "{:?}", ends[1].events);
    ends[1].handle_at(Input::Timeout, late);
    assert_eq!(told(&ends[1]), 1);
}

#[test]
fn an_author_is_not_blamed_for_time_in_which_the_reader_had_no_room() {
    let mut ends = End::pair(BOTH);
    ends[1].room = 0;
    open(&mut ends);
    ends[1].handle(checkpoint(7, Hash([9; 32])));
    settle(&mut ends);
    let late = 10 * CHECKPOINT_MS_MAX;
    ends[1].room = u64::MAX;
    ends[1].handle_at(Input::LocalMarks(EPOCH), at(late));
    for (ms, count) in [(late, 0), (late + CHECKPOINT_MS_MAX - 1, 0), (late + CHECKPOINT_MS_MAX, 1)]
    {
        ends[1].handle_at(Input::Received(Message::Ping(1).encode()), at(ms));
        ends[1].handle_at(Input::Flushed(usize::MAX), at(ms));
        ends[1].handle_at(Input::Timeout, at(ms));
        assert_eq!(told(&ends[1]), count);
    }
}

#[test]
fn an_author_that_sends_a_little_at_a_time_is_unproven_all_the_same() {
    let mut ends = End::pair(BOTH);
    open(&mut ends);
    let b = ends[1].id;
    ends[1].handle(checkpoint(7, Hash([9; 32])));
    settle(&mut ends);
    ends[0].append(&[(to(b), "one")]);
    for frame in std::mem::take(&mut ends[0].frames) {
        ends[1].handle_at(Input::Received(frame), at(CHECKPOINT_MS_MAX - 1));
    }
    ends[1].finish_writes();
    ends[1].handle_at(Input::Flushed(usize::MAX), at(CHECKPOINT_MS_MAX - 1));
    assert_eq!((ends[1].texts(), told(&ends[1])), (vec!["one".to_owned()], 0));
    ends[1].handle_at(Input::Timeout, at(CHECKPOINT_MS_MAX));
    assert_eq!(told(&ends[1]), 1);
}

#[test]
fn an_author_whose_chunks_are_full_has_its_time_for_each() {
    let mut ends = End::pair(BOTH);
    open(&mut ends);
    let b = ends[1].id;
    ends[0].holds_loads = true;
    let text = "x".repeat(4_000);
    for _ in 0..12 {
        ends[0].append(&[(to(b), &text[..]); 15]);
    }
    let root = ends[0].root_at(180);
    ends[1].handle(checkpoint(180, root));
    carry(&mut ends);
    ends[0].finish_loads();
    assert_eq!(ends[0].frames.len(), 3, "chunks on the way to the checkpoint");
    for (nth, frame) in (1..).zip(std::mem::take(&mut ends[0].frames)) {
        let now = at(nth * (CHECKPOINT_MS_MAX - 1));
        ends[1].handle_at(Input::Received(frame), now);
        ends[1].finish_writes();
        ends[1].handle_at(Input::Flushed(usize::MAX), now);
        ends[1].handle_at(Input::Timeout, now);
    }
    assert_eq!((told(&ends[1]), ends[1].reached.clone()), (0, vec![180]));
}

#[test]
fn a_log_that_has_forked_is_not_followed_on_nor_its_later_lives() {
    let mut ends = End::pair(BOTH);
    let b = ends[1].id;
    open(&mut ends);
    ends[1].handle(Input::Forked(Forked { epoch: EPOCH, is_acknowledged: false }));
    ends[0].append(&[(to(b), "one")]);
    settle(&mut ends);
    assert!(ends[1].entries.is_empty() && ends[1].closed.is_none());
    let forked = |is_acknowledged| Forked { epoch: EPOCH, is_acknowledged };
    let later = Epoch(EPOCH.0 + 1);
    assert!(forked(false).blocks(EPOCH) && forked(true).blocks(EPOCH));
    assert!(forked(false).blocks(later) && !forked(true).blocks(later));
    assert!(!forked(false).blocks(Epoch(EPOCH.0 - 1)));
}

#[test]
fn logs_are_compared_though_one_side_is_ready_long_before_the_other() {
    let mut ends = End::pair(BOTH);
    let b = ends[1].id;
    ends[0].append(&[(to(b), "one")]);
    open(&mut ends);
    let root = Hash([1; 32]);
    for (end, (seed, length)) in ends.iter_mut().zip([(1, 6), (2, 5)]) {
        end.reconnect(seed);
        end.followed = vec![followed(3, head(3, length, root))];
        end.handle(Input::Flushed(0));
    }
    carry(&mut ends);
    let waits = matches!(ends[0].writes.front(), Some(Store::Returned(_)));
    assert!(waits, "its store compares the head that came back");
    settle(&mut ends);
    assert_eq!(ends[1].heads, [(Identity::from_seed(&[3; 32]).id(), head(3, 6, root))]);
}

#[test]
fn a_log_that_has_forked_is_granted_no_more() {
    let mut ends = End::pair(BOTH);
    let b = ends[1].id;
    open(&mut ends);
    let text = "x".repeat(4_000);
    for _ in 0..4 {
        ends[0].append(&[(to(b), &text[..]); 64]);
        carry(&mut ends);
    }
    assert_eq!(ends[1].writes.len(), 1, "the first is with the store, the others wait");
    ends[1].writes.clear();
    ends[1].handle(Input::Stored(Stored::Refused(Refusal::Forked(EPOCH))));
    assert!(ends[1].frames.iter().all(|frame| frame.kind != Kind::Credit));
    assert!(ends[1].writes.is_empty() && ends[1].closed.is_none());
}
