//! What is read between commits: for readers, for sessions, for the user.

use core::net::SocketAddr;
use std::ops::Range;

use bytes::Bytes;

use super::Queue;
use super::dispatch::ReaderId;
use super::error::QueueError;
use super::figures::PeerFigures;
use super::listing::{Cursor, ListSet, Page};
use super::lists::ReceivedSet;
use super::offer::{Offer, TakeBudget};
use super::peer_book::{Peer, PeerRow, PeerState};
use super::quota::{Quota, Usage};
use super::received::fetching::Wanted;
use super::received::receipts::Scope;
use super::received::sets::{Kind, Mark};
use super::received::sizes::read_block;
use super::received::taking::Taking;
use super::sent::deliveries::AckedSets;
use crate::limits::ADVANCE_ITEM_COUNT_MAX;
use crate::log::{Chunk, ChunkBudget};
use crate::planted;
use crate::sync::{Grant, Held, Life, Opening, Receipts};
use crate::types::{Epoch, Id, Recipient, Seq, UnixMs};

impl Queue {
    /// Which life of its log this node writes.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.outbox.log.epoch()
    }

    /// Entries of this node's log.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.outbox.log.length()
    }

    /// Gives a reader unread messages that no other reader has: oldest first per author, each
    /// author in turn. A message stays with its reader until it is marked or the reader is
    /// released. One that waits for its long body of at most 16 MiB holds up what its author wrote
    /// after it; one that is over stays unread and is passed over.
    ///
    /// # Errors
    /// Fatal ones.
    pub fn take(
        &mut self,
        reader: ReaderId,
        budget: TakeBudget,
        now: UnixMs,
    ) -> Result<Vec<Offer>, QueueError> {
        let (store, peers) = (&*self.store, &self.peers);
        let (dispatch, offers) = (&mut self.dispatch, Vec::new());
        let taking = Taking { store, peers, dispatch, reader, budget, now, offers, size: 0 };
        taking.run(&mut self.inbox)
    }

    /// A reader has ended: what it had goes to the others.
    pub fn release(&mut self, reader: ReaderId) {
        self.dispatch.release(reader);
    }

    /// Archived messages after a place, in order of author, epoch and seq, and the place of the
    /// last.
    ///
    /// # Errors
    /// Fatal ones.
    pub fn archived(
        &mut self,
        after: Option<Cursor>,
        budget: TakeBudget,
    ) -> Result<(Vec<Offer>, Option<Cursor>), QueueError> {
        self.inbox.archived(&*self.store, &self.peers, after, budget)
    }

    /// A page of what is stored. It changes nothing and takes nothing from readers.
    ///
    /// # Errors
    /// Fatal ones.
    pub fn list(&mut self, set: ListSet, after: Option<&Cursor>) -> Result<Page, QueueError> {
        let (store, peers) = (&*self.store, &self.peers);
        match set {
            ListSet::Unread => self.inbox.list(store, peers, ReceivedSet::Unread, after),
            ListSet::Archived => self.inbox.list(store, peers, ReceivedSet::Archived, after),
            ListSet::Sent => self.outbox.list(store, peers, after),
        }
    }

    /// One stored message that is unread or archived. Without an epoch: of the first life that was
    /// seen of its author.
    ///
    /// # Errors
    /// Fatal ones.
    pub fn offer(
        &mut self,
        from: &Id,
        epoch: Option<Epoch>,
        seq: Seq,
    ) -> Result<Option<Offer>, QueueError> {
        let Some(epoch) = epoch.or_else(|| self.first_epoch(from)) else { return Ok(None) };
        let store = &*self.store;
        let Some(key) = self.log_key(from, epoch) else { return Ok(None) };
        let Some(log) = self.inbox.logs.get_mut(&key).filter(|log| seq.0 < log.durable()) else {
            return Ok(None);
        };
        if !matches!(log.sets.mark_of(store, seq)?, Mark::Unread | Mark::Archived) {
            return Ok(None);
        }
        let is_held = log.sets.contains(store, Kind::Held, seq)?;
        let block = read_block(store, key, seq)?;
        let Some(entry) = block.entries_from(seq).next() else { return Ok(None) };
        Offer::new(log, self.peers.is_first_life(key), entry, is_held)
    }

    /// The first life that was seen of an author.
    #[must_use]
    pub fn first_epoch(&self, from: &Id) -> Option<Epoch> {
        self.peers.find(from)?.first_epoch
    }

    /// A sealed chunk of a received long body.
    ///
    /// # Errors
    /// Fatal ones.
    pub fn held_chunk(
        &self,
        from: &Id,
        epoch: Epoch,
        seq: Seq,
        number: u32,
    ) -> Result<Option<Bytes>, QueueError> {
        let Some(key) = self.log_key(from, epoch) else { return Ok(None) };
        self.inbox.bodies.chunk(&*self.store, key, seq, number)
    }

    /// Long bodies of at most 16 MiB that an author's entries lack, in the order in which they are
    /// to be fetched; none on a full disk.
    ///
    /// # Errors
    /// Fatal ones.
    pub fn wanted(&mut self, author: &Id) -> Result<Vec<Wanted>, QueueError> {
        match self.peers.find(author) {
            Some(peer) if self.disk_full.is_none() => self.inbox.wanted(&*self.store, peer.number),
            _ => Ok(Vec::new()),
        }
    }

    /// The long body of one entry, when it is missing.
    ///
    /// # Errors
    /// Fatal ones.
    pub fn missing_body(
        &mut self,
        author: &Id,
        epoch: Epoch,
        seq: Seq,
    ) -> Result<Option<Wanted>, QueueError> {
        match self.log_key(author, epoch) {
            Some(key) => self.inbox.missing_body(&*self.store, key, seq),
            None => Ok(None),
        }
    }

    /// Sealed chunks of this node's entry to a peer, as far as they are held; none when the entry
    /// is another's or has no such body.
    ///
    /// # Errors
    /// [`QueueError::Removed`]: a removed peer is told nothing, not even that there is no more, which
    /// it would take for the end of the message. Fatal ones.
    pub fn own_body_chunks(
        &mut self,
        peer: &Id,
        epoch: Epoch,
        seq: Seq,
        numbers: Range<u32>,
    ) -> Result<Vec<Bytes>, QueueError> {
        if self.grant(peer).is_none() {
            return Err(QueueError::Removed(*peer));
        }
        let recipient = Recipient::Peer(*peer.as_bytes());
        self.outbox.body_chunks(&*self.store, &recipient, (epoch, seq), numbers)
    }

    /// What a session with a peer begins with.
    ///
    /// # Errors
    /// Fatal ones.
    pub fn opening(&mut self, peer: &Id) -> Result<Opening, QueueError> {
        let lives = self.outbox.lives();
        let lives = lives.map(|log| Life { epoch: log.epoch(), length: log.length() });
        let lives: Vec<_> = lives.collect();
        let room = self.room(peer);
        let Some(number) = self.peers.find(peer).map(|peer| peer.number) else {
            return Ok(Opening { lives, room, ..Opening::default() });
        };
        let store = &*self.store;
        let mut receipts = Vec::new();
        for Life { epoch, .. } in &lives {
            if let Some((delivery, _)) = self.outbox.delivery(store, peer, number, *epoch)? {
                receipts.extend(delivery.newest().cloned());
            }
        }
        let heads = self.inbox.lives(number).rev().map(|log| log.head).collect();
        let mut held = Vec::new();
        for log in self.inbox.lives_mut(number) {
            let receipts = log.receipts(store, &self.me, Scope::All)?;
            let (epoch, follow) = (log.key.epoch, log.follow.clone());
            let checkpoints = log.checkpoints().to_vec();
            held.push(Held { epoch, follow, receipts, checkpoints });
        }
        let forked = self.forks.of(number).map(|(forked, _)| forked).collect();
        Ok(Opening { lives, heads, receipts, held, room, forked, followed: self.followed(peer) })
    }

    /// A stretch of this node's log as a peer sees it, of at most `budget` bytes as encoded. Nothing
    /// while stale: the root of a chunk is there to be signed.
    ///
    /// # Errors
    /// Fatal ones.
    pub fn chunk(
        &mut self,
        peer: &Id,
        epoch: Epoch,
        from: u64,
        checkpoints: &[u64],
        budget: usize,
    ) -> Result<Option<Chunk>, QueueError> {
        let is_refused = self.grant(peer).is_none() && !planted::is("removed-still-served");
        let may_sign = self.stale.is_none() && !is_refused;
        let Some(log) = self.outbox.life(epoch).filter(|log| may_sign && from < log.length())
        else {
            return Ok(None);
        };
        let recipient = Recipient::Peer(*peer.as_bytes());
        let budget = ChunkBudget { bytes: budget, items: ADVANCE_ITEM_COUNT_MAX, checkpoints };
        Ok(log.chunk(&*self.store, &recipient, from, &budget)?)
    }

    /// The receipts that are due to a peer for one life of its log, and its quota's room.
    ///
    /// # Errors
    /// Fatal ones.
    pub fn receipts(&mut self, author: &Id, epoch: Epoch) -> Result<Receipts, QueueError> {
        let log = self.log_key(author, epoch).and_then(|key| self.inbox.logs.get_mut(&key));
        let (receipts, more) = match log {
            Some(log) => {
                let receipts = log.receipts(&*self.store, &self.me, Scope::Untold)?;
                (receipts, !log.untold.is_empty())
            }
            None => (Vec::new(), false),
        };
        Ok(Receipts { epoch, receipts, more, room: self.room(author) })
    }

    /// All that a recipient has acknowledged of one life of this node's log.
    ///
    /// # Errors
    /// Fatal ones.
    pub fn acked(&mut self, to: &Id, epoch: Epoch) -> Result<AckedSets, QueueError> {
        let Some(number) = self.peers.find(to).map(|peer| peer.number) else {
            return Ok(AckedSets::default());
        };
        match self.outbox.delivery(&*self.store, to, number, epoch)? {
            Some((delivery, _)) => delivery.acked(&*self.store),
            None => Ok(AckedSets::default()),
        }
    }

    /// What was exchanged with each peer in the book.
    ///
    /// # Errors
    /// Fatal ones.
    pub fn figures(&mut self) -> Result<Vec<PeerFigures>, QueueError> {
        let peers: Vec<_> = self.peers.iter().map(|(id, peer)| (*id, peer.clone())).collect();
        peers.iter().map(|(id, peer)| self.figures_of(id, peer)).collect()
    }

    fn figures_of(&mut self, id: &Id, peer: &PeerRow) -> Result<PeerFigures, QueueError> {
        let [sent, stored, archived, rejected] =
            self.outbox.counts(&*self.store, id, peer.number)?;
        let lives = self.inbox.lives(peer.number);
        let position = lives.map(|log| (log.key.epoch, log.follow.length())).collect();
        let Usage { bytes, entries } = self.usage(peer.number);
        let added = peer.state == PeerState::Added;
        Ok(PeerFigures {
            id: *id,
            added,
            unread: entries,
            unread_bytes: bytes,
            sent,
            stored,
            archived,
            rejected,
            position,
        })
    }

    /// The added peers with their quotas, sorted by id.
    #[must_use]
    pub fn peers(&self) -> Vec<Peer> {
        let added = self.peers.iter().filter(|(_, peer)| peer.state == PeerState::Added);
        added.map(|(id, peer)| Peer { id: *id, quota: peer.quota }).collect()
    }

    /// What a peer may do; nothing when it is removed.
    #[must_use]
    pub fn grant(&self, id: &Id) -> Option<Grant> {
        match self.peers.state(id) {
            PeerState::Added => Some(Grant::Receive),
            PeerState::Unknown => Some(Grant::ServeOnly),
            PeerState::Removed => None,
        }
    }

    /// Whether something may be sent to an id, and it be dialled.
    ///
    /// # Errors
    /// [`QueueError::Removed`], [`QueueError::OwnId`] and [`QueueError::SameImage`].
    pub fn check_recipient(&self, id: &Id) -> Result<(), QueueError> {
        self.peers.check(id)?;
        match self.peers.state(id) {
            PeerState::Removed => Err(QueueError::Removed(*id)),
            PeerState::Unknown | PeerState::Added => Ok(()),
        }
    }

    /// Where peers were reached, the place of each that was last at its end.
    pub fn addresses(&self) -> impl Iterator<Item = (Id, SocketAddr)> {
        let peers = self.peers.iter();
        peers.flat_map(|(id, peer)| peer.addresses.iter().rev().map(|address| (*id, *address)))
    }

    /// Bytes that a peer's quota leaves; none on a full disk.
    fn room(&self, id: &Id) -> u64 {
        if self.disk_full.is_some() {
            return 0;
        }
        match self.peers.find(id) {
            Some(peer) => peer.quota.room(&self.usage(peer.number)),
            None => Quota::default().room(&Usage::default()),
        }
    }

    fn usage(&self, author: u32) -> Usage {
        self.inbox.lives(author).map(|log| log.tally.unread).fold(Usage::default(), Usage::plus)
    }
}
