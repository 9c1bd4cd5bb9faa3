//! The messages of the sync sub-stream, and their bytes.
//!
//! Each is one postcard structure; bytes after it are an error. The payload's first field keeps its
//! place in later versions.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::advance::UnverifiedAdvance;
use super::body::{BodyChunk, Want};
use super::error::Malformed;
use super::frame::{Frame, Kind};
use super::heads::Heads;
use super::proof::Evidence;
use super::receipt::SignedReceipt;
use crate::limits::{
    CHANNEL_COUNT_MAX, CHECKPOINT_COUNT_MAX, EPOCH_COUNT_MAX, HELLO_RECEIPT_COUNT_MAX,
};
use crate::log::SignedHead;
use crate::types::{Epoch, bounded};

/// The version of the protocol that this code speaks.
pub(crate) const VERSION: u8 = 1;

/// The bit of `Hello` for [`Message::Heads`].
pub(super) const FEATURE_HEADS: u64 = 1;
/// The bit of `Hello` for [`Message::Evidence`].
pub(super) const FEATURE_EVIDENCE: u64 = 2;
/// What this code understands beyond version 1.
pub(super) const FEATURES: u64 = FEATURE_HEADS | FEATURE_EVIDENCE;

/// A message, decoded and within its bounds; what it claims is not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// The first message of each side.
    Hello(Hello),
    /// Are you there?
    Ping(u64),
    /// The answer to a ping, with its number.
    Pong(u64),
    /// From where on a log is wanted.
    Position(Position),
    /// A chunk of a log.
    Advance(UnverifiedAdvance),
    /// A signed acknowledgement.
    Receipt(SignedReceipt),
    /// How much may come.
    Credit(Credit),
    /// A long body is wanted.
    Want(Want),
    /// A chunk of a long body.
    Body(BodyChunk),
    /// Logs that are followed, and heads of those that both follow.
    Heads(Heads),
    /// What proves that an author has forked.
    Evidence(Box<Evidence>),
}

/// Versions, features, lives, and what this side holds from the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The highest version that the sender speaks.
    pub version: u8,
    /// Features beyond the version, one bit each; unknown bits are ignored.
    pub features: u64,
    /// The sender's own lives, newest first; at most 16.
    #[serde(deserialize_with = "bounded::list::<_, EPOCH_COUNT_MAX, _>")]
    pub lives: Vec<Life>,
    /// The newest signed head of each life of the other's log that the sender holds, newest life
    /// first; at most 16.
    #[serde(deserialize_with = "bounded::list::<_, EPOCH_COUNT_MAX, _>")]
    pub heads: Vec<SignedHead>,
    /// The other's newest receipts that the sender holds; at most 64.
    #[serde(deserialize_with = "bounded::list::<_, HELLO_RECEIPT_COUNT_MAX, _>")]
    pub receipts: Vec<SignedReceipt>,
}

/// One life of a log and how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// Which life.
    pub epoch: Epoch,
    /// Its entries.
    pub length: u64,
}

/// From where on a log is wanted; sent once per log and session, and again when what it asks for
/// changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Whose log.
    pub author: [u8; 32],
    /// Which life of it.
    pub epoch: Epoch,
    /// Entries taken in: chunks start here.
    pub length: u64,
    /// Grows with each position for this log; chunks name the one that they answer.
    pub number: u64,
    /// Lengths at which a chunk must end, sorted; at most 8.
    #[serde(deserialize_with = "bounded::list::<_, CHECKPOINT_COUNT_MAX, _>")]
    pub checkpoints: Vec<u64>,
    /// Channels whose entries are wanted too; at most 256.
    #[serde(deserialize_with = "bounded::list::<_, CHANNEL_COUNT_MAX, _>")]
    pub channels: Vec<[u8; 32]>,
}

/// How many bytes of `Advance` frames may come for a log, as a running total of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    /// Whose log.
    pub author: [u8; 32],
    /// Which life of it.
    pub epoch: Epoch,
    /// Bytes granted since the session began; it never shrinks.
    pub total: u64,
}

impl Message {
    /// The kind of the message.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Hello(_) => Kind::Hello,
            Self::Ping(_) => Kind::Ping,
            Self::Pong(_) => Kind::Pong,
            Self::Position(_) => Kind::Position,
            Self::Advance(_) => Kind::Advance,
            Self::Receipt(_) => Kind::Receipt,
            Self::Credit(_) => Kind::Credit,
            Self::Want(_) => Kind::Want,
            Self::Body(_) => Kind::Body,
            Self::Heads(_) => Kind::Heads,
            Self::Evidence(_) => Kind::Evidence,
        }
    }

    /// The message as a frame.
    #[must_use]
    pub fn encode(&self) -> Frame {
        let payload = match self {
            Self::Hello(hello) => encode(hello),
            Self::Ping(number) | Self::Pong(number) => encode(number),
            Self::Position(position) => encode(position),
            Self::Advance(advance) => advance.encode(),
            Self::Receipt(receipt) => encode(receipt),
            Self::Credit(credit) => encode(credit),
            Self::Want(want) => encode(want),
            Self::Body(chunk) => chunk.encode(),
            Self::Heads(heads) => encode(heads),
            Self::Evidence(evidence) => encode(evidence),
        };
        Frame { kind: self.kind(), payload }
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// [`Malformed::Payload`] and [`Malformed::Trailing`].
    pub fn decode(frame: &Frame) -> Result<Self, Malformed> {
        Ok(match frame.kind {
            Kind::Hello => Self::Hello(decode(frame)?),
            Kind::Ping => Self::Ping(decode(frame)?),
            Kind::Pong => Self::Pong(decode(frame)?),
            Kind::Position => Self::Position(decode(frame)?),
            Kind::Advance => Self::Advance(UnverifiedAdvance::decode(frame)?),
            Kind::Receipt => Self::Receipt(decode(frame)?),
            Kind::Credit => Self::Credit(decode(frame)?),
            Kind::Want => Self::Want(decode(frame)?),
            Kind::Body => Self::Body(BodyChunk::decode(frame)?),
            Kind::Heads => Self::Heads(decode(frame)?),
            Kind::Evidence => Self::Evidence(Box::new(decode(frame)?)),
        })
    }
}

/// Postcard of a structure that holds no unbounded length.
pub(super) fn encode<T: Serialize>(message: &T) -> Bytes {
    postcard::to_stdvec(message).expect("our own messages hold only what postcard encodes").into()
}

/// Postcard read back, with nothing after it.
pub(super) fn decode<T: DeserializeOwned>(frame: &Frame) -> Result<T, Malformed> {
    let (message, rest) =
        postcard::take_from_bytes(&frame.payload).map_err(|_| Malformed::Payload(frame.kind))?;
    if rest.is_empty() { Ok(message) } else { Err(Malformed::Trailing(frame.kind)) }
}
