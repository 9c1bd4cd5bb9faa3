//! What a node takes of memory: alone, for each session that does nothing, and to read a backlog.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use peermq_storage::Kind;

use crate::child::Child;
use crate::{MESSAGE_SIZE, Outcome, float};

/// MiB that a process has resident which runs nothing but the runtime that nodes need.
pub(crate) fn bare(dir: &Path) -> Outcome<f64> {
    let mut child = Child::with_nodes(Kind::Redb, dir, 0)?;
    let memory = child.memory()?;
    child.end()?;
    Ok(memory.now_kib / 1_024.0)
}

/// What a node takes while nothing happens.
pub(crate) struct Idle {
    pub(crate) node_mib: f64,
    pub(crate) session_kib: f64,
}

/// A node that listens, then the same with so many sessions on which nothing passes.
pub(crate) fn idle(store: Kind, session_count: usize, dir: &Path) -> Outcome<Idle> {
    let mut node = Child::with_nodes(store, &dir.join("node"), 1)?;
    let address = node.ask("listen")?;
    let id = node.ask("ids")?;
    sleep(REST);
    let alone = node.memory()?;
    let mut peers = Child::with_nodes(Kind::Redb, &dir.join("peers"), session_count)?;
    let ids = peers.ask("ids")?;
    node.ask(&format!("add {ids}"))?;
    sleep(REST);
    let added = node.memory()?;
    peers.ask(&format!("connect {id} {address}"))?;
    sleep(REST);
    let connected = node.memory()?;
    node.ask(&format!("expect-sessions {session_count}"))?;
    peers.end()?;
    node.end()?;
    Ok(Idle {
        node_mib: alone.now_kib / 1_024.0,
        session_kib: (connected.now_kib - added.now_kib) / float(session_count),
    })
}

/// MiB at the peak of a process that opens a node with so many unread messages, and reads them all.
pub(crate) fn backlog(store: Kind, count: usize, dir: &Path) -> Outcome<f64> {
    let receiver_dir = dir.join("receiver");
    let mut receiver = Child::with_nodes(store, &receiver_dir, 1)?;
    let mut sender = Child::with_nodes(store, &dir.join("sender"), 1)?;
    let (from, to) = (sender.ask("ids")?, receiver.ask("ids")?);
    receiver.ask(&format!("add {from}"))?;
    let address = receiver.ask("listen")?;
    sender.ask(&format!("send {to} {count}"))?;
    sender.ask(&format!("connect {to} {address}"))?;
    sender.ask("await-stored")?;
    sender.end()?;
    receiver.end()?;
    let mut reader = Child::with_nodes(store, &receiver_dir, 1)?;
    reader.ask(&format!("take {count}"))?;
    let memory = reader.memory()?;
    reader.end()?;
    Ok(memory.peak_kib / 1_024.0)
}

/// MiB of the texts of so many messages.
pub(crate) fn texts(count: usize) -> f64 {
    float(count) * float(MESSAGE_SIZE) / 1_048_576.0
}

/// Buffers that were in use are given back by then.
const REST: Duration = Duration::from_secs(2);
