//! Following one life of the peer's log.

use super::advance::{FoldedAdvance, Follow, Group, Received, UnverifiedAdvance};
use super::credit::Granted;
use super::error::Misbehaviour;
use super::message::{Credit, Position};
use crate::crypto::Verifier;
use crate::limits::{GROUP_CHUNK_COUNT_MAX, GROUP_SIZE_MAX};
use crate::types::{Epoch, Id};

/// One life of the peer's log, as far as it was taken in.
#[derive(Debug)]
pub(super) struct Incoming {
    author: Id,
    epoch: Epoch,
    /// What is stored, and what waits to be, folded together.
    taken: Follow,
    number: u64,
    granted: Granted,
    waiting: Vec<FoldedAdvance>,
    /// Bytes of the group that is with the store.
    storing: Option<usize>,
}

impl Incoming {
    /// One life of several whose chunks share the session's window.
    pub(super) fn new(author: Id, epoch: Epoch, follow: Follow, granted: Granted) -> Self {
        Self {
            author,
            epoch,
            taken: follow,
            number: 1,
            granted,
            waiting: Vec::new(),
            storing: None,
        }
    }

    pub(super) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Asks for what follows.
    pub(super) fn position(&self) -> Position {
        Position {
            author: *self.author.as_bytes(),
            epoch: self.epoch,
            length: self.taken.length(),
            number: self.number,
            checkpoints: Vec::new(),
            channels: Vec::new(),
        }
    }

    /// A grant of more bytes, when the quota's room allows one.
    pub(super) fn credit(&mut self, room: u64) -> Option<Credit> {
        let total = self.granted.raise(room)?;
        Some(Credit { author: *self.author.as_bytes(), epoch: self.epoch, total })
    }

    /// Folds a chunk onto what was taken in; its signature is checked with its group.
    pub(super) fn on_advance(
        &mut self,
        advance: UnverifiedAdvance,
        size: usize,
        me: Id,
    ) -> Result<(), Misbehaviour> {
        self.granted.use_up(size)?;
        if advance.number < self.number {
            self.granted.release(size); // It answers a position that was withdrawn.
            return Ok(());
        }
        let folded = advance.fold(&self.taken, self.author, me, size)?;
        self.taken = folded.follow().clone();
        self.waiting.push(folded);
        Ok(())
    }

    /// The chunks that can be stored now, with the signature of the last of them checked.
    ///
    /// One group is with the store at a time. Chunks without an entry for this node wait for the
    /// next that has one, so that a skipped gap alone costs no commit.
    pub(super) fn next_group(
        &mut self,
        author: &Verifier,
    ) -> Result<Option<Received>, Misbehaviour> {
        if self.storing.is_some() || !self.waiting.iter().any(FoldedAdvance::has_entries) {
            return Ok(None);
        }
        let mut size = 0;
        let fits = self.waiting.iter().take(GROUP_CHUNK_COUNT_MAX).take_while(|folded| {
            size += folded.size();
            size <= GROUP_SIZE_MAX
        });
        let count = fits.count().max(1);
        let group = Group::new(self.waiting.drain(..count).collect());
        self.storing = Some(group.size());
        Ok(Some(group.verify(author)?))
    }

    /// The group is fsynced.
    pub(super) fn on_stored(&mut self) {
        if let Some(size) = self.storing.take() {
            self.granted.release(size);
        }
    }

    /// Whether a message's author and epoch mean this log.
    pub(super) fn is(&self, author: &[u8; 32], epoch: Epoch) -> bool {
        author == self.author.as_bytes() && epoch == self.epoch
    }
}
