//! `--json`: one object a line, of a shape that programs rely on.

use serde_json::{Value, json};

use crate::support::{Machine, write};

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = object.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn ids_peers_and_sends_are_objects() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    assert_eq!(objects(&a.succeeds(&["id", "--json"])), [json!({ "id": a_id })]);
    let peers = objects(&a.succeeds(&["--json", "peers"]));
    let quota = json!({ "bytes": 1_u64 << 30, "entries": 4 << 20 });
    assert_eq!(peers, [json!({ "id": b_id, "quota": quota })]);
    let sent = objects(&b.succeeds(&["send", "--to", &a_id, "--message", "x", "--json"]));
    assert_eq!(keys(&sent[0]), ["epoch", "seq", "to"]);
    assert_eq!((&sent[0]["to"], &sent[0]["seq"]), (&json!(a_id), &json!(0)));
    assert!(sent[0]["epoch"].as_u64().unwrap() > 1_600_000_000);
}

#[test]
fn messages_are_objects_with_text_or_base64() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    b.send(&a_id, "two\nlines \u{1b}");
    let file = write(&machine.path("file"), [0xff, 0x00, 0x10]);
    b.succeeds(&["send", "--to", &a_id, "--file", &file]);
    let listener = a.start(&["listen", "--json"]);
    let connection = b.start(&["connect", "--json", &a_id]);
    let text: Value = serde_json::from_str(&listener.line()).unwrap();
    assert_eq!(keys(&text), ["epoch", "from", "seq", "text", "time"]);
    assert_eq!((&text["from"], &text["seq"]), (&json!(b_id), &json!(0)));
    assert_eq!(text["text"], "two\nlines \u{1b}");
    assert!(text["time"].as_u64().unwrap() > 1_600_000_000_000);
    let bytes: Value = serde_json::from_str(&listener.line()).unwrap();
    assert_eq!(keys(&bytes), ["base64", "epoch", "from", "seq", "time"]);
    assert_eq!((&bytes["base64"], &bytes["seq"]), (&json!("/wAQ"), &json!(1)));
    let ack: Value = serde_json::from_str(&connection.error_line()).unwrap();
    assert_eq!(keys(&ack), ["epoch", "first", "last", "state", "to"]);
    assert_eq!((&ack["to"], &ack["state"]), (&json!(a_id), &json!("stored")));
}

#[test]
fn a_shown_message_is_an_object_with_its_text_or_base64() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    b.send(&a_id, "two\nlines");
    let file = write(&machine.path("file"), [0xff, 0x00, 0x10]);
    b.succeeds(&["send", "--to", &a_id, "--file", &file]);
    let (listener, _connection) = (a.start(&["listen", "--json"]), b.start(&["connect", &a_id]));
    listener.line();
    let epoch = serde_json::from_str::<Value>(&listener.line()).unwrap()["epoch"].clone();
    let shown = objects(&a.succeeds(&["show", "--json", &format!("{b_id}@0")]));
    assert_eq!(shown, [json!({ "from": b_id, "seq": 0, "text": "two\nlines" })]);
    let shown = objects(&a.succeeds(&["show", "--json", &format!("{b_id}@{epoch}.1")]));
    assert_eq!(shown, [json!({ "from": b_id, "epoch": epoch, "seq": 1, "base64": "/wAQ" })]);
}

#[test]
fn lists_and_status_are_objects() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    b.send(&a_id, "hello");
    let sent = objects(&b.succeeds(&["messages", "--set", "sent", "--json"]));
    assert_eq!(keys(&sent[0]), ["epoch", "seq", "size", "state", "time", "to"]);
    assert_eq!((&sent[0]["to"], &sent[0]["size"]), (&json!(a_id), &json!(5)));
    let listener = a.start(&["listen", "--no-archive"]);
    let connection = b.start(&["connect", &a_id]);
    listener.expect(&b_id, 0, &["hello"]);
    let unread = objects(&a.succeeds(&["messages", "--json"]));
    assert_eq!(keys(&unread[0]), ["epoch", "from", "seq", "size", "state", "time"]);
    assert_eq!((&unread[0]["from"], &unread[0]["state"]), (&json!(b_id), &json!("unread")));
    let status = &objects(&a.succeeds(&["status", "--json"]))[0];
    let expected = [
        "ended",
        "epoch",
        "forks",
        "health",
        "id",
        "length",
        "listening",
        "peers",
        "sessions",
        "store",
    ];
    assert_eq!(keys(status), expected);
    assert_eq!(status["sessions"][0]["peer"], b_id);
    assert_eq!(
        (&status["peers"][0]["id"], &status["peers"][0]["unread"]),
        (&json!(b_id), &json!(1))
    );
    drop(connection);
}
