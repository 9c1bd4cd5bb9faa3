//! The walk-through: ids alone, no addresses, in every order of starting.

use crate::support::{Machine, archived};

#[test]
fn ids_alone_bring_two_nodes_together() {
    let machine = Machine::new();
    let (a, b) = (machine.node("a"), machine.node("b"));
    let (a_id, b_id) = (a.id(), b.id());
    a.succeeds(&["add-peer", &b_id]);
    for text in ["wow", "cool", "hiiiiiiii"] {
        b.send(&a_id, text);
    }
    let connection = b.start(&["connect", &a_id]);
    let listener = a.start(&["listen"]);
    listener.expect(&b_id, 0, &["wow", "cool", "hiiiiiiii"]);
    archived(&connection, 2);
    assert_eq!(connection.interrupt().status, Some(0));
    b.send(&a_id, "beep");
    b.send(&a_id, "boop");
    let connection = b.start(&["connect", &a_id]);
    listener.expect(&b_id, 3, &["beep", "boop"]);
    archived(&connection, 4);
    assert_eq!(listener.interrupt().stdout, b"");
}

#[test]
fn either_side_may_start_first() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    b.send(&a_id, "listener first");
    let listener = a.listen();
    let connection = b.start(&["connect", &a_id]);
    listener.expect(&b_id, 0, &["listener first"]);
    drop(connection);
    drop(listener);
    b.send(&a_id, "connector first");
    let _connection = b.start(&["connect", &a_id]);
    let listener = a.listen();
    listener.expect(&b_id, 1, &["connector first"]);
}

#[test]
fn both_directions_at_once_over_one_connection() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    let at_a = a.listen();
    let _connection = b.start(&["connect", &a_id]);
    let at_b = b.listen();
    let texts: Vec<String> = (0..200).map(|number| format!("number {number}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    std::thread::scope(|scope| {
        for (node, to) in [(&a, &b_id), (&b, &a_id)] {
            let input = texts.join("\n");
            scope.spawn(move || {
                let words = ["send", "--to", to, "--lines", "-"];
                node.run_with(&words, input.as_bytes()).succeeded(&words);
            });
        }
    });
    at_a.expect(&b_id, 0, &texts);
    at_b.expect(&a_id, 0, &texts);
}

#[test]
fn three_senders_of_unequal_backlog_each_in_order() {
    let machine = Machine::new();
    let a = machine.node("a");
    let a_id = a.id();
    let counts = [5_usize, 300, 2_000];
    let senders: Vec<_> = (0..3).map(|number| machine.node(&format!("sender-{number}"))).collect();
    let ids: Vec<_> = senders.iter().map(|sender| sender.id()).collect();
    a.succeeds(&["add-peer", &ids[0], &ids[1], &ids[2]]);
    for (sender, count) in senders.iter().zip(counts) {
        let input: String = (0..count).map(|number| format!("{number}\n")).collect();
        let words = ["send", "--to", &a_id, "--lines", "-"];
        sender.run_with(&words, input.as_bytes()).succeeded(&words);
    }
    let listener = a.start(&["listen"]);
    let _connections: Vec<_> =
        senders.iter().map(|sender| sender.start(&["connect", &a_id])).collect();
    let mut next = [0; 3];
    for _ in 0..counts.iter().sum() {
        let line = listener.line();
        let (place, text) = line["MESSAGE ".len()..].split_once(' ').unwrap();
        let (from, seq) = place.split_once('@').unwrap();
        let sender = ids.iter().position(|id| id == from).unwrap();
        assert_eq!((seq, text), (&*next[sender].to_string(), &*next[sender].to_string()));
        next[sender] += 1;
    }
    assert_eq!(next, counts);
}

#[test]
fn what_was_stored_is_readable_after_a_restart_without_its_sender() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    b.send(&a_id, "kept");
    let listener = a.start(&["listen", "--no-archive"]);
    let connection = b.start(&["connect", &a_id]);
    listener.expect(&b_id, 0, &["kept"]);
    drop((connection, listener));
    assert_eq!(a.succeeds(&["show", &format!("{b_id}@0")]), "kept");
    let listener = a.start(&["listen"]);
    listener.expect(&b_id, 0, &["kept"]);
}
