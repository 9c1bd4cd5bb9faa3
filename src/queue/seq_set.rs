//! Sets of seqs in memory: compressed bitmaps of 65 536 seqs each.
//!
//! A bitmap is a roaring container (<https://arxiv.org/abs/1603.06549>): an array, a bitmap or a
//! list of runs, whichever is smallest. So a set costs what its gaps cost, and a change costs the
//! same at any size of the set.

use std::collections::BTreeMap;
use std::ops::Range;

use roaring::RoaringBitmap;

use crate::types::Ranges;

/// A set of seqs that changes one seq at a time as cheaply as in ranges.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct SeqSet {
    chunks: BTreeMap<u64, RoaringBitmap>,
}

impl SeqSet {
    pub(super) const fn new() -> Self {
        Self { chunks: BTreeMap::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// The lowest seq.
    pub(super) fn first(&self) -> Option<u64> {
        let (chunk, bitmap) = self.chunks.first_key_value()?;
        bitmap.min().map(|place| seq_at(*chunk, place))
    }

    pub(super) fn insert(&mut self, seqs: Range<u64>) {
        for piece in pieces(seqs) {
            let chunk = chunk_of(piece.start);
            self.chunks.entry(chunk).or_default().insert_range(places(&piece, chunk));
        }
    }

    /// Takes a range out. Costs what the set has of it, however long it is.
    pub(super) fn remove(&mut self, seqs: Range<u64>) {
        let mut emptied = Vec::new();
        let touched = chunk_of(seqs.start)..=chunk_of(seqs.end.max(seqs.start));
        for (chunk, bitmap) in self.chunks.range_mut(touched) {
            bitmap.remove_range(places(&seqs, *chunk));
            if bitmap.is_empty() {
                emptied.push(*chunk);
            }
        }
        for chunk in emptied {
            self.chunks.remove(&chunk);
        }
    }

    /// Takes what is in the set out of `ranges`.
    pub(super) fn remove_from(&self, ranges: &mut Ranges) {
        let Some(first) = ranges.iter().next() else { return };
        for run in self.within(first.start..ranges.end()) {
            ranges.remove(run);
        }
    }

    /// The runs of the set in a window; one that goes on in the next chunk comes in two parts.
    pub(super) fn within(&self, window: Range<u64>) -> impl Iterator<Item = Range<u64>> + '_ {
        let touched = chunk_of(window.start)..=chunk_of(window.end.max(window.start));
        let chunks = self.chunks.range(touched);
        chunks.flat_map(move |(chunk, bitmap)| runs(bitmap, *chunk, &window))
    }
}

/// Splits a range of seqs where chunks end.
pub(super) fn pieces(seqs: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let mut rest = seqs;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = seq_at(chunk_of(rest.start) + 1, 0).min(rest.end);
        let piece = rest.start..end;
        rest.start = end;
        Some(piece)
    })
}

/// The runs of a chunk's bitmap among `seqs`, in order, none touching the next.
pub(super) fn runs<'a>(
    bitmap: &'a RoaringBitmap,
    chunk: u64,
    seqs: &Range<u64>,
) -> impl Iterator<Item = Range<u64>> + use<'a> {
    // Most sets are empty most of the time.
    let mut numbers = (!bitmap.is_empty()).then(|| bitmap.range(places(seqs, chunk)));
    std::iter::from_fn(move || {
        let run = numbers.as_mut()?.next_range()?;
        Some(seq_at(chunk, *run.start())..seq_at(chunk, run.end() + 1))
    })
}

/// Which chunk holds a seq.
pub(super) const fn chunk_of(seq: u64) -> u64 {
    seq >> CHUNK_BITS
}

/// Where a range of seqs lies in a chunk's bitmap.
pub(super) fn places(seqs: &Range<u64>, chunk: u64) -> Range<u32> {
    let first = seq_at(chunk, 0);
    let place = |seq: u64| {
        let place = seq.saturating_sub(first).min(CHUNK_SEQ_COUNT);
        u32::try_from(place).expect("a place is at most 65 536")
    };
    let (start, end) = (place(seqs.start), place(seqs.end));
    start..end.max(start)
}

/// The seq at a place of a chunk; saturates past the last chunk.
fn seq_at(chunk: u64, place: u32) -> u64 {
    chunk.saturating_mul(CHUNK_SEQ_COUNT).saturating_add(u64::from(place))
}

/// Bits of a seq that tell its place in its chunk.
const CHUNK_BITS: u32 = 16;
/// Seqs of one chunk: what one roaring container holds.
pub(super) const CHUNK_SEQ_COUNT: u64 = 1 << CHUNK_BITS;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn joined(runs: impl Iterator<Item = Range<u64>>) -> Ranges {
        let mut ranges = Ranges::new();
        runs.for_each(|run| ranges.insert(run));
        ranges
    }

    /// Seqs about the border of two chunks, where mistakes live.
    fn near_border() -> impl Strategy<Value = u64> {
        CHUNK_SEQ_COUNT - 40..CHUNK_SEQ_COUNT + 40
    }

    proptest! {
        #[test]
        fn a_seq_set_is_a_set(
            steps in prop::collection::vec((any::<bool>(), near_border(), 0u64..30), 0..40),
            window in (near_border(), near_border()),
        ) {
            let (mut set, mut model) = (SeqSet::new(), Ranges::new());
            for (add, start, len) in steps {
                if add {
                    set.insert(start..start + len);
                    model.insert(start..start + len);
                } else {
                    set.remove(start..start + len);
                    model.remove(start..start + len);
                }
                prop_assert_eq!(set.is_empty(), model.is_empty());
            }
            prop_assert_eq!(&joined(set.within(0..u64::MAX)), &model);
            prop_assert_eq!(set.first(), model.iter().next().map(|range| range.start));
            let window = window.0.min(window.1)..window.0.max(window.1);
            prop_assert_eq!(joined(set.within(window.clone())), model.within(window.clone()));
            let mut rest = Ranges::new();
            rest.insert(window);
            let expected = rest.difference(&model);
            set.remove_from(&mut rest);
            prop_assert_eq!(rest, expected);
        }
    }

    #[test]
    fn ranges_are_split_where_chunks_end() {
        let seqs = CHUNK_SEQ_COUNT - 1..2 * CHUNK_SEQ_COUNT + 1;
        let split: Vec<_> = pieces(seqs).collect();
        assert_eq!(split, [65_535..65_536, 65_536..131_072, 131_072..131_073]);
        assert_eq!(pieces(5..5).count(), 0);
        let last = u64::MAX - 2..u64::MAX;
        assert!(pieces(last.clone()).eq(std::iter::once(last)));
    }

    #[test]
    fn a_far_range_is_removed_without_a_walk() {
        let mut set = SeqSet::new();
        set.insert(0..9);
        set.insert(u64::MAX - 10..u64::MAX - 5);
        set.remove(0..u64::MAX - 7);
        assert!(set.within(0..u64::MAX).eq(std::iter::once(u64::MAX - 7..u64::MAX - 5)));
    }
}
