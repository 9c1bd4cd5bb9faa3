//! Idempotency keys: a send repeated with the same key gives the first one's place.
//!
//! The keys' hashes stand in the blocks. Those of a recipient are read on its first keyed send and
//! then kept in memory: at most 65 536 sends back and 24 h old.

use std::collections::{BTreeMap, VecDeque};

use peermq_storage::Store;

use super::block::{Block, BlockEntry};
use super::blocks::Blocks;
use super::draft::Appended;
use super::entry::{Decoded, Header};
use super::error::LogError;
use super::outbox::Outbox;
use crate::crypto::hash::{Fields, IDEMPOTENCY};
use crate::limits::{
    IDEMPOTENCY_AGE_MS_MAX, IDEMPOTENCY_KEY_SIZE_MAX, IDEMPOTENCY_RECIPIENT_COUNT_MAX,
    IDEMPOTENCY_SEND_COUNT_MAX,
};
use crate::types::{Recipient, UnixMs};

/// What is kept of an idempotency key: 16 bytes of its hash at its recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct IdempotencyHash(pub(super) [u8; 16]);

impl IdempotencyHash {
    /// Hashes a key; `None` when it exceeds 64 bytes.
    #[must_use]
    pub fn new(recipient: &Recipient, key: &[u8]) -> Option<Self> {
        if key.len() > IDEMPOTENCY_KEY_SIZE_MAX {
            return None;
        }
        let fields = Fields::<{ Recipient::SIZE + 8 + IDEMPOTENCY_KEY_SIZE_MAX }>::new()
            .raw(&recipient.to_bytes())
            .variable(key);
        IDEMPOTENCY.hash(fields.as_bytes()).0.first_chunk().copied().map(Self)
    }
}

/// The keyed sends of the recipients that had one last.
#[derive(Debug, Default)]
pub(super) struct KeyedSends {
    /// Least recently used first.
    tables: VecDeque<(Recipient, Table)>,
}

/// The keyed sends to one recipient.
#[derive(Debug, Default)]
struct Table {
    sends: BTreeMap<IdempotencyHash, Sent>,
    /// Oldest first.
    order: VecDeque<(IdempotencyHash, Sent)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sent {
    place: Appended,
    time: UnixMs,
}

impl KeyedSends {
    /// Forgets the recipients that were not used for longest, down to the bound.
    pub(super) fn trim(&mut self) {
        let over = self.tables.len().saturating_sub(IDEMPOTENCY_RECIPIENT_COUNT_MAX);
        self.tables.drain(..over);
    }

    /// Makes a recipient's keyed sends known, from the store if they are not. All of the log must
    /// be in the store.
    pub(super) fn load(
        &mut self,
        store: &dyn Store,
        blocks: &mut Blocks,
        outbox: &Outbox,
        recipient: &Recipient,
        now: Now,
    ) -> Result<(), LogError> {
        let known = self.tables.iter().position(|(of, _)| of == recipient);
        let table = match known.and_then(|at| self.tables.remove(at)) {
            Some((_, table)) => table,
            None => Table::read(store, blocks, outbox, recipient, now)?,
        };
        self.tables.push_back((*recipient, table));
        Ok(())
    }

    /// The place of the first send with a key to a recipient whose sends were loaded.
    pub(super) fn find(
        &self,
        recipient: &Recipient,
        key: IdempotencyHash,
        now: Now,
    ) -> Option<Appended> {
        let (_, table) = self.tables.iter().rev().find(|(of, _)| of == recipient)?;
        let sent = table.sends.get(&key).filter(|sent| now.remembers(sent))?;
        Some(sent.place)
    }

    /// Notes a keyed send; those of a recipient that is not in memory are read when they are asked
    /// for.
    pub(super) fn note(
        &mut self,
        recipient: &Recipient,
        key: IdempotencyHash,
        place: Appended,
        time: UnixMs,
    ) {
        if let Some((_, table)) = self.tables.iter_mut().rev().find(|(of, _)| of == recipient) {
            table.note(key, Sent { place, time }, Now { time, next_seq: place.seq.0 + 1 });
        }
    }
}

/// The moment of a send: the sender's clock, and the seq that the recipient's next entry gets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) time: UnixMs,
    pub(super) next_seq: u64,
}

impl Now {
    fn remembers(&self, sent: &Sent) -> bool {
        let sends = self.next_seq.saturating_sub(sent.place.seq.0);
        sends <= IDEMPOTENCY_SEND_COUNT_MAX && self.is_near(sent.time)
    }

    fn is_near(&self, time: UnixMs) -> bool {
        self.time.0.saturating_sub(time.0) <= IDEMPOTENCY_AGE_MS_MAX
    }
}

impl Table {
    /// Reads the blocks with entries to a recipient, newest first, while they are recent.
    fn read(
        store: &dyn Store,
        blocks: &mut Blocks,
        outbox: &Outbox,
        recipient: &Recipient,
        now: Now,
    ) -> Result<Self, LogError> {
        let mut sends = Vec::new();
        let oldest = now.next_seq.saturating_sub(IDEMPOTENCY_SEND_COUNT_MAX);
        for place in outbox.places_from(store, recipient, 0).rev() {
            let place = place?;
            let block = blocks.holding(store, place.last)?;
            let newest = block.entries_to(recipient).last();
            let newest = newest.and_then(|(_, entry)| time_of(&entry));
            if newest.is_some_and(|time| !now.is_near(time)) {
                break;
            }
            sends.extend(keyed_sends(&block, recipient).rev());
            if place.first_seq <= oldest {
                break;
            }
        }
        let mut table = Self::default();
        for (key, sent) in sends.into_iter().rev() {
            table.note(key, sent, now);
        }
        Ok(table)
    }

    fn note(&mut self, key: IdempotencyHash, sent: Sent, now: Now) {
        while let Some((key, old)) = self.order.pop_front_if(|(_, old)| !now.remembers(old)) {
            if self.sends.get(&key) == Some(&old) {
                self.sends.remove(&key);
            }
        }
        if now.remembers(&sent) {
            self.sends.insert(key, sent);
            self.order.push_back((key, sent));
        }
    }
}

/// The keyed entries of a block to a recipient, in order.
fn keyed_sends(
    block: &Block,
    recipient: &Recipient,
) -> impl DoubleEndedIterator<Item = (IdempotencyHash, Sent)> {
    let keys: BTreeMap<_, _> = block.idempotency_keys().collect();
    let sends = block.entries_to(recipient).filter_map(|(seq, entry)| {
        let key = *keys.get(&entry.index())?;
        let place = Appended { index: entry.index(), seq };
        Some((key, Sent { place, time: time_of(&entry)? }))
    });
    sends.collect::<Vec<_>>().into_iter()
}

/// When an entry was written, as long as its header is held.
fn time_of(entry: &BlockEntry<'_>) -> Option<UnixMs> {
    match Header::decode(entry.content().header()?) {
        Ok(Decoded::Header(header)) => Some(header.time),
        _ => None,
    }
}
