//! What two readers of the same logs tell each other of them: heads under tags, and evidence.
//!
//! A tag is a hash of the session and the author: whoever does not know a log cannot tell which one
//! is meant, nor that two sessions speak of the same one. Heads follow only for tags that both have
//! named, so that length and pace of a log stay with its readers.

use serde::{Deserialize, Serialize};

use super::proof::Evidence;
use crate::crypto::hash::{FOLLOWED, Fields};
use crate::limits::{HEADS_COUNT_MAX, HEADS_TAG_COUNT_MAX};
use crate::log::SignedHead;
use crate::planted;
use crate::types::{Epoch, Id, bounded};

/// Stands for an author in one session: the first 16 bytes of a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tag([u8; 16]);

/// Logs of others that the sender follows, and heads of those that both follow.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Heads {
    /// Logs that are followed and were not named in this session before; at most 256.
    #[serde(deserialize_with = "bounded::list::<_, HEADS_TAG_COUNT_MAX, _>")]
    pub followed: Vec<Tag>,
    /// The newest heads held of their lives; at most 64.
    #[serde(deserialize_with = "bounded::list::<_, HEADS_COUNT_MAX, _>")]
    pub heads: Vec<(Tag, SignedHead)>,
}

/// A log of a third node that this node follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// Whose log.
    pub author: Id,
    /// The newest head held of each of its lives, newest life first.
    pub heads: Vec<SignedHead>,
    /// What proves that lives of it have forked, one of each.
    pub evidence: Vec<Evidence>,
}

/// A life of the peer's log that is known to have forked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forked {
    /// Which life.
    pub epoch: Epoch,
    /// Whether the user knows: then later lives are followed again.
    pub is_acknowledged: bool,
}

impl Tag {
    /// The tag of an author's log in the session with this hash.
    #[must_use]
    pub fn new(session: &[u8; 32], author: &Id) -> Self {
        let fields = Fields::<64>::new().raw(session).raw(author.as_bytes());
        let hash = FOLLOWED.hash(fields.as_bytes());
        Self(*hash.0.first_chunk().expect("a hash has 32 bytes"))
    }
}

impl Forked {
    /// Whether a life must not be followed on.
    #[must_use]
    pub fn blocks(&self, epoch: Epoch) -> bool {
        !planted::is("forked-log-followed") && epoch == self.epoch
            || epoch > self.epoch && !self.is_acknowledged
    }
}
