//! What a person does when a store is in doubt.

use std::os::unix::fs::PermissionsExt;

use crate::support::{Machine, archived, write};

#[test]
fn a_sound_store_is_checked_when_no_node_runs() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let listener = a.listen();
    for text in ["zero", "one"] {
        b.send(&a.id(), text);
    }
    let connection = b.start(&["connect", &a.id()]);
    listener.expect(&b.id(), 0, &["zero", "one"]);
    archived(&connection, 1);

    let line = a.fails(1, &["check"]);
    assert!(line.contains(&format!("process {}", a.holder())), "{line}");
    assert_eq!(listener.terminate().status, Some(0));
    assert_eq!(connection.interrupt().status, Some(0));
    for node in [&a, &b] {
        let line = "2 messages and all that belongs to them are sound\n";
        assert_eq!(node.succeeds(&["check"]), line);
        assert_eq!(node.succeeds(&["check", "--json"]), "{\"findings\":0,\"messages\":2}\n");
    }
}

#[test]
fn a_directory_without_a_key_is_not_checked_and_not_made() {
    let machine = Machine::new();
    let node = machine.node("nothing");
    let line = node.fails(1, &["check"]);
    assert!(
        line.starts_with("peermq: expected a data directory with a key, got none at"),
        "{line}"
    );
    assert!(!node.directory.exists());
}

#[test]
fn a_backup_of_a_running_node_brings_everything_back() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let listener = a.start(&["listen", "--no-archive"]);
    for text in ["zero", "one"] {
        b.send(&a.id(), text);
    }
    let connection = b.start(&["connect", &a.id()]);
    listener.expect(&b.id(), 0, &["zero", "one"]);
    a.succeeds(&["archive", &format!("{}@0", b.id())]);
    let file = machine.path("backup");
    let path = file.to_str().unwrap();
    assert_eq!(a.succeeds(&["backup", path]), "");
    let line = a.fails(1, &["backup", path]);
    assert!(line.contains("exists"), "{line}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    drop((listener, connection));

    let again = machine.node("again");
    assert_eq!(again.succeeds(&["restore", path]), "");
    assert_eq!(again.id(), a.id());
    assert!(!again.directory.join("head-mark").exists());
    again.succeeds(&["check"]);
    for set in ["unread", "archived"] {
        let words = ["messages", "--set", set];
        assert_eq!(again.succeeds(&words), a.succeeds(&words));
        assert_eq!(again.succeeds(&words).lines().count(), 1);
    }
    assert_eq!(again.succeeds(&["peers"]), a.succeeds(&["peers"]));
    let line = again.fails(1, &["restore", path]);
    assert!(
        line.starts_with("peermq: expected an empty directory or none, got files in"),
        "{line}"
    );
}

#[test]
fn nothing_is_restored_of_a_backup_that_is_cut_or_changed() {
    let machine = Machine::new();
    let a = machine.node("a");
    a.send(&machine.node("b").id(), "hello");
    let path = machine.path("backup").to_str().unwrap().to_owned();
    a.succeeds(&["backup", &path]);
    let bytes = std::fs::read(&path).unwrap();
    let mut changed = bytes.clone();
    changed[200] ^= 1;
    let again = machine.node("again");
    for bytes in [&bytes[..bytes.len() - 1], &bytes[..50], &changed] {
        let path = write(&machine.path("bad"), bytes);
        let line = again.fails(1, &["restore", &path]);
        assert!(line.contains("expected a whole backup"), "{line}");
        assert!(!again.directory.exists());
    }
}
