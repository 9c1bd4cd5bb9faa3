//! `send --lines`: a message a line.

use std::io::Write;

use crate::support::{Machine, write};

#[test]
fn ten_thousand_lines_arrive_once_and_in_order() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    let texts: Vec<String> = (0..10_000).map(|number| format!("line {number} ✓")).collect();
    let file = write(&machine.path("lines"), texts.join("\n"));
    assert_eq!(b.succeeds(&["send", "--to", &a_id, "--lines", &file]), "");
    let listener = a.listen();
    let _connection = b.start(&["connect", &a_id]);
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    listener.expect(&b_id, 0, &texts);
    assert_eq!(listener.interrupt().stdout, b"");
}

#[test]
fn a_line_is_what_stands_before_its_end() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    let words = ["send", "--to", &a_id, "--lines", "-", "--json"];
    let sent = b.run_with(&words, b"unix\nwindows\r\n\n\r\nunended").succeeded(&words);
    let seqs: Vec<_> = sent
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["seq"].clone())
        .collect();
    assert_eq!(seqs, [0, 1, 2, 3, 4]);
    let listener = a.listen();
    let _connection = b.start(&["connect", &a_id]);
    listener.expect(&b_id, 0, &["unix", "windows", "", "", "unended"]);
}

#[test]
fn lines_are_sent_as_they_come() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    let listener = a.listen();
    let _connection = b.start(&["connect", &a_id]);
    let mut sending = b.start_piped(&["send", "--to", &a_id, "--lines", "-"]);
    let mut input = sending.child.stdin.take().unwrap();
    for (seq, text) in (0..).zip(["one", "two", "three"]) {
        writeln!(input, "{text}").unwrap();
        listener.expect(&b_id, seq, &[text]);
    }
    drop(input);
    assert_eq!(sending.finish().status, Some(0));
}

#[test]
fn long_lines_keep_their_place_among_short_ones() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    let long = "x".repeat(200_000);
    let texts: Vec<&str> =
        (0..1_000).map(|number| if number % 100 == 50 { &*long } else { "short" }).collect();
    let file = write(&machine.path("lines"), texts.join("\n"));
    b.succeeds(&["send", "--to", &a_id, "--lines", &file]);
    let listener = a.listen();
    let _connection = b.start(&["connect", &a_id]);
    listener.expect(&b_id, 0, &texts);
}

#[test]
fn a_failure_says_how_many_lines_are_durable() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    let mut text = "one\ntwo\n".to_owned();
    text.push_str(&"x".repeat((16 << 20) + (1 << 20)));
    let file = write(&machine.path("lines"), &text);
    let line = b.fails(1, &["send", "--to", &a_id, "--lines", &file]);
    assert!(line.contains("at most 16777216 bytes"), "{line}");
    assert!(line.ends_with("durable before that: 2 lines"), "{line}");
    let listener = a.listen();
    let _connection = b.start(&["connect", &a_id]);
    listener.expect(&b_id, 0, &["one", "two"]);
}

#[test]
fn an_interrupted_send_says_how_many_lines_are_durable() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let a_id = a.id();
    let mut sending = b.start_piped(&["send", "--to", &a_id, "--lines", "-", "--json"]);
    let mut input = sending.child.stdin.take().unwrap();
    input.write_all(b"one\ntwo\n").unwrap();
    sending.line();
    sending.line();
    let ended = sending.interrupt();
    assert_eq!(ended.status, Some(1));
    assert_eq!(ended.stderr, "peermq: interrupted; durable before that: 2 lines\n");
    drop(input);
}
