//! Whether the store that was opened may go on where it is: the head mark, which lies apart from it,
//! tells.

use std::io;
use std::sync::{Arc, Weak};

use peermq_storage::{Store, StoreError};

use super::clock::Clock;
use super::directory::{Directory, HeadMark, Lock, Source};
use super::disk::Disk;
use super::error::NodeError;
use crate::crypto::Salt;
use crate::log::Tip;
use crate::queue::{Changes, NewLife, Queue, QueueError, Stale, first_epoch};
use crate::types::{Id, UnixMs};

/// The way out of the stale state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// A new life of the log begins; peers follow it.
    NewEpoch,
    /// The user's word that the directory was moved and no other copy of it was used.
    Moved,
}

/// What a recovery came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recovered {
    /// A new life has begun.
    NewEpoch(NewLife),
    /// The life goes on where it was.
    GoesOn(Tip),
}

/// A queue and the head mark that is kept in step with it.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) queue: Queue,
    pub(super) mark: HeadMark,
    disk: Disk,
    /// Last: who takes it finds the store closed.
    lock: Arc<Lock>,
}

impl Standing {
    /// Opens the queue over a store. The head mark is made, and synced, before the store's first
    /// commit; of a store that is not empty it must be there.
    pub(super) fn open(
        directory: &Directory,
        lock: Lock,
        store: Box<dyn Store>,
        me: Id,
        now: UnixMs,
    ) -> Result<Self, NodeError> {
        let mut mark = directory.head_mark(&lock)?;
        if Queue::epoch_in(&*store)?.is_none() {
            let epoch = mark.tip().map_or_else(|| first_epoch(now), |tip| tip.epoch);
            if mark.tip().is_none() {
                mark.settle(Tip::start(epoch)).map_err(failed)?;
            }
            Queue::begin(&*store, epoch)?;
        }
        let mut queue = Queue::open(store, me, now)?;
        if let Some(stale) = stale(&mut queue, &mark)? {
            tracing::warn!(%stale, "this node signs nothing");
            queue.suspend(stale);
        }
        let disk = Disk::of(directory.path().to_owned());
        let mut standing = Self { queue, mark, disk, lock: Arc::new(lock) };
        standing.look_at_disk();
        Ok(standing)
    }

    /// The directory's lock, for as long as this has it.
    pub(super) fn lock(&self) -> Weak<Lock> {
        Arc::downgrade(&self.lock)
    }

    /// Makes what is staged durable, then the head mark say so.
    pub(super) fn commit(&mut self, clock: &Clock) -> Result<Changes, QueueError> {
        let changes = self.queue.commit()?;
        if let Some(signed) = self.queue.take_shown() {
            let is_behind = self.queue.stale().is_some_and(|stale| stale.is_since_open());
            let source = if is_behind { Source::Store } else { Source::Peer };
            self.mark.write(signed, source).map_err(failed)?;
            self.mark.sync().map_err(failed)?;
        }
        if self.queue.stale().is_none() && self.mark.tip().is_none_or(|tip| self.is_past(&tip)) {
            self.mark.write(self.queue.tip(), Source::Store).map_err(failed)?;
        }
        self.mark.sync_when_due(clock.now()).map_err(failed)?;
        Ok(changes)
    }

    /// Syncs the head mark and closes the store, then sets the directory free.
    pub(super) fn close(mut self) -> Result<(), QueueError> {
        self.mark.sync().map_err(failed)?;
        self.queue.close()
    }

    /// Brings the node back, and closes its store.
    pub(super) fn recover(
        mut self,
        recovery: Recovery,
        now: UnixMs,
        salt: Salt,
    ) -> Result<Recovered, QueueError> {
        let recovered = match recovery {
            Recovery::NewEpoch => Recovered::NewEpoch(self.queue.begin_life(now, salt)?),
            Recovery::Moved => match self.queue.stale() {
                Some(stale) if !stale.ends_by_word() => return Err(stale.into()),
                _ => Recovered::GoesOn(self.queue.tip()),
            },
        };
        self.mark.settle(self.queue.tip()).map_err(failed)?;
        self.queue.close()?;
        Ok(recovered)
    }

    /// Has the queue know how much room there is. A disk that does not tell is taken to have some:
    /// the store says when it has not.
    pub(super) fn look_at_disk(&mut self) {
        match self.disk.free() {
            Ok(free) => self.queue.on_disk(free),
            Err(error) => tracing::debug!(%error, "the disk does not tell what is free"),
        }
    }

    fn is_past(&self, marked: &Tip) -> bool {
        (self.queue.epoch(), self.queue.length()) > (marked.epoch, marked.length)
    }
}

/// Why the queue may not go on, as far as the head mark tells.
fn stale(queue: &mut Queue, mark: &HeadMark) -> Result<Option<Stale>, QueueError> {
    let Some(tip) = mark.tip() else { return Ok(Some(Stale::Unmarked)) };
    Ok(match queue.compare(&tip)? {
        Some(Stale::Behind { signed, stored }) if mark.source() == Some(Source::Peer) => {
            Some(Stale::Outrun { signed, stored })
        }
        None if !mark.is_at_home() => Some(Stale::Copied),
        compared => compared,
    })
}

/// A head mark that cannot be written is as bad as a store that cannot.
fn failed(error: io::Error) -> QueueError {
    StoreError::Write(error).into()
}
