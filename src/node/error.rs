//! Why a node could not do what it was asked.

use std::io;
use std::sync::Arc;

use peermq_storage::OpenError;
use thiserror::Error;

use super::directory::DirectoryError;
use super::transport::ListenAt;
use crate::crypto::CryptoError;
use crate::limits::{BODY_TEXT_SIZE_MAX, IDEMPOTENCY_KEY_SIZE_MAX};
use crate::log::EnvelopeError;
use crate::queue::QueueError;
use crate::sync::SyncError;
use crate::types::{Epoch, Id, Seq};

/// Why a node could not do what it was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The data directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The store in it does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store failed: the node takes nothing more, and what was being written may or may not be
    /// durable.
    #[error("the store failed, and the node has to be started again: {0}")]
    Storage(#[source] Arc<QueueError>),
    /// The queue refused.
    #[error(transparent)]
    Queue(QueueError),
    /// The node was shut down.
    #[error("the node was shut down")]
    Stopped,
    /// The ids share no secret, or the body does not fit its seal.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// What was to go beside the text does not fit.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The text is too long.
    #[error("expected a text of at most {BODY_TEXT_SIZE_MAX} bytes, got more")]
    TextSize,
    /// The idempotency key is too long.
    #[error("expected an idempotency key of at most {IDEMPOTENCY_KEY_SIZE_MAX} bytes, got {0}")]
    IdempotencyKeySize(usize),
    /// Reading the text to be sent failed.
    #[error("cannot read what is to be sent: {0}")]
    Input(#[source] io::Error),
    /// No port could be opened.
    #[error("cannot listen on {at}: {source}")]
    Listen {
        /// What was to be bound.
        at: ListenAt,
        /// What the system said.
        source: io::Error,
    },
    /// The peer was removed while it was being connected to.
    #[error("{0} was removed: add it again to connect to it")]
    Removed(Id),
    /// The recipient cannot use the message.
    #[error("{to} rejected {seq}: it could not open the message")]
    Rejected {
        /// The recipient.
        to: Id,
        /// Which message.
        seq: Seq,
    },
    /// Nothing of this sender was ever received.
    #[error("expected a message that is stored here, got one of {0}, who sent none")]
    NothingFrom(Id),
    /// There is no such message.
    #[error("expected a message that is stored here, got {from}@{epoch}.{seq}")]
    NotFound {
        /// The sender.
        from: Id,
        /// Which life of its log.
        epoch: Epoch,
        /// Which message.
        seq: Seq,
    },
    /// The body of a message does not open, or is of a later version.
    #[error("the message {from}@{epoch}.{seq} is of a kind that this version cannot read")]
    Unsupported {
        /// The sender.
        from: Id,
        /// Which life of its log.
        epoch: Epoch,
        /// Which message.
        seq: Seq,
    },
    /// The sync session with a peer ended.
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// The random generator of the system failed.
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
}

impl From<QueueError> for NodeError {
    fn from(error: QueueError) -> Self {
        Self::Queue(error)
    }
}
