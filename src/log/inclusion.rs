//! The proof that a leaf stands at a place of a list: the hashes beside its way up to the root.
//!
//! ```text
//! leaf → its siblings, lowest first → one peak → with the other peaks, the root
//! ```
//!
//! RFC 6962 §2.1.1 has the same for its one tree; here the way ends at the peak over the leaf.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::tree::{Peaks, Subtree, Tree, cover, node_hash};
use crate::crypto::hash::Hash;
use crate::limits::PEAK_COUNT_MAX;
use crate::types::bounded;

/// The hashes beside a leaf's way to the root.
///
/// In postcard: two lists of hashes, at most 64 each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inclusion {
    /// The siblings on the way to the peak, lowest first.
    #[serde(deserialize_with = "bounded::list::<_, PEAK_COUNT_MAX, _>")]
    siblings: Vec<Hash>,
    /// The other peaks, leftmost first.
    #[serde(deserialize_with = "bounded::list::<_, PEAK_COUNT_MAX, _>")]
    peaks: Vec<Hash>,
}

/// Gathers an [`Inclusion`] while all leaves pass by, and keeps no more than that.
#[derive(Debug)]
pub struct InclusionBuilder<T> {
    place: u64,
    list: Peaks<T>,
    siblings: BTreeMap<u8, Hash>,
}

impl Inclusion {
    /// The root that it leads to from `leaf` at `place` of a list of `length` leaves; `None` when
    /// there is no such place, or it has not as many hashes as the way there needs.
    #[must_use]
    pub fn root<T: Tree>(&self, leaf: Hash, place: u64, length: u64) -> Option<Hash> {
        let (rank, peak) = peak_over(place, length)?;
        if self.siblings.len() != usize::from(peak.level) || rank > self.peaks.len() {
            return None;
        }
        let steps = (0..peak.level).zip(&self.siblings);
        let peak = steps.fold(leaf, |node, (level, sibling)| match place >> level & 1 {
            0 => node_hash::<T>(&node, sibling),
            _ => node_hash::<T>(sibling, &node),
        });
        let mut peaks = self.peaks.clone();
        peaks.insert(rank, peak);
        Peaks::<T>::from_parts(length, peaks).map(|peaks| peaks.root())
    }
}

impl<T: Tree> InclusionBuilder<T> {
    /// Looks out for the leaf at `place`.
    #[must_use]
    pub const fn new(place: u64) -> Self {
        Self { place, list: Peaks::new(), siblings: BTreeMap::new() }
    }

    /// How many leaves have passed.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.list.length()
    }

    /// The next leaf of the list.
    pub fn push(&mut self, leaf: Hash) {
        let Self { place, list, siblings } = self;
        let number = list.length();
        let mut note = |level: u8, hash: Hash| {
            if number >> level == (*place >> level) ^ 1 {
                siblings.insert(level, hash);
            }
        };
        note(0, leaf);
        list.push_leaf(leaf, note);
    }

    /// What was gathered; `None` when the list ends before the place.
    #[must_use]
    pub fn finish(self) -> Option<Inclusion> {
        let (rank, peak) = peak_over(self.place, self.list.length())?;
        let mut peaks = self.list.hashes().to_vec();
        peaks.remove(rank);
        let siblings = self.siblings.range(..peak.level).map(|(_, hash)| *hash).collect();
        Some(Inclusion { siblings, peaks })
    }
}

/// The peak over a place, and how many peaks stand before it.
fn peak_over(place: u64, length: u64) -> Option<(usize, Subtree)> {
    cover(0..length).enumerate().find(|(_, peak)| place <= peak.last())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{InboxTree, LogTree};

    fn leaf(number: u64) -> Hash {
        crate::crypto::hash::body_hash(&number.to_be_bytes())
    }

    fn list(length: u64) -> Peaks<InboxTree> {
        let mut peaks = Peaks::new();
        (0..length).for_each(|number| peaks.push_leaf(leaf(number), |_, _| ()));
        peaks
    }

    fn inclusion(place: u64, length: u64) -> Option<Inclusion> {
        let mut builder = InclusionBuilder::<InboxTree>::new(place);
        (0..length).for_each(|number| builder.push(leaf(number)));
        assert_eq!(builder.length(), length);
        builder.finish()
    }

    #[test]
    fn every_leaf_of_every_list_leads_to_its_root() {
        for length in 0..=67 {
            let root = list(length).root();
            for place in 0..length {
                let inclusion = inclusion(place, length).unwrap();
                assert_eq!(inclusion.root::<InboxTree>(leaf(place), place, length), Some(root));
            }
            assert_eq!(inclusion(length, length), None);
        }
    }

    #[test]
    fn it_leads_there_from_its_own_leaf_place_length_and_tree_only() {
        let (place, length) = (13, 23);
        let (root, good) = (list(length).root(), inclusion(place, length).unwrap());
        let leads = |inclusion: &Inclusion, leaf, place, length| {
            inclusion.root::<InboxTree>(leaf, place, length) == Some(root)
        };
        assert!(leads(&good, leaf(place), place, length));
        assert!(!leads(&good, leaf(place + 1), place, length));
        for other in (0..40).filter(|other| *other != place) {
            assert!(!leads(&good, leaf(place), other, length));
        }
        for other in (0..40).filter(|other| *other != length) {
            assert!(!leads(&good, leaf(place), place, other));
        }
        assert_ne!(good.root::<LogTree>(leaf(place), place, length), Some(root));
    }

    #[test]
    fn a_hash_too_many_or_too_few_leads_nowhere() {
        let good = inclusion(13, 23).unwrap();
        let mut longer = good.clone();
        longer.siblings.push(leaf(0));
        let mut shorter = good.clone();
        shorter.siblings.pop();
        let mut higher = good.clone();
        higher.peaks.push(leaf(0));
        let bare = Inclusion { siblings: good.siblings, peaks: Vec::new() };
        for wrong in [longer, shorter, higher, bare] {
            assert_eq!(wrong.root::<InboxTree>(leaf(13), 13, 23), None);
        }
        let nothing = Inclusion { siblings: Vec::new(), peaks: Vec::new() };
        assert_eq!(nothing.root::<InboxTree>(leaf(0), 0, 0), None);
        assert_eq!(nothing.root::<InboxTree>(leaf(0), u64::MAX, u64::MAX), None);
    }
}
