//! What the local API says and is told, as JSON.
//!
//! Ids are 64 lower-case hex digits; epochs, seqs, sizes (bytes) and times (milliseconds since the
//! Unix epoch) are numbers. Unknown fields are ignored, so that later versions may say more.

mod convert;
mod forks;
mod query;
mod text;

use std::net::SocketAddr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use self::forks::{Fork, Notice, Root};
pub use self::query::{Keep, Level, ListSet, StreamMode, StreamSet};
pub(in crate::gateway) use self::text::IdText;
use self::text::{base64_bytes, hex_id, hex_ids};
use crate::types::{Epoch, Id, Seq, UnixMs};

/// Who the node is: `GET /v1/node`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeInfo {
    /// Its id.
    #[serde(with = "hex_id")]
    pub id: Id,
    /// The life of its log.
    pub epoch: Epoch,
}

/// Peers to add: `POST /v1/peers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewPeers {
    /// Their ids.
    #[serde(with = "hex_ids")]
    pub ids: Vec<Id>,
    /// How much of each may wait unread here; the default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<Quota>,
}

/// How much may wait unread from one peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Bytes: headers, inline bodies and held bodies.
    pub bytes: u64,
    /// Messages.
    pub entries: u64,
}

/// A peer: an item of `GET /v1/peers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Its id.
    #[serde(with = "hex_id")]
    pub id: Id,
    /// How much of it may wait unread here.
    pub quota: Quota,
}

/// Where a sent message stands: the answer of `POST /v1/messages`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The recipient.
    #[serde(with = "hex_id")]
    pub to: Id,
    /// The life of this node's log.
    pub epoch: Epoch,
    /// Its number among this node's messages to the recipient.
    pub seq: Seq,
}

/// Lines that became durable: the event `durable` of `POST /v1/lines`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Durable {
    /// The number of the first line, from 0.
    pub line: u64,
    /// Where the lines stand, in order.
    pub places: Vec<SentRange>,
}

/// Messages sent one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentRange {
    /// The life of this node's log.
    pub epoch: Epoch,
    /// The first one's number.
    pub first: Seq,
    /// The last one's number.
    pub last: Seq,
}

/// Messages that are offered together: the event `group` of `GET /v1/stream`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// In the order in which they are to be read.
    pub runs: Vec<Run<Message>>,
}

/// Messages of one author, or to one recipient, in one life of the author's log. Said once for all
/// of them, because checking an id costs more than reading a short message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run<T> {
    /// The author or the recipient.
    #[serde(flatten)]
    pub peer: Direction,
    /// The life of the author's log.
    pub epoch: Epoch,
    /// Whether `<from>@<seq>` means another message, of an earlier life, so that the epoch must be
    /// said too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub later_life: bool,
    /// The messages.
    pub messages: Vec<T>,
}

/// Whose messages are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Received from this author.
    #[serde(with = "hex_id")]
    From(Id),
    /// Sent to this recipient.
    #[serde(with = "hex_id")]
    To(Id),
}

/// A message that is offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its number among the author's messages to this node.
    pub seq: Seq,
    /// What it says.
    #[serde(flatten)]
    pub content: Content,
    /// When its author wrote it, by the author's clock.
    pub time: UnixMs,
}

/// What a message says, or how long it is when it is too long to say here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Text in UTF-8.
    Text(String),
    /// Any other bytes.
    #[serde(with = "base64_bytes")]
    Base64(Bytes),
    /// Bytes of a text over 16 MiB, read with `GET /v1/messages/…`.
    Size(u64),
    /// Bytes of a sealed body of a later version or kind, which this node cannot read.
    Unsupported(u64),
}

/// Messages to mark: the body of `POST /v1/archive` and `POST /v1/clear`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Places {
    /// The messages, in one durable step.
    pub places: Vec<PlaceRange>,
}

/// Messages of one author that follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceRange {
    /// The author.
    #[serde(with = "hex_id")]
    pub from: Id,
    /// The life of the author's log; the first one seen here when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// The first one's number.
    pub first: Seq,
    /// The last one's number.
    pub last: Seq,
}

/// A page of stored messages: the answer of `GET /v1/messages`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// In order of peer, epoch and seq.
    pub runs: Vec<Run<Listed>>,
    /// What `after` asks for the next page with; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One stored message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Its number.
    pub seq: Seq,
    /// Where it stands: `unread` or `archived`; of a sent one `sent`, `stored`, `archived` or
    /// `rejected`.
    pub state: String,
    /// Bytes of its text.
    pub size: u64,
    /// When its author wrote it, by the author's clock.
    pub time: UnixMs,
}

/// An acknowledgement: the event `ack` of `GET /v1/connect`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Who acknowledged.
    #[serde(with = "hex_id")]
    pub to: Id,
    /// The life of this node's log.
    pub epoch: Epoch,
    /// The first message's number.
    pub first: Seq,
    /// The last message's number.
    pub last: Seq,
    /// How far they have come.
    pub state: Level,
}

/// Where the node listens: the event `listening` of `GET /v1/listen`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    /// The bound address, where the transport has addresses.
    pub address: Option<SocketAddr>,
}

/// Why a request was refused; with the answer's status, or as the event `problem` of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What was expected, what came, what to do: one sentence.
    pub error: String,
}

/// Space of what is of no more use: what `GET /v1/gc` finds, and `POST /v1/gc` frees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reclaimed {
    /// Bytes of messages and bodies.
    pub bytes: u64,
}

/// How the node stands: `GET /v1/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its id.
    #[serde(with = "hex_id")]
    pub id: Id,
    /// The life of its log.
    pub epoch: Epoch,
    /// Entries of its log.
    pub length: u64,
    /// Its store.
    pub store: String,
    /// How its store was found when it was opened: `clean`, or `recovered` after a crash.
    pub health: String,
    /// Why it signs nothing and takes no send, and what to do; absent when it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale: Option<String>,
    /// Why it takes nothing new in, and when it will; absent when it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_full: Option<String>,
    /// Authors that have signed two versions of their log.
    pub forks: Vec<Fork>,
    /// Where it listens; absent when it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listening: Option<SocketAddr>,
    /// Whom it is connected to.
    pub sessions: Vec<SessionStatus>,
    /// How the last session ended with each peer to whom it is not connected.
    pub ended: Vec<EndedSession>,
    /// Whom it has to do with.
    pub peers: Vec<PeerStatus>,
}

/// A live session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionStatus {
    /// The peer.
    #[serde(with = "hex_id")]
    pub peer: Id,
    /// Its address, where the transport has addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<SocketAddr>,
    /// Since when.
    pub since: UnixMs,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedSession {
    /// The peer.
    #[serde(with = "hex_id")]
    pub peer: Id,
    /// When.
    pub at: UnixMs,
    /// Who failed, and how: what was expected, and what came.
    pub why: String,
}

/// What there is between this node and a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerStatus {
    /// The peer.
    #[serde(with = "hex_id")]
    pub id: Id,
    /// Whether its messages are let in.
    pub added: bool,
    /// Messages from it that wait to be read.
    pub unread: u64,
    /// Bytes of those.
    pub unread_bytes: u64,
    /// Messages to it.
    pub sent: u64,
    /// Those that are on its disk.
    pub stored: u64,
    /// Those that it is done with.
    pub archived: u64,
    /// Those that it cannot use.
    pub rejected: u64,
    /// How far its log is known.
    pub positions: Vec<Position>,
}

/// How far one life of a log is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The life.
    pub epoch: Epoch,
    /// Entries.
    pub length: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}
