//! What a chunk shows of a log at a length inside it: the peaks there, and what comes after them.

use super::chunk::Item;
use super::entry::leaf_hash;
use super::tree::{LogTree, Peaks, Subtree, node_hash};
use crate::crypto::hash::Hash;
use crate::limits::HEADER_SIZE_MAX;
use crate::types::{Epoch, Id, Index};

/// A log at one length, and what leads from there to a later one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// The log at the earlier length.
    pub peaks: Peaks<LogTree>,
    /// The roots of the [`cover`](super::cover) from there to the later length.
    pub cover: Vec<Hash>,
}

/// Folds a chunk's items onto the peaks before them up to the length `at`, and what comes after it
/// into as few hashes as can be. `None` when no item ends at `at`, or the items are no stretch of a
/// log.
#[must_use]
pub fn branch(
    peaks: &Peaks<LogTree>,
    author: &Id,
    epoch: Epoch,
    at: u64,
    items: &[Item],
) -> Option<Branch> {
    let mut peaks = peaks.clone();
    let (mut position, mut tail) = (peaks.length(), Vec::new());
    for item in items {
        let (level, hash) = subtree(item, author, epoch, position)?;
        let end = position.checked_add(1_u64.checked_shl(level.into())?)?;
        if position >= at {
            push(&mut tail, Subtree { level, number: position >> level }, hash);
        } else if end <= at {
            peaks.push_subtree(level, hash).ok()?;
        } else {
            return None;
        }
        position = end;
    }
    (peaks.length() == at)
        .then(|| Branch { peaks, cover: tail.into_iter().map(|(_, hash)| hash).collect() })
}

/// The full subtree that an item at a position stands for.
fn subtree(item: &Item, author: &Id, epoch: Epoch, position: u64) -> Option<(u8, Hash)> {
    match item {
        Item::Entry { header, .. } if header.len() > HEADER_SIZE_MAX => None,
        Item::Entry { header, .. } => Some((0, leaf_hash(author, epoch, Index(position), header))),
        Item::Gone { leaf } => Some((0, *leaf)),
        Item::Skip { level, hash } => {
            let is_aligned = position.trailing_zeros() >= u32::from(*level);
            is_aligned.then_some((*level, *hash))
        }
    }
}

/// Adds a subtree, joined with those to its left as far as they are its siblings.
fn push(tail: &mut Vec<(Subtree, Hash)>, subtree: Subtree, hash: Hash) {
    let (mut subtree, mut hash) = (subtree, hash);
    while subtree.number & 1 == 1
        && let Some((_, left)) = tail.pop_if(|(before, _)| {
            before.level == subtree.level && before.number ^ 1 == subtree.number
        })
    {
        hash = node_hash::<LogTree>(&left, &hash);
        subtree = Subtree { level: subtree.level + 1, number: subtree.number >> 1 };
    }
    tail.push((subtree, hash));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::Identity;
    use crate::crypto::hash::body_hash;
    use crate::log::cover;

    const EPOCH: Epoch = Epoch(7);

    fn leaf(number: u64) -> Item {
        Item::Gone { leaf: body_hash(&number.to_be_bytes()) }
    }

    fn peaks(length: u64) -> Peaks<LogTree> {
        let mut peaks = Peaks::new();
        for number in 0..length {
            peaks.push_leaf(body_hash(&number.to_be_bytes()), |_, _| ());
        }
        peaks
    }

    fn author() -> Id {
        Identity::from_seed(&[1; 32]).id()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_peaks_and_the_cover_lead_to_the_end(from in 0u64..50, to in 0u64..50, end in 0u64..50) {
            let (at, end) = (from + to, from + to + end);
            let items: Vec<_> = (from..end).map(leaf).collect();
            let branch = branch(&peaks(from), &author(), EPOCH, at, &items).unwrap();
            prop_assert_eq!(&branch.peaks, &peaks(at));
            prop_assert_eq!(branch.cover.len(), cover(at..end).count());
            let mut folded = branch.peaks;
            for (subtree, hash) in cover(at..end).zip(branch.cover) {
                folded.push_subtree(subtree.level, hash).unwrap();
            }
            prop_assert_eq!(folded, peaks(end));
        }
    }

    #[test]
    fn a_length_inside_an_item_or_past_the_last_shows_nothing() {
        let skip = |level| Item::Skip { level, hash: body_hash(b"skip") };
        let at = |at, items: &[Item]| branch(&peaks(4), &author(), EPOCH, at, items).is_some();
        assert!(at(6, &[leaf(4), leaf(5)]));
        assert!(!at(7, &[leaf(4), leaf(5)]));
        assert!(!at(3, &[leaf(4), leaf(5)]));
        assert!(!at(5, &[skip(1)]));
        assert!(at(6, &[skip(1), skip(1)]));
        assert!(!at(8, &[skip(3)]), "misaligned");
        assert!(!at(8, &[skip(64)]));
    }
}
