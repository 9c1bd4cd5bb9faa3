//! The model: a sorted map that forgets everything when it is dropped.

use std::collections::BTreeMap;
use std::ops::{Bound, Range};
use std::sync::{PoisonError, RwLock};

use crate::{Batch, Bytes, Scan, Store, StoreError};

/// A store in memory. "Durable" lasts as long as the value; what the other adapters are held
/// against.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tree: RwLock<BTreeMap<Bytes, Bytes>>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
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
        let tree = self.tree.read().unwrap_or_else(PoisonError::into_inner);
        let bounds = (Bound::Included(range.start), Bound::Excluded(range.end));
        let pairs: Vec<_> = tree
            .range::<[u8], _>(bounds)
            .map(|(key, value)| Ok((key.clone(), value.clone())))
            .collect();
        Box::new(pairs.into_iter())
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        batch.check()?;
        let mut tree = self.tree.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in batch.into_steps() {
            match value {
                Some(value) => tree.insert(key, value),
                None => tree.remove(&key),
            };
        }
        Ok(())
    }
}
