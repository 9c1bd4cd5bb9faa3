//! How commands end: Ctrl-C, SIGTERM, a closed pipe.

use std::io::{BufRead, BufReader};

use crate::support::{Machine, archived};

#[test]
fn signals_end_what_goes_on_with_success() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let b_id = b.id();
    let listener = a.listen();
    let ended = listener.terminate();
    assert_eq!((ended.status, &*ended.stderr), (Some(0), ""));
    let listener = a.listen();
    let ended = listener.interrupt();
    assert_eq!((ended.status, &*ended.stderr), (Some(0), ""));
    let _peer = b.listen();
    a.send(&b_id, "x");
    let connection = a.start(&["connect", &b_id]);
    archived(&connection, 0);
    let ended = connection.terminate();
    assert_eq!((ended.status, &*ended.stderr), (Some(0), ""));
}

#[test]
fn a_closed_pipe_is_success() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    b.send(&a_id, "first");
    let _connection = b.start(&["connect", &a_id]);
    let mut command = a.command(&["listen"]);
    let mut listener = command.spawn().unwrap();
    let mut first = String::new();
    BufReader::new(listener.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert_eq!(first, format!("MESSAGE {b_id}@0 first\n"));
    // Its reader has gone with the line above; nothing more needs to arrive.
    let ended = listener.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
}

#[test]
fn what_a_closed_pipe_did_not_take_stays_unread() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    let mut command = a.command(&["listen"]);
    let mut listener = command.spawn().unwrap();
    drop(listener.stdout.take());
    assert_eq!(listener.wait().unwrap().code(), Some(0));
    b.send(&a_id, "kept");
    let _connection = b.start(&["connect", &a_id]);
    let listener = a.listen();
    listener.expect(&b_id, 0, &["kept"]);
}
