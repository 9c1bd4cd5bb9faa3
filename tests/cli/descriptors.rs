//! A node with few descriptors: its store always has some, whoever comes.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Command, Stdio};

use tokio::net::TcpSocket;
use tokio::runtime::Builder;

use crate::support::{Machine, Node, Running, archived};

/// Descriptors that the node starts with, and may have.
const LIMITS: [u64; 2] = [48, 64];
/// More connections than that.
const FLOOD_COUNT: u8 = 150;

#[test]
fn a_flood_of_connections_leaves_the_store_its_descriptors_and_lets_peers_in() {
    for store in ["sled", "redb", "fjall"] {
        let machine = Machine::new();
        let [a, b, c] = ["a", "b", "c"].map(|name| machine.node(name));
        a.succeeds(&["--store", store, "add-peer", &b.id(), &c.id()]);
        let listener = start_with_few_descriptors(&a, &["listen"]);
        let line = listener.error_line_with("listening on ");
        let port = line.rsplit_once(':').unwrap().1.parse().unwrap();
        assert_eq!(open_files_limit(listener.child.id()), LIMITS[1]);
        let connection = b.start(&["connect", &a.id()]);
        b.send(&a.id(), "before");
        archived(&connection, 0);
        assert_eq!(listener.line(), format!("MESSAGE {}@0 before", b.id()));

        let _flood = flood(port);
        // Each is so large that it gets a file of its own beside the engine.
        let long = machine.path("long");
        fs::write(&long, "x".repeat(3_000_000)).unwrap();
        let long = long.to_str().unwrap();
        for seq in 1..=3 {
            b.succeeds(&["send", "--to", &a.id(), "--file", long]);
            assert!(listener.line().starts_with(&format!("MESSAGE {}@{seq} x", b.id())));
        }
        let sent = ["send", "--to", &a.id(), "--message", "come in", "--wait", "archived"];
        c.succeeds(&[&sent[..], &["--timeout", "60s"]].concat());
        assert_eq!(listener.line(), format!("MESSAGE {}@0 come in", c.id()));

        let ended = listener.terminate();
        assert_eq!(ended.status, Some(0), "{store}: {}", ended.stderr);
        let told = ended.stderr.matches("connections were not accepted").count();
        assert!(told <= 1, "{store}: {}", ended.stderr);
        assert!(!ended.stderr.contains("the store failed"), "{store}: {}", ended.stderr);
        a.succeeds(&["check"]);
    }
}

/// Connections that say nothing, from as many networks as there are of them: those of one would only
/// take each other's places.
fn flood(port: u16) -> Vec<TcpStream> {
    let connect = async |from: Ipv4Addr| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        socket.connect((Ipv4Addr::LOCALHOST, port).into()).await.unwrap().into_std().unwrap()
    };
    let runtime = Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(async {
        let mut flood = Vec::new();
        for number in 0..FLOOD_COUNT {
            flood.push(connect(Ipv4Addr::new(127, 1, 1, number)).await);
        }
        flood
    })
}

/// Starts a command of a node under [`LIMITS`], with its log on standard error.
fn start_with_few_descriptors(node: &Node, words: &[&str]) -> Running {
    let whole = node.command(words);
    let [soft, hard] = LIMITS;
    let script = format!("ulimit -S -n {soft} && ulimit -H -n {hard} && exec \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh"]).arg(whole.get_program()).args(whole.get_args());
    for (name, value) in whole.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.env("PEERMQ_LOG", "peermq=warn").env("NO_COLOR", "1");
    command.stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::start(command)
}

/// The soft limit of a process (proc(5)).
fn open_files_limit(pid: u32) -> u64 {
    let limits = std::io::read_to_string(File::open(format!("/proc/{pid}/limits")).unwrap());
    let limits = limits.unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    line.split_whitespace().nth(3).unwrap().parse().unwrap()
}
