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
