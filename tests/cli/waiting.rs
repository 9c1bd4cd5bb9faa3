//! `send --wait`.

use crate::support::Machine;

#[test]
fn waiting_without_a_node_dials() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    let listener = a.listen();
    let words = ["send", "--to", &a_id, "--message", "x", "--wait", "archived"];
    b.succeeds(&words);
    listener.expect(&b_id, 0, &["x"]);
    let sent = b.succeeds(&["messages", "--set", "sent"]);
    assert!(sent.contains(" archived "), "{sent}");
}

#[test]
fn waiting_for_lines_waits_for_the_last() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    let listener = a.listen();
    let words = ["send", "--to", &a_id, "--lines", "-", "--wait", "stored", "--timeout", "60s"];
    b.run_with(&words, b"one\ntwo\nthree").succeeded(&words);
    listener.expect(&b_id, 0, &["one", "two", "three"]);
}

#[test]
fn a_peer_that_is_away_is_a_timeout_and_the_message_is_kept() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    let words = ["send", "--to", &a_id, "--message", "x", "--wait", "stored", "--timeout", "100ms"];
    let line = b.fails(3, &words);
    assert!(line.contains("within 100ms"), "{line}");
    let listener = a.listen();
    let _connection = b.start(&["connect", &a_id]);
    listener.expect(&b_id, 0, &["x"]);
}

#[test]
fn waiting_that_is_interrupted_fails_and_the_message_is_kept() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    let words = ["send", "--to", &a_id, "--message", "x", "--wait", "stored", "--json"];
    let waiting = b.start(&words);
    // Printed once the message is durable.
    waiting.line();
    let ended = waiting.interrupt();
    assert_eq!(ended.status, Some(1));
    assert_eq!(ended.stderr, "peermq: interrupted; durable before that: everything\n");
    let listener = a.listen();
    let _connection = b.start(&["connect", &a_id]);
    listener.expect(&b_id, 0, &["x"]);
}
