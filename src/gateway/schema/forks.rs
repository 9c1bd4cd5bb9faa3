//! Forks, and what else the user has to know.

use serde::{Deserialize, Serialize};

use super::text::hex_id;
use crate::log::Head;
use crate::node;
use crate::types::{Epoch, Id};

/// An author that has signed two versions of its log: an item of `GET /v1/forks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fork {
    /// The author.
    #[serde(with = "hex_id")]
    pub author: Id,
    /// The life of its log, which is frozen.
    pub epoch: Epoch,
    /// What it signed at the smaller length, or either of two at one length.
    pub first: Root,
    /// What it signed beside it.
    pub second: Root,
    /// Whether the user has said that it is known.
    pub acknowledged: bool,
}

/// What an author signed of its log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// Entries.
    pub length: u64,
    /// The hash over them: 64 lower-case hex digits.
    pub root: String,
}

/// What the user has to know: the event `notice` of `GET /v1/notices`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "notice", rename_all = "snake_case")]
pub enum Notice {
    /// The node signs nothing, and takes no send.
    Stale {
        /// Why, and what to do.
        reason: String,
    },
    /// The disk is too full for anything new.
    DiskFull {
        /// How full, and when it goes on.
        reason: String,
    },
    /// An author has signed two versions of its log.
    Fork(Fork),
    /// An ended life of this node's log has two signed versions: what it had still to deliver stays
    /// here.
    GivenUp {
        /// The life.
        epoch: Epoch,
        /// A length at which they differ.
        length: u64,
    },
    /// An author has begun a further life of its log.
    Reborn {
        /// The author.
        #[serde(with = "hex_id")]
        author: Id,
        /// The new life.
        epoch: Epoch,
    },
    /// An author does not lead to a head that it has signed, though it could.
    Unproven {
        /// The author.
        #[serde(with = "hex_id")]
        author: Id,
        /// The life of its log.
        epoch: Epoch,
        /// The length of the head.
        length: u64,
    },
}

impl From<node::Fork> for Fork {
    fn from(fork: node::Fork) -> Self {
        Self {
            author: fork.author(),
            epoch: fork.epoch(),
            first: fork.first.into(),
            second: fork.second.into(),
            acknowledged: fork.is_acknowledged,
        }
    }
}

impl From<Head> for Root {
    fn from(head: Head) -> Self {
        Self { length: head.length, root: head.root.to_string() }
    }
}

impl From<node::Notice> for Notice {
    fn from(notice: node::Notice) -> Self {
        match notice {
            node::Notice::Stale(stale) => Self::Stale { reason: stale.to_string() },
            node::Notice::DiskFull(full) => Self::DiskFull { reason: full.to_string() },
            node::Notice::Fork(fork) => Self::Fork(fork.into()),
            node::Notice::GivenUp { epoch, length } => Self::GivenUp { epoch, length },
            node::Notice::Reborn(life) => Self::Reborn { author: life.author, epoch: life.epoch },
            node::Notice::Unproven { author, epoch, length } => {
                Self::Unproven { author, epoch, length }
            }
        }
    }
}
