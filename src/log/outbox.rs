//! The outbox index: which blocks hold entries to a recipient, and the recipient's next seq.
//!
//! A row is written per recipient and up to 256 blocks, so that a commit stays one key; what the
//! rows do not tell of yet is kept in memory, and read from the newest blocks at open.

use std::collections::BTreeMap;

use bytes::Bytes;
use peermq_storage::{Batch, Store};

use super::block::Block;
use super::block_builder::BuiltBlock;
use super::error::LogError;
use super::{blocks, layout};
use crate::limits::{OUTBOX_INDEX_BLOCK_COUNT, OUTBOX_INDEX_PLACE_COUNT};
use crate::planted;
use crate::types::{Epoch, Index, Recipient, Seq};

/// The outbox of one life of a log.
#[derive(Debug)]
pub(super) struct Outbox {
    epoch: Epoch,
    /// The log's length up to which rows are written.
    indexed: u64,
    /// The log's length.
    end: u64,
    /// Blocks from `indexed` to `end`.
    blocks: usize,
    /// Places in `newest`.
    places: usize,
    /// What the rows do not tell yet.
    newest: BTreeMap<Recipient, Vec<Place>>,
    /// Next seqs, as far as they were needed.
    next: BTreeMap<Recipient, u64>,
}

/// A block that holds entries to a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The index of the block's last entry.
    pub(super) last: u64,
    /// The seq of the recipient's first entry in it.
    pub(super) first_seq: u64,
}

/// A row as stored.
#[derive(Debug)]
pub(super) struct Row {
    /// The recipient's next seq after the row's blocks.
    pub(super) next_seq: u64,
    bytes: Bytes,
}

impl Outbox {
    /// Reads how far the rows reach, and the blocks after that.
    pub(super) fn open(store: &dyn Store, epoch: Epoch) -> Result<Self, LogError> {
        let mark = store.get(&layout::outbox_mark(epoch))?;
        let indexed = mark.map_or(Ok(0), |mark| read_mark(&mark))?;
        let (newest, next) = (BTreeMap::new(), BTreeMap::new());
        let mut outbox = Self { epoch, indexed, end: indexed, blocks: 0, places: 0, newest, next };
        for pair in store.scan(layout::own_blocks_from(epoch, Index(indexed)).as_range()) {
            let (key, bytes) = pair?;
            let block = blocks::parse(&key, bytes)?;
            if block.first() != outbox.end {
                return Err(LogError::Missing(outbox.end));
            }
            outbox.take_up(&block);
        }
        Ok(outbox)
    }

    /// Writes the rows anew from the blocks; none may be there. What they do not tell at the end the
    /// next open reads.
    pub(super) fn rebuild(store: &dyn Store, epoch: Epoch) -> Result<(), LogError> {
        let (newest, next) = (BTreeMap::new(), BTreeMap::new());
        let mut outbox = Self { epoch, indexed: 0, end: 0, blocks: 0, places: 0, newest, next };
        for pair in store.scan(layout::own_blocks(epoch).as_range()) {
            let (key, bytes) = pair?;
            outbox.take_up(&blocks::parse(&key, bytes)?);
            let mut batch = Batch::new();
            outbox.flush_due(&mut batch);
            if !batch.is_empty() {
                store.commit(batch)?;
            }
        }
        Ok(())
    }

    /// The log's length.
    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    /// The log's length up to which rows are written.
    pub(super) const fn indexed(&self) -> u64 {
        self.indexed
    }

    /// The seq of the next entry to a recipient.
    pub(super) fn next_seq(
        &mut self,
        store: &dyn Store,
        recipient: &Recipient,
    ) -> Result<u64, LogError> {
        if let Some(next) = self.next.get(recipient) {
            return Ok(*next);
        }
        let keys = layout::outbox_rows_from(self.epoch, recipient, Index(0));
        let newest = store.scan(keys.as_range()).next_back().transpose()?;
        let next = newest.map_or(Ok(0), |(_, row)| Row::read(row).map(|row| row.next_seq))?;
        if next > self.indexed {
            return Err(LogError::OutboxSeq { length: self.indexed, next_seq: next });
        }
        self.next.insert(*recipient, next);
        Ok(next)
    }

    /// The seq of the next entry to a recipient that was asked for before.
    ///
    /// # Panics
    /// When it was not.
    pub(super) fn known_next_seq(&self, recipient: &Recipient) -> Seq {
        let next = self.next.get(recipient);
        Seq(*next.expect("a recipient is looked up before it is sent to"))
    }

    /// Gives the next entry to a recipient its seq. The recipient's next seq was asked for before.
    ///
    /// # Panics
    /// When it was not.
    pub(super) fn number(&mut self, recipient: &Recipient) -> Seq {
        let next = self.next.get_mut(recipient);
        let next = next.expect("a recipient is looked up before it is sent to");
        let seq = *next;
        *next += 1;
        Seq(seq)
    }

    /// Notes a block that was appended, and writes the rows that are due.
    pub(super) fn append(&mut self, built: &BuiltBlock, batch: &mut Batch) {
        self.note(built.last.0, built.recipients.iter().copied());
        self.flush_due(batch);
    }

    fn flush_due(&mut self, batch: &mut Batch) {
        if self.blocks >= OUTBOX_INDEX_BLOCK_COUNT || self.places >= OUTBOX_INDEX_PLACE_COUNT {
            self.flush(batch);
        }
    }

    /// Writes all that the rows do not tell yet.
    pub(super) fn flush(&mut self, batch: &mut Batch) {
        if self.blocks == 0 {
            return;
        }
        for (recipient, places) in std::mem::take(&mut self.newest) {
            let next = self.next.get(&recipient).expect("who has a new place was numbered");
            let last = places.last().expect("a place is noted with its recipient").last;
            let row = Row::write(*next, &places);
            if planted::is("outbox-row-lost") {
                continue;
            }
            batch.put(layout::outbox_row(self.epoch, &recipient, Index(last)), row);
        }
        batch.put(layout::outbox_mark(self.epoch), self.end.to_be_bytes().to_vec());
        (self.indexed, self.blocks, self.places) = (self.end, 0, 0);
    }

    /// The blocks with entries to a recipient that end after `index`, in order.
    pub(super) fn places_from<'a>(
        &'a self,
        store: &'a dyn Store,
        recipient: &Recipient,
        index: u64,
    ) -> impl DoubleEndedIterator<Item = Result<Place, LogError>> + 'a {
        let keys = layout::outbox_rows_from(self.epoch, recipient, Index(index));
        let indexed = store.scan(keys.as_range()).flat_map(|pair| {
            let row = pair.map_err(LogError::from).and_then(|(_, row)| Row::read(row));
            row.map_or_else(|error| vec![Err(error)], |row| row.places().map(Ok).collect())
        });
        let newest = self.newest.get(recipient).map(Vec::as_slice).unwrap_or_default();
        indexed
            .chain(newest.iter().copied().map(Ok))
            .filter(move |place| place.as_ref().map_or(true, |place| place.last >= index))
    }

    /// The blocks with entries to a recipient at or after `seq`, in order.
    pub(super) fn places_from_seq<'a>(
        &'a self,
        store: &'a dyn Store,
        recipient: &Recipient,
        seq: u64,
    ) -> Result<impl Iterator<Item = Result<Place, LogError>> + 'a, LogError> {
        let index = self.row_of_seq(store, recipient, seq)?;
        let mut places = self.places_from(store, recipient, index).peekable();
        let mut first = places.next();
        while let Some(later) = places.next_if(|later| begins_by(later, seq)) {
            first = Some(later);
        }
        Ok(first.into_iter().chain(places))
    }

    /// Where to look for the row that tells of a seq: its key is the first at or after this index.
    fn row_of_seq(
        &self,
        store: &dyn Store,
        recipient: &Recipient,
        seq: u64,
    ) -> Result<u64, LogError> {
        let (mut low, mut high) = (0, self.indexed);
        while low < high {
            let middle = low.midpoint(high);
            let keys = layout::outbox_rows_from(self.epoch, recipient, Index(middle));
            let row = store.scan(keys.as_range()).next().transpose()?;
            match row {
                Some((key, row)) if Row::read(row.clone())?.next_seq <= seq => {
                    low = layout::last_number(&key).map_or(high, |last| last.saturating_add(1));
                }
                _ => high = middle,
            }
        }
        Ok(low)
    }

    fn take_up(&mut self, block: &Block) {
        let mut counts = BTreeMap::<u8, u64>::new();
        for entry in block.entries() {
            *counts.entry(entry.recipient_row()).or_default() += 1;
        }
        for (row, (recipient, first)) in (0..).zip(block.recipients()) {
            let count = counts.get(&row).copied().unwrap_or_default();
            self.next.insert(recipient, first.0 + count);
        }
        self.note(block.end() - 1, block.recipients());
    }

    fn note(&mut self, last: u64, recipients: impl Iterator<Item = (Recipient, Seq)>) {
        for (recipient, first) in recipients {
            let place = Place { last, first_seq: first.0 };
            self.newest.entry(recipient).or_default().push(place);
            self.places += 1;
        }
        self.blocks += 1;
        self.end = last + 1;
    }
}

impl Row {
    pub(super) fn read(bytes: Bytes) -> Result<Self, LogError> {
        let damaged =
            LogError::Outbox { expected: "a seq and places of 16 bytes each", got: bytes.len() };
        match bytes.split_first_chunk() {
            Some((next, places)) if places.len().is_multiple_of(PLACE_SIZE) => {
                Ok(Self { next_seq: u64::from_be_bytes(*next), bytes })
            }
            _ => Err(damaged),
        }
    }

    pub(super) fn write(next_seq: u64, places: &[Place]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(NEXT_SIZE + places.len() * PLACE_SIZE);
        bytes.extend(next_seq.to_be_bytes());
        for Place { last, first_seq } in places {
            bytes.extend(last.to_be_bytes());
            bytes.extend(first_seq.to_be_bytes());
        }
        bytes
    }

    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        let places = self.bytes.get(NEXT_SIZE..).unwrap_or_default();
        places.as_chunks::<PLACE_SIZE>().0.iter().map(|place| {
            let [last, first_seq] = [place.first_chunk(), place.last_chunk()]
                .map(|half| half.map_or(0, |half| u64::from_be_bytes(*half)));
            Place { last, first_seq }
        })
    }
}

fn begins_by(place: &Result<Place, LogError>, seq: u64) -> bool {
    place.as_ref().is_ok_and(|place| place.first_seq <= seq)
}

/// The length of the log that all rows together tell of.
pub(super) fn read_mark(mark: &[u8]) -> Result<u64, LogError> {
    let damaged = LogError::Outbox { expected: "a mark of 8 bytes", got: mark.len() };
    mark.try_into().map(u64::from_be_bytes).map_err(|_| damaged)
}

const NEXT_SIZE: usize = 8;
const PLACE_SIZE: usize = 16;
