//! What recipients have acknowledged of this node's entries.
//!
//! Receipts merge as a union, so they may come late, twice or out of order. One counts only when its
//! `inbox` is this node's own fold of the same leaf hashes: both speak of the same entries then.
//!
//! | row | after a version byte of 1, in postcard |
//! |---|---|
//! | delivery | entries folded, their peaks (a list of at most 64 hashes), the bounds below which all are stored and archived, how many are stored, archived, rejected |
//! | newest receipt | the signed receipt, for the recipient when it has lost its store |

use std::collections::BTreeMap;
use std::ops::Range;

use peermq_storage::{Batch, KEY_SIZE_MAX, Store};
use serde::{Deserialize, Serialize};

use crate::crypto::hash::Hash;
use crate::limits::{
    DIVERGED_COUNT_MAX, FOLD_SEQ_COUNT, HELLO_RECEIPT_COUNT_MAX, PEAK_COUNT_MAX, RECEIPT_SIZE_MAX,
};
use crate::log::{InboxTree, Log, Peaks, layout};
use crate::planted;
use crate::queue::bitmaps::{Bitmaps, Rows};
use crate::queue::error::QueueError;
use crate::queue::reclaim::Keep;
use crate::queue::row;
use crate::queue::seq_set::{CHUNK_SEQ_COUNT, pieces};
use crate::sync::{Acked, Misbehaviour, Receipt, SignedReceipt};
use crate::types::{Epoch, Id, Ranges, Recipient, Seq, bounded};

/// What one recipient has acknowledged of one life of this node's log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AckedSets {
    /// Fsynced there, with their whole bodies.
    pub stored: Ranges,
    /// Archived or cleared there.
    pub archived: Ranges,
    /// Unusable there: they do not open, or their body was gone.
    pub rejected: Ranges,
}

/// What became of one receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queue) enum Merged {
    /// It said something new.
    News,
    /// It said nothing new.
    Nothing,
    /// It speaks of other entries than this node's: nothing was taken from it.
    Diverged,
    /// It speaks of entries that were never written.
    Refused(Misbehaviour),
}

/// What is known of one recipient.
#[derive(Debug)]
pub(in crate::queue) struct Delivery {
    peer: u32,
    epoch: Epoch,
    recipient: Recipient,
    sets: Bitmaps<3>,
    folded: Peaks<InboxTree>,
    /// Of stored and archived.
    below: [u64; 2],
    /// Of stored, archived and rejected.
    counts: [u64; 3],
    newest: BTreeMap<u64, SignedReceipt>,
    /// First seqs of the windows whose receipts changed.
    changed_receipts: Vec<u64>,
    is_changed: bool,
    /// How many receipts spoke of other entries than this node's.
    diverged_count: usize,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct DeliveryRow {
    length: u64,
    #[serde(deserialize_with = "bounded::list::<_, PEAK_COUNT_MAX, _>")]
    peaks: Vec<Hash>,
    below: [u64; 2],
    counts: [u64; 3],
}

impl Delivery {
    /// What the store knows of a recipient.
    pub(in crate::queue) fn open(
        store: &dyn Store,
        id: &Id,
        peer: u32,
        epoch: Epoch,
    ) -> Result<Self, QueueError> {
        let damaged = || QueueError::Damaged("a delivery row");
        let row = store.get(&layout::delivery(peer, epoch))?;
        let row = row.map(|row| row::decode(&row).ok_or_else(damaged)).transpose()?;
        let DeliveryRow { length, peaks, below, counts } = row.unwrap_or_default();
        let rows = Rows { key: layout::acked_chunk, owner: peer, epoch };
        let mut delivery = Self {
            peer,
            epoch,
            recipient: Recipient::Peer(*id.as_bytes()),
            sets: Bitmaps::new(rows, |_| true),
            folded: Peaks::from_parts(length, peaks).ok_or_else(damaged)?,
            below,
            counts,
            newest: BTreeMap::new(),
            changed_receipts: Vec::new(),
            is_changed: false,
            diverged_count: 0,
        };
        for row in store.scan(layout::receipts(peer, epoch).as_range()) {
            let (key, row) = row?;
            let receipt = layout::last_number(&key).zip(row::decode(&row));
            let (start, receipt) = receipt.ok_or(QueueError::Damaged("a receipt"))?;
            delivery.newest.insert(start, receipt);
        }
        Ok(delivery)
    }

    /// Takes a verified receipt in.
    pub(in crate::queue) fn merge(
        &mut self,
        store: &dyn Store,
        log: &mut Log,
        signed: SignedReceipt,
    ) -> Result<Merged, QueueError> {
        let receipt = signed.unverified();
        let length = log.next_seq(store, &self.recipient)?.0;
        if receipt.seen > length {
            let seen = receipt.seen;
            return Ok(Merged::Refused(Misbehaviour::ReceiptBeyond { length, seen }));
        }
        // What it says is part of what a later one said, or is known word for word.
        let known = self.newest.get(&receipt.window.start);
        if receipt.seen < self.folded.length() || known == Some(&signed) {
            return Ok(Merged::Nothing);
        }
        // So will all that follow, and each time it may take all leaf hashes to see that.
        if self.diverged_count >= DIVERGED_COUNT_MAX {
            return Ok(Merged::Diverged);
        }
        let folded = self.fold(store, log, receipt.seen)?;
        if folded.root() != receipt.inbox && !planted::is("diverged-receipt-merged") {
            self.diverged_count += 1;
            return Ok(Merged::Diverged);
        }
        self.folded = folded;
        let before = self.counts;
        self.unite(store, receipt)?;
        self.keep(signed);
        self.is_changed = true;
        Ok(if self.counts == before { Merged::Nothing } else { Merged::News })
    }

    /// The number that stands for the recipient in keys.
    pub(in crate::queue) const fn peer(&self) -> u32 {
        self.peer
    }

    /// Over the leaf hashes that were compared with receipts.
    pub(in crate::queue) const fn folded(&self) -> &Peaks<InboxTree> {
        &self.folded
    }

    /// Whether the counts are those of the sets.
    pub(in crate::queue) fn is_counted_right(
        &mut self,
        store: &dyn Store,
    ) -> Result<bool, QueueError> {
        let length = self.folded.length();
        // To the end of the last chunk: nothing is acknowledged beyond the length.
        let end = length.checked_next_multiple_of(CHUNK_SEQ_COUNT).unwrap_or(length);
        let bounds = self.below.map(|below| below.min(length));
        let counted = [STORED, ARCHIVED, REJECTED].map(|kind| self.count(store, kind, end));
        let below = [STORED, ARCHIVED].iter().zip(bounds);
        let [stored, archived, rejected] = counted;
        let is_full = below.map(|(kind, below)| Ok(self.count(store, *kind, below)? == below));
        let is_full = is_full.collect::<Result<Vec<bool>, QueueError>>()?;
        Ok([stored?, archived?, rejected?] == self.counts
            && bounds == self.below
            && is_full == [true, true])
    }

    /// How many seqs below an end one of the sets holds.
    fn count(&mut self, store: &dyn Store, kind: usize, end: u64) -> Result<u64, QueueError> {
        let mut count = 0;
        for piece in pieces(0..end) {
            let runs = self.sets.chunk(store, piece.start)?.runs(kind, &piece);
            count += runs.map(|run| run.end - run.start).sum::<u64>();
        }
        Ok(count)
    }

    /// Whether the sets hold all that the kept receipts say.
    pub(in crate::queue) fn holds_receipts(
        &mut self,
        store: &dyn Store,
    ) -> Result<bool, QueueError> {
        let acked = self.acked(store)?;
        Ok(self.newest.values().map(SignedReceipt::unverified).all(|receipt| {
            receipt.stored.to_ranges().difference(&acked.stored).is_empty()
                && receipt.archived.to_ranges().difference(&acked.archived).is_empty()
                && receipt.rejected.difference(&acked.rejected).is_empty()
        }))
    }

    /// Whether its rows differ from those in the store.
    pub(in crate::queue) const fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// All that is acknowledged.
    pub(in crate::queue) fn acked(&mut self, store: &dyn Store) -> Result<AckedSets, QueueError> {
        Ok(AckedSets {
            stored: self.acked_as(store, STORED)?,
            archived: self.acked_as(store, ARCHIVED)?,
            rejected: self.acked_as(store, REJECTED)?,
        })
    }

    /// How many entries are stored, archived and rejected.
    pub(in crate::queue) const fn counts(&self) -> [u64; 3] {
        self.counts
    }

    /// How many entries need to be kept no longer: the recipient has archived or rejected them, or
    /// stored, if that is enough.
    pub(in crate::queue) fn done_count(&self, keep: Keep) -> u64 {
        let [stored, archived, rejected] = self.counts;
        let done = archived.saturating_add(rejected);
        if keep == Keep::Stored { done.max(stored) } else { done }
    }

    /// Which of the sets hold a seq: stored, archived, rejected.
    pub(in crate::queue) fn states(
        &mut self,
        store: &dyn Store,
        seq: Seq,
    ) -> Result<[bool; 3], QueueError> {
        let chunk = self.sets.chunk(store, seq.0)?;
        Ok([STORED, ARCHIVED, REJECTED].map(|kind| chunk.contains(kind, seq.0)))
    }

    /// The newest receipts, by window.
    pub(in crate::queue) fn newest(&self) -> impl Iterator<Item = &SignedReceipt> {
        self.newest.values()
    }

    /// Bytes that the changes take up in a batch, at most.
    pub(in crate::queue) const fn staged_size(&self) -> usize {
        self.sets.staged_size()
            + self.changed_receipts.len() * (RECEIPT_SIZE_MAX + KEY_SIZE_MAX)
            + DELIVERY_ROW_SIZE_MAX
    }

    /// Puts what has changed into the batch.
    pub(in crate::queue) fn stage(&mut self, batch: &mut Batch) {
        if !std::mem::take(&mut self.is_changed) {
            return;
        }
        let row = DeliveryRow {
            length: self.folded.length(),
            peaks: self.folded.hashes().to_vec(),
            below: self.below,
            counts: self.counts,
        };
        batch.put(layout::delivery(self.peer, self.epoch), row::encode(&row));
        self.sets.stage(batch);
        for start in std::mem::take(&mut self.changed_receipts) {
            let key = layout::receipt(self.peer, self.epoch, Seq(start));
            match self.newest.get(&start) {
                Some(receipt) => batch.put(key, row::encode(receipt)),
                None => batch.remove(key),
            }
        }
    }

    /// This node's own fold of the leaf hashes below `seen`.
    fn fold(
        &self,
        store: &dyn Store,
        log: &mut Log,
        seen: u64,
    ) -> Result<Peaks<InboxTree>, QueueError> {
        let mut folded = self.folded.clone();
        while folded.length() < seen {
            let end = seen.min(folded.length().saturating_add(FOLD_SEQ_COUNT));
            let leaves = log.leaves(store, &self.recipient, folded.length()..end)?;
            leaves.into_iter().for_each(|leaf| folded.push_leaf(leaf, |_, _| ()));
            if folded.length() != end {
                return Err(QueueError::Damaged("all entries to a recipient"));
            }
        }
        Ok(folded)
    }

    fn unite(&mut self, store: &dyn Store, receipt: &Receipt) -> Result<(), QueueError> {
        for (kind, acked) in [(STORED, &receipt.stored), (ARCHIVED, &receipt.archived)] {
            self.unite_acked(store, kind, acked)?;
        }
        for run in receipt.rejected.iter() {
            self.insert(store, REJECTED, run)?;
        }
        Ok(())
    }

    fn unite_acked(
        &mut self,
        store: &dyn Store,
        kind: usize,
        acked: &Acked,
    ) -> Result<(), QueueError> {
        let known = self.below.get_mut(kind).expect("stored and archived have bounds");
        let run = *known..acked.below.max(*known);
        *known = run.end;
        self.insert(store, kind, run)?;
        acked.ranges.iter().try_for_each(|run| self.insert(store, kind, run))
    }

    fn insert(
        &mut self,
        store: &dyn Store,
        kind: usize,
        seqs: Range<u64>,
    ) -> Result<(), QueueError> {
        for piece in pieces(seqs) {
            let new = self.sets.edit(store, piece.start, |chunk| chunk.insert(kind, &piece))?;
            *self.counts.get_mut(kind).expect("each kind is counted") += new;
        }
        Ok(())
    }

    fn acked_as(&mut self, store: &dyn Store, kind: usize) -> Result<Ranges, QueueError> {
        // Below the bound there is nothing to read.
        let below = self.below.get(kind).copied().unwrap_or(0);
        let mut acked = Ranges::below(below);
        for piece in pieces(below..self.folded.length()) {
            let chunk = self.sets.chunk(store, piece.start)?;
            chunk.runs(kind, &piece).for_each(|run| acked.insert(run));
        }
        Ok(acked)
    }

    /// Keeps a receipt in place of those whose windows it covers; of too many, the one of the
    /// fewest entries goes.
    ///
    /// A recipient that restored an older copy says less than before: what it said then is kept, to
    /// be given back to it.
    fn keep(&mut self, signed: SignedReceipt) {
        let window = signed.unverified().window.clone();
        if self.newest.values().any(|kept| says_more(kept.unverified(), signed.unverified())) {
            return;
        }
        let covered = |kept: &SignedReceipt| {
            let other = &kept.unverified().window;
            window.start <= other.start && other.end <= window.end
        };
        let newest = self.newest.iter();
        let gone: Vec<_> = newest.filter(|(_, kept)| covered(kept)).map(|(at, _)| *at).collect();
        gone.into_iter().for_each(|start| self.forget(start));
        self.newest.insert(window.start, signed);
        self.note(window.start);
        if self.newest.len() > HELLO_RECEIPT_COUNT_MAX {
            let oldest = self.newest.iter().min_by_key(|(_, kept)| kept.unverified().seen);
            let oldest = oldest.map(|(start, _)| *start);
            oldest.into_iter().for_each(|start| self.forget(start));
        }
    }

    fn forget(&mut self, start: u64) {
        self.newest.remove(&start);
        self.note(start);
    }

    fn note(&mut self, start: u64) {
        if !self.changed_receipts.contains(&start) {
            self.changed_receipts.push(start);
        }
    }
}

/// Whether a receipt whose window is covered by another's says what the other does not.
fn says_more(kept: &Receipt, other: &Receipt) -> bool {
    let covered = other.window.start <= kept.window.start && kept.window.end <= other.window.end;
    let is_lost = |kept: &Ranges, other: &Ranges| !kept.difference(other).is_empty();
    covered
        && (is_lost(&kept.archived.to_ranges(), &other.archived.to_ranges())
            || is_lost(&kept.rejected, &other.rejected))
}

/// Bytes of a delivery row and its key: 64 peaks and seven numbers.
const DELIVERY_ROW_SIZE_MAX: usize = 64 * 32 + 7 * 10 + KEY_SIZE_MAX;

const STORED: usize = 0;
const ARCHIVED: usize = 1;
const REJECTED: usize = 2;
