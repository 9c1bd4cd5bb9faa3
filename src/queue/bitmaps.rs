//! Sets of seqs on disk: bitmaps of 65 536 seqs, loaded when touched, written when changed.
//!
//! Several kinds of sets over the same seqs stand side by side. A row is one kind's chunk, in the
//! standard roaring format (<https://github.com/RoaringBitmap/RoaringFormatSpec>) of places below
//! 65 536: at most [`ROW_SIZE_MAX`] bytes, absent when empty.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;

use bytes::Bytes;
use peermq_storage::{Batch, KEY_SIZE_MAX, Store};
use roaring::RoaringBitmap;

use super::error::QueueError;
use super::seq_set::{CHUNK_SEQ_COUNT, chunk_of, places, runs};
use crate::limits::LOADED_CHUNK_COUNT_MAX;
use crate::types::Epoch;

/// `KINDS` sets over the seqs of one log. A kind is an index below `KINDS`.
#[derive(Debug)]
pub(super) struct Bitmaps<const KINDS: usize> {
    rows: Rows,
    check: fn(&Chunk<KINDS>) -> bool,
    chunks: BTreeMap<u64, Chunk<KINDS>>,
    /// Rows that differ from those in the store.
    changed_rows: usize,
    /// Counts uses, so that the chunk unused for longest can be told.
    tick: u64,
}

/// Where the rows of a log's bitmaps stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows {
    /// The key of (owner, epoch, kind, chunk number).
    pub(super) key: fn(u32, Epoch, u8, u64) -> Bytes,
    /// The number that stands for the id of the author or recipient.
    pub(super) owner: u32,
    /// Which life of the log.
    pub(super) epoch: Epoch,
}

/// All kinds of one chunk.
#[derive(Debug)]
pub(super) struct Chunk<const KINDS: usize> {
    number: u64,
    kinds: [RoaringBitmap; KINDS],
    changed: [bool; KINDS],
    used: u64,
}

impl<const KINDS: usize> Bitmaps<KINDS> {
    /// Bitmaps as they stand in the store. `check` judges each chunk read, and each to be written.
    pub(super) const fn new(rows: Rows, check: fn(&Chunk<KINDS>) -> bool) -> Self {
        Self { rows, check, chunks: BTreeMap::new(), changed_rows: 0, tick: 0 }
    }

    /// The chunk that holds `seq`.
    pub(super) fn chunk(
        &mut self,
        store: &dyn Store,
        seq: u64,
    ) -> Result<&Chunk<KINDS>, QueueError> {
        self.load(store, seq).map(|chunk| &*chunk)
    }

    /// Changes the chunk that holds `seq`.
    pub(super) fn edit<T>(
        &mut self,
        store: &dyn Store,
        seq: u64,
        edit: impl FnOnce(&mut Chunk<KINDS>) -> T,
    ) -> Result<T, QueueError> {
        let chunk = self.load(store, seq)?;
        let before = chunk.changed_rows();
        let edited = edit(chunk);
        let more = chunk.changed_rows() - before;
        self.changed_rows += more;
        Ok(edited)
    }

    /// Takes up seqs of one chunk that another row tells of.
    pub(super) fn restore(
        &mut self,
        store: &dyn Store,
        kind: usize,
        seqs: &Range<u64>,
    ) -> Result<(), QueueError> {
        let check = self.check;
        let holds = self.edit(store, seqs.start, |chunk| {
            chunk.insert(kind, seqs);
            check(chunk)
        })?;
        if holds { Ok(()) } else { Err(CONTRADICTION) }
    }

    /// Rows that differ from those in the store.
    pub(super) const fn changed_rows(&self) -> usize {
        self.changed_rows
    }

    /// Bytes that the changes take up in a batch, at most.
    pub(super) const fn staged_size(&self) -> usize {
        self.changed_rows * (ROW_SIZE_MAX + KEY_SIZE_MAX)
    }

    /// A chunk, read from the store unless it is at hand.
    fn load(&mut self, store: &dyn Store, seq: u64) -> Result<&mut Chunk<KINDS>, QueueError> {
        self.tick += 1;
        let number = chunk_of(seq);
        let chunk = match self.chunks.entry(number) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let chunk = read(store, &self.rows, number)?;
                if !(self.check)(&chunk) {
                    return Err(CONTRADICTION);
                }
                entry.insert(chunk)
            }
        };
        chunk.used = self.tick;
        Ok(chunk)
    }

    /// Puts what has changed into the batch.
    ///
    /// # Panics
    /// When the check fails: the sets would contradict one another on disk.
    pub(super) fn stage(&mut self, batch: &mut Batch) {
        let Rows { key, owner, epoch } = self.rows;
        for chunk in self.chunks.values_mut().filter(|chunk| chunk.changed_rows() > 0) {
            assert!((self.check)(chunk), "sets that exclude one another share no seq");
            for ((bitmap, changed), kind) in chunk.kinds.iter_mut().zip(&mut chunk.changed).zip(0..)
            {
                if std::mem::take(changed) {
                    put(batch, key(owner, epoch, kind, chunk.number), bitmap);
                }
            }
        }
        self.changed_rows = 0;
        self.evict();
    }

    /// Lets go of unchanged chunks beyond the bound, those unused for longest first.
    pub(super) fn evict(&mut self) {
        while self.chunks.len() > LOADED_CHUNK_COUNT_MAX {
            let unchanged = self.chunks.iter().filter(|(_, chunk)| chunk.changed_rows() == 0);
            let oldest = unchanged.min_by_key(|(_, chunk)| chunk.used).map(|(number, _)| *number);
            let Some(number) = oldest else { return };
            self.chunks.remove(&number);
        }
    }
}

impl<const KINDS: usize> Chunk<KINDS> {
    /// The runs of one kind among `seqs`, in order, none touching the next.
    pub(super) fn runs(&self, kind: usize, seqs: &Range<u64>) -> impl Iterator<Item = Range<u64>> {
        runs(self.kind(kind), self.number, seqs)
    }

    /// Whether one kind holds a seq of this chunk.
    pub(super) fn contains(&self, kind: usize, seq: u64) -> bool {
        self.kind(kind).contains(places(&(seq..seq.saturating_add(1)), self.number).start)
    }

    /// Whether two kinds share no seq.
    pub(super) fn are_disjoint(&self, one: usize, other: usize) -> bool {
        self.kind(one).is_disjoint(self.kind(other))
    }

    /// Adds those of `seqs` that lie in this chunk to one kind, and returns how many are new.
    pub(super) fn insert(&mut self, kind: usize, seqs: &Range<u64>) -> u64 {
        let places = places(seqs, self.number);
        self.change(kind, |bitmap| bitmap.insert_range(places))
    }

    /// Takes those of `seqs` that lie in this chunk out of one kind, and returns how many it had.
    pub(super) fn remove(&mut self, kind: usize, seqs: &Range<u64>) -> u64 {
        let places = places(seqs, self.number);
        self.change(kind, |bitmap| bitmap.remove_range(places))
    }

    fn change(&mut self, kind: usize, change: impl FnOnce(&mut RoaringBitmap) -> u64) -> u64 {
        let count = change(self.kinds.get_mut(kind).expect(KIND_IN_BOUNDS));
        *self.changed.get_mut(kind).expect(KIND_IN_BOUNDS) |= count > 0;
        count
    }

    fn kind(&self, kind: usize) -> &RoaringBitmap {
        self.kinds.get(kind).expect(KIND_IN_BOUNDS)
    }

    fn changed_rows(&self) -> usize {
        self.changed.iter().filter(|changed| **changed).count()
    }
}

fn read<const KINDS: usize>(
    store: &dyn Store,
    rows: &Rows,
    number: u64,
) -> Result<Chunk<KINDS>, QueueError> {
    let mut kinds = std::array::from_fn(|_| RoaringBitmap::new());
    for (bitmap, kind) in kinds.iter_mut().zip(0..) {
        if let Some(row) = store.get(&(rows.key)(rows.owner, rows.epoch, kind, number))? {
            *bitmap = decode(&row).ok_or(QueueError::Damaged("a bitmap of places below 65 536"))?;
        }
    }
    Ok(Chunk { number, kinds, changed: [false; KINDS], used: 0 })
}

fn decode(row: &[u8]) -> Option<RoaringBitmap> {
    let mut rest = row;
    let bitmap = RoaringBitmap::deserialize_from(&mut rest).ok()?;
    let fits = bitmap.max().is_none_or(|place| u64::from(place) < CHUNK_SEQ_COUNT);
    (rest.is_empty() && fits).then_some(bitmap)
}

fn put(batch: &mut Batch, key: Bytes, bitmap: &mut RoaringBitmap) {
    if bitmap.is_empty() {
        batch.remove(key);
        return;
    }
    bitmap.optimize();
    let mut row = Vec::with_capacity(bitmap.serialized_size());
    bitmap.serialize_into(&mut row).expect("a vector takes every byte");
    debug_assert!(row.len() <= ROW_SIZE_MAX, "one container is at most 8 KiB");
    batch.put(key, row);
}

/// Bytes of a row: a container of 8 KiB and the format's header.
pub(super) const ROW_SIZE_MAX: usize = 8_192 + 16;

const CONTRADICTION: QueueError = QueueError::Damaged("sets of which no two share a seq");
const KIND_IN_BOUNDS: &str = "a kind is an index below KINDS";

#[cfg(test)]
mod tests {
    use peermq_storage::MemoryStore;

    use super::*;
    use crate::log::layout;

    const ROWS: Rows = Rows { key: layout::set_chunk, owner: 7, epoch: Epoch(9) };

    fn bitmaps() -> Bitmaps<2> {
        Bitmaps::new(ROWS, |chunk| chunk.are_disjoint(0, 1))
    }

    fn stored(seqs: impl IntoIterator<Item = u64>) -> MemoryStore {
        let (store, mut bitmaps) = (MemoryStore::new(), bitmaps());
        for seq in seqs {
            bitmaps.edit(&store, seq, |chunk| chunk.insert(1, &(seq..seq + 1))).unwrap();
        }
        let mut batch = Batch::new();
        bitmaps.stage(&mut batch);
        store.commit(batch).unwrap();
        store
    }

    fn row(store: &MemoryStore, chunk: u64) -> Option<String> {
        store.get(&(ROWS.key)(7, Epoch(9), 1, chunk)).unwrap().map(hex::encode)
    }

    #[test]
    fn rows_on_disk_do_not_change() {
        // Roaring: one run container, its 1 run: start 0, length - 1 = 299.
        assert_eq!(row(&stored(0..300), 0).unwrap(), "3b3000000100002b01010000002b01");
        // An array container in chunk 2: places 5 and 9.
        let store = stored([131_077, 131_081]);
        assert_eq!(
            row(&store, 2).unwrap(),
            "3a300000010000000000010010000000050009 00".replace(' ', "")
        );
        assert_eq!(row(&store, 0), None);
    }

    #[test]
    fn the_fullest_row_is_within_its_bound_and_an_empty_one_is_not_kept() {
        let store = stored((0..65_536).step_by(2));
        assert_eq!(row(&store, 0).unwrap().len(), 2 * ROW_SIZE_MAX);
        let mut again = bitmaps();
        let removed = again.edit(&store, 0, |chunk| chunk.remove(1, &(0..65_536))).unwrap();
        assert_eq!(removed, 32_768);
        let mut batch = Batch::new();
        again.stage(&mut batch);
        store.commit(batch).unwrap();
        assert_eq!(row(&store, 0), None);
    }

    #[test]
    fn other_bytes_are_damage() {
        for bytes in [&b""[..], b"x", &[0xff; 300], b"\x3a\x30\0\0\xff\xff\xff\xff"] {
            let store = MemoryStore::new();
            let mut batch = Batch::new();
            batch.put((ROWS.key)(7, Epoch(9), 0, 0), bytes.to_vec());
            store.commit(batch).unwrap();
            let read = bitmaps().chunk(&store, 0).map(|_| ());
            assert!(matches!(read, Err(QueueError::Damaged(_))));
        }
    }

    #[test]
    fn sets_that_share_a_seq_are_damage() {
        let store = stored(0..300);
        let mut batch = Batch::new();
        let row = store.get(&(ROWS.key)(7, Epoch(9), 1, 0)).unwrap().unwrap();
        batch.put((ROWS.key)(7, Epoch(9), 0, 0), row);
        store.commit(batch).unwrap();
        assert!(matches!(bitmaps().chunk(&store, 5), Err(QueueError::Damaged(_))));
    }

    #[test]
    fn few_chunks_stay_in_memory() {
        let (store, mut bitmaps) = (MemoryStore::new(), bitmaps());
        let count = u64::try_from(LOADED_CHUNK_COUNT_MAX).unwrap() + 9;
        for number in 0..count {
            let seq = number * CHUNK_SEQ_COUNT;
            bitmaps.edit(&store, seq, |chunk| chunk.insert(0, &(seq..seq + 1))).unwrap();
        }
        let mut batch = Batch::new();
        bitmaps.stage(&mut batch);
        store.commit(batch).unwrap();
        assert_eq!(bitmaps.chunks.len(), LOADED_CHUNK_COUNT_MAX);
        assert!(bitmaps.chunk(&store, 0).unwrap().contains(0, 0));
    }
}
