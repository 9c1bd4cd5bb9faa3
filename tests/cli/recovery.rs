//! What a person does when a store is in doubt.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use peermq::node::Offline;
use peermq::node::directory::Directory;

use crate::support::{Machine, Node, archived, write};

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
fn a_backup_may_be_named_by_a_name_alone() {
    let machine = Machine::new();
    let a = machine.node("a");
    a.id();
    let ended = a.command(&["backup", "file"]).current_dir(&a.directory).output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    let file = a.directory.join("file");
    machine.node("again").succeeds(&["restore", file.to_str().unwrap()]);
}

#[test]
fn a_restore_takes_over_what_an_earlier_one_left_and_nothing_else() {
    let machine = Machine::new();
    let a = machine.node("a");
    a.send(&machine.node("b").id(), "hello");
    let path = machine.path("backup").to_str().unwrap().to_owned();
    a.succeeds(&["backup", &path]);
    let again = machine.node("again");
    let draft = machine.path("again.restoring");

    // A folder that is somebody else's, whoever may write to it.
    std::fs::create_dir(&draft).unwrap();
    write(&draft.join("diary"), "mine");
    for mode in [0o755, 0o775] {
        std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(mode)).unwrap();
        let line = again.fails(1, &["restore", &path]);
        assert!(line.contains("again.restoring"), "{line}");
        assert_eq!(std::fs::read(draft.join("diary")).unwrap(), b"mine");
    }
    std::fs::remove_dir_all(&draft).unwrap();

    // One that another process restores to at this moment.
    let other = Directory::open_or_create(&draft).unwrap();
    write(&draft.join("restoring"), "");
    write(&draft.join("key"), "half");
    let lock = other.lock().unwrap();
    let line = again.fails(1, &["restore", &path]);
    assert!(line.contains("again.restoring"), "{line}");
    assert!(draft.join("key").exists());

    // One that was cut off.
    drop(lock);
    again.succeeds(&["restore", &path]);
    assert_eq!(again.id(), a.id());
    assert!(!draft.exists() && !again.directory.join("restoring").exists());

    // One that was cut off before it had said what it is.
    std::fs::remove_dir_all(&again.directory).unwrap();
    drop(Directory::open_or_create(&draft).unwrap().lock().unwrap());
    again.succeeds(&["restore", &path]);
    assert_eq!(again.id(), a.id());
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

#[test]
fn a_repair_of_a_sound_store_takes_nothing_out() {
    let machine = Machine::new();
    let a = machine.node("a");
    a.send(&machine.node("b").id(), "hello");
    assert_eq!(a.succeeds(&["repair"]), "1 messages and all that belongs to them are sound\n");
    assert!(!a.directory.join("aside").exists());
}

#[test]
fn a_damaged_row_is_found_set_aside_and_the_node_goes_on() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let listener = a.listen();
    b.send(&a.id(), "zero");
    let connection = b.start(&["connect", &a.id()]);
    listener.expect(&b.id(), 0, &["zero"]);
    archived(&connection, 0);
    drop(connection);
    listener.terminate();
    damage_received_block(&a);

    let ended = a.run(&["check"]);
    assert_eq!(ended.status, Some(1), "{ended:?}");
    let line = String::from_utf8(ended.stdout).unwrap();
    assert!(line.starts_with(&format!("messages of {} in ", b.id())), "{line}");
    assert!(line.contains("repair would set it aside and ask the peer again"), "{line}");
    a.succeeds(&["repair"]);
    assert_eq!(std::fs::read_dir(a.directory.join("aside")).unwrap().count(), 1);
    a.succeeds(&["check"]);

    // The message comes again, and stays archived.
    let listener = a.listen();
    b.send(&a.id(), "one");
    let _connection = b.start(&["connect", &a.id()]);
    listener.expect(&b.id(), 1, &["one"]);
}

#[test]
fn a_long_message_in_a_damaged_file_comes_again_after_a_repair() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let texts = ["x".repeat(300_000), "y".repeat(300_000)];
    let lines = write(&machine.path("lines"), texts.join("\n"));
    b.succeeds(&["send", "--to", &a.id(), "--lines", &lines]);
    let (listener, connection) =
        (a.start(&["listen", "--no-archive"]), b.start(&["connect", &a.id()]));
    listener.expect(&b.id(), 0, &[&texts[0], &texts[1]]);
    drop((listener, connection));
    let files = a.directory.join("store/sled-1/apart");
    let file = files.join("0");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[100_000] ^= 1;
    write(&file, bytes);

    let ended = a.run(&["check"]);
    assert_eq!(ended.status, Some(1), "{ended:?}");
    a.succeeds(&["repair"]);
    a.succeeds(&["check"]);
    assert!(files.join("0.damaged").exists(), "what is left of it is kept");
    let (listener, _connection) = (a.listen(), b.start(&["connect", &a.id()]));
    listener.expect(&b.id(), 0, &[&texts[0], &texts[1]]);
}

#[test]
fn a_store_that_does_not_open_is_set_aside_and_peers_send_again() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    b.send(&a.id(), "zero");
    b.send(&a.id(), "one");
    a.send(&b.id(), "of the first life");
    let (listener, connection) =
        (a.start(&["listen", "--no-archive"]), b.start(&["connect", &a.id()]));
    listener.expect(&b.id(), 0, &["zero", "one"]);
    a.succeeds(&["archive", &format!("{}@0", b.id())]);
    archived(&connection, 0);
    drop((listener, connection));
    destroy(&a.directory.join("store"));

    let line = a.fails(1, &["check"]);
    assert!(line.contains("the store is damaged"), "{line}");
    let ended = a.run(&["repair"]);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    for words in ["the store is damaged: ", "/aside/store-", "recover --new-epoch"] {
        assert!(ended.stderr.contains(words), "{words} in {}", ended.stderr);
    }
    let kept = std::fs::read_dir(a.directory.join("aside")).unwrap().next().unwrap().unwrap();
    assert!(kept.path().is_dir());
    a.fails(1, &["send", "--to", &b.id(), "--message", "not yet"]);
    a.succeeds(&["recover", "--new-epoch"]);
    a.succeeds(&["add-peer", &b.id()]);

    // What was archived is not offered again, what was unread is.
    let (listener, _connection) = (a.listen(), b.start(&["connect", &a.id()]));
    listener.expect(&b.id(), 1, &["one"]);
    a.send(&b.id(), "of the second");
    let reader = b.start(&["listen", "--addr", "127.0.0.1:0"]);
    reader.expect(&a.id(), 0, &["of the first life"]);
    assert!(reader.line().ends_with(".0 of the second"));
    listener.terminate();
    a.succeeds(&["check"]);
}

#[test]
fn of_a_store_with_a_flipped_bit_repair_keeps_what_can_be_read() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    for number in 0..40 {
        b.send(&a.id(), &format!("{number} {}", "x".repeat(1_000)));
    }
    let file = b.directory.join("store/sled-1/db");
    let mut bytes = std::fs::read(&file).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[used * 3 / 4] ^= 1;
    write(&file, bytes);
    assert!(b.fails(1, &["check"]).contains("the store is damaged"));

    let ended = b.run(&["repair"]);
    assert!(ended.stderr.contains(" rows that could be read is in its place"), "{ended:?}");
    b.succeeds(&["check"]);
    let kept = b.succeeds(&["messages", "--set", "sent"]).lines().count();
    assert!((10..40).contains(&kept), "{kept} of 40 are there");
    b.fails(1, &["send", "--to", &a.id(), "--message", "not yet"]);
    b.succeeds(&["recover", "--new-epoch"]);
    b.succeeds(&["add-peer", &a.id()]);
    // What is left of the old life is delivered, and the new one goes on.
    b.send(&a.id(), "anew");
    let listener = a.listen();
    let _connection = b.start(&["connect", &a.id()]);
    let lines: Vec<_> = (0..=kept).map(|_| listener.line()).collect();
    assert_eq!(lines.iter().filter(|line| line.ends_with(" anew")).count(), 1);
}

#[test]
fn a_repair_replaces_no_store_that_opens_and_leaves_no_half_of_one() {
    let machine = Machine::new();
    let a = machine.node("a");
    a.send(&machine.node("b").id(), "hello");
    // As one finds it that waited for another one to end.
    assert_eq!(Offline::salvage(&a.directory, None).unwrap(), None);
    assert_eq!(a.succeeds(&["messages", "--set", "sent"]).lines().count(), 1);

    let store = a.directory.join("store");
    destroy(&store);
    symlink("nowhere", store.join("sled-1/unreadable")).unwrap();
    a.fails(1, &["repair"]);
    assert!(store.exists());
    for half in ["store.scratch", "store.salvaged"] {
        assert!(!a.directory.join(half).exists(), "{half}");
    }
}

/// Leaves of each file of a store only zeros.
fn destroy(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            destroy(&entry.path());
        } else if entry.file_name() != "lock" {
            let size = usize::try_from(entry.metadata().unwrap().len()).unwrap();
            write(&entry.path(), vec![0; size]);
        }
    }
}

/// Writes other bytes over a block of received messages.
fn damage_received_block(node: &Node) {
    let (store, poison) = (node.directory.join("store"), node.directory.join("poison"));
    let kind = peermq_storage::Kind::available()[0];
    let store = peermq_storage::open(kind, &store, &poison).unwrap().store;
    let (key, _) = store.scan(&[0x71]..&[0x72]).next().unwrap().unwrap();
    let mut batch = peermq_storage::Batch::new();
    batch.put(key, vec![1; 9]);
    store.commit(batch).unwrap();
}
