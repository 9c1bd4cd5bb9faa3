//! Who reads what: unread messages go to competing readers, each to one at a time.
//!
//! Pure bookkeeping over ranges of seqs. What is unread is not known here; the caller asks where
//! to look next, and says what it gave, what was marked and which reader ended.
//!
//! *Invariant*: a seq is with at most one reader, from when it was given until it is marked or
//! that reader is released. Below a log's cursor every seq is marked, with a reader, or passed
//! over until the next release or start.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

use super::seq_set::SeqSet;
use crate::planted;
use crate::types::{Epoch, Ranges, Seq};

/// A reader of the unread stream. Whoever makes readers gives each a number of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReaderId(pub u64);

/// One life of one author's log, by the author's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LogKey {
    pub(super) author: u32,
    pub(super) epoch: Epoch,
}

/// Which messages are with which readers, and whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Dispatch {
    with: BTreeMap<ReaderId, BTreeMap<LogKey, SeqSet>>,
    cursors: BTreeMap<LogKey, Seq>,
    /// Logs that may hold something to give, each once; the front's turn is next.
    turns: VecDeque<LogKey>,
    waiting: BTreeSet<LogKey>,
}

impl Dispatch {
    /// A log may hold something to give.
    pub(super) fn wake(&mut self, log: LogKey) {
        if self.waiting.insert(log) {
            self.turns.push_back(log);
        }
    }

    /// How many logs may hold something to give.
    pub(super) fn turn_count(&self) -> usize {
        self.turns.len()
    }

    /// Takes the log whose turn it is out of the row; [`Dispatch::wake`] puts it last.
    pub(super) fn next_turn(&mut self) -> Option<LogKey> {
        let log = self.turns.pop_front()?;
        self.waiting.remove(&log);
        Some(log)
    }

    /// Where to look for the log's next message.
    pub(super) fn cursor(&self, log: LogKey) -> Seq {
        self.cursors.get(&log).copied().unwrap_or_default()
    }

    /// Nothing below `to` is to be looked at again.
    pub(super) fn advance(&mut self, log: LogKey, to: Seq) {
        self.cursors.insert(log, to);
    }

    /// Takes what is with readers out of `seqs`.
    pub(super) fn remove_given(&self, log: LogKey, seqs: &mut Ranges) {
        let with = self.with.values().filter(|_| !planted::is("two-readers"));
        for given in with.filter_map(|logs| logs.get(&log)) {
            given.remove_from(seqs);
        }
    }

    /// A reader was given seqs that nobody had.
    pub(super) fn give(&mut self, reader: ReaderId, log: LogKey, seqs: Range<u64>) {
        self.with.entry(reader).or_default().entry(log).or_default().insert(seqs);
    }

    /// Seqs were marked: nobody has them any more.
    pub(super) fn settle(&mut self, log: LogKey, seqs: &Range<u64>) {
        for logs in self.with.values_mut() {
            if let Some(given) = logs.get_mut(&log) {
                given.remove(seqs.clone());
            }
        }
    }

    /// A reader ended: what it had goes to others, oldest first.
    pub(super) fn release(&mut self, reader: ReaderId) {
        for (log, given) in self.with.remove(&reader).unwrap_or_default() {
            let Some(first) = given.first() else { continue };
            let first = if planted::is("lost-leftover") { u64::MAX } else { first };
            let cursor = self.cursor(log).min(Seq(first));
            self.advance(log, cursor);
            self.wake(log);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: LogKey = LogKey { author: 0, epoch: Epoch(1) };
    const B: LogKey = LogKey { author: 1, epoch: Epoch(1) };
    const ONE: ReaderId = ReaderId(1);
    const TWO: ReaderId = ReaderId(2);

    /// First and end of each run that nobody has.
    fn free(dispatch: &Dispatch, log: LogKey, seqs: Range<u64>) -> Vec<(u64, u64)> {
        let mut ranges: Ranges = std::iter::once(seqs).collect();
        dispatch.remove_given(log, &mut ranges);
        ranges.iter().map(|run| (run.start, run.end)).collect()
    }

    #[test]
    fn a_message_is_with_one_reader_until_it_is_marked_or_the_reader_ends() {
        let mut dispatch = Dispatch::default();
        dispatch.give(ONE, A, 0..4);
        dispatch.give(TWO, A, 4..6);
        dispatch.advance(A, Seq(6));
        assert_eq!(free(&dispatch, A, 0..8), [(6, 8)]);
        assert_eq!(free(&dispatch, B, 0..8), [(0, 8)]);
        dispatch.settle(A, &(0..3));
        dispatch.release(ONE);
        assert_eq!(free(&dispatch, A, 3..8), [(3, 4), (6, 8)]);
        assert_eq!(dispatch.cursor(A), Seq(3));
        assert_eq!(dispatch.next_turn(), Some(A));
    }

    #[test]
    fn a_reader_that_had_nothing_left_moves_no_cursor() {
        let mut dispatch = Dispatch::default();
        dispatch.give(ONE, A, 0..4);
        dispatch.advance(A, Seq(4));
        dispatch.settle(A, &(0..4));
        dispatch.release(ONE);
        dispatch.release(TWO);
        assert_eq!((dispatch.cursor(A), dispatch.turn_count()), (Seq(4), 0));
    }

    #[test]
    fn logs_take_turns_and_stand_in_the_row_once() {
        let mut dispatch = Dispatch::default();
        for log in [A, B, A] {
            dispatch.wake(log);
        }
        assert_eq!(dispatch.turn_count(), 2);
        assert_eq!(dispatch.next_turn(), Some(A));
        dispatch.wake(A);
        assert_eq!([dispatch.next_turn(), dispatch.next_turn()], [Some(B), Some(A)]);
        assert_eq!(dispatch.next_turn(), None);
    }
}
