//! A mark on a stretch of seqs: which of them change their set, and what that frees.

use std::ops::Range;

use super::sets::{Kind, Mark, unread};
use crate::planted;
use crate::queue::bitmaps::Chunk;
use crate::types::Ranges;

/// Why entries leave their set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queue) enum Settling {
    /// They are marked.
    Marked(Mark),
    /// They were archived before this store forgot so. Those without a body are cleared: a reader was
    /// done with them.
    Recalled,
}

/// What a mark changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::queue) struct Moved {
    /// Seqs that were unread.
    pub(in crate::queue) from_unread: Ranges,
    /// Those among them whose body is missing.
    pub(in crate::queue) missing: Ranges,
    /// Those among them whose long body is held.
    pub(in crate::queue) held: Ranges,
    /// Seqs that were archived.
    pub(in crate::queue) from_archived: Ranges,
    /// Seqs whose held long body is of no use any more.
    pub(in crate::queue) freed: Ranges,
}

impl Moved {
    /// Whether no seq changed its set.
    pub(in crate::queue) fn is_empty(&self) -> bool {
        self.from_unread.is_empty() && self.from_archived.is_empty()
    }
}

/// Marks the seqs of `piece`, which lies in `chunk`.
pub(in crate::queue) fn mark(
    chunk: &mut Chunk<6>,
    piece: &Range<u64>,
    to: Settling,
    moved: &mut Moved,
) {
    let (usable_to, missing_to) = match to {
        Settling::Marked(Mark::Unread) => return,
        Settling::Marked(Mark::Archived) => (Some(Kind::Archived), None),
        Settling::Marked(Mark::Cleared) => (Some(Kind::Cleared), Some(Kind::Gone)),
        Settling::Marked(Mark::Rejected) => (Some(Kind::Rejected), Some(Kind::Rejected)),
        Settling::Marked(Mark::Gone) => (None, Some(Kind::Gone)),
        Settling::Recalled => (Some(Kind::Archived), Some(Kind::Cleared)),
    };
    let missing = all(chunk, Kind::Missing, piece);
    let held = all(chunk, Kind::Held, piece);
    let mut ended = Ranges::new();
    if let Some(kind) = usable_to {
        let usable = unread(chunk, piece).difference(&missing);
        insert(chunk, kind, &usable);
        moved.held.union(&held.intersection(&usable));
        moved.from_unread.union(&usable);
        ended = usable;
    }
    if let Some(kind) = missing_to {
        remove(chunk, Kind::Missing, &missing);
        insert(chunk, kind, &missing);
        moved.from_unread.union(&missing);
        moved.missing.union(&missing);
    }
    if to == Settling::Marked(Mark::Cleared) {
        let archived = all(chunk, Kind::Archived, piece);
        remove(chunk, Kind::Archived, &archived);
        if !planted::is("resurrected-clear") {
            insert(chunk, Kind::Cleared, &archived);
        }
        ended.union(&archived);
        moved.from_archived.union(&archived);
    }
    if usable_to != Some(Kind::Archived) {
        let freed = held.intersection(&ended);
        remove(chunk, Kind::Held, &freed);
        moved.freed.union(&freed);
    }
}

fn all(chunk: &Chunk<6>, kind: Kind, piece: &Range<u64>) -> Ranges {
    chunk.runs(kind.index(), piece).collect()
}

fn insert(chunk: &mut Chunk<6>, kind: Kind, seqs: &Ranges) {
    for run in seqs.iter() {
        chunk.insert(kind.index(), &run);
    }
}

fn remove(chunk: &mut Chunk<6>, kind: Kind, seqs: &Ranges) {
    for run in seqs.iter() {
        chunk.remove(kind.index(), &run);
    }
}
