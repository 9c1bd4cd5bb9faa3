//! What became of each received entry: the sets of one author's log.
//!
//! Unread is what is received and in no other set, so the five cannot contradict one another:
//!
//! ```text
//! unread = received − archived − cleared − rejected − gone
//!
//! absent → unread → archived → cleared        unread → rejected
//! absent, or unread without its body → gone
//! ```
//!
//! What was archived last stands in the tally, which each mark writes anyway: a mark is one row then.
//!
//! *Invariant*: archived, cleared, rejected and gone share no seq, and a missing body's seq is in
//! none of them. Checked whenever a chunk is read and before it is written.

use std::ops::Range;

use peermq_storage::{Batch, Store};

use super::moved::{Moved, Settling, mark};
use crate::limits::RECENT_RUN_COUNT_MAX;
use crate::log::layout;
use crate::queue::bitmaps::{Bitmaps, Chunk, Rows};
use crate::queue::error::QueueError;
use crate::queue::seq_set::{chunk_of, pieces};
use crate::types::{Epoch, Ranges, Seq};

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// It waits for a reader.
    Unread,
    /// A reader is done with it; its body is kept.
    Archived,
    /// A reader is done with it and wants it no more.
    Cleared,
    /// Its body does not open, or what is in it does not decode.
    Rejected,
    /// Nobody holds its body any more.
    Gone,
}

impl Mark {
    /// Whether a reader may still ask for the body.
    pub(in crate::queue) const fn is_kept(self) -> bool {
        matches!(self, Self::Unread | Self::Archived)
    }
}

/// A set that is kept: each mark but unread, and where long bodies are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queue) enum Kind {
    Archived,
    Cleared,
    Rejected,
    Gone,
    /// Unread and not to be acknowledged as stored: a long body is not wholly here, or the entry
    /// is of a later version.
    Missing,
    /// A long body is wholly here.
    Held,
}

/// The sets of one life of an author's log.
#[derive(Debug)]
pub(in crate::queue) struct Sets {
    bitmaps: Bitmaps<6>,
    /// Archived since the chunks were written; `None` when they differ in more.
    recent: Option<Ranges>,
}

impl Sets {
    /// The sets of an author's log as they stand in the store.
    pub(in crate::queue) fn new(author: u32, epoch: Epoch) -> Self {
        let rows = Rows { key: layout::set_chunk, owner: author, epoch };
        Self { bitmaps: Bitmaps::new(rows, are_consistent), recent: Some(Ranges::new()) }
    }

    /// Takes up what was archived after the chunks were written, of a log of `end` entries.
    pub(in crate::queue) fn restore(
        &mut self,
        store: &dyn Store,
        recent: Ranges,
        end: u64,
    ) -> Result<(), QueueError> {
        let Some(first) = recent.iter().next() else { return Ok(()) };
        if recent.end() > end || chunk_of(first.start) != chunk_of(recent.end() - 1) {
            return Err(QueueError::Damaged("a tally"));
        }
        for run in recent.iter() {
            self.bitmaps.restore(store, Kind::Archived.index(), &run)?;
        }
        self.recent = Some(recent);
        Ok(())
    }

    /// What became of a received entry.
    pub(in crate::queue) fn mark_of(
        &mut self,
        store: &dyn Store,
        seq: Seq,
    ) -> Result<Mark, QueueError> {
        let chunk = self.bitmaps.chunk(store, seq.0)?;
        let found = SETTLED.iter().find(|(kind, _)| chunk.contains(kind.index(), seq.0));
        Ok(found.map_or(Mark::Unread, |(_, mark)| *mark))
    }

    /// Whether one of the kept sets holds a seq.
    pub(in crate::queue) fn contains(
        &mut self,
        store: &dyn Store,
        kind: Kind,
        seq: Seq,
    ) -> Result<bool, QueueError> {
        Ok(self.bitmaps.chunk(store, seq.0)?.contains(kind.index(), seq.0))
    }

    /// What one of the kept sets holds of a window.
    pub(in crate::queue) fn within(
        &mut self,
        store: &dyn Store,
        kind: Kind,
        window: Range<u64>,
    ) -> Result<Ranges, QueueError> {
        let mut found = Ranges::new();
        for piece in pieces(window) {
            let chunk = self.bitmaps.chunk(store, piece.start)?;
            chunk.runs(kind.index(), &piece).for_each(|run| found.insert(run));
        }
        Ok(found)
    }

    /// The first seqs of one of the kept sets in a window, at most `count_max` of them.
    pub(in crate::queue) fn first_some(
        &mut self,
        store: &dyn Store,
        kind: Kind,
        window: Range<u64>,
        count_max: u64,
    ) -> Result<Ranges, QueueError> {
        let (mut found, mut room) = (Ranges::new(), count_max);
        for piece in pieces(window) {
            for run in self.bitmaps.chunk(store, piece.start)?.runs(kind.index(), &piece) {
                let end = run.end.min(run.start.saturating_add(room));
                room -= end - run.start;
                found.insert(run.start..end);
                if room == 0 {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }

    /// What is unread of a window of received seqs.
    pub(in crate::queue) fn unread(
        &mut self,
        store: &dyn Store,
        window: Range<u64>,
    ) -> Result<Ranges, QueueError> {
        let mut found = Ranges::new();
        for piece in pieces(window) {
            found.union(&unread(self.bitmaps.chunk(store, piece.start)?, &piece));
        }
        Ok(found)
    }

    /// The lowest unread seq of a window of received seqs.
    pub(in crate::queue) fn first_unread(
        &mut self,
        store: &dyn Store,
        window: Range<u64>,
    ) -> Result<Option<Seq>, QueueError> {
        self.first_outside(store, &SETTLED.map(|(kind, _)| kind), window)
    }

    /// The lowest seq of a window that is in none of the sets.
    pub(in crate::queue) fn first_outside(
        &mut self,
        store: &dyn Store,
        kinds: &[Kind],
        window: Range<u64>,
    ) -> Result<Option<Seq>, QueueError> {
        self.first_of(store, window, |chunk, piece| {
            let first = end_of_runs(chunk, kinds, piece);
            (first < piece.end).then_some(first)
        })
    }

    /// The lowest seq of a window that is in one of the sets.
    pub(in crate::queue) fn first_inside(
        &mut self,
        store: &dyn Store,
        kinds: &[Kind],
        window: Range<u64>,
    ) -> Result<Option<Seq>, QueueError> {
        self.first_of(store, window, |chunk, piece| {
            let firsts = kinds.iter().filter_map(|kind| chunk.runs(kind.index(), piece).next());
            firsts.map(|run| run.start).min()
        })
    }

    /// The first seq that is found in the pieces of a window.
    fn first_of(
        &mut self,
        store: &dyn Store,
        window: Range<u64>,
        find: impl Fn(&Chunk<6>, &Range<u64>) -> Option<u64>,
    ) -> Result<Option<Seq>, QueueError> {
        for piece in pieces(window) {
            if let Some(first) = find(self.bitmaps.chunk(store, piece.start)?, &piece) {
                return Ok(Some(Seq(first)));
            }
        }
        Ok(None)
    }

    /// What one of the kept sets holds of a piece of one chunk, as far as `count_max` runs tell:
    /// also where that ends.
    pub(in crate::queue) fn some_within(
        &mut self,
        store: &dyn Store,
        kind: Kind,
        piece: &Range<u64>,
        count_max: usize,
    ) -> Result<(Ranges, u64), QueueError> {
        let chunk = self.bitmaps.chunk(store, piece.start)?;
        let runs: Ranges = chunk.runs(kind.index(), piece).take(count_max).collect();
        let end = if runs.range_count() < count_max { piece.end } else { runs.end() };
        Ok((runs, end))
    }

    /// Marks received seqs, forward only: what is past the mark already stays as it is, and so
    /// does a missing body's seq that is to be archived. Cleared without its body is gone, and
    /// only what has no body can be gone.
    pub(in crate::queue) fn mark(
        &mut self,
        store: &dyn Store,
        seqs: Range<u64>,
        to: Settling,
    ) -> Result<Moved, QueueError> {
        let mut moved = Moved::default();
        for piece in pieces(seqs) {
            self.bitmaps.edit(store, piece.start, |chunk| mark(chunk, &piece, to, &mut moved))?;
        }
        match (to, &mut self.recent) {
            (Settling::Marked(Mark::Archived), Some(recent)) => recent.union(&moved.from_unread),
            _ if moved.is_empty() => (),
            _ => self.recent = None,
        }
        Ok(moved)
    }

    /// An entry came that cannot be acknowledged as stored yet.
    pub(in crate::queue) fn miss(&mut self, store: &dyn Store, seq: Seq) -> Result<(), QueueError> {
        self.settle(store, Kind::Missing, seq)
    }

    /// An entry came that is done with: its author has no body of it any more, or it was marked
    /// before this store forgot.
    pub(in crate::queue) fn settle(
        &mut self,
        store: &dyn Store,
        kind: Kind,
        seq: Seq,
    ) -> Result<(), QueueError> {
        self.recent = None;
        self.bitmaps.edit(store, seq.0, |chunk| chunk.insert(kind.index(), &one(seq)))?;
        Ok(())
    }

    /// A missing long body is wholly here now.
    pub(in crate::queue) fn hold(&mut self, store: &dyn Store, seq: Seq) -> Result<(), QueueError> {
        self.recent = None;
        self.bitmaps.edit(store, seq.0, |chunk| {
            chunk.remove(Kind::Missing.index(), &one(seq));
            chunk.insert(Kind::Held.index(), &one(seq));
        })
    }

    /// Bytes that the changes take up in a batch, at most.
    pub(in crate::queue) const fn staged_size(&self) -> usize {
        self.bitmaps.staged_size()
    }

    /// Puts what has changed into the batch. A few runs of archived seqs in one chunk, when nothing
    /// else has changed, are returned instead, to stand in the tally; so are those of before.
    pub(in crate::queue) fn stage(&mut self, batch: &mut Batch) -> Ranges {
        if let Some(recent) = &self.recent
            && recent.range_count() <= RECENT_RUN_COUNT_MAX
            && self.bitmaps.changed_rows() <= 1
        {
            self.bitmaps.evict();
            return recent.clone();
        }
        self.write(batch);
        Ranges::new()
    }

    /// Puts all that has changed into the batch.
    pub(in crate::queue) fn write(&mut self, batch: &mut Batch) {
        self.bitmaps.stage(batch);
        self.recent = Some(Ranges::new());
    }
}

impl Kind {
    /// Its bitmap, and the byte in its rows' keys.
    pub(in crate::queue) const fn index(self) -> usize {
        match self {
            Self::Archived => 0,
            Self::Cleared => 1,
            Self::Rejected => 2,
            Self::Gone => 3,
            Self::Missing => 4,
            Self::Held => 5,
        }
    }
}

/// The sets that exclude one another and unread.
const SETTLED: [(Kind, Mark); 4] = [
    (Kind::Archived, Mark::Archived),
    (Kind::Cleared, Mark::Cleared),
    (Kind::Rejected, Mark::Rejected),
    (Kind::Gone, Mark::Gone),
];

fn are_consistent(chunk: &Chunk<6>) -> bool {
    let exclusive = [Kind::Archived, Kind::Cleared, Kind::Rejected, Kind::Gone, Kind::Missing];
    let mut pairs = exclusive.iter().enumerate().flat_map(|(place, one)| {
        exclusive.iter().skip(place + 1).map(move |other| (one.index(), other.index()))
    });
    pairs.all(|(one, other)| chunk.are_disjoint(one, other))
        && chunk.are_disjoint(Kind::Held.index(), Kind::Missing.index())
}

pub(in crate::queue) fn unread(chunk: &Chunk<6>, piece: &Range<u64>) -> Ranges {
    let mut unread = Ranges::new();
    unread.insert(piece.clone());
    for (kind, _) in SETTLED {
        chunk.runs(kind.index(), piece).for_each(|run| unread.remove(run));
    }
    unread
}

/// The first seq of `piece` that is in none of the sets, or its end. Costs what lies between, not
/// what follows.
fn end_of_runs(chunk: &Chunk<6>, kinds: &[Kind], piece: &Range<u64>) -> u64 {
    let mut seq = piece.start;
    let end_of_run = |seq: u64| {
        let kind = kinds.iter().find(|kind| chunk.contains(kind.index(), seq))?;
        chunk.runs(kind.index(), &(seq..piece.end)).next().map(|run| run.end)
    };
    while seq < piece.end
        && let Some(end) = end_of_run(seq)
    {
        seq = end;
    }
    seq
}

const fn one(seq: Seq) -> Range<u64> {
    seq.0..seq.0.saturating_add(1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use peermq_storage::MemoryStore;
    use proptest::prelude::*;

    use super::*;
    use crate::queue::seq_set::CHUNK_SEQ_COUNT;

    /// What the sets should say of one seq.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    struct Entry {
        mark: Mark,
        body: Body,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Body {
        Inline,
        Missing,
        Held,
    }

    impl Entry {
        /// The diagram of the module's doc, one seq at a time.
        fn mark(self, to: Mark) -> Self {
            let Self { mark, body } = self;
            let mark = match (mark, to, body) {
                (Mark::Unread, Mark::Archived, Body::Missing) => Mark::Unread,
                (Mark::Unread, Mark::Cleared | Mark::Gone, Body::Missing) => Mark::Gone,
                (Mark::Unread, Mark::Gone, _) => Mark::Unread,
                (Mark::Unread, to, _) => to,
                (Mark::Archived, Mark::Cleared, _) => Mark::Cleared,
                (mark, ..) => mark,
            };
            Self { mark, body }
        }

        fn keeps_body(self) -> bool {
            matches!(self.mark, Mark::Unread | Mark::Archived)
        }
    }

    fn seqs() -> impl Strategy<Value = Range<u64>> {
        (CHUNK_SEQ_COUNT - 30..CHUNK_SEQ_COUNT + 30, 0u64..20).prop_map(|(s, len)| s..s + len)
    }

    fn marks() -> impl Strategy<Value = Mark> {
        prop::sample::select(vec![Mark::Archived, Mark::Cleared, Mark::Rejected, Mark::Gone])
    }

    fn where_mark(model: &BTreeMap<u64, Entry>, mark: Mark) -> Ranges {
        model.iter().filter(|(_, entry)| entry.mark == mark).map(|(seq, _)| *seq).collect()
    }

    proptest! {
        #[test]
        fn the_sets_follow_the_diagram(
            bodies in prop::collection::vec((CHUNK_SEQ_COUNT - 30..CHUNK_SEQ_COUNT + 50, any::<bool>()), 0..20),
            steps in prop::collection::vec((seqs(), marks(), any::<bool>()), 0..30),
        ) {
            let window = CHUNK_SEQ_COUNT - 30..CHUNK_SEQ_COUNT + 50;
            let (store, mut sets) = (MemoryStore::new(), Sets::new(1, Epoch(1)));
            let fresh = Entry { mark: Mark::Unread, body: Body::Inline };
            let mut model: BTreeMap<_, _> = window.clone().map(|seq| (seq, fresh)).collect();
            for (seq, held) in bodies {
                let entry = model.get_mut(&seq).unwrap();
                if entry.body == Body::Inline {
                    sets.miss(&store, Seq(seq)).unwrap();
                    entry.body = Body::Missing;
                }
                if held && entry.body == Body::Missing {
                    sets.hold(&store, Seq(seq)).unwrap();
                    entry.body = Body::Held;
                }
            }
            for (seqs, to, reopen) in steps {
                let moved = sets.mark(&store, seqs.clone(), Settling::Marked(to)).unwrap();
                let mut expected = Moved::default();
                for seq in seqs {
                    let (before, one) = (model[&seq], seq..seq + 1);
                    let after = before.mark(to);
                    model.insert(seq, after);
                    match before.mark {
                        _ if before.mark == after.mark => continue,
                        Mark::Unread => expected.from_unread.insert(one.clone()),
                        _ => expected.from_archived.insert(one.clone()),
                    }
                    if before.mark == Mark::Unread && before.body == Body::Held {
                        expected.held.insert(one.clone());
                    }
                    if before.body == Body::Missing {
                        expected.missing.insert(one.clone());
                    }
                    if before.body == Body::Held && !after.keeps_body() {
                        expected.freed.insert(one);
                    }
                }
                prop_assert_eq!(moved, expected);
                let mut batch = Batch::new();
                let recent = sets.stage(&mut batch);
                prop_assert!(recent.is_empty() || batch.is_empty());
                store.commit(batch).unwrap();
                if reopen {
                    sets = Sets::new(1, Epoch(1));
                    sets.restore(&store, recent, window.end).unwrap();
                }
            }
            prop_assert_eq!(sets.unread(&store, window.clone()).unwrap(), where_mark(&model, Mark::Unread));
            for (kind, mark) in SETTLED {
                prop_assert_eq!(sets.within(&store, kind, window.clone()).unwrap(), where_mark(&model, mark));
            }
            let first = where_mark(&model, Mark::Unread).iter().next().map(|run| Seq(run.start));
            prop_assert_eq!(sets.first_unread(&store, window).unwrap(), first);
            for (seq, entry) in model {
                prop_assert_eq!(sets.mark_of(&store, Seq(seq)).unwrap(), entry.mark);
                let held = entry.body == Body::Held && entry.keeps_body();
                prop_assert_eq!(sets.contains(&store, Kind::Held, Seq(seq)).unwrap(), held);
            }
        }
    }

    #[test]
    fn full_chunks_are_passed_over() {
        let (store, mut sets) = (MemoryStore::new(), Sets::new(1, Epoch(1)));
        let archived = Settling::Marked(Mark::Archived);
        sets.mark(&store, 0..2 * CHUNK_SEQ_COUNT + 5, archived).unwrap();
        let first = sets.first_unread(&store, 0..3 * CHUNK_SEQ_COUNT).unwrap();
        assert_eq!(first, Some(Seq(2 * CHUNK_SEQ_COUNT + 5)));
        assert_eq!(sets.first_unread(&store, 0..2 * CHUNK_SEQ_COUNT + 5).unwrap(), None);
    }
}
