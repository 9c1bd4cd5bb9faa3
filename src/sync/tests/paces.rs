//! What no credit covers is done at a pace, and whoever says too much waits.

use std::time::Duration;

use super::pair::*;
use crate::crypto::Identity;
use crate::crypto::hash::Hash;
use crate::limits::*;
use crate::sync::*;
use crate::types::{Instant, Ranges, Recipient};

const SECOND: Duration = Duration::from_secs(1);

/// A pair in session, of which the first end hears what a test has the second say.
fn opened() -> [End; 2] {
    let mut ends = End::pair([Grant::Receive; 2]);
    open(&mut ends);
    ends[0].frames.clear();
    ends
}

/// A receipt of the second end for nothing at all, whose window begins at a place.
fn receipt(ends: &[End; 2], first: u64) -> Frame {
    let none = Acked { below: 0, ranges: Ranges::new() };
    let receiver = *ends[1].id.as_bytes();
    let receipt = Receipt {
        receiver,
        author: *ends[0].id.as_bytes(),
        epoch: EPOCH,
        recipient: Recipient::Peer(receiver),
        seen: first,
        inbox: Hash([3; 32]),
        window: first..first,
        stored: none.clone(),
        archived: none,
        rejected: Ranges::new(),
    };
    Message::Receipt(receipt.sign(&Identity::from_seed(&[2; 32]))).encode()
}

fn position(ends: &[End; 2], number: u64) -> Frame {
    let (checkpoints, channels) = (Vec::new(), Vec::new());
    let author = *ends[0].id.as_bytes();
    let (epoch, length) = (EPOCH, 0);
    Message::Position(Position { author, epoch, length, number, checkpoints, channels }).encode()
}

/// How many receipts have gone to the store.
fn stored(end: &End) -> usize {
    end.receipts.len()
}

#[test]
fn receipts_go_to_the_store_at_a_pace_and_the_newest_of_each_window_is_not_lost() {
    let mut ends = opened();
    let now = Instant(0) + SECOND;
    let most = usize::try_from(RECEIPTS_PER_S_MAX).unwrap();
    for number in 0..3 * u64::from(RECEIPTS_PER_S_MAX) {
        let frame = receipt(&ends, number % 2);
        ends[0].handle_at(Input::Received(frame), now);
        ends[0].finish_writes_at(now);
    }
    assert_eq!(stored(&ends[0]), most + 1);
    // Those that were replaced are of no use; those that were not come when it is time.
    let due = ends[0].session.poll_timeout().unwrap();
    assert!(due > now && due <= now + Duration::from_millis(1));
    ends[0].handle_at(Input::Timeout, due);
    ends[0].finish_writes_at(due);
    assert_eq!(stored(&ends[0]), most + 3);
}

#[test]
fn positions_have_the_store_read_at_a_pace_and_the_newest_is_answered() {
    let mut ends = opened();
    let b = ends[1].id;
    ends[0].append(&[(Recipient::Peer(*b.as_bytes()), "one")]);
    ends[0].frames.clear();
    let now = Instant(0) + SECOND;
    ends[0].handle_at(Input::Flushed(usize::MAX), now);
    for number in 2..=1_000 {
        let frame = position(&ends, number);
        ends[0].handle_at(Input::Received(frame), now);
        ends[0].handle_at(Input::Flushed(usize::MAX), now);
    }
    let answered = advances(&mut ends[0]);
    assert!(answered.len() <= usize::try_from(POSITION_BURST).unwrap() + 1, "{answered:?}");
    let due = ends[0].session.poll_timeout().unwrap();
    assert!(due > now && due <= now + SECOND / POSITIONS_PER_S_MAX);
    ends[0].handle_at(Input::Timeout, due);
    assert_eq!(advances(&mut ends[0]), [1_000]);
}

#[test]
fn a_peer_that_says_too_much_is_not_listened_to_for_a_while() {
    let mut ends = opened();
    let now = Instant(0) + SECOND;
    let mut count = 0;
    while ends[0].session.receives_from() <= now {
        ends[0].handle_at(Input::Received(Message::Pong(0).encode()), now);
        count += 1;
    }
    assert_eq!(count, FRAMES_PER_S_MAX + 1);
    assert!(ends[0].session.receives_from() <= now + Duration::from_millis(1));
    assert_eq!(ends[0].closed, None);
}

/// Takes the frames on their way; gives the numbers of the positions that chunks answer.
fn advances(end: &mut End) -> Vec<u64> {
    let messages = end.frames.drain(..).map(|frame| Message::decode(&frame).unwrap());
    let numbers = messages.filter_map(|message| match message {
        Message::Advance(advance) => Some(advance.number),
        _ => None,
    });
    numbers.collect()
}
