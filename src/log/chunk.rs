//! A chunk: a stretch of a log as one reader sees it, and its fold on that reader's side.

use bytes::Bytes;
use thiserror::Error;

use super::entry::leaf_hash;
use super::tree::{LogTree, Misaligned, Peaks};
use crate::crypto::hash::Hash;
use crate::limits::HEADER_SIZE_MAX;
use crate::types::{Epoch, Id, Index};

/// A stretch of a log: the entries for one reader, and hashes in place of all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// The length before the first item.
    pub from: u64,
    /// The length after the last item.
    pub to: u64,
    /// What lies between, in order and without a hole.
    pub items: Vec<Item>,
    /// The root of the log at `to`.
    pub root: Hash,
}

/// One step through a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// An entry for the reader.
    Entry {
        /// Its header as the author wrote it.
        header: Bytes,
        /// Its sealed body; absent when it is in chunks of its own or no longer held.
        body: Option<Bytes>,
    },
    /// An entry for the reader whose header and body the author no longer has.
    Gone {
        /// Its leaf hash.
        leaf: Hash,
    },
    /// A full subtree of entries for others.
    Skip {
        /// Its height: 2^level entries.
        level: u8,
        /// Its root.
        hash: Hash,
    },
}

/// What a chunk's items add up to on the peaks before them; not compared with any signed root yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folded {
    /// The peaks after the last item.
    pub peaks: Peaks<LogTree>,
    /// The entries shown, in order.
    pub shown: Vec<Shown>,
}

/// An entry that a chunk shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its place in the log.
    pub index: Index,
    /// Its leaf hash.
    pub leaf: Hash,
    /// Its header; absent when the entry is gone.
    pub header: Option<Bytes>,
    /// Its sealed body, when it came along.
    pub body: Option<Bytes>,
}

/// Why items are no stretch of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FoldError {
    /// A header is too long for any version.
    #[error("expected a header of at most {HEADER_SIZE_MAX} bytes, got {0}")]
    HeaderSize(usize),
    /// A skipped subtree does not begin where it stands.
    #[error(transparent)]
    Misaligned(#[from] Misaligned),
    /// Two skipped subtrees stand where one would do.
    #[error("expected the largest subtree before {0}, got its two halves")]
    Split(u64),
    /// The items go past the chunk's end.
    #[error("expected the items to end at {end}, got one more at {position}")]
    TooMany {
        /// Where the chunk ends.
        end: u64,
        /// Where the first item stands that passes it.
        position: u64,
    },
    /// The items stop before the chunk's end.
    #[error("expected the items to end at {end}, got their end at {position}")]
    TooFew {
        /// Where the chunk ends.
        end: u64,
        /// Where the items end.
        position: u64,
    },
}

/// Folds a chunk's items onto the peaks before them, up to `end`.
///
/// # Errors
/// [`FoldError`] when the items do not lead to exactly `end`, or not by the fewest hashes.
pub fn fold(
    peaks: &Peaks<LogTree>,
    author: &Id,
    epoch: Epoch,
    end: u64,
    items: impl IntoIterator<Item = Item>,
) -> Result<Folded, FoldError> {
    let mut folded = Folded { peaks: peaks.clone(), shown: Vec::new() };
    let mut skipped = None;
    for item in items {
        let position = folded.peaks.length();
        let room = end.checked_sub(position).filter(|room| *room > 0);
        let room = room.ok_or(FoldError::TooMany { end, position })?;
        let before = skipped.take();
        match item {
            Item::Entry { header, body } => {
                if header.len() > HEADER_SIZE_MAX {
                    return Err(FoldError::HeaderSize(header.len()));
                }
                let leaf = leaf_hash(author, epoch, Index(position), &header);
                folded.show(leaf, Some(header), body);
            }
            Item::Gone { leaf } => folded.show(leaf, None, None),
            Item::Skip { level, hash } => {
                folded.skip(level, hash, before, room)?;
                skipped = Some(level);
            }
        }
    }
    let position = folded.peaks.length();
    if position == end { Ok(folded) } else { Err(FoldError::TooFew { end, position }) }
}

impl Folded {
    fn show(&mut self, leaf: Hash, header: Option<Bytes>, body: Option<Bytes>) {
        let index = Index(self.peaks.length());
        self.peaks.push_leaf(leaf, |_, _| ());
        self.shown.push(Shown { index, leaf, header, body });
    }

    /// Steps over a subtree; `before` is the level of the one just before it, `room` what is left
    /// of the chunk.
    fn skip(
        &mut self,
        level: u8,
        hash: Hash,
        before: Option<u8>,
        room: u64,
    ) -> Result<(), FoldError> {
        let position = self.peaks.length();
        let leaves = 1_u64.checked_shl(level.into()).ok_or(Misaligned { position, level })?;
        if leaves > room {
            return Err(FoldError::TooMany { end: position + room, position });
        }
        let is_right_half = (position >> level) & 1 == 1;
        if before == Some(level) && is_right_half {
            return Err(FoldError::Split(position));
        }
        Ok(self.peaks.push_subtree(level, hash)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: Epoch = Epoch(3);

    fn author() -> Id {
        Id::from_trusted([1; 32])
    }

    fn skip(level: u8) -> Item {
        Item::Skip { level, hash: Hash([level; 32]) }
    }

    fn folded(start: u64, end: u64, items: &[Item]) -> Result<Folded, FoldError> {
        let mut peaks = Peaks::new();
        for subtree in crate::log::cover(0..start) {
            peaks.push_subtree(subtree.level, Hash([9; 32])).unwrap();
        }
        fold(&peaks, &author(), EPOCH, end, items.iter().cloned())
    }

    #[test]
    fn shown_entries_have_their_index_and_leaf() {
        let header = Bytes::from_static(b"header");
        let entry = Item::Entry { header: header.clone(), body: None };
        let gone = Item::Gone { leaf: Hash([7; 32]) };
        let folded = folded(1, 4, &[entry, skip(0), gone]).unwrap();
        let [first, second] = &folded.shown[..] else { panic!("two are shown") };
        assert_eq!((first.index, &first.header), (Index(1), &Some(header)));
        assert_eq!(first.leaf, leaf_hash(&author(), EPOCH, Index(1), b"header"));
        assert_eq!((second.index, second.leaf), (Index(3), Hash([7; 32])));
        assert_eq!(folded.peaks.length(), 4);
    }

    #[test]
    fn items_end_where_the_chunk_does() {
        let (end, position) = (8, 4);
        assert_eq!(folded(0, 8, &[skip(2)]), Err(FoldError::TooFew { end, position }));
        assert_eq!(folded(4, 4, &[]).unwrap().peaks.length(), 4);
        let past = [skip(2), skip(3)];
        assert_eq!(folded(0, 8, &past), Err(FoldError::TooMany { end, position }));
        let gone = [skip(3), Item::Gone { leaf: Hash([0; 32]) }];
        assert_eq!(folded(0, 8, &gone), Err(FoldError::TooMany { end, position: 8 }));
        assert_eq!(folded(8, 7, &[]), Err(FoldError::TooFew { end: 7, position: 8 }));
        let position = 0;
        let huge = folded(0, u64::MAX, &[skip(64)]);
        assert_eq!(huge, Err(FoldError::Misaligned(Misaligned { position, level: 64 })));
    }

    #[test]
    fn only_the_fewest_hashes_are_taken() {
        assert_eq!(folded(0, 8, &[skip(2), skip(2)]), Err(FoldError::Split(4)));
        // From 4, the two of level 2 have different parents.
        folded(4, 12, &[skip(2), skip(2)]).unwrap();
        let unaligned = Misaligned { position: 2, level: 2 };
        assert_eq!(folded(2, 12, &[skip(2)]), Err(FoldError::Misaligned(unaligned)));
    }

    #[test]
    fn a_long_header_is_refused() {
        let header = Bytes::from(vec![0; HEADER_SIZE_MAX + 1]);
        let refused = folded(0, 1, &[Item::Entry { header, body: None }]);
        assert_eq!(refused, Err(FoldError::HeaderSize(HEADER_SIZE_MAX + 1)));
    }
}
