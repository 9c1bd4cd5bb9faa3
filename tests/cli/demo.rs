//! `peermq demo`, and the scripts for shells.

use crate::support::Machine;

#[test]
fn the_demonstration_shows_the_walk_through() {
    let machine = Machine::new();
    let shown = machine.node("unused").succeeds(&["demo"]);
    for (seq, text) in (0..).zip(["wow", "cool", "hiiiiiiii", "beep", "boop"]) {
        let line = format!("@{seq} {text}\n");
        assert_eq!(shown.matches(&line).count(), 1, "{shown}");
    }
    assert!(!machine.path("unused").exists(), "it keeps to its own folder");
}

#[test]
fn every_command_has_a_manual_page() {
    let machine = Machine::new();
    let (node, folder) = (machine.node("unused"), machine.path("man"));
    node.succeeds(&["man", "--out", folder.to_str().unwrap()]);
    for command in ["peermq", "peermq-send", "peermq-passphrase", "peermq-passphrase-set"] {
        let page = std::fs::read_to_string(folder.join(format!("{command}.1"))).unwrap();
        assert!(page.contains(&command.replace('-', "\\-")), "{command}");
    }
    assert!(node.succeeds(&["man", "passphrase", "set"]).contains("passphrase"));
    assert!(node.fails(1, &["man", "sned"]).contains("a command of peermq, got \"sned\""));
}

#[test]
fn completions_and_the_manual_page_name_every_verb() {
    let machine = Machine::new();
    let node = machine.node("unused");
    let page = node.succeeds(&["man"]);
    for shell in ["bash", "zsh", "fish"] {
        let script = node.succeeds(&["completions", shell]);
        for verb in ["add-peer", "remove-peer", "listen", "connect", "messages", "show"] {
            assert!(script.contains(verb), "{shell}: {verb}");
            assert!(page.contains(&verb.replace('-', "\\-")), "{verb}");
        }
    }
}
