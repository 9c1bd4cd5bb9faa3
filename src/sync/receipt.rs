//! Receipts: what a node has of another's entries, signed, so that it can be shown to anyone.
//!
//! Every field only grows, so receipts merge as a union and may be lost, repeated or reordered.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::error::Misbehaviour;
use super::frame::Kind;
use crate::crypto::hash::Hash;
use crate::crypto::{Domain, Identity, Signature, Statement, Verifier};
use crate::limits::RECEIPT_RANGE_COUNT_MAX;
use crate::types::{Epoch, Ranges, Recipient, Seq};

/// A state that entries have reached: all seqs below a bound, and ranges above it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Acked {
    /// Every seq below this.
    pub below: u64,
    /// Seqs at or above `below`, within the receipt's window; at most 256 ranges.
    pub ranges: Ranges,
}

impl Acked {
    /// Splits a set at its first gap, and keeps of the rest what lies in `window`.
    #[must_use]
    pub fn of(set: &Ranges, window: Range<u64>) -> Self {
        let below = set.first_missing(0);
        Self { below, ranges: set.within(window.start.max(below)..window.end) }
    }

    /// The set as it stands.
    #[must_use]
    pub fn to_ranges(&self) -> Ranges {
        let mut set = self.ranges.clone();
        set.insert(0..self.below);
        set
    }

    /// Whether a seq is in the set.
    fn contains(&self, seq: Seq) -> bool {
        seq.0 < self.below || self.ranges.contains(seq.0)
    }

    fn end(&self) -> u64 {
        self.below.max(self.ranges.end())
    }
}

/// How far an entry is at its receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Fsynced there, with its whole body.
    Stored,
    /// Unusable there: it does not open, or its body was gone.
    Rejected,
    /// Archived or cleared there.
    Archived,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stored => "stored",
            Self::Rejected => "rejected",
            Self::Archived => "archived",
        })
    }
}

/// What `receiver` has of the entries that `author` addressed to `recipient` in one epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Who speaks: the id that signs.
    pub receiver: [u8; 32],
    /// Whose log.
    pub author: [u8; 32],
    /// Which life of it.
    pub epoch: Epoch,
    /// Entries to whom.
    pub recipient: Recipient,
    /// Every seq below this is known to the receiver.
    pub seen: u64,
    /// Root of the Merkle range over the leaf hashes of the seqs below `seen`.
    pub inbox: Hash,
    /// The seqs for which the ranges speak.
    pub window: Range<u64>,
    /// Fsynced at the receiver, with their whole bodies.
    pub stored: Acked,
    /// Archived or cleared by the receiver.
    pub archived: Acked,
    /// Unusable for the receiver: they do not open, or their body was gone.
    pub rejected: Ranges,
}

impl Receipt {
    /// Signs the receipt. Only a receipt read back from the store may be signed.
    #[must_use]
    pub fn sign(self, identity: &Identity) -> SignedReceipt {
        let signature = identity.sign(&self.statement());
        SignedReceipt { receipt: self, signature }
    }

    /// What it says of one entry; nothing of one that it does not acknowledge.
    #[must_use]
    pub fn standing(&self, seq: Seq) -> Option<Standing> {
        let said = [
            (self.archived.contains(seq), Standing::Archived),
            (self.rejected.contains(seq.0), Standing::Rejected),
            (self.stored.contains(seq), Standing::Stored),
        ];
        said.into_iter().find_map(|(is_said, standing)| is_said.then_some(standing))
    }

    fn statement(&self) -> Statement {
        let statement = Statement::new(Domain::RECEIPT)
            .raw(&self.receiver)
            .raw(&self.author)
            .number(self.epoch.0)
            .raw(&self.recipient.to_bytes())
            .number(self.seen)
            .raw(&self.inbox.0)
            .number(self.window.start)
            .number(self.window.end)
            .number(self.stored.below);
        let statement = ranges(statement, &self.stored.ranges).number(self.archived.below);
        ranges(ranges(statement, &self.archived.ranges), &self.rejected)
    }

    /// Whether the numbers hold together: nothing beyond `seen`, ranges in the window and few.
    fn is_consistent(&self) -> bool {
        let window = self.window.clone();
        let sets = [&self.stored.ranges, &self.archived.ranges, &self.rejected];
        let windowed = sets.iter().all(|set| {
            set.range_count() <= RECEIPT_RANGE_COUNT_MAX
                && set.iter().all(|range| window.start <= range.start && range.end <= window.end)
        });
        let ends = [self.stored.end(), self.archived.end(), self.rejected.end()];
        windowed && ends.iter().all(|end| *end <= self.seen)
    }
}

/// A receipt with its signature, as it travels and is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedReceipt {
    receipt: Receipt,
    signature: Signature,
}

impl SignedReceipt {
    /// What it says, unchecked.
    #[must_use]
    pub const fn unverified(&self) -> &Receipt {
        &self.receipt
    }

    /// Checks signature and numbers.
    ///
    /// # Errors
    /// [`Misbehaviour::Signature`] or [`Misbehaviour::Numbers`].
    pub fn verify(&self, receiver: &Verifier) -> Result<&Receipt, Misbehaviour> {
        if !self.receipt.is_consistent() {
            return Err(Misbehaviour::Numbers(Kind::Receipt));
        }
        receiver
            .verify(&self.receipt.statement(), &self.signature)
            .map_err(|_| Misbehaviour::Signature(Kind::Receipt))?;
        Ok(&self.receipt)
    }
}

/// A set under a signature: the count of its ranges, then start and end of each.
fn ranges(statement: Statement, set: &Ranges) -> Statement {
    let count = u64::try_from(set.range_count()).expect("a count in memory fits u64");
    set.iter().fold(statement.number(count), |statement, range| {
        statement.number(range.start).number(range.end)
    })
}
