//! What was exchanged with a peer, in numbers.

use crate::types::{Epoch, Id};

/// What was exchanged with a peer, in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerFigures {
    /// Which peer.
    pub id: Id,
    /// Whether its messages are let in.
    pub added: bool,
    /// Its unread messages.
    pub unread: u64,
    /// Bytes of them: headers, inline bodies, held long bodies.
    pub unread_bytes: u64,
    /// Messages sent to it.
    pub sent: u64,
    /// Those that it has stored.
    pub stored: u64,
    /// Those that it has archived or cleared.
    pub archived: u64,
    /// Those that it cannot use.
    pub rejected: u64,
    /// Entries of its log that are taken in, by epoch.
    pub position: Vec<(Epoch, u64)>,
}
