//! All of a node's durable state over one store: what it has sent, what it has received, and what
//! became of each message.
//!
//! [`Queue`] belongs to one thread. Writes are staged in memory, many together, and become durable
//! with one [`Queue::commit`]; reads come between commits and see durable state alone.
//!
//! ```text
//! send, receive, acknowledge, mark … → staged → commit (fsync) → Changes → take, receipts, chunk …
//! ```
//!
//! *Invariant*: for every log, unread + archived + cleared + rejected + gone = received, and what
//! left unread never comes back to it; so nothing that was archived or cleared is offered again,
//! whatever is received, repeated or crashes in between. After an error that
//! [`is_fatal`](QueueError::is_fatal) memory may be ahead of the disk: the queue takes nothing more.
//!
//! `writing` and `reading` say all that can be done; `received` and `sent` hold what it is
//! done to, and the rest is beside the two: who may, how much, what has forked, what may go.
//! Deliberately absent: clock, randomness, threads, and keys: bodies stay sealed here.

mod backup;
mod bitmaps;
mod changes;
pub mod check;
mod comparing;
mod disk;
mod dispatch;
mod error;
mod figures;
mod forks;
mod lapse;
mod listing;
mod lists;
mod offer;
mod peer_book;
mod place;
mod quota;
mod reading;
mod received;
mod reclaim;
mod repair;
mod row;
mod sent;
mod seq_set;
mod standing;
mod writing;

#[cfg(test)]
mod tests;

use peermq_storage::{Batch, Store};

pub use backup::{BackupId, Record, RecordReader, RecordWriter};
pub use changes::{Changes, Reborn};
pub use disk::DiskFull;
pub use dispatch::ReaderId;
pub use error::QueueError;
pub use figures::PeerFigures;
pub use forks::Fork;
pub use listing::{Cursor, CursorError, ListSet, ListState, Listed, Page};
pub use offer::{Offer, OfferBody, TakeBudget};
pub use peer_book::{Peer, PeerState};
pub use place::Place;
pub use quota::{Quota, Usage};
pub use received::fetching::Wanted;
pub use received::sets::Mark;
pub use reclaim::{Intent, Keep, Pass};
pub use repair::Repair;
pub use sent::deliveries::AckedSets;
pub use sent::lives::{NewLife, Serving};
pub use sent::outbox::Sent;
pub use sent::proving::Receipted;
pub use standing::Stale;
pub use writing::Acknowledged;

use crate::limits::{SWEEP_SIZE, SWEEP_SIZE_MAX};
use crate::log::{self, Tip, layout};
use crate::planted;
use crate::sync::Life;
use crate::types::{Epoch, Id, Recipient, UnixMs};
use backup::Backups;
use dispatch::{Dispatch, LogKey};
use forks::Forks;
use lapse::Lapse;
use peer_book::PeerBook;
use received::inbox::Inbox;
use reclaim::Reclaim;
use sent::outbox::Outbox;

/// All of a node's durable state.
#[derive(Debug)]
pub struct Queue {
    store: Box<dyn Store>,
    me: Id,
    batch: Batch,
    changes: Changes,
    /// Logs with something new to offer once the batch is durable.
    woken: Vec<LogKey>,
    is_broken: bool,
    stale: Option<Stale>,
    disk_full: Option<DiskFull>,
    /// What a peer showed to be signed, on its way to the head mark.
    shown: Option<Tip>,
    peers: PeerBook,
    forks: Forks,
    inbox: Inbox,
    outbox: Outbox,
    dispatch: Dispatch,
    backups: Backups,
    reclaim: Reclaim,
    lapse: Lapse,
}

impl Queue {
    /// Takes up what the store holds; on a new store the node's log begins, in the epoch of `now`'s
    /// second. What a crash left without an owner is removed.
    ///
    /// # Errors
    /// [`QueueError`] when the store fails or is damaged.
    pub fn open(store: Box<dyn Store>, me: Id, now: UnixMs) -> Result<Self, QueueError> {
        let epoch = match Self::epoch_in(&*store)? {
            Some(epoch) if !planted::is("epoch-of-each-start") => epoch,
            _ => Self::begin(&*store, first_epoch(now))?,
        };
        log::sweep_staged(&*store)?;
        let peers = PeerBook::open(&*store, me)?;
        let forks = Forks::open(&*store, &peers)?;
        let inbox = Inbox::open(&*store, &me, &peers)?;
        let outbox = Outbox::open(&*store, me, epoch)?;
        let mut dispatch = Dispatch::default();
        let unread = inbox.logs.values().filter(|log| log.tally.unread.entries > 0);
        unread.for_each(|log| dispatch.wake(log.key));
        let (batch, changes, woken) = (Batch::new(), Changes::default(), Vec::new());
        let (is_broken, stale, disk_full, shown) = (false, None, None, None);
        let (backups, reclaim) = (Backups::default(), Reclaim::new());
        let lapse = Lapse::open(&*store)?;
        Ok(Self {
            store,
            me,
            batch,
            changes,
            woken,
            is_broken,
            stale,
            disk_full,
            shown,
            peers,
            forks,
            inbox,
            outbox,
            dispatch,
            backups,
            reclaim,
            lapse,
        })
    }

    /// The epoch of the log in a store; `None` in a new one.
    ///
    /// # Errors
    /// [`QueueError`] when the store fails or is damaged.
    pub fn epoch_in(store: &dyn Store) -> Result<Option<Epoch>, QueueError> {
        let Some(row) = store.get(&layout::meta(EPOCH))? else { return Ok(None) };
        let epoch = row.first_chunk().filter(|_| row.len() == 8);
        let epoch = epoch.ok_or(QueueError::Damaged("an epoch of 8 bytes"))?;
        Ok(Some(Epoch(u64::from_be_bytes(*epoch))))
    }

    /// Begins the log of a new store, durably: its first commit.
    ///
    /// # Errors
    /// [`QueueError`] when the store fails.
    pub fn begin(store: &dyn Store, epoch: Epoch) -> Result<Epoch, QueueError> {
        let mut batch = Batch::new();
        batch.put(layout::meta(EPOCH), epoch.0.to_be_bytes().to_vec());
        store.commit(batch)?;
        Ok(epoch)
    }

    /// Writes what an open would else have to gather, and closes the store.
    ///
    /// # Errors
    /// As [`Queue::commit`].
    pub fn close(mut self) -> Result<(), QueueError> {
        self.commit()?;
        self.outbox.log.flush_index(&mut self.batch);
        self.commit().map(drop)
    }

    /// Bytes that the next commit writes, at most.
    #[must_use]
    pub fn staged_size(&self) -> usize {
        let kept = self.inbox.staged_size() + self.forks.staged_size();
        self.batch.size() + self.outbox.staged_size() + kept
    }

    /// Makes everything staged durable, in one step, and tells whom that concerns.
    ///
    /// # Errors
    /// [`QueueError`]; the queue must be dropped then, and only a new open tells what is on disk.
    pub fn commit(&mut self) -> Result<Changes, QueueError> {
        if self.is_broken {
            return Err(QueueError::Broken);
        }
        let committed = self.try_commit();
        self.is_broken = committed.is_err();
        committed
    }

    fn try_commit(&mut self) -> Result<Changes, QueueError> {
        let recipients = self.outbox.stage(&*self.store, &mut self.batch)?;
        if self.reclaim.take_index_due() {
            self.outbox.log.flush_index(&mut self.batch);
        }
        self.inbox.stage(&mut self.batch);
        if !planted::is("peer-forgotten") {
            self.peers.stage(&mut self.batch);
        }
        self.forks.stage(&mut self.batch);
        self.lapse.stage(&mut self.batch);
        let sweep_size = SWEEP_SIZE_MAX.min(self.batch.size() + SWEEP_SIZE);
        self.inbox.bodies.sweep(&mut self.batch, sweep_size);
        self.reclaim.sweep(&mut self.batch, sweep_size);
        if !self.batch.is_empty() && !planted::is("ack-before-fsync") {
            self.backups.note(&self.batch);
            self.store.commit(std::mem::take(&mut self.batch))?;
        }
        self.outbox.on_committed();
        self.inbox.on_committed();
        if self.reclaim.on_committed() {
            self.outbox.on_rewritten();
            self.inbox.sizes.forget();
        }
        self.woken.drain(..).for_each(|log| self.dispatch.wake(log));
        let mut changes = std::mem::take(&mut self.changes);
        let life = Life { epoch: self.outbox.log.epoch(), length: self.outbox.log.length() };
        for recipient in recipients {
            let Recipient::Peer(id) = recipient else { continue };
            changes.grown.extend(self.peers.known(&id).map(|id| (id, life)));
        }
        changes.is_littered = self.is_littered();
        Ok(changes)
    }

    /// Whether a commit is worth its while although nothing is staged: chunks of bodies that are of
    /// no use are still to be removed.
    #[must_use]
    pub fn has_leftovers(&self) -> bool {
        self.inbox.bodies.has_useless() || self.reclaim.has_abandoned()
    }

    /// The place in keys of one life of an author's log.
    fn log_key(&self, id: &Id, epoch: Epoch) -> Option<LogKey> {
        let author = self.peers.find(id)?.number;
        Some(LogKey { author, epoch })
    }
}

/// The epoch of a log that begins now, where none is known.
#[must_use]
pub const fn first_epoch(now: UnixMs) -> Epoch {
    let second = now.0 / 1_000;
    Epoch(if second == 0 { 1 } else { second })
}

/// The name of the meta row of the log's epoch.
const EPOCH: &str = "epoch";
