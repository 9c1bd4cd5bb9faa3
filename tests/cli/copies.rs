//! Copies of a data directory, and older ones put back: such a node signs nothing, says so, and has
//! two ways out.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Machine, Node, archived, copy, deliver};

/// Puts the files of an older copy over the present ones, which stay the same files.
fn put_back(old: &Path, node: &Node) {
    std::fs::remove_dir_all(node.directory.join("store")).unwrap();
    copy(&old.join("store"), &node.directory.join("store"));
    let mark = std::fs::read(old.join("head-mark")).unwrap();
    std::fs::write(node.directory.join("head-mark"), mark).unwrap();
}

fn status(node: &Node) -> Value {
    serde_json::from_str(&node.succeeds(&["status", "--json"])).unwrap()
}

/// The node is stale, for a reason that holds these words, and takes no send.
fn assert_stale(node: &Node, to: &str, words: &str) {
    let told = status(node)["stale"].as_str().unwrap_or_default().to_owned();
    assert!(told.contains(words), "expected {words:?} in {told:?}");
    let refused = node.fails(1, &["send", "--to", to, "--message", "more"]);
    assert_eq!(refused, format!("peermq: {told}"));
    assert!(node.succeeds(&["status"]).contains("\nstale      expected "));
}

#[test]
fn of_two_copies_the_one_that_moved_signs_nothing_until_a_new_life_begins() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    a.send(&b_id, "one");
    let twin = machine.node("twin");
    copy(&a.directory, &twin.directory);
    assert_stale(&twin, &b_id, "got a copy");
    // The one that stayed goes on.
    a.send(&b_id, "two");
    deliver(&a, &b, 1);
    assert_eq!(status(&a)["stale"], Value::Null);

    assert_eq!(twin.succeeds(&["recover", "--new-epoch"]), "");
    twin.send(&b_id, "three");
    let (listener, connection) = (b.listen(), twin.start(&["connect", &b_id]));
    let epoch = status(&twin)["epoch"].as_u64().unwrap();
    assert_eq!(listener.line(), format!("MESSAGE {a_id}@{epoch}.0 three"));
    archived(&connection, 0);
    drop((listener, connection));
    let positions = status(&b)["peers"][0]["positions"].clone();
    assert_eq!(positions.as_array().unwrap().len(), 2);
    // Places are understood as they were printed.
    assert_eq!(b.succeeds(&["show", &format!("{a_id}@{epoch}.0")]), "three");
    assert_eq!(b.succeeds(&["show", &format!("{a_id}@0")]), "one");
}

#[test]
fn a_moved_directory_goes_on_by_the_users_word() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    a.send(&b.id(), "one");
    let moved = machine.node("moved");
    copy(&a.directory, &moved.directory);
    std::fs::remove_dir_all(&a.directory).unwrap();
    assert_stale(&moved, &b.id(), "recover --moved");
    assert_eq!(moved.succeeds(&["recover", "--moved"]), "");
    moved.send(&b.id(), "two");
    let (listener, _connection) = (b.listen(), moved.start(&["connect", &b.id()]));
    listener.expect(&moved.id(), 0, &["one", "two"]);
}

#[test]
fn a_store_behind_its_head_mark_signs_nothing_and_the_users_word_is_not_enough() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let b_id = b.id();
    a.send(&b_id, "one");
    copy(&a.directory, &machine.path("old"));
    a.send(&b_id, "two");
    deliver(&a, &b, 1);
    std::fs::remove_dir_all(a.directory.join("store")).unwrap();
    copy(&machine.path("old").join("store"), &a.directory.join("store"));
    assert_stale(&a, &b_id, "got an older one");
    let refused = a.fails(1, &["recover", "--moved"]);
    assert!(refused.contains("recover --new-epoch"), "{refused}");
    a.succeeds(&["recover", "--new-epoch"]);
    a.send(&b_id, "again");
    deliver(&a, &b, 0);

    // Without any store, too.
    std::fs::remove_dir_all(a.directory.join("store")).unwrap();
    assert_stale(&a, &b_id, "got an older one");
    // Without a head mark nobody knows.
    a.succeeds(&["recover", "--new-epoch"]);
    a.send(&b_id, "third");
    std::fs::remove_file(a.directory.join("head-mark")).unwrap();
    assert_stale(&a, &b_id, "expected a head mark");
}

#[test]
fn an_older_copy_put_back_in_place_is_found_by_the_first_peer_that_is_ahead() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    a.send(&b_id, "one");
    copy(&a.directory, &machine.path("old"));
    for text in ["two", "three"] {
        a.send(&b_id, text);
    }
    deliver(&a, &b, 2);
    put_back(&machine.path("old"), &a);
    // Nothing on this machine tells, and a message is taken: it must never be signed at a used place.
    a.send(&b_id, "other");
    let listener = b.listen();
    let connection = a.start(&["connect", &b_id]);
    let line = loop {
        let line = status(&a)["stale"].as_str().unwrap_or_default().to_owned();
        if !line.is_empty() {
            break line;
        }
    };
    assert!(line.contains("a peer holds 3 entries"), "{line}");
    assert_eq!(
        connection.error_line_with("nothing is sent"),
        format!("peermq: nothing is sent from here: {line}")
    );
    drop(connection);
    assert_stale(&a, &b_id, "a peer holds 3 entries");

    // It still receives, and says at each start how it stands.
    b.send(&a_id, "back");
    let reader = a.start(&["listen", "--json"]);
    let told: Value = serde_json::from_str(&reader.error_line_with("\"notice\"")).unwrap();
    assert_eq!(told, json!({ "notice": "stale", "reason": line }));
    drop(reader);
    let reader = a.start(&["listen"]);
    let _back = b.start(&["connect", &a_id]);
    assert_eq!(reader.line(), format!("MESSAGE {b_id}@0 back"));
    drop(reader);

    a.succeeds(&["recover", "--new-epoch"]);
    a.send(&b_id, "new");
    let _connection = a.start(&["connect", &b_id]);
    let epoch = status(&a)["epoch"].as_u64().unwrap();
    // What peers hold of the earlier life stays as it was signed.
    assert_eq!(listener.line(), format!("MESSAGE {a_id}@{epoch}.0 new"));
    let told = listener.error_line_with("new life");
    assert!(told.ends_with(&format!("its next messages are {a_id}@{epoch}.<seq>")), "{told}");
}

#[test]
fn a_running_node_is_not_recovered() {
    let machine = Machine::new();
    let (a, _b) = machine.pair();
    let _listener = a.listen();
    let refused = a.fails(1, &["recover", "--new-epoch"]);
    assert!(refused.contains("held by process"), "{refused}");
    a.fails(2, &["recover"]);
}
