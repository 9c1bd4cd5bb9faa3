//! What this node writes to others: drafts that wait for the next commit, its log, and what
//! recipients have acknowledged.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;

use bytes::Bytes;
use peermq_storage::{Batch, KEY_SIZE_MAX, Store};

use super::deliveries::Delivery;
use super::lives::{ended_lives, lost_life};
use crate::crypto::Salt;
use crate::limits::HEADER_SIZE_MAX;
use crate::log::{
    self, Content, Decoded, Draft, DraftBody, Header, IdempotencyHash, Log, OwnEntry, Tip, layout,
};
use crate::planted;
use crate::queue::error::QueueError;
use crate::sync::body::BodyCheck;
use crate::types::{Epoch, Id, Recipient, Seq};

/// This node's log and all that is known of its recipients.
#[derive(Debug)]
pub(in crate::queue) struct Outbox {
    /// The life that is written.
    pub(in crate::queue) log: Log,
    /// Lives that have ended and are served on.
    pub(in crate::queue) ended: BTreeMap<Epoch, Log>,
    /// Where the newest life ended that this store has lost.
    pub(in crate::queue) lost: Option<Tip>,
    drafts: Vec<Draft>,
    /// Where the drafts will stand.
    places: Vec<Seq>,
    /// The next seqs of the drafts' recipients.
    next: BTreeMap<Recipient, u64>,
    /// The drafts with an idempotency key.
    keyed: BTreeMap<(Recipient, IdempotencyHash), Seq>,
    drafts_size: usize,
    pub(in crate::queue) deliveries: BTreeMap<(u32, Epoch), Delivery>,
    /// Recipients, and lives, whose delivery the batch in the making changes.
    touched: Vec<(u32, Epoch)>,
}

/// Where a message stands, once it is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Which life of this node's log.
    pub epoch: Epoch,
    /// Its place among the messages to its recipient.
    pub seq: Seq,
    /// Whether it was sent before, with the same idempotency key.
    pub is_repeat: bool,
}

impl Outbox {
    /// Takes the log up where the store has it.
    pub(in crate::queue) fn open(
        store: &dyn Store,
        me: Id,
        epoch: Epoch,
    ) -> Result<Self, QueueError> {
        let ended = ended_lives(store)?.into_iter();
        let ended = ended.map(|epoch| Ok((epoch, Log::open(store, me, epoch)?)));
        Ok(Self {
            log: Log::open(store, me, epoch)?,
            ended: ended.collect::<Result<_, QueueError>>()?,
            lost: lost_life(store)?,
            drafts: Vec::new(),
            places: Vec::new(),
            next: BTreeMap::new(),
            keyed: BTreeMap::new(),
            drafts_size: 0,
            deliveries: BTreeMap::new(),
            touched: Vec::new(),
        })
    }

    /// Gives a draft its place; it is appended with the next commit.
    pub(in crate::queue) fn send(
        &mut self,
        store: &dyn Store,
        batch: &mut Batch,
        draft: Draft,
    ) -> Result<Sent, QueueError> {
        draft.check()?;
        let (epoch, recipient) = (self.log.epoch(), draft.recipient);
        if let Some(seq) = self.sent_before(store, &draft)? {
            drop_body(batch, &draft);
            return Ok(Sent { epoch, seq, is_repeat: true });
        }
        let next = match self.next.entry(recipient) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(self.log.next_seq(store, &recipient)?.0),
        };
        let seq = Seq(*next);
        if !planted::is("seq-reused") {
            *next += 1;
        }
        if let Some(hash) = draft.idempotency
            && !planted::is("keys-of-one-group")
        {
            self.keyed.insert((recipient, hash), seq);
        }
        self.drafts_size += DRAFT_SIZE_MAX + inline_len(&draft);
        self.drafts.push(draft);
        self.places.push(seq);
        Ok(Sent { epoch, seq, is_repeat: false })
    }

    /// Bytes that the changes take up in a batch, at most.
    pub(in crate::queue) fn staged_size(&self) -> usize {
        let touched = self.touched.iter().filter_map(|place| self.deliveries.get(place));
        self.drafts_size + touched.map(Delivery::staged_size).sum::<usize>()
    }

    /// Puts what has changed into the batch. Returns the recipients of the drafts.
    ///
    /// # Panics
    /// When the log gives a draft another place than it was promised.
    pub(in crate::queue) fn stage(
        &mut self,
        store: &dyn Store,
        batch: &mut Batch,
    ) -> Result<Vec<Recipient>, QueueError> {
        for place in &self.touched {
            if let Some(delivery) = self.deliveries.get_mut(place) {
                delivery.stage(batch);
            }
        }
        if self.drafts.is_empty() {
            return Ok(Vec::new());
        }
        let appended = self.log.append(store, &self.drafts, batch)?;
        let promised = appended.iter().map(|place| place.seq).eq(self.places.iter().copied());
        assert!(promised, "the log numbers drafts as they were numbered when they came");
        Ok(self.next.keys().copied().collect())
    }

    /// The batch is durable.
    pub(in crate::queue) fn on_committed(&mut self) {
        self.drafts.clear();
        self.places.clear();
        self.next.clear();
        self.keyed.clear();
        self.drafts_size = 0;
        self.touched.clear();
    }

    /// A step that wrote blocks anew is durable.
    pub(in crate::queue) fn on_rewritten(&mut self) {
        self.log.on_rewritten();
        self.ended.values_mut().for_each(Log::on_rewritten);
    }

    /// One life of the log, if it is served.
    pub(in crate::queue) fn life(&mut self, epoch: Epoch) -> Option<&mut Log> {
        if epoch == self.log.epoch() { Some(&mut self.log) } else { self.ended.get_mut(&epoch) }
    }

    /// All lives that are served, newest first.
    pub(in crate::queue) fn lives(&self) -> impl Iterator<Item = &Log> {
        std::iter::once(&self.log).chain(self.ended.values().rev())
    }

    /// What is known of a recipient in one life of the log, read from the store unless it is at
    /// hand; `None` when that life is not served.
    pub(in crate::queue) fn delivery(
        &mut self,
        store: &dyn Store,
        id: &Id,
        peer: u32,
        epoch: Epoch,
    ) -> Result<Option<(&mut Delivery, &mut Log)>, QueueError> {
        let is_written = epoch == self.log.epoch();
        let log = if is_written { Some(&mut self.log) } else { self.ended.get_mut(&epoch) };
        let Some(log) = log else { return Ok(None) };
        let delivery = match self.deliveries.entry((peer, epoch)) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Delivery::open(store, id, peer, epoch)?),
        };
        Ok(Some((delivery, log)))
    }

    /// Notes that the batch in the making changes a delivery.
    pub(in crate::queue) fn touch(&mut self, peer: u32, epoch: Epoch) {
        if !self.touched.contains(&(peer, epoch)) {
            self.touched.push((peer, epoch));
        }
    }

    /// Sealed chunks of an entry to a recipient, as far as they are held without a gap.
    pub(in crate::queue) fn body_chunks(
        &mut self,
        store: &dyn Store,
        recipient: &Recipient,
        (epoch, seq): (Epoch, Seq),
        numbers: Range<u32>,
    ) -> Result<Vec<Bytes>, QueueError> {
        let mut chunks = Vec::new();
        let Some(salt) = self.long_body(store, recipient, (epoch, seq))? else { return Ok(chunks) };
        for number in numbers {
            let Some(chunk) = log::staged_chunk(store, &salt, number)? else { break };
            chunks.push(chunk);
        }
        Ok(chunks)
    }

    /// The salt of an entry whose body is in chunks.
    fn long_body(
        &mut self,
        store: &dyn Store,
        recipient: &Recipient,
        (epoch, seq): (Epoch, Seq),
    ) -> Result<Option<Salt>, QueueError> {
        let seqs = seq.0..seq.0.saturating_add(1);
        let Some(log) = self.life(epoch) else { return Ok(None) };
        let found = log.entries(store, recipient, seqs)?.pop();
        let Some(OwnEntry { content: Content::Long { header, .. }, .. }) = found else {
            return Ok(None);
        };
        Ok(match Header::decode(&header) {
            Ok(Decoded::Header(header)) => Some(header.salt),
            _ => None,
        })
    }

    /// Where the first send with a draft's idempotency key stands.
    fn sent_before(&mut self, store: &dyn Store, draft: &Draft) -> Result<Option<Seq>, QueueError> {
        let Some(hash) = draft.idempotency else { return Ok(None) };
        if let Some(seq) = self.keyed.get(&(draft.recipient, hash)) {
            return Ok(Some(*seq));
        }
        let first = self.log.idempotent(store, &draft.recipient, hash, draft.time)?;
        Ok(first.map(|place| place.seq))
    }
}

/// Removes the staged chunks of a draft that repeats another.
fn drop_body(batch: &mut Batch, draft: &Draft) {
    let DraftBody::Staged { body_len } = draft.body else { return };
    for number in 0..BodyCheck::chunk_count(body_len) {
        batch.remove(layout::own_chunk(&draft.salt, number));
    }
    batch.remove(layout::staging(&draft.salt));
}

fn inline_len(draft: &Draft) -> usize {
    match &draft.body {
        DraftBody::Inline(body) => body.len(),
        DraftBody::Staged { .. } => 0,
    }
}

/// Bytes that a draft takes in the batch beside its inline body: header, rows of its block, tree
/// nodes, and a block's key and head when it is the only one there.
const DRAFT_SIZE_MAX: usize = HEADER_SIZE_MAX + 256 + KEY_SIZE_MAX;
