//! What is stored: listed, shown, archived, cleared.

use crate::support::{Machine, Node};

/// `a` holds three unread messages of `b`.
fn three_unread(machine: &Machine) -> (Node, Node) {
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    for text in ["zero", "one", "two"] {
        b.send(&a_id, text);
    }
    let listener = a.start(&["listen", "--no-archive"]);
    let _connection = b.start(&["connect", &a_id]);
    listener.expect(&b_id, 0, &["zero", "one", "two"]);
    (a, b)
}

/// The seqs of a list's lines, each checked to be of `from` and `state`.
fn seqs(node: &Node, set: &str, from: &str) -> Vec<u64> {
    let lines = node.succeeds(&["messages", "--set", set]);
    let seqs = lines.lines().map(|line| {
        let words: Vec<_> = line.split(' ').collect();
        assert_eq!((words.len(), words[1]), (4, set), "{line}");
        words[0].strip_prefix(&format!("{from}@")).unwrap().parse().unwrap()
    });
    seqs.collect()
}

#[test]
fn listing_changes_nothing() {
    let machine = Machine::new();
    let (a, b) = three_unread(&machine);
    let b_id = b.id();
    for _ in 0..2 {
        assert_eq!(seqs(&a, "unread", &b_id), [0, 1, 2]);
        assert_eq!(seqs(&a, "archived", &b_id), [0; 0]);
    }
}

#[test]
fn archived_and_cleared_messages_are_offered_no_more() {
    let machine = Machine::new();
    let (a, b) = three_unread(&machine);
    let b_id = b.id();
    let place = |seq: u64| format!("{b_id}@{seq}");
    a.succeeds(&["archive", &place(1)]);
    a.succeeds(&["archive", &place(1)]);
    a.succeeds(&["clear", &place(2)]);
    a.succeeds(&["clear", &place(2)]);
    assert_eq!(seqs(&a, "unread", &b_id), [0]);
    assert_eq!(seqs(&a, "archived", &b_id), [1]);
    assert_eq!(a.succeeds(&["show", &place(1)]), "one");
    a.fails(1, &["show", &place(2)]);
    let listener = a.listen();
    listener.expect(&b_id, 0, &["zero"]);
    a.succeeds(&["clear", &place(1)]);
    assert_eq!(seqs(&a, "archived", &b_id), [0]);
    b.send(&a.id(), "three");
    let _connection = b.start(&["connect", &a.id()]);
    listener.expect(&b_id, 3, &["three"]);
}

#[test]
fn a_place_that_was_never_received_is_refused() {
    let machine = Machine::new();
    let (a, b) = three_unread(&machine);
    let b_id = b.id();
    for verb in ["show", "archive", "clear"] {
        let line = a.fails(1, &[verb, &format!("{b_id}@3")]);
        assert!(line.contains(&b_id), "{line}");
        a.fails(1, &[verb, &format!("{b_id}@7.0")]);
    }
}

#[test]
fn what_has_expired_is_stored_and_not_offered() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    for (text, time) in [("too late", "0s"), ("in time", "1h")] {
        b.succeeds(&["send", "--to", &a.id(), "--message", text, "--expires", time]);
    }
    let lines =
        b.run_with(&["send", "--to", &a.id(), "--lines", "-", "--expires", "0s"], b"one\ntwo");
    assert_eq!(lines.status, Some(0), "{lines:?}");
    b.send(&a.id(), "for ever");
    let listener = a.listen();
    let connection = b.start(&["connect", &a.id()]);
    listener.expect(&b.id(), 1, &["in time"]);
    listener.expect(&b.id(), 4, &["for ever"]);
    connection.error_line_ending("4 archived");
    assert_eq!(
        a.succeeds(&["messages"]).lines().count(),
        3,
        "a clock may be wrong: they stay a day"
    );
}
