//! The lives of this node's own log: the one that is written, and those that have ended.
//!
//! A life ends by the user's word alone, when the store may be an older copy: what is written after
//! that stands in a new life, whose first entry tells everyone where the one before ended. Ended
//! lives are served on and never written. One whose signed version is not the store's is not served:
//! whatever its chunks' heads said would be a second version.
//!
//! The row `lives` holds, after a version byte of 1 and in postcard, the epochs of the ended lives
//! that are served, newest first: a list of at most 15 varints.

use bytes::Bytes;
use peermq_storage::{Batch, Store};

use super::outbox::Outbox;
use crate::crypto::Salt;
use crate::limits::EPOCH_COUNT_MAX;
use crate::log::{Announcement, Log, Tip, layout};
use crate::planted;
use crate::queue::changes::Reborn;
use crate::queue::error::QueueError;
use crate::queue::lapse::{LAPSE, Lapse};
use crate::queue::standing::Stale;
use crate::queue::{EPOCH, Queue, first_epoch, row};
use crate::sync::{Content, Received};
use crate::types::{Epoch, Id, Recipient, Seq, UnixMs, bounded};

/// What a new life began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewLife {
    /// How far the new life has come: its announcement.
    pub tip: Tip,
    /// Where the life before ended, as far as is known.
    pub earlier: Tip,
    /// What becomes of the life before.
    pub serving: Serving,
}

/// What becomes of a life that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serving {
    /// Its entries still go to whom they are for.
    Goes,
    /// It is not served: another version of it was signed.
    Ends,
}

impl Queue {
    /// Ends this life of the log and begins a new one, in one durable step.
    ///
    /// # Errors
    /// Fatal ones.
    pub fn begin_life(&mut self, now: UnixMs, salt: Salt) -> Result<NewLife, QueueError> {
        let stored = self.tip();
        let (earlier, serving) = match self.stale {
            Some(Stale::Behind { signed, .. }) => (signed, Serving::Goes),
            Some(Stale::Outrun { signed, .. } | Stale::Forked { signed, .. }) => {
                (signed, Serving::Ends)
            }
            _ => (stored, Serving::Goes),
        };
        let lost = self.outbox.lost.filter(|_| earlier.length == 0);
        let earlier = lost.unwrap_or(earlier);
        let newest = stored.epoch.max(earlier.epoch);
        let epoch = first_epoch(now).max(Epoch(newest.0.saturating_add(1)));
        let mut log = Log::open(&*self.store, self.me, epoch)?;
        let mut batch = Batch::new();
        if earlier.length > 0 {
            let announcement = Announcement::EarlierLife(earlier).draft(salt, now);
            log.append(&*self.store, &[announcement], &mut batch)?;
        }
        let mut ended = self.outbox.ended.keys().rev().copied().collect::<Vec<_>>();
        if serving == Serving::Goes && stored.length > 0 && !planted::is("ended-life-unserved") {
            ended.insert(0, stored.epoch);
            // Nothing is appended to it any more that would bring its index up to its end.
            self.outbox.log.flush_index(&mut batch);
        }
        ended.truncate(EPOCH_COUNT_MAX - 1);
        batch.put(layout::meta(LIVES), row::encode(&ended));
        batch.put(layout::meta(EPOCH), epoch.0.to_be_bytes().to_vec());
        self.store.commit(batch)?;
        self.outbox = Outbox::open(&*self.store, self.me, epoch)?;
        self.stale = None;
        Ok(NewLife { tip: self.tip(), earlier, serving })
    }
}

impl Queue {
    /// What a group tells of a life of its author's log that is new here, and not the first.
    pub(in crate::queue) fn reborn(
        &self,
        peer: &Id,
        author: u32,
        received: &Received,
    ) -> Option<Reborn> {
        let epoch = received.head.epoch;
        let newest = self.inbox.lives(author).next_back()?.key.epoch;
        let told = received.announcements.iter().find_map(|entry| match &entry.content {
            Content::Entry { decoded, body: Some(body), .. } => Announcement::read(decoded, body),
            _ => None,
        });
        let earlier = told.map(|Announcement::EarlierLife(tip)| tip);
        (epoch > newest).then_some(Reborn { author: *peer, epoch, earlier })
    }

    /// Takes in a head of a life before the one that is written. A life that is served and has another
    /// root at that length is served no more: a peer that holds some of the other version would be
    /// shown entries that do not follow.
    pub(in crate::queue) fn on_earlier_shown(&mut self, signed: &Tip) -> Result<(), QueueError> {
        let Some(log) = self.outbox.ended.get_mut(&signed.epoch) else {
            self.remember_life(signed);
            return Ok(());
        };
        let stored = log.root_at(&*self.store, signed.length)?;
        if stored.is_none_or(|stored| stored == signed.root) {
            return Ok(());
        }
        self.outbox.give_up(signed.epoch, &mut self.batch);
        self.changes.given_up.push(*signed);
        Ok(())
    }

    /// Remembers where an earlier life ended of which this store knows nothing: the next life tells
    /// everyone.
    fn remember_life(&mut self, earlier: &Tip) {
        if self.outbox.lost.is_none_or(|known| earlier.is_past(&known)) {
            self.outbox.lost = Some(*earlier);
            self.batch.put(layout::meta(EARLIER), row::encode(earlier));
        }
    }
}

impl Outbox {
    /// Serves an ended life no more.
    fn give_up(&mut self, epoch: Epoch, batch: &mut Batch) {
        self.ended.remove(&epoch);
        self.deliveries.retain(|(_, life), _| *life != epoch);
        let ended: Vec<_> = self.ended.keys().rev().collect();
        batch.put(layout::meta(LIVES), row::encode(&ended));
    }

    /// Entries to a peer over all lives: sent, stored, archived, rejected.
    pub(in crate::queue) fn counts(
        &mut self,
        store: &dyn Store,
        id: &Id,
        peer: u32,
    ) -> Result<[u64; 4], QueueError> {
        let mut sums = [0; 4];
        let epochs: Vec<_> = self.lives().map(Log::epoch).collect();
        for epoch in epochs {
            let Some((delivery, log)) = self.delivery(store, id, peer, epoch)? else { continue };
            let [stored, archived, rejected] = delivery.counts();
            let Seq(sent) = log.next_seq(store, &Recipient::Peer(*id.as_bytes()))?;
            for (sum, count) in sums.iter_mut().zip([sent, stored, archived, rejected]) {
                *sum += count;
            }
        }
        Ok(sums)
    }
}

/// The ended lives that are served, newest first.
pub(in crate::queue) fn ended_lives(store: &dyn Store) -> Result<Vec<Epoch>, QueueError> {
    let Some(row) = store.get(&layout::meta(LIVES))? else { return Ok(Vec::new()) };
    let lives: Option<Lives> = row::decode(&row);
    Ok(lives.ok_or(QueueError::Damaged("a list of epochs"))?.0)
}

/// The newest life of this node's log that its store has lost.
pub(in crate::queue) fn lost_life(store: &dyn Store) -> Result<Option<Tip>, QueueError> {
    let row = store.get(&layout::meta(EARLIER))?;
    let damaged = || QueueError::Damaged("the end of an earlier life");
    row.map(|row| row::decode(&row).ok_or_else(damaged)).transpose()
}

/// The keys of the rows about this node as a whole that cannot be read.
pub(in crate::queue) fn unreadable_rows(store: &dyn Store) -> Result<Vec<Bytes>, QueueError> {
    let read = [
        (LIVES, ended_lives(store).map(drop)),
        (EARLIER, lost_life(store).map(drop)),
        (LAPSE, Lapse::open(store).map(drop)),
    ];
    let mut damaged = Vec::new();
    for (name, read) in read {
        match read {
            Ok(()) => {}
            Err(QueueError::Damaged(_)) => damaged.push(layout::meta(name)),
            Err(error) => return Err(error),
        }
    }
    Ok(damaged)
}

#[derive(serde::Deserialize)]
struct Lives(#[serde(deserialize_with = "bounded::list::<_, EPOCH_COUNT_MAX, _>")] Vec<Epoch>);

/// The name of the meta row of the newest life that the store has lost.
const EARLIER: &str = "earlier";
/// The name of the meta row of the ended lives.
const LIVES: &str = "lives";
