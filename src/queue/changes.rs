//! What a commit made durable, and whom it concerns.

use super::standing::Stale;
use crate::log::{SignedHead, Tip};
use crate::sync::{Forked, Life};
use crate::types::{Epoch, Id};

/// What a commit made durable. Each list names an id, or an id and epoch, once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changes {
    /// Recipients with new entries in this node's log, and how long it is.
    pub grown: Vec<(Id, Life)>,
    /// Authors with something new to read.
    pub unread: Vec<Id>,
    /// Authors' logs of which a receipt is due.
    pub marked: Vec<(Id, Epoch)>,
    /// Authors whose long bodies are to be fetched.
    pub wanting: Vec<Id>,
    /// Recipients that have acknowledged more.
    pub acked: Vec<Id>,
    /// Why this node signs nothing from now on.
    pub stale: Option<Stale>,
    /// Heads that peers showed of lives of this node's log that had ended, and of which another version
    /// was signed: those are served no more.
    pub given_up: Vec<Tip>,
    /// Authors that began a new life of their logs.
    pub reborn: Vec<Reborn>,
    /// Authors' logs with new heads to reach.
    pub checkpoints: Vec<(Id, Epoch, Vec<SignedHead>)>,
    /// Authors' logs that have forked.
    pub forked: Vec<(Id, Forked)>,
    /// Whether so much is of no more use that a pass over the blocks is worth its while.
    pub is_littered: bool,
    /// Whether the disk has become too full for anything new, or has room again.
    pub is_disk_other: bool,
}

impl Changes {
    /// Whether nothing happened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { grown, unread, marked, wanting, acked, stale, .. } = self;
        let Self { given_up, reborn, checkpoints, forked, is_littered, is_disk_other, .. } = self;
        grown.is_empty()
            && unread.is_empty()
            && marked.is_empty()
            && wanting.is_empty()
            && acked.is_empty()
            && stale.is_none()
            && given_up.is_empty()
            && reborn.is_empty()
            && checkpoints.is_empty()
            && forked.is_empty()
            && !is_littered
            && !is_disk_other
    }
}

/// A further life of a peer's log, seen for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reborn {
    /// Whose log.
    pub author: Id,
    /// The new life.
    pub epoch: Epoch,
    /// Where the life before ended, as far as its author says.
    pub earlier: Option<Tip>,
}

/// Adds to a list what it does not hold yet.
pub(super) fn note<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if list.last() != Some(&item) && !list.contains(&item) {
        list.push(item);
    }
}
