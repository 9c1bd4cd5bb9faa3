//! Why the queue could not do what it was asked.

use peermq_storage::StoreError;
use thiserror::Error;

use super::disk::DiskFull;
use super::standing::Stale;
use crate::limits::{MARK_CHUNK_COUNT_MAX, MARK_COUNT_MAX};
use crate::log::LogError;
use crate::sync::Refusal;
use crate::types::{Epoch, Id, IdError, Seq};

/// Why the queue could not do what it was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum QueueError {
    /// The store failed. The queue must be dropped: what is in memory may be more than what is on
    /// disk.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// This node's own log failed, or a draft does not fit it.
    #[error(transparent)]
    Log(#[from] LogError),
    /// What is in the store cannot be. The queue must be dropped.
    #[error("the store is damaged: expected {0}, got something else")]
    Damaged(&'static str),
    /// An earlier error left more in memory than on disk. The queue must be dropped.
    #[error("expected a queue that has not failed, got one that has")]
    Broken,
    /// Bytes are not those of a whole backup.
    #[error("expected a whole backup of peermq, got something else: take another copy of it")]
    Backup,
    /// More was written than the reader of a backup has kept up with.
    #[error("expected the backup to be read as fast as the node writes, got a slower reader")]
    BackupBehind,
    /// A session brought what cannot be taken in.
    #[error("the peer's entries or receipts were not taken in: {0:?}")]
    Refused(Refusal),
    /// A recipient is no id of a node.
    #[error("expected a node as the recipient: {0}")]
    Recipient(#[from] IdError),
    /// Something is addressed to everyone or a channel.
    #[error("expected a node as the recipient, got everyone or a channel")]
    NotAPeer,
    /// An id is this node's own.
    #[error("expected the id of another node, got this node's own")]
    OwnId,
    /// An id is the negative of one that is known: the two have one X25519 key.
    #[error("expected an id with a key of its own, got the negative of {known}")]
    SameImage {
        /// The id that is known.
        known: Id,
    },
    /// The peer is removed.
    #[error("expected a peer that is not removed, got {0}")]
    Removed(Id),
    /// This node may sign nothing more in this life of its log.
    #[error(transparent)]
    Stale(#[from] Stale),
    /// The disk has too little room left.
    #[error(transparent)]
    DiskFull(#[from] DiskFull),
    /// No such entry was received.
    #[error("expected a message from {from}, got {epoch}.{seq}, which was never received")]
    NotFound {
        /// Its author.
        from: Id,
        /// Which life of the author's log.
        epoch: Epoch,
        /// Its place.
        seq: Seq,
    },
    /// No such message was sent.
    #[error("expected a message to {to}, got {epoch}.{seq}, which was never sent")]
    NeverSent {
        /// Its recipient.
        to: Id,
        /// Which life of this node's log.
        epoch: Epoch,
        /// Its place.
        seq: Seq,
    },
    /// No receipt that acknowledges a message is held.
    #[error(
        "expected a message that {to} has acknowledged, got {epoch}.{seq}, of which no receipt \
         came: connect to it, then try again"
    )]
    NotAcknowledged {
        /// Its recipient.
        to: Id,
        /// Which life of this node's log.
        epoch: Epoch,
        /// Its place.
        seq: Seq,
    },
    /// Only the hash of an entry is left.
    #[error(
        "expected a message whose header is kept, got {epoch}.{seq} to {to}, which was dropped"
    )]
    HeaderDropped {
        /// Its recipient.
        to: Id,
        /// Which life of this node's log.
        epoch: Epoch,
        /// Its place.
        seq: Seq,
    },
    /// An author is not known to have forked.
    #[error("expected an author that is known to have forked, got {0}: see peermq forks")]
    NoFork(Id),
    /// A message cannot be archived before its body is held.
    #[error("expected a message whose body is here, got {epoch}.{seq} from {from}")]
    BodyMissing {
        /// Its author.
        from: Id,
        /// Which life of the author's log.
        epoch: Epoch,
        /// Its place.
        seq: Seq,
    },
    /// More was to be marked than one step takes.
    #[error(
        "expected at most {MARK_COUNT_MAX} messages in {MARK_CHUNK_COUNT_MAX} stretches to mark, \
         got more"
    )]
    TooMany,
    /// Chunks of a long body do not follow those that are held.
    #[error("expected body chunks from {expected} on, got them from {got} on")]
    ChunkGap {
        /// Chunks that are held.
        expected: u32,
        /// The first that came.
        got: u32,
    },
}

impl QueueError {
    /// Whether the queue must be dropped and opened again. Any other error leaves it as it was.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        match self {
            Self::Store(_) | Self::Damaged(_) | Self::Broken => true,
            Self::Log(error) => !matches!(error, LogError::BodySize(_)),
            _ => false,
        }
    }
}
