//! Texts of every kind arrive as they were.

use crate::support::{Machine, write};

#[test]
fn texts_arrive_byte_for_byte() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    let listener = a.listen();
    let _connection = b.start(&["connect", &a_id]);
    let texts =
        ["", "wow → 漢字 🦀 عربي", "--file", " spaces ", "\u{1b}[2J\u{7}", "ends with CR\r"];
    for text in texts {
        b.send(&a_id, text);
    }
    listener.expect(&b_id, 0, &texts);
    b.send(&a_id, "two\nlines");
    listener.expect(&b_id, 6, &["two"]);
    assert_eq!(listener.line(), "lines");
}

#[test]
fn a_megabyte_of_any_bytes_arrives() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    let bytes: Vec<u8> =
        (0..1_u32 << 20).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let file = write(&machine.path("file"), &bytes);
    b.succeeds(&["send", "--to", &a_id, "--file", &file]);
    let text = "é".repeat(500_000);
    let words = ["send", "--to", &a_id];
    b.run_with(&words, text.as_bytes()).succeeded(&words);
    let listener = a.start(&["listen", "--no-archive"]);
    let _connection = b.start(&["connect", &a_id]);
    let mut got = Vec::new();
    let expected = [format!("MESSAGE {b_id}@0 ").as_bytes(), &bytes, b"\n"].concat();
    while got.len() < expected.len() {
        got.extend(listener.bytes());
    }
    assert!(got == expected, "the bytes differ");
    listener.expect(&b_id, 1, &[&text]);
    let shown = a.run(&["show", &format!("{b_id}@0")]);
    assert!(shown.status == Some(0) && shown.stdout == bytes, "the bytes shown differ");
}

#[test]
fn nothing_on_standard_input_is_an_empty_message() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    b.succeeds(&["send", "--to", &a_id]);
    let listener = a.listen();
    let _connection = b.start(&["connect", &a_id]);
    listener.expect(&b_id, 0, &[""]);
}
