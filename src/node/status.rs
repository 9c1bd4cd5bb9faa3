//! What a node is and does at one moment.

use std::net::SocketAddr;

use super::error::NodeError;
use super::inner::Inner;
use crate::queue::{DiskFull, Fork, PeerFigures, Queue, QueueError, Stale};
use crate::types::{Epoch, Id, UnixMs};

/// What a node is and does at one moment.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Status {
    /// The node's id.
    pub id: Id,
    /// Which life of its log it writes.
    pub epoch: Epoch,
    /// Entries of its log.
    pub length: u64,
    /// The store's name.
    pub store: &'static str,
    /// Why the node signs nothing, and takes no send; absent when it does.
    pub stale: Option<Stale>,
    /// Why nothing new is taken in; absent when it is.
    pub disk_full: Option<DiskFull>,
    /// How the store was found when it was opened.
    pub health: peermq_storage::Health,
    /// The address that is listened on.
    pub listening: Option<SocketAddr>,
    /// The authors that have signed two versions of their log.
    pub forks: Vec<Fork>,
    /// The live sessions.
    pub sessions: Vec<SessionStatus>,
    /// How the last session ended with each peer that has none.
    pub ended: Vec<EndedSession>,
    /// Everyone who was added, was sent to, or has sent.
    pub peers: Vec<PeerStatus>,
}

/// A live session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionStatus {
    /// With whom.
    pub peer: Id,
    /// The other end, where the transport has addresses.
    pub address: Option<SocketAddr>,
    /// Since when.
    pub since: UnixMs,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndedSession {
    /// With whom.
    pub peer: Id,
    /// When.
    pub at: UnixMs,
    /// Who failed, and how: what was expected, and what came.
    pub why: String,
}

/// What was exchanged with a peer.
pub type PeerStatus = PeerFigures;

impl Status {
    pub(super) async fn of(node: &Inner) -> Result<Self, NodeError> {
        let read = |queue: &mut Queue| {
            let figures = queue.figures()?;
            let standing = (queue.stale(), queue.disk_full());
            Ok::<_, QueueError>((queue.length(), standing, queue.forks(), figures))
        };
        let (length, (stale, disk_full), forks, peers) = node.storage.read(read).await??;
        let sessions = node.sessions.list().into_iter();
        Ok(Self {
            id: node.id(),
            epoch: node.epoch,
            length,
            store: node.store.name,
            health: node.store.health,
            stale,
            disk_full,
            forks,
            listening: node.listens.address(),
            sessions: sessions
                .map(|(peer, address, since)| SessionStatus { peer, address, since })
                .collect(),
            ended: node.sessions.ended(),
            peers,
        })
    }
}
