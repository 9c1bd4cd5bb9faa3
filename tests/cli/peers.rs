//! Who may send: `add-peer`, `remove-peer`, strangers.

use crate::support::{Machine, archived};

#[test]
fn peers_are_listed_once_and_sorted() {
    let machine = Machine::new();
    let a = machine.node("a");
    let mut ids: Vec<_> = (0..3).map(|number| machine.node(&format!("n{number}")).id()).collect();
    let upper = ids[0].to_uppercase();
    a.succeeds(&["add-peer", &ids[2], &ids[1], &upper, &ids[0]]);
    ids.sort();
    let listed = a.succeeds(&["peers"]);
    assert_eq!(listed.lines().collect::<Vec<_>>(), ids);
    a.succeeds(&["remove-peer", &ids[1]]);
    a.succeeds(&["remove-peer", &ids[1]]);
    assert_eq!(a.succeeds(&["peers"]).lines().collect::<Vec<_>>(), [&ids[0], &ids[2]]);
}

#[test]
fn a_stranger_s_messages_are_never_stored() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let stranger = machine.node("stranger");
    let a_id = a.id();
    stranger.send(&a_id, "let me in");
    b.send(&a_id, "hello");
    let listener = a.listen();
    let _uninvited = stranger.start(&["connect", &a_id]);
    let connection = b.start(&["connect", &a_id]);
    listener.expect(&b.id(), 0, &["hello"]);
    archived(&connection, 0);
    let status = a.succeeds(&["status", "--json"]);
    assert!(!status.contains(&stranger.id()), "{status}");
}

#[test]
fn removing_a_peer_cuts_its_session_and_what_comes_after() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    let listener = a.listen();
    let connection = b.start(&["connect", &a_id]);
    b.send(&a_id, "before");
    listener.expect(&b_id, 0, &["before"]);
    archived(&connection, 0);
    a.succeeds(&["remove-peer", &b_id]);
    let status = a.succeeds(&["status", "--json"]);
    assert!(status.contains("\"sessions\":[]"), "{status}");
    b.send(&a_id, "after");
    a.succeeds(&["add-peer", &b_id]);
    listener.expect(&b_id, 1, &["after"]);
}

#[test]
fn removing_a_peer_ends_the_connect_to_it() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let a_id = a.id();
    let connection = b.start(&["connect", &a_id]);
    b.succeeds(&["status"]);
    b.succeeds(&["remove-peer", &a_id]);
    connection.finish().failed(1, &["connect"]);
    b.fails(1, &["connect", &a_id]);
    b.fails(1, &["send", "--to", &a_id, "--message", "x"]);
    b.succeeds(&["add-peer", &a_id]);
    b.send(&a_id, "x");
}

#[test]
fn sending_needs_no_added_peer() {
    let machine = Machine::new();
    let (a, b) = (machine.node("a"), machine.node("b"));
    a.succeeds(&["add-peer", &b.id()]);
    b.send(&a.id(), "hello");
    let listener = a.listen();
    let _connection = b.start(&["connect", &a.id()]);
    listener.expect(&b.id(), 0, &["hello"]);
}
