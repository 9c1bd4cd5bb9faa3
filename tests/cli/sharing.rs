//! Many commands on one directory: one is the node, the others use it, and nobody notices.

use std::io::Write;

use crate::support::Machine;

#[test]
fn a_message_sent_while_connect_runs_is_printed_at_once() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    let listener = a.listen();
    let _connection = b.start(&["connect", &a_id]);
    for (seq, text) in (0..).zip(["one", "two", "three"]) {
        b.send(&a_id, text);
        listener.expect(&b_id, seq, &[text]);
    }
    let listener_sends = a.succeeds(&["send", "--to", &b_id, "--message", "back", "--json"]);
    assert!(listener_sends.contains("\"seq\":0"), "{listener_sends}");
    let at_b = b.listen();
    at_b.expect(&a_id, 0, &["back"]);
}

#[test]
fn commands_at_the_same_time_lose_nothing() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    std::thread::scope(|scope| {
        for sender in 0..8 {
            let (b, a_id) = (&b, &a_id);
            scope.spawn(move || {
                for number in 0..5 {
                    b.send(a_id, &format!("{sender} {number}"));
                }
            });
        }
    });
    let listener = a.listen();
    let _connection = b.start(&["connect", &a_id]);
    let mut texts = Vec::new();
    for seq in 0..40 {
        let line = listener.line();
        texts.push(line.strip_prefix(&format!("MESSAGE {b_id}@{seq} ")).unwrap().to_owned());
    }
    for sender in 0..8 {
        let prefix = format!("{sender} ");
        let own: Vec<_> = texts.iter().filter_map(|text| text.strip_prefix(&prefix)).collect();
        assert_eq!(own, ["0", "1", "2", "3", "4"], "sender {sender}");
    }
}

#[test]
fn what_is_attached_takes_over_when_the_holder_ends() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    // The first command on a directory is its node; this one lives until its input ends.
    let holder = a.start_piped(&["send", "--to", &b_id, "--lines", "-", "--json"]);
    let mut holding = holder;
    writeln!(holding.child.stdin.as_mut().unwrap(), "first").unwrap();
    holding.line();
    assert_eq!(a.holder(), holding.child.id());
    let listener = a.listen();
    let connection = b.start(&["connect", &a_id]);
    b.send(&a_id, "through the holder");
    listener.expect(&b_id, 0, &["through the holder"]);
    crate::support::archived(&connection, 0);
    assert_eq!(holding.finish().status, Some(0));
    b.send(&a_id, "through the next one");
    listener.expect(&b_id, 1, &["through the next one"]);
    assert_eq!(a.holder(), listener.child.id());
}

#[test]
fn what_is_attached_takes_over_when_the_holder_is_killed() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    let holder = a.listen();
    let connection = a.start(&["connect", &b_id]);
    let at_b = b.listen();
    a.send(&b_id, "one");
    at_b.expect(&a_id, 0, &["one"]);
    crate::support::archived(&connection, 0);
    holder.kill();
    a.send(&b_id, "two");
    at_b.expect(&a_id, 1, &["two"]);
    crate::support::archived(&connection, 1);
}

#[test]
fn lines_cut_off_by_the_holder_s_end_go_on_once_each() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    let holder = b.start(&["connect", &a_id]);
    // Wait until it is the node.
    b.succeeds(&["status"]);
    let mut sending = b.start_piped(&["send", "--to", &a_id, "--lines", "-", "--json"]);
    let mut input = sending.child.stdin.take().unwrap();
    let count = 20_000;
    let writer = std::thread::spawn(move || {
        for number in 0..count {
            writeln!(input, "{number}").unwrap();
        }
    });
    sending.line();
    holder.kill();
    writer.join().unwrap();
    let ended = sending.finish();
    assert_eq!((ended.status, &*ended.stderr), (Some(0), ""));
    let listener = a.listen();
    let _connection = b.start(&["connect", &a_id]);
    for number in 0..count {
        assert_eq!(listener.line(), format!("MESSAGE {b_id}@{number} {number}"));
    }
}

#[test]
fn a_path_too_long_for_a_socket_works() {
    let machine = Machine::new();
    let a = machine.node(&"long-".repeat(40));
    let _listener = a.listen();
    let status = a.succeeds(&["status", "--json"]);
    assert!(status.contains("\"listening\":"), "{status}");
}

#[test]
fn the_socket_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let machine = Machine::new();
    let a = machine.node("a");
    let listener = a.listen();
    let socket = a.directory.join("api.sock");
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(listener.terminate().status, Some(0));
    assert!(!socket.exists(), "a clean end takes the socket away");
}
