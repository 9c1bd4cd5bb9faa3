//! What a check finds, and what a repair would do about it.

use std::fmt;

use bytes::Bytes;
use peermq_storage::StoreError;
use thiserror::Error;

use crate::log::LogFault;
use crate::types::{Epoch, Id};

/// Something in a store that is not as it was written.
#[derive(Debug)]
pub struct Finding {
    /// Whose rows.
    pub part: Part,
    /// Under which key.
    pub key: Bytes,
    /// What is wrong.
    pub fault: Fault,
}

/// Rows that are repaired together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Part {
    /// Facts about this node.
    Node,
    /// The peer book.
    Peers,
    /// Rows of an author that the peer book does not know.
    Nobodys,
    /// Proofs that authors have forked.
    Forks,
    /// Long bodies that no entry of this node's log has.
    Bodies,
    /// One life of this node's log.
    Log {
        /// Which.
        epoch: Epoch,
    },
    /// What a peer has acknowledged of one life of this node's log.
    Delivery {
        /// The peer.
        to: Id,
        /// Which life.
        epoch: Epoch,
    },
    /// One life of an author's log, as far as it was received.
    Received {
        /// The author.
        from: Id,
        /// Which life.
        epoch: Epoch,
    },
}

/// What is wrong.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Fault {
    /// This node's own log.
    #[error(transparent)]
    Log(#[from] LogFault),
    /// Chunks whose entry is not there.
    #[error("expected chunks of messages that this node has sent, got some of no message")]
    Unowned,
    /// A part cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The row that names the epoch.
    #[error("expected an epoch of 8 bytes, got other bytes or none")]
    Epoch,
    /// The row of the lives that have ended, or that of a life that the store has lost.
    #[error("expected the lives of this node's log before this one, got other bytes")]
    Lives,
    /// A row of the peer book.
    #[error("expected a peer's row, got other bytes or a peer twice")]
    Peer,
    /// What proves that an author has forked.
    #[error("expected a proof that its author has forked, got what proves nothing")]
    Fork,
    /// Heads that an author has to lead to are not its own.
    #[error("expected later heads that the author signed, got others")]
    Checkpoints,
    /// What says how far a log was received.
    #[error("expected an author's row with a head that the author signed, got another or none")]
    Author,
    /// Received blocks do not follow one another.
    #[error("expected a block that begins with message {0}, got another or none")]
    Block(u64),
    /// A received entry is not one to this node in that place.
    #[error("expected the header of message {0}, got another")]
    Header(u64),
    /// A body is not what its header names.
    #[error("expected the body that the header of message {0} names, got another or none")]
    Body(u64),
    /// The entries are not those that the author signed.
    #[error("expected the messages that receipts were given for, got others")]
    Inbox,
    /// A set is no set, or two share a message.
    #[error("expected sets of which no two share a message, got others")]
    Sets,
    /// What is counted is not what there is.
    #[error("expected counts of what is unread, got others")]
    Tally,
    /// What a peer has acknowledged is not what its receipts say.
    #[error("expected what the peer's receipts add up to, got something else")]
    Delivery,
    /// A receipt is not the peer's.
    #[error("expected a receipt that the peer signed, got another")]
    Receipt,
}

/// What a repair does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// It is made again from what is sound.
    Rebuild,
    /// It is set aside, and asked for again from the peer whose it is.
    AskAgain,
    /// It is set aside.
    SetAside,
    /// It is set aside, and this node's log goes on in a new life.
    NewEpoch,
}

impl Finding {
    pub(super) const fn new(part: Part, key: Bytes, fault: Fault) -> Self {
        Self { part, key, fault }
    }

    /// What a repair does about it.
    #[must_use]
    pub const fn remedy(&self) -> Remedy {
        match (&self.part, &self.fault) {
            (Part::Log { .. }, Fault::Log(fault)) if fault.is_derived() => Remedy::Rebuild,
            (Part::Log { .. }, _) => Remedy::NewEpoch,
            (Part::Node, Fault::Epoch) => Remedy::Rebuild,
            (Part::Received { .. }, Fault::Tally) => Remedy::Rebuild,
            (Part::Received { .. } | Part::Delivery { .. }, _) => Remedy::AskAgain,
            (Part::Node | Part::Peers | Part::Nobodys | Part::Forks | Part::Bodies, _) => {
                Remedy::SetAside
            }
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; repair would {}", self.part, self.fault, self.remedy())
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node => f.write_str("this node"),
            Self::Peers => f.write_str("the peer book"),
            Self::Forks => f.write_str("forks"),
            Self::Bodies => f.write_str("long texts sent"),
            Self::Nobodys => f.write_str("messages of an unknown peer"),
            Self::Log { epoch } => write!(f, "own log {epoch}"),
            Self::Delivery { to, epoch } => write!(f, "acknowledgements of {to} for {epoch}"),
            Self::Received { from, epoch } => write!(f, "messages of {from} in {epoch}"),
        }
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rebuild => "make it again from what is sound",
            Self::AskAgain => "set it aside and ask the peer again",
            Self::SetAside => "set it aside",
            Self::NewEpoch => "set the log aside and begin a new one",
        })
    }
}
