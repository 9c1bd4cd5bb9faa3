//! Reading what a list shows: received entries of one set, or this node's own.

use peermq_storage::Store;

use super::dispatch::LogKey;
use super::error::QueueError;
use super::listing::{Cursor, Fill, ListState, Listed, Page};
use super::offer::{Offer, OfferBody, TakeBudget};
use super::peer_book::PeerBook;
use super::received::inbox::Inbox;
use super::received::sets::Kind;
use super::received::sizes::read_block;
use super::sent::outbox::Outbox;
use crate::limits::PAGE_COUNT_MAX;
use crate::log::{Content, Decoded, Header, OwnEntry, plain_text_size};
use crate::types::{Epoch, Id, Recipient, Seq};

/// Which received entries are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReceivedSet {
    Unread,
    Archived,
}

impl Inbox {
    /// A page of received entries.
    pub(super) fn list(
        &mut self,
        store: &dyn Store,
        peers: &PeerBook,
        set: ReceivedSet,
        after: Option<&Cursor>,
    ) -> Result<Page, QueueError> {
        let (mut page, mut size) = (Page::default(), 0);
        let state = match set {
            ReceivedSet::Unread => ListState::Unread,
            ReceivedSet::Archived => ListState::Archived,
        };
        self.visit(store, peers, set, after, |offer| page.push(&mut size, listed(offer, state)))?;
        Ok(page)
    }

    /// Archived messages after a place, and the place after which the next ones come.
    pub(super) fn archived(
        &mut self,
        store: &dyn Store,
        peers: &PeerBook,
        after: Option<Cursor>,
        budget: TakeBudget,
    ) -> Result<(Vec<Offer>, Option<Cursor>), QueueError> {
        let (mut offers, mut size) = (Vec::new(), 0_usize);
        self.visit(store, peers, ReceivedSet::Archived, after.as_ref(), |offer| {
            let has_room = offers.len() < budget.count && size + offer.size() <= budget.size;
            if !offers.is_empty() && !has_room {
                return Fill::Full;
            }
            size = size.saturating_add(offer.size());
            offers.push(offer);
            Fill::Room
        })?;
        let last = offers.last();
        let last =
            last.map(|offer| Cursor { peer: offer.from, epoch: offer.epoch, seq: offer.seq });
        Ok((offers, last.or(after)))
    }

    /// Shows the entries of a set after a place, until there is no more room.
    fn visit(
        &mut self,
        store: &dyn Store,
        peers: &PeerBook,
        set: ReceivedSet,
        after: Option<&Cursor>,
        mut show: impl FnMut(Offer) -> Fill,
    ) -> Result<(), QueueError> {
        for (key, from) in self.logs_after(after) {
            let is_first_life = peers.is_first_life(key);
            if self.visit_log(store, set, (key, is_first_life), from, &mut show)? == Fill::Full {
                break;
            }
        }
        Ok(())
    }

    /// The logs that hold what comes after a place, in order of author and epoch, and the seqs
    /// from which on.
    fn logs_after(&self, after: Option<&Cursor>) -> Vec<(LogKey, Seq)> {
        let place = |cursor: &Cursor| (cursor.peer, cursor.epoch);
        let mut logs: Vec<_> = self
            .logs
            .values()
            .map(|log| (log.id, log.key.epoch, log.key))
            .filter(|(id, epoch, _)| after.is_none_or(|after| (*id, *epoch) >= place(after)))
            .collect();
        logs.sort_unstable();
        let from = |id: Id, key: LogKey| match after {
            Some(after) if place(after) == (id, key.epoch) => Seq(after.seq.0.saturating_add(1)),
            _ => Seq(0),
        };
        logs.into_iter().map(|(id, _, key)| (key, from(id, key))).collect()
    }

    fn visit_log(
        &mut self,
        store: &dyn Store,
        set: ReceivedSet,
        (key, is_first_life): (LogKey, bool),
        from: Seq,
        show: &mut impl FnMut(Offer) -> Fill,
    ) -> Result<Fill, QueueError> {
        let Some(log) = self.logs.get_mut(&key) else { return Ok(Fill::Room) };
        let (mut next, end) = (from.0, log.durable());
        loop {
            let first = match set {
                ReceivedSet::Unread => {
                    log.sets.first_unread(store, next.max(log.tally.floor.0)..end)?
                }
                ReceivedSet::Archived => {
                    log.sets.first_inside(store, &[Kind::Archived], next..end)?
                }
            };
            let Some(first) = first else { return Ok(Fill::Room) };
            let block = read_block(store, key, first)?;
            let window = first.0..block.seqs().end;
            let shown = match set {
                ReceivedSet::Unread => log.sets.unread(store, window.clone())?,
                ReceivedSet::Archived => log.sets.within(store, Kind::Archived, window.clone())?,
            };
            let held = log.sets.within(store, Kind::Held, window.clone())?;
            for entry in block.entries_from(first).filter(|entry| shown.contains(entry.seq.0)) {
                let is_held = held.contains(entry.seq.0);
                let offer = Offer::new(log, is_first_life, entry, is_held)?;
                if offer.map(&mut *show) == Some(Fill::Full) {
                    return Ok(Fill::Full);
                }
            }
            next = window.end;
        }
    }
}

impl Outbox {
    /// A page of this node's entries to peers.
    pub(super) fn list(
        &mut self,
        store: &dyn Store,
        peers: &PeerBook,
        after: Option<&Cursor>,
    ) -> Result<Page, QueueError> {
        let (mut page, mut size) = (Page::default(), 0);
        let mut recipients: Vec<_> = peers.iter().map(|(id, peer)| (*id, peer.number)).collect();
        recipients.sort_unstable();
        for (id, number) in recipients {
            for epoch in self.epochs() {
                let next = match after {
                    Some(after) if (id, epoch) < (after.peer, after.epoch) => continue,
                    Some(after) if (id, epoch) == (after.peer, after.epoch) => {
                        after.seq.0.saturating_add(1)
                    }
                    _ => 0,
                };
                let push = &mut |item| page.push(&mut size, item);
                if self.list_sent(store, (&id, number), (epoch, next), push)? == Fill::Full {
                    return Ok(page);
                }
            }
        }
        Ok(page)
    }

    /// Shows the entries to one peer in one life of the log, from a seq on.
    fn list_sent(
        &mut self,
        store: &dyn Store,
        to: (&Id, u32),
        (epoch, mut next): (Epoch, u64),
        show: &mut impl FnMut(Listed) -> Fill,
    ) -> Result<Fill, QueueError> {
        let count = u64::try_from(PAGE_COUNT_MAX).expect("a small number");
        let recipient = Recipient::Peer(*to.0.as_bytes());
        let Some(log) = self.life(epoch) else { return Ok(Fill::Room) };
        let end = log.next_seq(store, &recipient)?.0;
        while next < end {
            let seqs = next..end.min(next.saturating_add(count));
            next = seqs.end;
            let Some(log) = self.life(epoch) else { return Ok(Fill::Room) };
            for entry in log.entries(store, &recipient, seqs)? {
                let Some(item) = self.sent(store, to, epoch, entry)? else { continue };
                if show(item) == Fill::Full {
                    return Ok(Fill::Full);
                }
            }
        }
        Ok(Fill::Room)
    }

    /// The lives that are served, oldest first.
    pub(super) fn epochs(&self) -> Vec<Epoch> {
        self.ended.keys().copied().chain([self.log.epoch()]).collect()
    }

    /// An entry as a list shows it; `None` when its body is not kept.
    fn sent(
        &mut self,
        store: &dyn Store,
        (id, number): (&Id, u32),
        epoch: Epoch,
        entry: OwnEntry,
    ) -> Result<Option<Listed>, QueueError> {
        let (header, body) = match entry.content {
            Content::Inline { header, body } => (header, OfferBody::Inline(body)),
            Content::Long { header, .. } => (header, OfferBody::Held),
            Content::Bare { .. } | Content::Gone { .. } => return Ok(None),
        };
        let damaged = QueueError::Damaged("a header of this version in this node's log");
        let Ok(Decoded::Header(header)) = Header::decode(&header) else { return Err(damaged) };
        let seq = entry.place.seq;
        let is_first_life = self.epochs().first() == Some(&epoch);
        let Some((delivery, _)) = self.delivery(store, id, number, epoch)? else { return Ok(None) };
        let state = match delivery.states(store, seq)? {
            [_, _, true] => ListState::Rejected,
            [_, true, _] => ListState::Archived,
            [true, ..] => ListState::Stored,
            _ => ListState::Sent,
        };
        Ok(Some(Listed {
            peer: *id,
            epoch,
            seq,
            is_first_life,
            state,
            size: plain_text_size(header.body_len),
            time: header.time,
            header: Decoded::Header(header),
            body,
        }))
    }
}

fn listed(offer: Offer, state: ListState) -> Listed {
    let (size, time) = (plain_text_size(offer.body_len()), offer.time());
    let Offer { from: peer, epoch, seq, is_first_life, header, body, .. } = offer;
    Listed { peer, epoch, seq, is_first_life, state, size, time, header, body }
}
