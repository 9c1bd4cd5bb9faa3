//! A Merkle mountain range: the roots of the full subtrees of a list that only grows.
//!
//! The tree has the shape of RFC 6962 §2.1; its full subtrees, the peaks, are what is left to
//! remember of the list. Node (level, i) covers the leaves i·2^level .. (i + 1)·2^level.
//!
//! ```text
//! level 2        o               length 7 = 0b111: one peak at each level whose bit is set
//!              /   \
//! level 1     o     o     o
//!            / \   / \   / \
//! leaves    0   1 2   3 4   5   6
//! ```

use std::fmt::Debug;
use std::marker::PhantomData;
use std::ops::Range;

use thiserror::Error;

use crate::crypto::hash::{Context, Hash, INBOX_NODE, INBOX_ROOT, NODE, ROOT};
use crate::limits::TREE_LEVEL_MAX;

/// The full subtrees of a list of leaf hashes, leftmost and largest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peaks<T> {
    length: u64,
    hashes: Vec<Hash>,
    tree: PhantomData<T>,
}

/// Which tree: its hashes have contexts of their own.
pub trait Tree: Debug {
    /// The context of a node over two subtrees.
    fn node() -> &'static Context;
    /// The context of a root over length and peaks.
    fn root() -> &'static Context;
}

/// The tree over all entries of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogTree {}

/// The tree over the leaf hashes of an author's entries to one recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InboxTree {}

/// A full subtree: its leaves are number·2^level .. (number + 1)·2^level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subtree {
    /// Its height: 0 for a leaf.
    pub level: u8,
    /// How many subtrees of its level stand before it.
    pub number: u64,
}

/// A subtree that does not fit where the list ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("expected a subtree that begins at {position}, got one of level {level}")]
pub struct Misaligned {
    /// Leaves before it.
    pub position: u64,
    /// Its level.
    pub level: u8,
}

impl<T: Tree> Peaks<T> {
    /// The empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self { length: 0, hashes: Vec::new(), tree: PhantomData }
    }

    /// Takes up a list again; `None` when `length` has another number of peaks.
    #[must_use]
    pub fn from_parts(length: u64, hashes: Vec<Hash>) -> Option<Self> {
        let expected = usize::try_from(length.count_ones()).ok()?;
        (hashes.len() == expected).then_some(Self { length, hashes, tree: PhantomData })
    }

    /// Adds a leaf, and hands each node that it completes to `completed`, with its level, lowest
    /// first.
    ///
    /// # Panics
    /// At the 2^64th leaf: a list has at most 2^64 - 1.
    pub fn push_leaf(&mut self, leaf: Hash, completed: impl FnMut(u8, Hash)) {
        let length = self.length.checked_add(1).expect("no list reaches 2^64 leaves");
        self.merge(0, leaf, completed);
        self.length = length;
    }

    /// Adds the root of a full subtree of 2^level leaves.
    ///
    /// # Errors
    /// [`Misaligned`] when the length is no multiple of 2^level, the level exceeds 63 or the list
    /// would exceed 2^64 - 1 leaves; the list is then as before.
    pub fn push_subtree(&mut self, level: u8, hash: Hash) -> Result<(), Misaligned> {
        let misaligned = Misaligned { position: self.length, level };
        let leaves = 1_u64.checked_shl(level.into()).ok_or(misaligned)?;
        if !self.length.is_multiple_of(leaves) {
            return Err(misaligned);
        }
        let length = self.length.checked_add(leaves).ok_or(misaligned)?;
        self.merge(level, hash, |_, _| ());
        self.length = length;
        Ok(())
    }

    /// How many leaves there are.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// The peaks, leftmost and largest first.
    #[must_use]
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// The hash of length and peaks.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut fields = Vec::with_capacity(8 + self.hashes.len() * 32);
        fields.extend(self.length.to_be_bytes());
        self.hashes.iter().for_each(|peak| fields.extend_from_slice(&peak.0));
        T::root().hash(&fields)
    }

    /// Joins a subtree of `level` with the peaks to its left, as far as they are of its size.
    fn merge(&mut self, level: u8, hash: Hash, mut completed: impl FnMut(u8, Hash)) {
        let (mut level, mut hash) = (level, hash);
        let mut sizes = self.length >> level;
        while sizes & 1 == 1 {
            let left = self.hashes.pop().expect("each bit of the length has its peak");
            hash = node_hash::<T>(&left, &hash);
            level += 1;
            sizes >>= 1;
            completed(level, hash);
        }
        self.hashes.push(hash);
    }
}

impl<T: Tree> Default for Peaks<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl Tree for LogTree {
    fn node() -> &'static Context {
        &NODE
    }

    fn root() -> &'static Context {
        &ROOT
    }
}

impl Tree for InboxTree {
    fn node() -> &'static Context {
        &INBOX_NODE
    }

    fn root() -> &'static Context {
        &INBOX_ROOT
    }
}

impl Subtree {
    /// The largest subtree that begins at `position` and ends at or before `end`; `None` when
    /// there is no leaf between.
    #[must_use]
    pub fn widest(position: u64, end: u64) -> Option<Self> {
        let room = end.checked_sub(position)?.checked_ilog2()?;
        let level = position.trailing_zeros().min(room);
        let level = u8::try_from(level).expect("a u64 has 64 bits");
        Some(Self { level, number: position >> level })
    }

    /// Its first leaf.
    #[must_use]
    pub const fn first(&self) -> u64 {
        self.number << self.level
    }

    /// Its last leaf.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.first() | ((1 << self.level) - 1)
    }

    /// Its two halves; `None` for a leaf.
    #[must_use]
    pub fn halves(&self) -> Option<(Self, Self)> {
        let level = self.level.checked_sub(1)?;
        let left = self.number << 1;
        Some((Self { level, number: left }, Self { level, number: left | 1 }))
    }
}

/// The fewest full subtrees that cover a range of leaves, in order: never two that could be one.
pub fn cover(range: Range<u64>) -> impl Iterator<Item = Subtree> {
    let mut position = Some(range.start);
    std::iter::from_fn(move || {
        let subtree = Subtree::widest(position?, range.end)?;
        position = subtree.last().checked_add(1);
        Some(subtree)
    })
}

/// The hash of a node over its two halves.
#[must_use]
pub fn node_hash<T: Tree>(left: &Hash, right: &Hash) -> Hash {
    let mut fields = [0; 64];
    let (first, second) = fields.split_at_mut(32);
    first.copy_from_slice(&left.0);
    second.copy_from_slice(&right.0);
    T::node().hash(&fields)
}

const _: () = assert!(TREE_LEVEL_MAX == 63, "a level is a bit of a u64");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn leaf(number: u64) -> Hash {
        crate::crypto::hash::body_hash(&number.to_be_bytes())
    }

    /// The peaks of a list by the recursive definition: the largest power of two, then the rest.
    fn naive_peaks(leaves: &[Hash]) -> Vec<Hash> {
        let Some(level) = leaves.len().checked_ilog2() else { return Vec::new() };
        let (full, rest) = leaves.split_at(1 << level);
        let mut peaks = vec![naive_node(full)];
        peaks.extend(naive_peaks(rest));
        peaks
    }

    fn naive_node(leaves: &[Hash]) -> Hash {
        if let [leaf] = leaves {
            return *leaf;
        }
        let (left, right) = leaves.split_at(leaves.len() / 2);
        NODE.hash(&[naive_node(left).0, naive_node(right).0].concat())
    }

    fn naive_root(leaves: &[Hash]) -> Hash {
        let mut bytes = u64::try_from(leaves.len()).unwrap().to_be_bytes().to_vec();
        for peak in naive_peaks(leaves) {
            bytes.extend(peak.0);
        }
        ROOT.hash(&bytes)
    }

    fn span(subtree: Subtree) -> Range<usize> {
        let [first, last] = [subtree.first(), subtree.last()].map(|n| usize::try_from(n).unwrap());
        first..last + 1
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn leaves_fold_to_the_recursive_tree(count in 0u64..200) {
            let leaves: Vec<_> = (0..count).map(leaf).collect();
            let mut peaks = Peaks::<LogTree>::new();
            let mut nodes = Vec::new();
            for leaf in &leaves {
                let last = peaks.length();
                peaks.push_leaf(*leaf, |level, hash| {
                    nodes.push((Subtree { level, number: last >> level }, hash));
                });
            }
            prop_assert_eq!(peaks.hashes(), &naive_peaks(&leaves)[..]);
            prop_assert_eq!(peaks.root(), naive_root(&leaves));
            let inner = (1..64).map(|level| count >> level).sum::<u64>();
            prop_assert_eq!(u64::try_from(nodes.len()).unwrap(), inner);
            for (subtree, hash) in nodes {
                prop_assert_eq!(naive_node(&leaves[span(subtree)]), hash);
            }
            prop_assert_eq!(Peaks::from_parts(count, peaks.hashes().to_vec()), Some(peaks));
        }

        #[test]
        fn subtrees_fold_like_their_leaves(cuts in prop::collection::vec(0u64..40, 0..6)) {
            let leaves: Vec<_> = (0..cuts.iter().sum()).map(leaf).collect();
            let mut peaks = Peaks::<LogTree>::new();
            for (turn, cut) in cuts.iter().enumerate() {
                for subtree in cover(peaks.length()..peaks.length() + cut) {
                    let covered = &leaves[span(subtree)];
                    if turn % 2 == 0 {
                        peaks.push_subtree(subtree.level, naive_node(covered)).unwrap();
                    } else {
                        covered.iter().for_each(|leaf| peaks.push_leaf(*leaf, |_, _| ()));
                    }
                }
            }
            prop_assert_eq!(peaks.root(), naive_root(&leaves));
        }

        #[test]
        fn a_cover_has_no_hole_and_no_two_that_could_be_one(a in any::<u64>(), b in any::<u64>()) {
            let (start, end) = (a.min(b), a.max(b));
            let mut position = start;
            let mut before: Option<Subtree> = None;
            for subtree in cover(start..end) {
                prop_assert_eq!(subtree.first(), position);
                let siblings = before.is_some_and(|before| {
                    before.level == subtree.level && before.number ^ subtree.number == 1
                });
                prop_assert!(!siblings);
                position = subtree.last() + 1;
                before = Some(subtree);
            }
            prop_assert_eq!(position, end);
        }
    }

    #[test]
    fn a_subtree_goes_only_where_it_fits() {
        let mut peaks = Peaks::<LogTree>::new();
        peaks.push_leaf(leaf(0), |_, _| ());
        assert_eq!(peaks.push_subtree(1, leaf(1)), Err(Misaligned { position: 1, level: 1 }));
        assert_eq!(peaks.push_subtree(64, leaf(1)), Err(Misaligned { position: 1, level: 64 }));
        assert_eq!(peaks.length(), 1);
        peaks.push_subtree(0, leaf(1)).unwrap();
        assert_eq!(peaks.hashes().len(), 1);
    }

    #[test]
    fn a_list_ends_at_the_largest_number() {
        let mut peaks = Peaks::<LogTree>::new();
        for level in (0..=63).rev() {
            peaks.push_subtree(level, leaf(level.into())).unwrap();
        }
        assert_eq!(peaks.length(), u64::MAX);
        for level in [0, 1, 63, 64, 255] {
            let refused = Misaligned { position: u64::MAX, level };
            assert_eq!(peaks.push_subtree(level, leaf(0)), Err(refused));
        }
        let mut half = Peaks::<LogTree>::new();
        half.push_subtree(63, leaf(0)).unwrap();
        half.push_subtree(63, leaf(1)).unwrap_err();
        assert_eq!(cover(0..u64::MAX).count(), 64);
        let top = Subtree { level: 63, number: 1 };
        assert_eq!((top.first(), top.last()), (1 << 63, u64::MAX));
    }

    #[test]
    fn the_two_trees_share_no_hash() {
        let (mut log, mut inbox) = (Peaks::<LogTree>::new(), Peaks::<InboxTree>::new());
        assert_ne!(log.root(), inbox.root());
        for number in 0..2 {
            log.push_leaf(leaf(number), |_, _| ());
            inbox.push_leaf(leaf(number), |_, _| ());
        }
        assert_ne!(log.hashes(), inbox.hashes());
    }

    #[test]
    fn parts_must_match_the_length() {
        assert_eq!(Peaks::<LogTree>::from_parts(3, vec![leaf(0)]), None);
        assert_eq!(Peaks::<LogTree>::from_parts(0, vec![]), Some(Peaks::new()));
    }
}
