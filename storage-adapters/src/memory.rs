//! The model: a sorted map that forgets everything when it is dropped.

use std::collections::{BTreeMap, VecDeque};
use std::ops::{Bound, Range};
use std::sync::{Arc, PoisonError, RwLock};

use crate::{Batch, Bytes, Scan, Store, StoreError};

/// A store in memory. "Durable" lasts as long as the value; what the other adapters are held
/// against.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tree: RwLock<Arc<Tree>>,
}

pub(crate) type Tree = BTreeMap<Bytes, Bytes>;
type Pair = (Bytes, Bytes);

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A store that holds an image. The two are copied once one of them is written to.
    #[cfg(feature = "faulty")]
    pub(crate) fn of(image: Arc<Tree>) -> Self {
        Self { tree: RwLock::new(image) }
    }

    /// What it holds now.
    #[cfg(feature = "faulty")]
    pub(crate) fn image(&self) -> Arc<Tree> {
        Arc::clone(&self.tree.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a batch of any size.
    pub(crate) fn apply(&self, batch: Batch) {
        let mut tree = self.tree.write().unwrap_or_else(PoisonError::into_inner);
        write(Arc::make_mut(&mut tree), batch);
    }
}

impl Store for MemoryStore {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Ok(self.tree.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned())
    }

    fn scan(&self, range: Range<&[u8]>) -> Scan<'_> {
        if range.start >= range.end {
            return Box::new(std::iter::empty());
        }
        Box::new(Pages::new(&self.tree, range).map(Ok))
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        batch.check()?;
        self.apply(batch);
        Ok(())
    }
}

/// A scan that holds one page from each end and the tree's lock only while it fetches one.
///
/// *Invariant*: `lower` is below `upper`, unless both name the same key and `lower` includes it:
/// other bounds would make `BTreeMap::range` panic.
struct Pages<'a> {
    tree: &'a RwLock<Arc<Tree>>,
    lower: Bound<Bytes>,
    upper: Bound<Bytes>,
    front: VecDeque<Pair>,
    back: VecDeque<Pair>,
}

impl<'a> Pages<'a> {
    /// A scan of a range that is not empty.
    fn new(tree: &'a RwLock<Arc<Tree>>, range: Range<&[u8]>) -> Self {
        Self {
            tree,
            lower: Bound::Included(Bytes::copy_from_slice(range.start)),
            upper: Bound::Excluded(Bytes::copy_from_slice(range.end)),
            front: VecDeque::new(),
            back: VecDeque::new(),
        }
    }

    fn fetch_front(&mut self) {
        let tree = self.tree.read().unwrap_or_else(PoisonError::into_inner);
        let range = tree.range((self.lower.clone(), self.upper.clone()));
        self.front.extend(range.take(PAGE_PAIR_COUNT).map(owned));
        if let Some((key, _)) = self.front.back() {
            self.lower = Bound::Excluded(key.clone());
        }
    }

    fn fetch_back(&mut self) {
        let tree = self.tree.read().unwrap_or_else(PoisonError::into_inner);
        let range = tree.range((self.lower.clone(), self.upper.clone()));
        for pair in range.rev().take(PAGE_PAIR_COUNT).map(owned) {
            self.back.push_front(pair);
        }
        if let Some((key, _)) = self.back.front() {
            self.upper = Bound::Excluded(key.clone());
        }
    }
}

impl Iterator for Pages<'_> {
    type Item = Pair;

    fn next(&mut self) -> Option<Pair> {
        if self.front.is_empty() {
            self.fetch_front();
        }
        self.front.pop_front().or_else(|| self.back.pop_front())
    }
}

impl DoubleEndedIterator for Pages<'_> {
    fn next_back(&mut self) -> Option<Pair> {
        if self.back.is_empty() {
            self.fetch_back();
        }
        self.back.pop_back().or_else(|| self.front.pop_back())
    }
}

/// Applies a batch to a tree.
pub(crate) fn write(tree: &mut Tree, batch: Batch) {
    for (key, value) in batch.into_steps() {
        match value {
            Some(value) => tree.insert(key, value),
            None => tree.remove(&key),
        };
    }
}

fn owned((key, value): (&Bytes, &Bytes)) -> Pair {
    (key.clone(), value.clone())
}

/// Pairs that a scan fetches at once from either end.
const PAGE_PAIR_COUNT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn store_of(count: u32) -> MemoryStore {
        let store = MemoryStore::new();
        let mut batch = Batch::new();
        for number in 0..count {
            batch.put(number.to_be_bytes().to_vec(), "");
        }
        store.apply(batch);
        store
    }

    fn number(pair: Result<Pair, StoreError>) -> u32 {
        u32::from_be_bytes(pair.unwrap().0[..].try_into().unwrap())
    }

    #[test]
    fn a_scan_from_both_ends_yields_each_pair_once() {
        let store = store_of(1000);
        for stride in 1..7 {
            let (mut front, mut back) = (Vec::new(), Vec::new());
            let mut scan = store.scan(&10_u32.to_be_bytes()..&990_u32.to_be_bytes());
            for turn in 0.. {
                let pair = if turn % stride == 0 { scan.next_back() } else { scan.next() };
                let Some(pair) = pair else { break };
                if turn % stride == 0 { back.push(number(pair)) } else { front.push(number(pair)) }
            }
            front.extend(back.into_iter().rev());
            assert!(front.into_iter().eq(10..990), "stride {stride}");
        }
    }

    #[test]
    fn a_scan_does_not_hold_up_a_commit() {
        let store = store_of(200);
        let mut scan = store.scan(&[]..&[0xff]);
        assert_eq!(scan.next().map(number), Some(0));
        let mut batch = Batch::new();
        batch.remove(150_u32.to_be_bytes().to_vec());
        store.commit(batch).unwrap();
        assert_eq!(scan.count(), 198);
    }
}
