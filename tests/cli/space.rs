//! Space comes back from messages that nobody needs any more.

use crate::support::{Machine, archived};

/// Bytes that `gc` says it freed, or would free.
fn bytes(json: &str) -> u64 {
    let answer: serde_json::Value = serde_json::from_str(json).unwrap();
    answer["bytes"].as_u64().unwrap()
}

#[test]
fn what_was_archived_there_and_cleared_here_is_freed() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    let listener = a.listen();
    for number in 0..20 {
        b.send(&a_id, &format!("{number} {}", "x".repeat(5_000)));
    }
    let connection = b.start(&["connect", &a_id]);
    archived(&connection, 19);
    // While the nodes run, through their sockets.
    let told = bytes(&b.succeeds(&["gc", "--dry-run", "--json"]));
    assert!(told > 20 * 5_000, "{told}");
    assert_eq!(bytes(&b.succeeds(&["gc", "--json"])), told);
    assert_eq!(bytes(&b.succeeds(&["gc", "--json"])), 0);
    assert_eq!(a.succeeds(&["gc"]), "0 B freed\n", "what is archived here is kept");
    b.send(&a_id, "one more");
    archived(&connection, 20);
    assert_eq!(listener.terminate().status, Some(0));
    assert_eq!(connection.interrupt().status, Some(0));

    // While none runs.
    for seq in 0..10 {
        a.succeeds(&["clear", &format!("{b_id}@{seq}")]);
    }
    let told = a.succeeds(&["gc", "--dry-run"]);
    let freed = a.succeeds(&["gc"]);
    assert_eq!(told.strip_suffix(" would be freed\n"), freed.strip_suffix(" freed\n"));
    for node in [&a, &b] {
        assert!(node.succeeds(&["check"]).starts_with("21 messages"));
    }
    assert_eq!(a.succeeds(&["show", &format!("{b_id}@10")]).len(), 5_003);
    a.fails(1, &["show", &format!("{b_id}@9")]);
}
