//! Serving one life of this node's log to the peer.

use super::advance::UnverifiedAdvance;
use super::credit::Allowance;
use super::error::{Misbehaviour, SyncError};
use super::exchange::Load;
use super::frame::Kind;
use super::message::{Life, Message, Position};
use super::pace::Pace;
use crate::crypto::Identity;
use crate::limits::ADVANCE_SIZE_MAX;
use crate::log::{Chunk, Head};
use crate::types::{Epoch, Id, Instant};

/// Bytes of an `Advance` around its items: the fixed fields, root and signature.
const ADVANCE_OVERHEAD: usize = 256;

/// One life of this node's log, as far as the peer has it.
#[derive(Debug)]
pub(super) struct Outgoing {
    epoch: Epoch,
    /// Entries that are durable here.
    length: u64,
    allowance: Allowance,
    asked: Option<Asked>,
    /// The number of the position for which the store reads.
    loading: Option<u64>,
}

/// The peer's newest position, and how far chunks have followed it.
#[derive(Debug)]
struct Asked {
    number: u64,
    checkpoints: Vec<u64>,
    /// Where the next chunk begins.
    next: u64,
    /// Up to here the log is known to hold nothing more for the peer.
    quiet: u64,
    /// Whether there may be a checkpoint that the log has reached and chunks have not.
    is_to_reach: bool,
    /// Whether the store has begun to read for it.
    is_begun: bool,
}

impl Outgoing {
    pub(super) fn new(life: Life) -> Self {
        let Life { epoch, length } = life;
        Self { epoch, length, allowance: Allowance::default(), asked: None, loading: None }
    }

    pub(super) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The log has grown, durably.
    pub(super) fn on_local_head(&mut self, length: u64) {
        self.length = self.length.max(length);
    }

    pub(super) fn on_position(&mut self, position: Position) -> Result<(), SyncError> {
        let grows = self.asked.as_ref().is_none_or(|asked| asked.number < position.number);
        let sorted = position.checkpoints.is_sorted_by(|a, b| a < b);
        if !grows || !sorted {
            return Err(Misbehaviour::Numbers(Kind::Position).into());
        }
        let Position { number, length: next, checkpoints, .. } = position;
        let is_to_reach = !checkpoints.is_empty();
        // A peer that has more than this store, which may be an older copy, is past all it can get.
        let (quiet, is_begun) = (next, false);
        self.asked = Some(Asked { number, checkpoints, next, quiet, is_to_reach, is_begun });
        Ok(())
    }

    pub(super) fn on_credit(&mut self, total: u64) -> Result<(), Misbehaviour> {
        self.allowance.raise(total)
    }

    /// The read that is due: one at a time, and only for a chunk that may be sent. The first for a
    /// position waits for its turn among the `positions` of the session.
    pub(super) fn next_load(&mut self, positions: &mut Pace, now: Instant) -> Option<Load> {
        if !self.is_due() {
            return None;
        }
        let asked = self.asked.as_mut()?;
        if !asked.is_begun {
            if !positions.is_free(now) {
                return None;
            }
            positions.take(1, now);
            asked.is_begun = true;
        }
        self.loading = Some(asked.number);
        Some(Load::Chunk {
            epoch: self.epoch,
            from: asked.next,
            checkpoints: asked.checkpoints.clone(),
            budget: ADVANCE_SIZE_MAX - ADVANCE_OVERHEAD,
        })
    }

    /// Whether a read is due whose position waits for its turn.
    pub(super) fn waits_for_turn(&self) -> bool {
        self.is_due() && self.asked.as_ref().is_some_and(|asked| !asked.is_begun)
    }

    fn is_due(&self) -> bool {
        let has_more = |asked: &Asked| asked.quiet < self.length || asked.is_to_reach;
        let is_idle = self.loading.is_none() && self.allowance.covers_a_chunk();
        is_idle && self.asked.as_ref().is_some_and(has_more)
    }

    /// Signs and frames a chunk that was read from the store, where its entries are durable.
    pub(super) fn on_chunk(
        &mut self,
        from: u64,
        chunk: Option<Chunk>,
        identity: &Identity,
    ) -> Option<Message> {
        let read_for = self.loading.take();
        let asked = self.asked.as_mut()?;
        if from != asked.next || read_for != Some(asked.number) {
            return None; // A newer position came while the store was reading.
        }
        let Some(chunk) = chunk else {
            asked.quiet = self.length;
            asked.is_to_reach = false;
            return None;
        };
        // The log may have grown by entries for others alone, of which a session is not told.
        self.length = self.length.max(chunk.to);
        asked.next = chunk.to;
        asked.quiet = chunk.to;
        asked.is_to_reach = asked.checkpoints.last().is_some_and(|at| *at > chunk.to);
        let author = identity.id();
        let head = Head { author, epoch: self.epoch, length: chunk.to, root: chunk.root };
        Some(Message::Advance(UnverifiedAdvance {
            author: *author.as_bytes(),
            from: chunk.from,
            number: asked.number,
            items: chunk.items,
            head: head.sign(identity),
        }))
    }

    /// Counts a chunk that went out.
    pub(super) fn on_sent(&mut self, size: usize) {
        self.allowance.use_up(size);
    }

    /// Whether a message's author and epoch mean this log.
    pub(super) fn is(&self, me: Id, author: &[u8; 32], epoch: Epoch) -> bool {
        author == me.as_bytes() && epoch == self.epoch
    }
}
