//! Long bodies: streamed in, announced by their size, streamed out.

use std::fs::File;

use serde_json::Value;

use crate::support::{Machine, archived, write};

#[test]
fn a_body_over_16_mib_is_named_by_its_size_and_kept_before_it_is_archived() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    let bytes: Vec<u8> = (0..20_u32 << 20).map(|n| (n / 7).to_le_bytes()[0]).collect();
    let file = write(&machine.path("file"), &bytes);
    b.succeeds(&["send", "--to", &a_id, "--file", &file]);
    b.send(&a_id, "behind it");
    let listener = a.listen();
    let connection = b.start(&["connect", &a_id]);
    let place = format!("{b_id}@0");
    assert_eq!(listener.line(), format!("MESSAGE {place} [20971520 bytes: peermq show {place}]"));
    listener.expect(&b_id, 1, &["behind it"]);
    while !b
        .succeeds(&["messages", "--set", "sent"])
        .lines()
        .all(|line| line.contains(" archived "))
    {
        archived(&connection, 0);
    }
    drop((listener, connection));
    let shown = a.run(&["show", &place]);
    assert!(shown.status == Some(0) && shown.stdout == bytes, "the bytes shown differ");
}

#[test]
fn a_body_over_16_mib_is_its_size_alone_in_json() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let a_id = a.id();
    let file = machine.path("file");
    File::create(&file).unwrap().set_len((16 << 20) + 1).unwrap();
    b.succeeds(&["send", "--to", &a_id, "--file", file.to_str().unwrap()]);
    let listener = a.start(&["listen", "--json"]);
    let _connection = b.start(&["connect", &a_id]);
    let message: Value = serde_json::from_str(&listener.line()).unwrap();
    let mut keys: Vec<_> = message.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["epoch", "from", "seq", "size", "time"]);
    assert_eq!(message["size"], (16 << 20) + 1);
}

#[test]
fn a_body_over_the_limit_is_refused_before_it_is_read() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let file = machine.path("file");
    File::create(&file).unwrap().set_len((1 << 30) + 1).unwrap();
    let line = b.fails(1, &["send", "--to", &a.id(), "--file", file.to_str().unwrap()]);
    assert!(line.contains("at most 1073741824 bytes, got 1073741825"), "{line}");
}
