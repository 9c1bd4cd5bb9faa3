//! Evidence of a fork: two heads that one author has signed and that no one log has.
//!
//! ```text
//! one length:       first.root ≠ second.root
//!
//! lengths m < n:    peaks at m ── fold to a root that is not first.root
//!                      └─ with the cover of m..n ── fold to second.root
//! ```

use serde::{Deserialize, Serialize};

use super::error::ProofError;
use crate::crypto::Verifier;
use crate::crypto::hash::Hash;
use crate::limits::{COVER_COUNT_MAX, PEAK_COUNT_MAX};
use crate::log::{Branch, Head, LogTree, Peaks, SignedHead, cover};
use crate::types::{Epoch, Id, bounded};

/// Two signed heads of one life of a log, and what shows that they contradict each other; not
/// verified yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    author: [u8; 32],
    first: SignedHead,
    second: SignedHead,
    #[serde(deserialize_with = "bounded::list::<_, PEAK_COUNT_MAX, _>")]
    peaks: Vec<Hash>,
    #[serde(deserialize_with = "bounded::list::<_, COVER_COUNT_MAX, _>")]
    cover: Vec<Hash>,
}

/// A fork that is proven: its author has signed two versions of one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenFork {
    first: Head,
    second: Head,
    evidence: Evidence,
}

impl Evidence {
    /// Two heads at one length.
    #[must_use]
    pub fn of_heads(author: Id, first: SignedHead, second: SignedHead) -> Self {
        let (peaks, cover) = (Vec::new(), Vec::new());
        Self { author: *author.as_bytes(), first, second, peaks, cover }
    }

    /// A head, and a later one whose log, as `branch` shows it, was another at the first's length.
    #[must_use]
    pub fn of_branch(author: Id, first: SignedHead, second: SignedHead, branch: Branch) -> Self {
        let (peaks, cover) = (branch.peaks.hashes().to_vec(), branch.cover);
        Self { author: *author.as_bytes(), first, second, peaks, cover }
    }

    /// The author's id as it came.
    #[must_use]
    pub const fn author(&self) -> &[u8; 32] {
        &self.author
    }

    /// The life that it speaks of, if it holds.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.first.epoch
    }

    /// Checks both signatures, and that no one log has both heads.
    ///
    /// # Errors
    /// [`ProofError`] names what does not hold.
    pub fn verify(self) -> Result<ProvenFork, ProofError> {
        let verifier = Verifier::new(&Id::from_bytes(self.author)?);
        let [first, second] = [self.first, self.second].map(|head| head.verify(&verifier));
        let (first, second) = (first?, second?);
        if first.epoch != second.epoch || first.length > second.length {
            return Err(ProofError::Heads);
        }
        if first.root == self.root_beside(&first, &second)? {
            return Err(ProofError::NoFork { length: first.length });
        }
        Ok(ProvenFork { first, second, evidence: self })
    }

    /// The root at the first's length of the log that has the second head.
    fn root_beside(&self, first: &Head, second: &Head) -> Result<Hash, ProofError> {
        if first.length == second.length {
            let is_bare = self.peaks.is_empty() && self.cover.is_empty();
            return is_bare.then_some(second.root).ok_or(ProofError::Heads);
        }
        let peaks = Peaks::<LogTree>::from_parts(first.length, self.peaks.clone());
        let mut peaks = peaks.ok_or(ProofError::Branch)?;
        let root = peaks.root();
        let mut hashes = self.cover.iter();
        for subtree in cover(first.length..second.length) {
            let hash = hashes.next().ok_or(ProofError::Branch)?;
            peaks.push_subtree(subtree.level, *hash).map_err(|_| ProofError::Branch)?;
        }
        let leads_there = hashes.next().is_none() && peaks.root() == second.root;
        leads_there.then_some(root).ok_or(ProofError::Branch)
    }
}

impl ProvenFork {
    /// The head at the smaller length, or either of two at one length.
    #[must_use]
    pub const fn first(&self) -> &Head {
        &self.first
    }

    /// The head that contradicts it.
    #[must_use]
    pub const fn second(&self) -> &Head {
        &self.second
    }

    /// What proves it.
    #[must_use]
    pub const fn evidence(&self) -> &Evidence {
        &self.evidence
    }
}
