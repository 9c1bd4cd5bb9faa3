//! Forks that are proven: which logs are frozen, and what proves it.
//!
//! | row | after a version byte of 1, in postcard |
//! |---|---|
//! | fork | the evidence, whether the user has acknowledged it |
//!
//! A row is written in one batch with nothing that depends on it, stays for ever, and blocks its
//! life of the log from then on, and later lives until the user has acknowledged it.

use std::collections::BTreeMap;

use bytes::Bytes;
use peermq_storage::{Batch, KEY_SIZE_MAX, Store};
use serde::{Deserialize, Serialize};

use super::dispatch::LogKey;
use super::error::QueueError;
use super::peer_book::PeerBook;
use super::row;
use crate::limits::{COVER_COUNT_MAX, EPOCH_COUNT_MAX, PEAK_COUNT_MAX};
use crate::log::{Head, layout};
use crate::planted;
use crate::sync::Forked;
use crate::sync::proof::{Evidence, ProvenFork};
use crate::types::{Epoch, Id};

/// An author that has signed two versions of one life of its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fork {
    /// The head at the smaller length, or either of two at one length.
    pub first: Head,
    /// The head that contradicts it.
    pub second: Head,
    /// Whether the user has said that it is known.
    pub is_acknowledged: bool,
}

/// All forks that are known.
#[derive(Debug)]
pub(super) struct Forks {
    rows: BTreeMap<LogKey, Row>,
    changed: Vec<LogKey>,
}

#[derive(Debug)]
struct Row {
    fork: ProvenFork,
    is_acknowledged: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredRow {
    evidence: Evidence,
    is_acknowledged: bool,
}

impl Fork {
    /// Whose log.
    #[must_use]
    pub const fn author(&self) -> Id {
        self.first.author
    }

    /// Which life of it.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.first.epoch
    }
}

impl Forks {
    /// Reads all rows.
    pub(super) fn open(store: &dyn Store, peers: &PeerBook) -> Result<Self, QueueError> {
        let mut is_damaged = false;
        let forks = Self::read(store, peers, |_| is_damaged = true)?;
        if is_damaged { Err(QueueError::Damaged("a fork's row")) } else { Ok(forks) }
    }

    /// Reads the rows that prove what they say of their author, and names the others.
    pub(super) fn read(
        store: &dyn Store,
        peers: &PeerBook,
        mut damaged: impl FnMut(Bytes),
    ) -> Result<Self, QueueError> {
        let mut rows = BTreeMap::new();
        for row in store.scan(layout::forks().as_range()) {
            let (key, bytes) = row?;
            match decode(&key, &bytes, peers) {
                Some((log, row)) => drop(rows.insert(log, row)),
                None => damaged(key),
            }
        }
        Ok(Self { rows, changed: Vec::new() })
    }

    /// Whether a life of a log must not be followed on.
    pub(super) fn blocks(&self, log: LogKey) -> bool {
        self.of(log.author).any(|(forked, _)| forked.blocks(log.epoch))
    }

    /// The forks of one author, oldest life first.
    pub(super) fn of(&self, author: u32) -> impl DoubleEndedIterator<Item = (Forked, &ProvenFork)> {
        let lives = LogKey { author, epoch: Epoch(0) }..=LogKey { author, epoch: Epoch(u64::MAX) };
        self.rows.range(lives).map(|(key, row)| {
            let Row { fork, is_acknowledged } = row;
            (Forked { epoch: key.epoch, is_acknowledged: *is_acknowledged }, fork)
        })
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = Fork> {
        self.rows.values().map(|Row { fork, is_acknowledged }| Fork {
            first: *fork.first(),
            second: *fork.second(),
            is_acknowledged: *is_acknowledged,
        })
    }

    /// Whether as many forks of an author are known as are kept of lives that nobody follows.
    pub(super) fn are_many(&self, author: u32) -> bool {
        self.of(author).count() >= EPOCH_COUNT_MAX
    }

    /// Takes a fork in; returns whether it was unknown.
    pub(super) fn add(&mut self, author: u32, fork: &ProvenFork) -> bool {
        let key = LogKey { author, epoch: fork.first().epoch };
        if self.rows.contains_key(&key) {
            return false;
        }
        self.rows.insert(key, Row { fork: fork.clone(), is_acknowledged: false });
        self.changed.push(key);
        true
    }

    /// The user knows of an author's forks, or of the one in one life; returns whether there is one.
    pub(super) fn acknowledge(&mut self, author: u32, epoch: Option<Epoch>) -> bool {
        let meant = |key: &LogKey| key.author == author && epoch.is_none_or(|it| it == key.epoch);
        let mut found = false;
        for (key, row) in self.rows.iter_mut().filter(|(key, _)| meant(key)) {
            row.is_acknowledged = true;
            self.changed.push(*key);
            found = true;
        }
        found
    }

    /// Bytes that the changes take up in a batch, at most.
    pub(super) const fn staged_size(&self) -> usize {
        self.changed.len() * ROW_SIZE_MAX
    }

    /// Puts what has changed into the batch.
    pub(super) fn stage(&mut self, batch: &mut Batch) {
        for key in std::mem::take(&mut self.changed) {
            let Some(Row { fork, is_acknowledged }) = self.rows.get(&key) else { continue };
            let evidence = fork.evidence().clone();
            let row = StoredRow { evidence, is_acknowledged: *is_acknowledged };
            if planted::is("fork-forgotten") {
                continue;
            }
            batch.put(layout::fork(key.author, key.epoch), row::encode(&row));
        }
    }
}

/// A row, when it proves what its key says.
fn decode(key: &[u8], bytes: &Bytes, peers: &PeerBook) -> Option<(LogKey, Row)> {
    let (author, epoch) = layout::author_of(key)?;
    let StoredRow { evidence, is_acknowledged } = row::decode(bytes)?;
    let fork = evidence.verify().ok()?;
    let Head { author: id, epoch: proven, .. } = *fork.first();
    let is_meant = peers.id(author) == Some(&id) && proven == epoch;
    is_meant.then_some((LogKey { author, epoch }, Row { fork, is_acknowledged }))
}

/// Bytes of a row and its key: an author, two heads, peaks, a cover.
const ROW_SIZE_MAX: usize =
    32 + 2 * 128 + (PEAK_COUNT_MAX + COVER_COUNT_MAX) * 32 + 16 + KEY_SIZE_MAX;
