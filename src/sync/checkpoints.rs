//! The checkpoints of a log, and the time that its author has to lead to the next one.
//!
//! The time runs only while the author has credit for the largest chunk, so a reader whose quota is
//! full blames nobody. It begins anew with each checkpoint that is reached and with each chunk that
//! is full: an author that has more to show than one chunk takes fills it, but for room that the
//! next block did not fit into.

use std::time::Duration;

use crate::limits::{
    ADVANCE_ITEM_COUNT_MAX, ADVANCE_SIZE_MAX, CHECKPOINT_COUNT_MAX, CHECKPOINT_MS_MAX,
};
use crate::log::SignedHead;
use crate::planted;
use crate::types::Instant;

/// Heads beyond what is stored that the author has signed, as other readers told.
#[derive(Debug)]
pub(super) struct Checkpoints {
    /// Shortest first; chunks must end at each.
    heads: Vec<SignedHead>,
    /// Since when nothing came that leads to the next one, as if the author had had credit always.
    waits_since: Instant,
    /// Since when the author has no credit for the largest chunk.
    held_since: Option<Instant>,
    is_unproven: bool,
}

impl Checkpoints {
    /// Those of an author that has no credit yet.
    pub(super) const fn new(heads: Vec<SignedHead>, now: Instant) -> Self {
        Self { heads, waits_since: now, held_since: Some(now), is_unproven: false }
    }

    /// The next one.
    pub(super) fn first(&self) -> Option<SignedHead> {
        self.heads.first().copied()
    }

    /// The lengths of those that a position names.
    pub(super) fn lengths(&self) -> Vec<u64> {
        self.heads.iter().map(|head| head.length).take(CHECKPOINT_COUNT_MAX).collect()
    }

    /// Takes in heads that are all beyond what is stored, and says whether they are others.
    pub(super) fn raise(&mut self, heads: Vec<SignedHead>, now: Instant) -> bool {
        if heads == self.heads {
            return false;
        }
        if self.heads.is_empty() {
            self.restart(now);
        }
        self.heads = heads;
        true
    }

    /// The next one is reached.
    pub(super) fn reach(&mut self, now: Instant) {
        if !self.heads.is_empty() {
            self.heads.remove(0);
        }
        self.restart(now);
    }

    /// A chunk came that ends before the next one.
    pub(super) fn on_chunk(&mut self, item_count: usize, size: usize, now: Instant) {
        if item_count >= FULL_ITEM_COUNT || size >= FULL_SIZE {
            self.restart(now);
        }
    }

    /// Whether the author has credit for the largest chunk.
    pub(super) fn on_credit(&mut self, covers_a_chunk: bool, now: Instant) {
        match (covers_a_chunk, self.held_since) {
            (true, Some(since)) => {
                if !planted::is("blamed-without-credit") {
                    self.waits_since = self.waits_since + now.since(since);
                }
                self.held_since = None;
            }
            (false, None) => self.held_since = Some(now),
            _ => {}
        }
    }

    /// None counts any more.
    pub(super) fn clear(&mut self) {
        self.heads.clear();
    }

    /// The length to which the author, who could have, did not lead in time; told once.
    pub(super) fn on_timeout(&mut self, now: Instant) -> Option<u64> {
        let due = self.timeout().is_some_and(|due| now >= due);
        let checkpoint = self.heads.first().filter(|_| due)?;
        self.is_unproven = true;
        Some(checkpoint.length)
    }

    /// When the author will have been silent for too long.
    pub(super) fn timeout(&self) -> Option<Instant> {
        let waits = !self.heads.is_empty() && !self.is_unproven && self.held_since.is_none();
        waits.then(|| self.waits_since + WAIT_MAX)
    }

    fn restart(&mut self, now: Instant) {
        self.waits_since = now;
        self.held_since = self.held_since.map(|_| now);
    }
}

const WAIT_MAX: Duration = Duration::from_millis(CHECKPOINT_MS_MAX);
/// Items, and bytes of its frame, from which a chunk is full: one block more, of 256 entries and
/// 64 KiB, and the gaps around them take less than half a chunk.
const FULL_ITEM_COUNT: usize = ADVANCE_ITEM_COUNT_MAX / 2;
const FULL_SIZE: usize = ADVANCE_SIZE_MAX / 2;
