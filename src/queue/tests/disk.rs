//! A disk that becomes full, and has room again.

use super::pair::Pair;
use super::*;
use crate::limits::{DISK_FREE_AGAIN_MIN, DISK_FREE_MIN};

#[test]
fn on_a_full_disk_nothing_new_is_taken_in_and_with_room_it_comes_by_itself() {
    let mut pair = Pair::of([Node::new(1), Node::new(2)]);
    let [a, b] = [pair.nodes[0].id(), pair.nodes[1].id()];
    pair.nodes[0].send_numbers(b, 0..10);
    pair.run().unwrap();
    pair.nodes[1].queue.on_disk(DISK_FREE_MIN - 1);
    assert!(pair.nodes[1].queue.commit().unwrap().is_disk_other);

    pair.reconnect();
    pair.nodes[0].send_numbers(b, 10..20);
    pair.run().unwrap();
    assert_eq!(pair.nodes[1].take(1, 100), (0..10).collect::<Vec<_>>());
    let draft = pair.nodes[1].draft(a, b"text");
    let refused = pair.nodes[1].queue.send(draft);
    assert!(matches!(refused, Err(QueueError::DiskFull(_))), "{refused:?}");
    pair.nodes[1].mark(a, 0..=4, Mark::Archived).unwrap();
    pair.nodes[1].queue.on_disk(DISK_FREE_AGAIN_MIN - 1);
    assert!(!pair.commit(1).unwrap().is_disk_other, "it does not waver");
    assert_eq!(pair.nodes[1].take(1, 100), Vec::<u64>::new());

    pair.nodes[1].queue.on_disk(DISK_FREE_AGAIN_MIN);
    assert!(pair.commit(1).unwrap().is_disk_other);
    assert_eq!(pair.nodes[1].take(1, 100), (10..20).collect::<Vec<_>>());
    pair.nodes[1].send(a, b"text");
}

#[test]
fn who_was_never_heard_before_is_let_in_when_there_is_room() {
    let mut pair = Pair::of([Node::new(1), Node::new(2)]);
    let b = pair.nodes[1].id();
    pair.nodes[1].queue.on_disk(0);
    pair.nodes[0].send_numbers(b, 0..3);
    pair.run().unwrap();
    assert_eq!(pair.nodes[1].take(1, 100), Vec::<u64>::new());
    pair.nodes[1].queue.on_disk(u64::MAX);
    pair.commit(1).unwrap();
    assert_eq!(pair.nodes[1].take(1, 100), [0, 1, 2]);
}
