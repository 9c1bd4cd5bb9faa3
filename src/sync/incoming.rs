//! Following one life of the peer's log.

use super::advance::{FoldedAdvance, Follow, Group, Received, UnverifiedAdvance};
use super::checkpoints::Checkpoints;
use super::credit::Granted;
use super::error::Misbehaviour;
use super::exchange::Held;
use super::frame::Kind;
use super::message::{Credit, Position};
use super::proof::{Evidence, ProvenFork};
use crate::crypto::Verifier;
use crate::limits::{GROUP_CHUNK_COUNT_MAX, GROUP_SIZE_MAX};
use crate::log::{SignedHead, branch};
use crate::types::{Epoch, Id, Instant};

/// One life of the peer's log, as far as it was taken in.
#[derive(Debug)]
pub(super) struct Incoming {
    author: Verifier,
    epoch: Epoch,
    /// What is stored.
    durable: Follow,
    /// What is stored, and what waits to be, folded together.
    taken: Follow,
    number: u64,
    granted: Granted,
    waiting: Vec<FoldedAdvance>,
    storing: Option<Storing>,
    /// Whether chunks were dropped whose credit the author is to have back.
    owes_credit: bool,
    checkpoints: Checkpoints,
    /// It has forked: nothing more of it is taken in.
    is_frozen: bool,
}

/// The group that is with the store.
#[derive(Debug)]
struct Storing {
    size: usize,
    follow: Follow,
    /// The position that it answers.
    number: u64,
}

impl Incoming {
    /// One life of several whose chunks share the session's window.
    pub(super) fn new(author: Id, held: Held, granted: Granted, now: Instant) -> Self {
        let Held { epoch, follow, checkpoints, .. } = held;
        Self {
            author: Verifier::new(&author),
            epoch,
            durable: follow.clone(),
            taken: follow,
            number: 1,
            granted,
            waiting: Vec::new(),
            storing: None,
            owes_credit: false,
            checkpoints: Checkpoints::new(checkpoints, now),
            is_frozen: false,
        }
    }

    pub(super) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Asks for what follows.
    pub(super) fn position(&self) -> Position {
        Position {
            author: *self.author.id().as_bytes(),
            epoch: self.epoch,
            length: self.taken.length(),
            number: self.number,
            checkpoints: self.checkpoints.lengths(),
            channels: Vec::new(),
        }
    }

    /// A grant of more bytes, when the quota's room allows one.
    pub(super) fn credit(&mut self, room: u64, now: Instant) -> Option<Credit> {
        if self.is_frozen {
            return None;
        }
        let total = self.granted.raise(room)?;
        self.checkpoints.on_credit(self.granted.covers_a_chunk(), now);
        Some(Credit { author: *self.author.id().as_bytes(), epoch: self.epoch, total })
    }

    /// Folds a chunk onto what was taken in; its signature is checked with its group, or at once
    /// where it ends at a checkpoint. Gives what proves that the author has forked, if it does.
    pub(super) fn on_advance(
        &mut self,
        advance: UnverifiedAdvance,
        size: usize,
        me: Id,
        now: Instant,
    ) -> Result<Option<ProvenFork>, Misbehaviour> {
        self.granted.use_up(size)?;
        self.checkpoints.on_credit(self.granted.covers_a_chunk(), now);
        if self.is_frozen || advance.number < self.number {
            self.granted.release(size);
            self.owes_credit |= advance.number > 0; // It answers a position that was withdrawn.
            return Ok(None);
        }
        let checkpoint = self.checkpoints.first();
        if let Some(checkpoint) = checkpoint.filter(|it| it.length < advance.head.length) {
            return self.on_passed(&advance, checkpoint).map(Some);
        }
        let item_count = advance.items.len();
        let mut folded = advance.fold(&self.taken, self.author.id(), me, size)?;
        if let Some(checkpoint) = checkpoint.filter(|it| it.length == folded.head().length) {
            if let Some(fork) = self.compare(checkpoint, *folded.head())? {
                return Ok(Some(fork));
            }
            folded.reach_checkpoint();
            self.checkpoints.reach(now);
        }
        self.checkpoints.on_chunk(item_count, size, now);
        self.taken = folded.follow().clone();
        self.waiting.push(folded);
        Ok(None)
    }

    /// The author signed the end of a chunk where it had signed a head before.
    fn compare(
        &self,
        checkpoint: SignedHead,
        end: SignedHead,
    ) -> Result<Option<ProvenFork>, Misbehaviour> {
        end.verify(&self.author).map_err(|_| Misbehaviour::Signature(Kind::Advance))?;
        if checkpoint.root == end.root {
            return Ok(None);
        }
        let evidence = Evidence::of_heads(self.author.id(), checkpoint, end);
        evidence.verify().map(Some).map_err(|_| Misbehaviour::Evidence)
    }

    /// A chunk passes a checkpoint, which no honest author's does: it may show what it hides.
    fn on_passed(
        &self,
        advance: &UnverifiedAdvance,
        checkpoint: SignedHead,
    ) -> Result<ProvenFork, Misbehaviour> {
        let passed = Misbehaviour::Checkpoint { length: checkpoint.length };
        if advance.from != self.taken.length() {
            return Err(passed);
        }
        let (author, peaks) = (self.author.id(), &self.taken.peaks);
        let branch = branch(peaks, &author, self.epoch, checkpoint.length, &advance.items);
        let branch = branch.ok_or(passed)?;
        let evidence = Evidence::of_branch(author, checkpoint, advance.head, branch);
        evidence.verify().map_err(|_| passed)
    }

    /// The chunks that can be stored now, with the signature of the last of them checked.
    ///
    /// One group is with the store at a time. Chunks without an entry for this node wait for the
    /// next that has one or that ends at a checkpoint, so that a skipped gap alone costs no commit.
    pub(super) fn next_group(&mut self) -> Result<Option<Received>, Misbehaviour> {
        if self.storing.is_some() || !self.waiting.iter().any(FoldedAdvance::is_worth_storing) {
            return Ok(None);
        }
        let mut size = 0;
        let fits = self.waiting.iter().take(GROUP_CHUNK_COUNT_MAX).take_while(|folded| {
            size += folded.size();
            size <= GROUP_SIZE_MAX
        });
        let count = fits.count().max(1);
        let group = Group::new(self.waiting.drain(..count).collect());
        let size = group.size();
        let received = group.verify(&self.author)?;
        let follow = received.follow.clone();
        self.storing = Some(Storing { size, follow, number: self.number });
        Ok(Some(received))
    }

    /// The group is fsynced.
    pub(super) fn on_stored(&mut self) {
        if let Some(Storing { size, follow, .. }) = self.storing.take() {
            self.granted.release(size);
            self.durable = follow;
        }
    }

    /// The store refused the group: it passes a checkpoint that came meanwhile. Asks again, unless
    /// that was done when the checkpoint came.
    pub(super) fn on_passed_in_store(&mut self) -> Option<Position> {
        let Storing { size, number, .. } = self.storing.take()?;
        self.give_back(size);
        if number < self.number {
            return None;
        }
        self.drop_waiting(|_| true);
        self.taken = self.durable.clone();
        self.number += 1;
        Some(self.position())
    }

    /// Other readers told of heads beyond what is stored: what was taken in from there on is asked
    /// for anew.
    pub(super) fn on_checkpoints(
        &mut self,
        checkpoints: Vec<SignedHead>,
        now: Instant,
    ) -> Option<Position> {
        let durable = self.durable.length();
        let ahead: Vec<_> = checkpoints.into_iter().filter(|it| it.length > durable).collect();
        let first = ahead.first()?.length;
        if self.is_frozen || !self.checkpoints.raise(ahead, now) {
            return None;
        }
        if self.taken.length() >= first {
            self.drop_waiting(|chunk| chunk.follow().length() >= first);
            let stored = self.storing.as_ref().map(|storing| &storing.follow);
            let stored = stored.filter(|follow| follow.length() < first);
            let kept = self.waiting.last().map(FoldedAdvance::follow);
            self.taken = kept.or(stored).unwrap_or(&self.durable).clone();
        }
        self.number += 1;
        Some(self.position())
    }

    /// The log has forked: what comes of it is dropped.
    pub(super) fn freeze(&mut self) {
        self.is_frozen = true;
        self.checkpoints.clear();
        self.drop_waiting(|_| true);
    }

    /// The store refused the group: the log has forked.
    pub(super) fn on_refused(&mut self) {
        self.storing = None;
        self.freeze();
    }

    /// The checkpoint to which the author, who could have, did not lead in time; told once.
    pub(super) fn on_timeout(&mut self, now: Instant) -> Option<u64> {
        self.checkpoints.on_timeout(now)
    }

    /// When the author will have been silent for too long.
    pub(super) fn timeout(&self) -> Option<Instant> {
        self.checkpoints.timeout()
    }

    /// Whether the author is to have credit back, for which the quota's room has to be read.
    pub(super) const fn take_debt(&mut self) -> bool {
        std::mem::replace(&mut self.owes_credit, false)
    }

    /// Whether a message's author and epoch mean this log.
    pub(super) fn is(&self, author: &[u8; 32], epoch: Epoch) -> bool {
        author == self.author.id().as_bytes() && epoch == self.epoch
    }

    fn drop_waiting(&mut self, which: impl Fn(&FoldedAdvance) -> bool) {
        let dropped = self.waiting.extract_if(.., |chunk| which(chunk));
        let size = dropped.map(|chunk| chunk.size()).sum();
        self.give_back(size);
    }

    fn give_back(&mut self, size: usize) {
        self.granted.release(size);
        self.owes_credit |= size > 0;
    }
}
