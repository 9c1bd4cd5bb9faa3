//! However the program ends, its server ends with it, and nothing stays on the disk.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const PEERS: [&str; 3] = ["redis", "nats", "rabbitmq"];

#[test]
fn every_figure_is_told_and_nothing_stays() {
    for peer in PEERS.into_iter().filter(|peer| is_installed(peer)) {
        let dir = tempfile::tempdir().unwrap();
        let mut program = start(peer, 100, dir.path());
        let mut told = String::new();
        program.stdout.take().unwrap().read_to_string(&mut told).unwrap();
        assert!(program.wait().unwrap().success(), "{peer}");
        for figure in ["V1", "V2", "V3"] {
            assert!(told.contains(&format!("{{\"figure\":\"{figure}\"")), "{peer}: {told}");
        }
        assert_nothing_stays(program, dir.path());
    }
}

#[test]
fn nothing_stays_when_the_program_is_killed() {
    for peer in PEERS.into_iter().filter(|peer| is_installed(peer)) {
        let dir = tempfile::tempdir().unwrap();
        let mut program = at_work(peer, dir.path());
        program.kill().unwrap();
        assert_nothing_stays(program, dir.path());
    }
}

#[test]
fn nothing_stays_when_the_input_ends() {
    for peer in PEERS.into_iter().filter(|peer| is_installed(peer)) {
        let dir = tempfile::tempdir().unwrap();
        let mut program = at_work(peer, dir.path());
        drop(program.stdin.take());
        assert_nothing_stays(program, dir.path());
    }
}

/// Who started it was killed: its input has ended, and nobody hears what it says.
#[test]
fn nothing_stays_when_nobody_is_left() {
    for peer in PEERS.into_iter().filter(|peer| is_installed(peer)) {
        let dir = tempfile::tempdir().unwrap();
        let mut program = at_work(peer, dir.path());
        drop((program.stdin.take(), program.stdout.take(), program.stderr.take()));
        assert_eq!(program.wait().unwrap().code(), Some(1), "{peer}");
    }
}

/// A program that has told its first figure, so its server runs, and has more to do.
fn at_work(peer: &str, dir: &Path) -> Child {
    let mut program = start(peer, 5_000, dir);
    let mut told = String::new();
    BufReader::new(program.stdout.as_mut().unwrap()).read_line(&mut told).unwrap();
    assert!(told.contains("\"V1\""), "{peer}: {told:?}");
    assert!(dir.read_dir().unwrap().next().is_some(), "{peer}: the server has a directory");
    program
}

fn start(peer: &str, count: usize, dir: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_peermq-peers"))
        .args([peer, &count.to_string()])
        .arg(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits for the ends of the program and of all that keep its servers: they hold its standard error,
/// and each ends after its server.
fn assert_nothing_stays(mut program: Child, dir: &Path) {
    let mut said = String::new();
    program.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    program.wait().unwrap();
    let left: Vec<_> = dir.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "left {left:?}; it said {said:?}");
}

fn is_installed(peer: &str) -> bool {
    let server = format!("{peer}-server");
    let path = std::env::var_os("PATH").unwrap();
    let found = std::env::split_paths(&path).any(|dir| dir.join(&server).is_file());
    if !found {
        eprintln!("{server} is not on the path: passed over");
    }
    found
}
