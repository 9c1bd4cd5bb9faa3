//! Receipts as the store implies them: what this node has of an author's entries.
//!
//! One receipt speaks of all entries while that takes at most 256 ranges of each set. Beyond, only
//! what has changed since the last reading is told, in windows of their own; a new session is told
//! of everything again.

use std::ops::Range;

use peermq_storage::Store;

use super::author_log::AuthorLog;
use super::sets::{Kind, Sets};
use super::tally::Tally;
use crate::limits::{RECEIPT_RANGE_COUNT_MAX, RECEIPT_READ_COUNT_MAX, RECEIPT_SPAN_MAX};
use crate::queue::error::QueueError;
use crate::queue::seq_set::{SeqSet, pieces};
use crate::sync::{Acked, Receipt};
use crate::types::{Id, Ranges, Recipient, Seq};

/// Which entries receipts are to speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queue) enum Scope {
    /// All of them.
    All,
    /// Those that have changed since receipts were read last.
    Untold,
}

impl AuthorLog {
    /// The receipts that are due. What does not fit stays untold until the next reading.
    pub(in crate::queue) fn receipts(
        &mut self,
        store: &dyn Store,
        me: &Id,
        scope: Scope,
    ) -> Result<Vec<Receipt>, QueueError> {
        let end = self.durable();
        self.raise_bounds(store, end)?;
        let start = self.tally.stored_below.min(self.tally.archived_below).0;
        if scope == Scope::All {
            self.untold.insert(start..end);
        }
        if self.untold.is_empty() && (scope == Scope::Untold || end == 0) {
            return Ok(Vec::new());
        }
        if end - start <= RECEIPT_SPAN_MAX {
            let window = Window::read(self, store, start..end)?;
            if window.span.end == end {
                self.untold = SeqSet::new();
                return Ok(vec![self.receipt(me, Window { span: 0..end, ..window })]);
            }
        }
        self.untold_receipts(store, me, end)
    }

    fn untold_receipts(
        &mut self,
        store: &dyn Store,
        me: &Id,
        end: u64,
    ) -> Result<Vec<Receipt>, QueueError> {
        let mut receipts = Vec::new();
        while let Some(start) = self.untold.first()
            && receipts.len() < RECEIPT_READ_COUNT_MAX
        {
            let window = Window::read(self, store, start..end)?;
            self.untold.remove(window.span.clone());
            receipts.push(self.receipt(me, window));
        }
        Ok(receipts)
    }

    fn receipt(&self, me: &Id, window: Window) -> Receipt {
        let Window { span, stored, archived, rejected } = window;
        let Tally { stored_below, archived_below, .. } = self.tally;
        Receipt {
            receiver: *me.as_bytes(),
            author: *self.id.as_bytes(),
            epoch: self.key.epoch,
            recipient: Recipient::Peer(*me.as_bytes()),
            seen: self.durable(),
            inbox: self.inbox.root(),
            window: span,
            stored: Acked { below: stored_below.0, ranges: stored },
            archived: Acked { below: archived_below.0, ranges: archived },
            rejected,
        }
    }

    /// Whether all three bounds keep what they say.
    pub(in crate::queue) fn bounds_hold(&mut self, store: &dyn Store) -> Result<bool, QueueError> {
        let Tally { floor, stored_below, archived_below, .. } = self.tally;
        let unread = self.sets.first_unread(store, 0..floor.0)?;
        let not_stored = self.sets.first_inside(store, &NOT_STORED, 0..stored_below.0)?;
        let not_archived = self.sets.first_outside(store, &ARCHIVED, 0..archived_below.0)?;
        Ok([unread, not_stored, not_archived].iter().all(Option::is_none))
    }

    /// Moves up the bounds below which everything is stored, and archived.
    fn raise_bounds(&mut self, store: &dyn Store, end: u64) -> Result<(), QueueError> {
        let tally = &mut self.tally;
        let (stored, archived) = (tally.stored_below.0..end, tally.archived_below.0..end);
        let first = self.sets.first_inside(store, &NOT_STORED, stored)?;
        tally.stored_below = first.unwrap_or(Seq(end));
        let first = self.sets.first_outside(store, &ARCHIVED, archived)?;
        tally.archived_below = first.unwrap_or(Seq(end));
        Ok(())
    }
}

/// What one receipt says beside its bounds.
#[derive(Debug, Default)]
struct Window {
    span: Range<u64>,
    stored: Ranges,
    archived: Ranges,
    rejected: Ranges,
}

impl Window {
    /// Reads as much of `span` as fits one receipt.
    fn read(log: &mut AuthorLog, store: &dyn Store, span: Range<u64>) -> Result<Self, QueueError> {
        let mut window = Self { span: span.start..span.start, ..Self::default() };
        for mut piece in pieces(span) {
            while !piece.is_empty() {
                let part = Part::read(&mut log.sets, store, &piece)?;
                piece.start = part.known.end;
                window.add(&log.tally, part);
                if window.clip() {
                    return Ok(window);
                }
            }
        }
        Ok(window)
    }

    fn add(&mut self, tally: &Tally, part: Part) {
        let Part { known, not_stored, archived, rejected } = part;
        let above = |bound: Seq| known.start.max(bound.0)..known.end;
        let stored: Ranges = std::iter::once(above(tally.stored_below)).collect();
        self.stored.union(&stored.difference(&not_stored));
        self.archived.union(&archived.within(above(tally.archived_below)));
        self.rejected.union(&rejected);
        self.span.end = known.end;
    }

    /// Cuts off what is too much for one receipt; returns whether there was any.
    fn clip(&mut self) -> bool {
        let sets = [&mut self.stored, &mut self.archived, &mut self.rejected];
        let surplus = |set: &&mut Ranges| set.iter().nth(RECEIPT_RANGE_COUNT_MAX);
        let Some(end) = sets.iter().filter_map(surplus).map(|run| run.start).min() else {
            return false;
        };
        for set in sets {
            *set = set.within(0..end);
        }
        self.span.end = end;
        true
    }
}

/// What the sets say of a stretch within one chunk.
#[derive(Debug)]
struct Part {
    known: Range<u64>,
    not_stored: Ranges,
    archived: Ranges,
    rejected: Ranges,
}

impl Part {
    /// Reads a stretch from the start of `piece` that no set breaks into too many runs.
    fn read(sets: &mut Sets, store: &dyn Store, piece: &Range<u64>) -> Result<Self, QueueError> {
        let mut known = piece.clone();
        let mut read = |kinds: &[Kind]| {
            let mut all = Ranges::new();
            for kind in kinds {
                let (runs, end) =
                    sets.some_within(store, *kind, piece, RECEIPT_RANGE_COUNT_MAX + 1)?;
                all.union(&runs);
                known.end = known.end.min(end);
            }
            Ok::<_, QueueError>(all)
        };
        let (not_stored, archived) = (read(&NOT_STORED)?, read(&ARCHIVED)?);
        let rejected = read(&REJECTED)?;
        let [not_stored, archived, rejected] =
            [not_stored, archived, rejected].map(|set| set.within(known.clone()));
        Ok(Self { known, not_stored, archived, rejected })
    }
}

const NOT_STORED: [Kind; 2] = [Kind::Missing, Kind::Gone];
const ARCHIVED: [Kind; 2] = [Kind::Archived, Kind::Cleared];
const REJECTED: [Kind; 2] = [Kind::Rejected, Kind::Gone];
