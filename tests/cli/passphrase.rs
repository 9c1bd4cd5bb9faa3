//! A key under a passphrase, which only whoever starts the node has to know.

use std::fs;
use std::process::{Command, Output, Stdio};

use crate::support::{Machine, Node};

/// Runs a command with the passphrase in a file; its exit status and what it said.
fn with_passphrase(machine: &Machine, node: &Node, passphrase: &str, words: &[&str]) -> Output {
    let file = machine.path("passphrase");
    fs::write(&file, passphrase).unwrap();
    let mut command: Command = node.command(words);
    command.env("PEERMQ_PASSPHRASE_FILE", file).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn a_key_under_a_passphrase_opens_for_who_knows_it() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (id, plain) = (a.id(), fs::read(a.directory.join("key")).unwrap());
    let secret = machine.path("secret");
    fs::write(&secret, "correct horse\n").unwrap();
    a.succeeds(&["passphrase", "set", "--file", secret.to_str().unwrap()]);
    let sealed = fs::read(a.directory.join("key")).unwrap();
    let seed = &plain[41..73];
    assert!(!sealed.windows(seed.len()).any(|window| window == seed));
    assert_eq!(a.id(), id);

    let line = a.fails(1, &["send", "--to", &b.id(), "--message", "x"]);
    assert!(line.contains("name a file in PEERMQ_PASSPHRASE_FILE"), "{line}");
    let send = ["send", "--to", &b.id(), "--message", "x"];
    let refused = with_passphrase(&machine, &a, "wrong horse", &send);
    assert_eq!(refused.status.code(), Some(1));
    let line = String::from_utf8(refused.stderr).unwrap();
    assert!(line.contains("got another one: try again") && line.lines().count() == 1, "{line}");
    assert!(with_passphrase(&machine, &a, "correct horse\n", &send).status.success());

    let (backup, copy) = (machine.path("backup"), machine.node("copy"));
    let backup = backup.to_str().unwrap();
    assert!(with_passphrase(&machine, &a, "correct horse", &["backup", backup]).status.success());
    copy.succeeds(&["restore", backup]);
    assert_eq!(copy.id(), id);
    assert_eq!(fs::read(copy.directory.join("key")).unwrap(), sealed);
}

#[test]
fn a_passphrase_is_changed_and_removed_by_who_knows_it() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let plain = fs::read(a.directory.join("key")).unwrap();
    let secret = machine.path("secret");
    let set = ["passphrase", "set", "--file", secret.to_str().unwrap()];
    fs::write(&secret, "one").unwrap();
    a.succeeds(&set);
    fs::write(&secret, "two").unwrap();
    assert_eq!(with_passphrase(&machine, &a, "two", &set).status.code(), Some(1));
    assert!(with_passphrase(&machine, &a, "one", &set).status.success());
    let remove = ["passphrase", "remove"];
    assert_eq!(with_passphrase(&machine, &a, "one", &remove).status.code(), Some(1));
    assert!(with_passphrase(&machine, &a, "two", &remove).status.success());
    assert_eq!(fs::read(a.directory.join("key")).unwrap(), plain);
    a.send(&b.id(), "x");
}

#[test]
fn a_node_whose_key_is_under_a_passphrase_is_recovered_by_who_knows_it() {
    let machine = Machine::new();
    let a = machine.node("a");
    let secret = machine.path("secret");
    let set = ["passphrase", "set", "--file", secret.to_str().unwrap()];
    fs::write(&secret, "one").unwrap();
    a.succeeds(&set);
    let recover = ["recover", "--new-epoch"];
    assert!(a.fails(1, &recover).contains("name a file in PEERMQ_PASSPHRASE_FILE"));
    assert!(with_passphrase(&machine, &a, "one", &recover).status.success());
}

#[test]
fn an_empty_passphrase_and_one_of_a_running_node_are_refused() {
    let machine = Machine::new();
    let a = machine.node("a");
    let secret = machine.path("secret");
    let set = ["passphrase", "set", "--file", secret.to_str().unwrap()];
    fs::write(&secret, "\n").unwrap();
    assert!(a.fails(1, &set).contains("1 to 1024 bytes, got 0"));
    fs::write(&secret, "one").unwrap();
    let listener = a.listen();
    assert!(a.fails(1, &set).contains("held by process"));
    listener.interrupt();
}
