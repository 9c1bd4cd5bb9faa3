//! What is written, staged until the next commit: sends, received groups, receipts, marks, bodies,
//! the user's word about peers.

use core::net::SocketAddr;

use bytes::Bytes;

use super::Queue;
use super::changes::note;
use super::dispatch::LogKey;
use super::error::QueueError;
use super::peer_book::PeerState;
use super::place::{Cost, Place};
use super::quota::Quota;
use super::received::inbox::Taken;
use super::received::moved::Settling;
use super::received::sets::Mark;
use super::sent::deliveries::Merged;
use super::sent::outbox::Sent;
use crate::crypto::Salt;
use crate::log::{self, Draft};
use crate::sync::body::Progress;
use crate::sync::{Received, ReceivedEntry, Refusal, SignedReceipt};
use crate::types::{Epoch, Id, Recipient, Seq};

/// What became of a peer's receipts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledged {
    /// They are merged.
    Merged,
    /// At least one speaks of other entries than this node wrote: nothing was taken from it.
    Diverged,
}

impl Queue {
    /// Sends a message: it is durable, in the place that is returned, once committed.
    ///
    /// # Errors
    /// [`QueueError::Stale`], [`QueueError::DiskFull`], [`QueueError::Removed`],
    /// [`QueueError::OwnId`], [`QueueError::SameImage`], [`QueueError::Recipient`], [`QueueError::NotAPeer`] and [`QueueError::Log`] for what cannot
    /// be sent; fatal ones.
    pub fn send(&mut self, draft: Draft) -> Result<Sent, QueueError> {
        self.check_sending()?;
        let Recipient::Peer(id) = draft.recipient else { return Err(QueueError::NotAPeer) };
        self.peers.address(&id)?;
        if draft.not_after.is_some() {
            self.lapse.begin();
        }
        let sent = self.outbox.send(&*self.store, &mut self.batch, draft);
        self.watch(sent)
    }

    /// Stages a sealed chunk of a long body whose draft bears `salt`. The first one goes first; they
    /// may be durable long before the draft, and the last ones go with it.
    pub fn stage_body(&mut self, salt: &Salt, number: u32, sealed: Bytes) {
        log::stage(&mut self.batch, salt, number, sealed);
    }

    /// Has the chunks of a body go whose draft never came, of those below `chunks` what is in the
    /// store; when its draft did come, they stay. For between two commits.
    pub fn abandon_body(&mut self, salt: &Salt, chunks: u32) {
        let found = log::Abandoned::unsettled(&*self.store, salt, chunks);
        // What cannot be read now goes at the next open.
        self.reclaim.abandon(found.ok().flatten());
    }

    /// Takes in a verified group of a peer's entries.
    ///
    /// # Errors
    /// [`QueueError::Refused`] when the peer was removed meanwhile, or the group does not follow
    /// what was taken in before; fatal ones.
    pub fn receive(&mut self, peer: &Id, received: &Received) -> Result<(), QueueError> {
        if self.peers.state(peer) != PeerState::Added {
            return Err(QueueError::Refused(Refusal::Removed));
        }
        let (author, epoch) = (self.peers.meet(peer)?, received.head.epoch);
        if self.forks.blocks(LogKey { author, epoch }) {
            return Err(QueueError::Refused(Refusal::Forked(epoch)));
        }
        let reborn = self.reborn(peer, author, received);
        let taken = self.inbox.receive(&*self.store, &mut self.batch, (peer, author), received);
        match self.watch(taken)? {
            Taken::Before => return Ok(()),
            Taken::Refused(refusal) => return Err(QueueError::Refused(refusal)),
            Taken::In => (),
        }
        self.changes.reborn.extend(reborn);
        if received.entries.iter().any(ReceivedEntry::expires) {
            self.lapse.begin();
        }
        self.peers.saw_epoch(peer, epoch)?;
        if !received.entries.is_empty() {
            self.note_unread(*peer, LogKey { author, epoch });
        }
        Ok(())
    }

    /// Takes in a peer's verified receipts.
    ///
    /// # Errors
    /// [`QueueError::Refused`] when one speaks of entries that were never written; fatal ones.
    pub fn acknowledge(
        &mut self,
        peer: &Id,
        receipts: Vec<SignedReceipt>,
    ) -> Result<Acknowledged, QueueError> {
        let number = self.peers.meet(peer)?;
        let mut acknowledged = Acknowledged::Merged;
        for receipt in receipts {
            let merged = self.merge(peer, number, receipt);
            match self.watch(merged)? {
                Merged::News => note(&mut self.changes.acked, *peer),
                Merged::Nothing => (),
                Merged::Diverged => acknowledged = Acknowledged::Diverged,
                Merged::Refused(misbehaviour) => {
                    return Err(QueueError::Refused(Refusal::Misbehaved(misbehaviour)));
                }
            }
        }
        Ok(acknowledged)
    }

    fn merge(
        &mut self,
        peer: &Id,
        number: u32,
        receipt: SignedReceipt,
    ) -> Result<Merged, QueueError> {
        let epoch = receipt.unverified().epoch;
        let may_be_behind = self.stale.is_some() || epoch != self.epoch();
        let found = self.outbox.delivery(&*self.store, peer, number, epoch)?;
        let Some((delivery, log)) = found else { return Ok(Merged::Nothing) };
        let keep = self.reclaim.keep;
        let before = delivery.done_count(keep);
        let merged = delivery.merge(&*self.store, log, receipt)?;
        let done = delivery.done_count(keep).saturating_sub(before);
        if delivery.is_changed() {
            self.outbox.touch(number, epoch);
        }
        self.litter(done);
        Ok(match merged {
            // Of a store that was set back a peer knows more.
            Merged::Refused(_) if may_be_behind => Merged::Nothing,
            merged => merged,
        })
    }

    /// Marks messages archived or cleared, all of them or none. What is past the mark stays as it
    /// is; a message whose body is missing cannot be archived, and is gone when it is cleared.
    ///
    /// # Errors
    /// [`QueueError::NotFound`] for what was never received, [`QueueError::BodyMissing`],
    /// [`QueueError::TooMany`] (see [`Place::groups`]); fatal ones.
    pub fn mark(&mut self, places: &[Place], to: Mark) -> Result<(), QueueError> {
        let mut cost = Cost::default();
        for place in places {
            cost.add(place)?;
            let checked = self.check_mark(place, to);
            self.watch(checked)?;
        }
        for place in places {
            let marked = self.mark_one(place, Settling::Marked(to));
            self.watch(marked)?;
        }
        Ok(())
    }

    /// Marks a message whose body does not open, or holds what this node cannot read.
    ///
    /// # Errors
    /// [`QueueError::NotFound`]; fatal ones.
    pub fn reject(&mut self, from: &Id, epoch: Epoch, seq: Seq) -> Result<(), QueueError> {
        self.mark(&[Place { from: *from, epoch, seqs: seq.0..=seq.0 }], Mark::Rejected)
    }

    /// Marks a message whose missing body its author has no more.
    ///
    /// # Errors
    /// [`QueueError::NotFound`]; fatal ones.
    pub fn mark_gone(&mut self, from: &Id, epoch: Epoch, seq: Seq) -> Result<(), QueueError> {
        self.mark(&[Place { from: *from, epoch, seqs: seq.0..=seq.0 }], Mark::Gone)
    }

    /// Looks whether all of these messages can be marked. What can be marked can be marked for ever.
    ///
    /// # Errors
    /// As [`Queue::mark`], but for the count.
    pub fn check_marks(&mut self, places: &[Place], to: Mark) -> Result<(), QueueError> {
        places.iter().try_for_each(|place| self.check_mark(place, to))
    }

    fn check_mark(&mut self, place: &Place, to: Mark) -> Result<(), QueueError> {
        let Place { from, epoch, .. } = *place;
        let key = self.log_key(&from, epoch);
        let durable = key.and_then(|key| self.inbox.logs.get(&key)).map_or(0, |log| log.durable());
        let seqs = place.range();
        if *place.seqs.end() >= durable {
            let seq = Seq(durable.max(seqs.start));
            return Err(QueueError::NotFound { from, epoch, seq });
        }
        if to == Mark::Archived
            && let Some(key) = key
            && let Some(seq) = self.inbox.first_missing(&*self.store, key, seqs)?
        {
            return Err(QueueError::BodyMissing { from, epoch, seq });
        }
        Ok(())
    }

    pub(super) fn mark_one(&mut self, place: &Place, to: Settling) -> Result<(), QueueError> {
        let Some(key) = self.log_key(&place.from, place.epoch) else { return Ok(()) };
        let moved = self.inbox.mark(&*self.store, &mut self.batch, key, place.range(), to)?;
        for run in moved.from_unread.iter() {
            self.dispatch.settle(key, &run);
        }
        if !matches!(to, Settling::Marked(Mark::Archived) | Settling::Recalled) {
            self.litter(moved.from_unread.count() + moved.from_archived.count());
        }
        if !moved.from_unread.is_empty() {
            note(&mut self.changes.marked, (place.from, place.epoch));
        }
        if !moved.missing.is_empty() {
            // Whoever waited for the body goes on.
            self.note_unread(place.from, key);
        }
        if !moved.held.is_empty() {
            // There is room for bodies that have to wait.
            note(&mut self.changes.wanting, place.from);
        }
        Ok(())
    }

    /// Takes in chunks of a missing long body, from number `first` on; with the whole body, whose
    /// hash the caller has checked, it is held.
    ///
    /// # Errors
    /// [`QueueError::DiskFull`], [`QueueError::ChunkGap`]; fatal ones.
    pub fn hold_chunks(
        &mut self,
        from: &Id,
        epoch: Epoch,
        seq: Seq,
        first: u32,
        chunks: Vec<Bytes>,
        progress: Progress,
    ) -> Result<(), QueueError> {
        self.check_disk()?;
        let Some(key) = self.log_key(from, epoch) else { return Ok(()) };
        let (place, chunks) = ((key, seq), (first, chunks));
        let held = self.inbox.hold_chunks(&*self.store, &mut self.batch, place, chunks, progress);
        if self.watch(held)? {
            self.note_unread(*from, key);
        }
        Ok(())
    }

    /// Forgets the chunks of a missing long body that turned out to be another's, so that it can be
    /// fetched again from its start. After three times it is no longer among those that are
    /// [`wanted`](Queue::wanted), until the next open: each time ended a session.
    ///
    /// # Errors
    /// Fatal ones.
    pub fn drop_chunks(&mut self, from: &Id, epoch: Epoch, seq: Seq) -> Result<(), QueueError> {
        let Some(key) = self.log_key(from, epoch) else { return Ok(()) };
        let dropped = self.inbox.drop_chunks(&*self.store, &mut self.batch, (key, seq));
        self.watch(dropped)
    }

    /// Lets a peer's entries in. Without a quota it keeps the one that it had, or gets the default.
    ///
    /// # Errors
    /// [`QueueError::OwnId`] and [`QueueError::SameImage`].
    pub fn add_peer(&mut self, id: &Id, quota: Option<Quota>) -> Result<(), QueueError> {
        self.peers.set(id, PeerState::Added, quota)
    }

    /// Refuses a peer, known or not. What it sent before stays and is offered.
    ///
    /// # Errors
    /// [`QueueError::OwnId`] and [`QueueError::SameImage`].
    pub fn remove_peer(&mut self, id: &Id) -> Result<(), QueueError> {
        self.peers.set(id, PeerState::Removed, None)
    }

    /// Remembers where a peer was reached.
    ///
    /// # Errors
    /// [`QueueError::OwnId`] and [`QueueError::SameImage`].
    pub fn remember_address(&mut self, id: &Id, address: SocketAddr) -> Result<(), QueueError> {
        self.peers.reached(id, address)
    }

    fn note_unread(&mut self, author: Id, key: LogKey) {
        note(&mut self.woken, key);
        note(&mut self.changes.unread, author);
        note(&mut self.changes.marked, (author, key.epoch));
        if self.inbox.logs.get(&key).is_some_and(|log| log.tally.missing > 0) {
            note(&mut self.changes.wanting, author);
        }
    }

    /// Remembers that memory may be ahead of the disk.
    pub(super) fn watch<T>(&mut self, result: Result<T, QueueError>) -> Result<T, QueueError> {
        self.is_broken |= result.as_ref().is_err_and(QueueError::is_fatal);
        result
    }
}
