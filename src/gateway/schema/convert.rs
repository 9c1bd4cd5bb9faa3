//! The node's types as the API says them.

use peermq_storage::Health;

use super::{
    Ack, Content, Direction, Durable, EndedSession, Fork, Group, Keep, Level, ListSet, Listed,
    Message, Page, Peer, PeerStatus, Position, Quota, Run, Sent, SentRange, SessionStatus, Status,
    StreamMode, StreamSet,
};
use crate::node;
use crate::types::Epoch;

impl From<node::Peer> for Peer {
    fn from(peer: node::Peer) -> Self {
        Self { id: peer.id, quota: peer.quota.into() }
    }
}

impl From<node::Quota> for Quota {
    fn from(quota: node::Quota) -> Self {
        Self { bytes: quota.bytes, entries: quota.entries }
    }
}

impl From<Quota> for node::Quota {
    fn from(quota: Quota) -> Self {
        Self { bytes: quota.bytes, entries: quota.entries }
    }
}

impl From<node::Sent> for Sent {
    fn from(sent: node::Sent) -> Self {
        Self { to: sent.to, epoch: sent.epoch, seq: sent.seq }
    }
}

impl Durable {
    /// Lines from `line` on, as they were sent; neighbours joined.
    pub(in crate::gateway) fn new(line: u64, sent: &[node::Sent]) -> Self {
        let mut places: Vec<SentRange> = Vec::new();
        for next in sent {
            match places.last_mut() {
                Some(last)
                    if last.epoch == next.epoch
                        && last.last.0.checked_add(1) == Some(next.seq.0) =>
                {
                    last.last = next.seq;
                }
                _ => places.push(SentRange { epoch: next.epoch, first: next.seq, last: next.seq }),
            }
        }
        Self { line, places }
    }
}

impl From<Vec<node::Message>> for Group {
    fn from(messages: Vec<node::Message>) -> Self {
        let mut runs = Vec::new();
        for message in messages {
            let peer = Direction::From(message.from);
            push(&mut runs, peer, message.epoch, !message.is_first_life, message.into());
        }
        Self { runs }
    }
}

impl From<node::Message> for Message {
    fn from(message: node::Message) -> Self {
        let content = match message.text {
            node::Text::Here(text) => match String::from_utf8(text.into()) {
                Ok(text) => Content::Text(text),
                Err(error) => Content::Base64(error.into_bytes().into()),
            },
            node::Text::Long => Content::Size(message.size),
            node::Text::Unsupported => Content::Unsupported(message.size),
        };
        Self { seq: message.seq, content, time: message.time }
    }
}

impl Page {
    pub(in crate::gateway) fn new(set: ListSet, page: node::Page) -> Self {
        let mut runs = Vec::new();
        for item in page.items {
            let peer = match set {
                ListSet::Unread | ListSet::Archived => Direction::From(item.peer),
                ListSet::Sent => Direction::To(item.peer),
            };
            let listed = Listed {
                seq: item.seq,
                state: item.state.to_string(),
                size: item.size,
                time: item.time,
            };
            push(&mut runs, peer, item.epoch, !item.is_first_life, listed);
        }
        Self { runs, next: page.next.map(|cursor| cursor.to_string()) }
    }
}

/// Appends a message to the last run, or to a new one.
fn push<T>(runs: &mut Vec<Run<T>>, peer: Direction, epoch: Epoch, later_life: bool, message: T) {
    match runs.last_mut() {
        Some(run) if run.peer == peer && run.epoch == epoch => run.messages.push(message),
        _ => runs.push(Run { peer, epoch, later_life, messages: vec![message] }),
    }
}

impl From<node::Ack> for Ack {
    fn from(ack: node::Ack) -> Self {
        let state = match ack.level {
            node::AckLevel::Stored => Level::Stored,
            node::AckLevel::Archived => Level::Archived,
            node::AckLevel::Rejected => Level::Rejected,
        };
        Self { to: ack.to, epoch: ack.epoch, first: ack.first, last: ack.last, state }
    }
}

impl From<Level> for node::AckLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Stored => Self::Stored,
            Level::Archived => Self::Archived,
            Level::Rejected => Self::Rejected,
        }
    }
}

impl From<StreamSet> for node::Set {
    fn from(set: StreamSet) -> Self {
        match set {
            StreamSet::Unread => Self::Unread,
            StreamSet::Archived => Self::Archived,
        }
    }
}

impl From<StreamMode> for node::Mode {
    fn from(mode: StreamMode) -> Self {
        match mode {
            StreamMode::Live => Self::Live,
            StreamMode::Drain => Self::Drain,
        }
    }
}

impl From<Keep> for node::Keep {
    fn from(keep: Keep) -> Self {
        match keep {
            Keep::Archived => Self::Archived,
            Keep::Stored => Self::Stored,
        }
    }
}

impl From<ListSet> for node::ListSet {
    fn from(set: ListSet) -> Self {
        match set {
            ListSet::Unread => Self::Unread,
            ListSet::Archived => Self::Archived,
            ListSet::Sent => Self::Sent,
        }
    }
}

impl From<node::Status> for Status {
    fn from(status: node::Status) -> Self {
        Self {
            id: status.id,
            epoch: status.epoch,
            length: status.length,
            store: status.store.to_owned(),
            health: health(status.health).to_owned(),
            stale: status.stale.map(|stale| stale.to_string()),
            disk_full: status.disk_full.map(|full| full.to_string()),
            forks: status.forks.into_iter().map(Fork::from).collect(),
            listening: status.listening,
            sessions: status.sessions.into_iter().map(SessionStatus::from).collect(),
            ended: status.ended.into_iter().map(EndedSession::from).collect(),
            peers: status.peers.into_iter().map(PeerStatus::from).collect(),
        }
    }
}

/// A store that is damaged does not open, and one that failed has ended its node.
const fn health(health: Health) -> &'static str {
    match health {
        Health::Recovered => "recovered",
        _ => "clean",
    }
}

impl From<node::EndedSession> for EndedSession {
    fn from(ended: node::EndedSession) -> Self {
        Self { peer: ended.peer, at: ended.at, why: ended.why }
    }
}

impl From<node::SessionStatus> for SessionStatus {
    fn from(session: node::SessionStatus) -> Self {
        Self { peer: session.peer, address: session.address, since: session.since }
    }
}

impl From<node::PeerStatus> for PeerStatus {
    fn from(peer: node::PeerStatus) -> Self {
        let positions = peer.position.into_iter();
        Self {
            id: peer.id,
            added: peer.added,
            unread: peer.unread,
            unread_bytes: peer.unread_bytes,
            sent: peer.sent,
            stored: peer.stored,
            archived: peer.archived,
            rejected: peer.rejected,
            positions: positions.map(|(epoch, length)| Position { epoch, length }).collect(),
        }
    }
}
