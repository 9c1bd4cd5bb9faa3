//! Two sessions in step, and one peer that is not honest.

use super::pair::{EPOCH, End, carry, open, seqs, settle, third};
use crate::crypto::Identity;
use crate::limits::{
    ADVANCE_FRAME_SIZE_MAX, CREDIT_WINDOW_SIZE, PING_AFTER_MS, SILENCE_MS_MAX, UNSENT_SIZE_MAX,
};
use crate::log::{Head, Item};
use crate::sync::*;
use crate::types::{Epoch, Id, Instant, Recipient, Seq};

const BOTH: [Grant; 2] = [Grant::Receive, Grant::Receive];

fn to(id: Id) -> Recipient {
    Recipient::Peer(*id.as_bytes())
}

fn kinds(end: &End) -> Vec<Kind> {
    end.frames.iter().map(|frame| frame.kind).collect()
}

/// Takes the one `Advance` out of the frames on their way.
fn take_advance(end: &mut End) -> UnverifiedAdvance {
    let at = end.frames.iter().position(|frame| frame.kind == Kind::Advance).unwrap();
    match Message::decode(&end.frames.remove(at).unwrap()).unwrap() {
        Message::Advance(advance) => advance,
        other => panic!("expected an Advance, got {other:?}"),
    }
}

/// A pair that is open, with one `Advance` from a to b taken off the wire.
fn caught_advance() -> ([End; 2], UnverifiedAdvance) {
    let mut ends = End::pair(BOTH);
    open(&mut ends);
    let b = ends[1].id;
    ends[0].append(&[(third(), "secret"), (to(b), "one"), (to(b), "two"), (third(), "secret")]);
    let advance = take_advance(&mut ends[0]);
    (ends, advance)
}

/// What b makes of a changed `Advance`.
fn verdict(change: impl FnOnce(&mut UnverifiedAdvance)) -> SyncError {
    let (mut ends, mut advance) = caught_advance();
    change(&mut advance);
    ends[1].handle(Input::Received(Message::Advance(advance).encode()));
    assert!(ends[1].writes.is_empty(), "nothing of it may be stored");
    match ends[1].closed.take() {
        Some(Reason::Failed(error)) => error,
        other => panic!("expected the session to fail, got {other:?}"),
    }
}

fn misbehaved(error: &SyncError) -> Misbehaviour {
    match error {
        SyncError::Misbehaved(what) => *what,
        other => panic!("expected the peer to be blamed, got {other:?}"),
    }
}

#[test]
fn each_side_gets_its_own_entries_in_order_and_no_others() {
    let mut ends = End::pair(BOTH);
    let (a, b) = (ends[0].id, ends[1].id);
    ends[0].append(&[(to(b), "before"), (third(), "not yours")]);
    open(&mut ends);
    ends[0].append(&[(third(), "not yours"), (to(b), "live")]);
    ends[1].append(&[(to(a), "back")]);
    settle(&mut ends);
    assert_eq!(ends[1].texts(), ["before", "live"]);
    assert_eq!(seqs(&ends[1]), [Seq(0), Seq(1)]);
    assert_eq!(ends[0].texts(), ["back"]);
    assert_eq!(ends[0].receipts.last().unwrap().unverified().seen, 2);
}

#[test]
fn a_receipt_is_never_sent_before_the_entry_is_durable() {
    let mut ends = End::pair(BOTH);
    open(&mut ends);
    let b = ends[1].id;
    ends[0].append(&[(to(b), "one")]);
    let before = ends[0].writes.len();
    carry(&mut ends);
    assert_eq!(ends[1].writes.len(), 1, "the entry waits for the store");
    assert_eq!(ends[0].writes.len(), before, "and no receipt came");
    ends[1].finish_writes();
    assert_eq!(kinds(&ends[1]), [Kind::Receipt]);
}

#[test]
fn chunks_that_come_while_the_store_is_busy_share_its_next_commit() {
    let mut ends = End::pair(BOTH);
    open(&mut ends);
    let b = ends[1].id;
    for text in ["one", "two", "three", "four"] {
        ends[0].append(&[(to(b), text)]);
        carry(&mut ends);
    }
    assert_eq!(ends[1].writes.len(), 1);
    ends[1].finish_writes();
    assert_eq!(ends[1].texts(), ["one", "two", "three", "four"]);
    let receipts = kinds(&ends[1]).into_iter().filter(|kind| *kind == Kind::Receipt);
    assert_eq!(receipts.count(), 2, "one for the first, one for the other three");
}

#[test]
fn the_next_session_goes_on_where_the_store_is() {
    let mut ends = End::pair(BOTH);
    let b = ends[1].id;
    ends[0].append(&[(to(b), "one")]);
    open(&mut ends);
    ends[0].append(&[(to(b), "two")]);
    carry(&mut ends);
    // The connection is lost before the store has answered: "two" is not durable.
    ends[0].reconnect(1);
    ends[1].reconnect(2);
    open(&mut ends);
    assert_eq!(ends[1].texts(), ["one", "two"]);
}

#[test]
fn a_peer_that_was_only_dialled_is_served_and_not_heard() {
    let mut ends = End::pair([Grant::ServeOnly, Grant::Receive]);
    let (a, b) = (ends[0].id, ends[1].id);
    ends[0].append(&[(to(b), "for b")]);
    ends[1].append(&[(to(a), "for a")]);
    open(&mut ends);
    assert_eq!(ends[1].texts(), ["for b"]);
    assert!(ends[0].entries.is_empty());
    ends[0].handle(Input::Regrant(Grant::Receive));
    settle(&mut ends);
    assert_eq!(ends[0].texts(), ["for a"]);
}

#[test]
fn a_full_quota_holds_chunks_back_and_loses_none() {
    let mut ends = End::pair(BOTH);
    ends[1].room = 0;
    let b = ends[1].id;
    ends[0].append(&[(to(b), "one")]);
    open(&mut ends);
    assert!(ends[1].entries.is_empty());
    ends[1].room = 1;
    ends[1].handle(Input::LocalMarks(EPOCH));
    settle(&mut ends);
    assert_eq!(ends[1].texts(), ["one"]);
}

#[test]
fn room_that_one_life_frees_lets_the_others_go_on() {
    let earlier = Epoch(EPOCH.0 - 1);
    let mut ends = End::pair(BOTH);
    ends[0].ended = vec![Life { epoch: earlier, length: 0 }];
    ends[1].room = 0;
    let b = ends[1].id;
    ends[0].append(&[(to(b), "of the later life")]);
    open(&mut ends);
    assert!(ends[1].entries.is_empty());
    ends[1].room = 1;
    ends[1].handle(Input::LocalMarks(earlier));
    settle(&mut ends);
    assert_eq!(ends[1].texts(), ["of the later life"]);
}

#[test]
fn a_peer_that_does_not_read_is_loaded_nothing_for() {
    let mut ends = End::pair(BOTH);
    open(&mut ends);
    let b = ends[1].id;
    let text = "x".repeat(4_000);
    let size = |end: &End| end.frames.iter().map(Frame::size).sum::<usize>();
    for _ in 0..400 {
        ends[0].append(&[(to(b), &text)]);
    }
    let most = UNSENT_SIZE_MAX + usize::try_from(ADVANCE_FRAME_SIZE_MAX).unwrap();
    assert!(size(&ends[0]) <= most);
}

#[test]
fn a_peer_that_pings_and_does_not_read_gets_one_answer() {
    let mut ends = End::pair(BOTH);
    open(&mut ends);
    ends[0].handle(Input::Flushed(usize::MAX));
    for number in 0..1_000 {
        ends[0].handle(Input::Received(Message::Ping(number).encode()));
    }
    let pongs = |end: &mut End| -> Vec<Message> {
        end.frames.drain(..).map(|frame| Message::decode(&frame).unwrap()).collect()
    };
    assert_eq!(pongs(&mut ends[0]), [Message::Pong(0)]);
    ends[0].handle(Input::Flushed(Message::Pong(0).encode().size()));
    assert_eq!(pongs(&mut ends[0]), [Message::Pong(999)]);
}

#[test]
fn what_an_author_did_not_sign_is_not_stored() {
    let changed = verdict(|advance| advance.head.root.0[0] ^= 1);
    assert_eq!(misbehaved(&changed), Misbehaviour::Root { length: 4 });
    let unsigned = verdict(|advance| advance.head.signature.0[0] ^= 1);
    assert_eq!(misbehaved(&unsigned), Misbehaviour::Signature(Kind::Advance));
    let another_signer = verdict(|advance| {
        let forger = Identity::from_seed(&[9; 32]);
        let head = advance.head;
        let head = Head { author: forger.id(), epoch: EPOCH, length: head.length, root: head.root };
        advance.head.signature = head.sign(&forger).signature;
    });
    assert_eq!(misbehaved(&another_signer), Misbehaviour::Signature(Kind::Advance));
}

#[test]
fn a_body_must_be_the_one_that_its_header_names() {
    let another = verdict(|advance| {
        let Item::Entry { body, .. } = &mut advance.items[1] else {
            panic!("an entry stands here")
        };
        *body = Some(bytes::Bytes::from_static(b"uno"));
    });
    assert_eq!(misbehaved(&another), Misbehaviour::Body(Seq(0)));
    let missing = verdict(|advance| {
        let Item::Entry { body, .. } = &mut advance.items[1] else {
            panic!("an entry stands here")
        };
        *body = None;
    });
    assert_eq!(misbehaved(&missing), Misbehaviour::Body(Seq(0)));
}

#[test]
fn an_entry_left_out_or_moved_is_seen() {
    let hidden = verdict(|advance| {
        let gone = advance.items.remove(1);
        advance.items.insert(2, gone);
    });
    assert!(matches!(misbehaved(&hidden), Misbehaviour::Root { .. } | Misbehaviour::SeqGap { .. }));
    let shorter = verdict(|advance| {
        advance.items.pop();
    });
    assert!(matches!(misbehaved(&shorter), Misbehaviour::Items(_)));
    let twice = verdict(|advance| advance.from = 3);
    assert_eq!(misbehaved(&twice), Misbehaviour::NotContiguous { expected: 0, got: 3 });
}

#[test]
fn entries_to_others_are_refused_though_their_author_signed_them() {
    let (mut ends, _) = caught_advance();
    let mut other = End::pair(BOTH);
    let stranger = Recipient::Peer([8; 32]);
    other[0].append(&[(stranger, "for somebody else")]);
    // The same author serves another reader's entries: the very bytes that the reader would get.
    open(&mut other);
    let b = other[1].id;
    other[0].append(&[(to(b), "real")]);
    let mut advance = take_advance(&mut other[0]);
    advance.items[0] = Item::Entry { header: bytes::Bytes::from_static(b"no header"), body: None };
    ends[1].handle(Input::Received(Message::Advance(advance).encode()));
    assert!(matches!(ends[1].closed, Some(Reason::Failed(SyncError::Misbehaved(_)))));
}

#[test]
fn more_than_was_granted_is_refused() {
    let (mut ends, mut advance) = caught_advance();
    // Answers to a position that was withdrawn are dropped, and cost credit all the same.
    advance.number = 0;
    let frame = Message::Advance(advance).encode();
    let most = CREDIT_WINDOW_SIZE / u64::try_from(frame.size()).unwrap();
    for _ in 0..most {
        ends[1].handle(Input::Received(frame.clone()));
        assert!(ends[1].closed.is_none());
    }
    ends[1].handle(Input::Received(frame));
    let Some(Reason::Failed(error)) = &ends[1].closed else { panic!("expected a failure") };
    assert!(matches!(misbehaved(error), Misbehaviour::OverCredit { .. }));
}

#[test]
fn a_grant_never_shrinks() {
    let mut ends = End::pair(BOTH);
    open(&mut ends);
    let (author, epoch) = (*ends[0].id.as_bytes(), EPOCH);
    for total in [u64::MAX, 1] {
        ends[0].handle(Input::Received(Message::Credit(Credit { author, epoch, total }).encode()));
    }
    let Some(Reason::Failed(error)) = &ends[0].closed else { panic!("expected a failure") };
    assert_eq!(misbehaved(error), Misbehaviour::Numbers(Kind::Credit));
}

#[test]
fn messages_out_of_turn_end_the_session() {
    let mut ends = End::pair(BOTH);
    ends[0].handle(Input::Received(Message::Ping(1).encode()));
    let Some(Reason::Failed(error)) = &ends[0].closed else { panic!("expected a failure") };
    assert!(matches!(misbehaved(error), Misbehaviour::OutOfTurn { got: Kind::Ping, .. }));

    let mut ends = End::pair(BOTH);
    open(&mut ends);
    let hello = Hello { version: 1, features: 0, lives: vec![], heads: vec![], receipts: vec![] };
    ends[0].handle(Input::Received(Message::Hello(hello).encode()));
    let Some(Reason::Failed(error)) = &ends[0].closed else { panic!("expected a failure") };
    assert!(matches!(misbehaved(error), Misbehaviour::OutOfTurn { got: Kind::Hello, .. }));
}

#[test]
fn a_receipt_for_somebody_elses_log_is_refused() {
    let mut ends = End::pair(BOTH);
    let b = ends[1].id;
    ends[0].append(&[(to(b), "one")]);
    open(&mut ends);
    let said = ends[0].receipts.last().unwrap().unverified().clone();
    let foreign = Receipt { author: [7; 32], ..said }.sign(&Identity::from_seed(&[2; 32]));
    ends[0].handle(Input::Received(Message::Receipt(foreign).encode()));
    let Some(Reason::Failed(error)) = &ends[0].closed else { panic!("expected a failure") };
    assert_eq!(misbehaved(error), Misbehaviour::ForeignLog(Kind::Receipt));
}

#[test]
fn what_a_peer_gives_back_is_compared_with_the_store_before_anything_is_signed() {
    let mut ends = End::pair(BOTH);
    let [a, b] = [ends[0].id, ends[1].id];
    ends[0].append(&[(to(b), "one"), (to(b), "two")]);
    open(&mut ends);
    // a comes back from an older copy, which has one entry of its own.
    let [mut restored, _] = End::pair(BOTH);
    restored.append(&[(to(b), "other")]);
    std::mem::swap(&mut ends[0], &mut restored);
    ends[1].reconnect(2);
    for end in &mut ends {
        end.handle(Input::Flushed(0));
    }
    carry(&mut ends);
    // b gives back a head of a, and nothing goes on before the store has seen it.
    let [Store::Returned(returned)] = ends[0].writes.make_contiguous() else {
        panic!("expected what was given back, got {:?}", ends[0].writes)
    };
    let head = returned.heads[0];
    assert_eq!((head.author, head.epoch, head.length), (a, EPOCH, 2));
    assert!(ends[0].frames.is_empty());
    settle(&mut ends);
    // A session goes on, and a peer that is ahead gets nothing.
    assert_eq!([&ends[0].closed, &ends[1].closed], [&None, &None]);
    assert_eq!(ends[1].texts(), ["one", "two"]);
}

#[test]
fn a_receiver_gets_its_own_receipts_back_and_no_forged_ones() {
    let mut ends = End::pair(BOTH);
    let b = ends[1].id;
    ends[0].append(&[(to(b), "one")]);
    open(&mut ends);
    let said = ends[0].receipts.last().unwrap().clone();
    ends[0].reconnect(1);
    ends[1].reconnect(2);
    open(&mut ends);
    assert_eq!(ends[1].returned.last().unwrap().receipts, std::slice::from_ref(&said));

    let forged = said.unverified().clone().sign(&Identity::from_seed(&[1; 32]));
    let foreign = Receipt { author: [7; 32], ..said.unverified().clone() };
    let foreign = foreign.sign(&Identity::from_seed(&[2; 32]));
    for (receipt, expected) in [
        (forged, Misbehaviour::Signature(Kind::Receipt)),
        (foreign, Misbehaviour::ForeignLog(Kind::Hello)),
    ] {
        ends[1].reconnect(2);
        let receipts = vec![receipt];
        let hello = Hello { version: 1, features: 0, lives: vec![], heads: vec![], receipts };
        ends[1].closed = None;
        ends[1].handle(Input::Received(Message::Hello(hello).encode()));
        let Some(Reason::Failed(error)) = &ends[1].closed else { panic!("expected a failure") };
        assert_eq!(misbehaved(error), expected);
    }
}

#[test]
fn nothing_is_said_before_hello_though_the_store_is_slow_and_pings_are_due() {
    let [mut a, mut b] = End::pair(BOTH);
    for (n, end) in [&mut a, &mut b].into_iter().enumerate() {
        let Some(Output::Load(Load::Opening)) = end.session.poll_output() else {
            panic!("expected a session to begin with what the store holds")
        };
        // The store does not answer yet. One node wonders whether the other is there; to the other,
        // a whole ping's time goes by.
        let now = Instant(if n == 0 { 0 } else { PING_AFTER_MS * 1_000 });
        let input = if n == 0 { Input::Probe } else { Input::Timeout };
        end.session.handle(input, now).unwrap();
        assert!(end.session.poll_output().is_none());
    }
    let mut ends = [a, b];
    for end in &mut ends {
        end.handle(Input::Loaded(Loaded::Opening(Opening::default())));
        assert_eq!(kinds(end), [Kind::Hello, Kind::Ping]);
    }
    settle(&mut ends);
    assert!(ends.iter().all(|end| end.closed.is_none()));
}

#[test]
fn silence_is_pinged_and_then_ends_the_session() {
    let mut ends = End::pair(BOTH);
    open(&mut ends);
    ends[0].handle(Input::Flushed(usize::MAX));
    let session = &mut ends[0].session;
    let ping_at = session.poll_timeout().unwrap();
    assert_eq!(ping_at, Instant(PING_AFTER_MS * 1_000));
    session.handle(Input::Timeout, ping_at).unwrap();
    let Some(Output::Transmit(ping)) = session.poll_output() else { panic!("expected a ping") };
    assert_eq!(ping.kind, Kind::Ping);
    session.handle(Input::Flushed(ping.size()), ping_at).unwrap();
    let end = session.poll_timeout().unwrap();
    let error = session.handle(Input::Timeout, end).unwrap_err();
    assert_eq!(misbehaved(&error), Misbehaviour::Silent(SILENCE_MS_MAX));
    assert_eq!(session.poll_timeout(), None);
}
