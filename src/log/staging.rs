//! Long bodies on their way into the log: chunks stored before the entry that they belong to.
//!
//! A mark stands beside the chunks until the entry's commit takes it away. So an open finds what a
//! crash left behind by the marks alone, however many bodies there are.

use bytes::Bytes;
use peermq_storage::{Batch, Store};

use super::error::LogError;
use super::layout;
use crate::crypto::Salt;
use crate::limits::BODY_BATCH_SIZE_MAX;

/// Stores one sealed chunk of a body whose entry will bear `salt`; the first chunk goes first.
pub fn stage(batch: &mut Batch, salt: &Salt, number: u32, sealed: impl Into<Bytes>) {
    if number == 0 {
        batch.put(layout::staging(salt), Bytes::new());
    }
    batch.put(layout::own_chunk(salt, number), sealed);
}

/// Ties the staged chunks to the entry whose commit this is.
pub(super) fn settle(batch: &mut Batch, salt: &Salt) {
    batch.remove(layout::staging(salt));
}

/// A chunk of a long body; `None` when it is not held, or there is none of that number.
///
/// # Errors
/// [`LogError::Store`].
pub fn staged_chunk(
    store: &dyn Store,
    salt: &Salt,
    number: u32,
) -> Result<Option<Bytes>, LogError> {
    Ok(store.get(&layout::own_chunk(salt, number))?)
}

/// Removes the chunks that belong to no entry, durably; returns how many. For the store's opening:
/// nothing may be staged meanwhile.
///
/// # Errors
/// [`LogError::Store`].
pub fn sweep_staged(store: &dyn Store) -> Result<u64, LogError> {
    let mut swept = 0;
    for mark in store.scan(layout::stagings().as_range()) {
        let (mark, _) = mark?;
        let Some(salt) = mark.last_chunk().map(|salt| Salt(*salt)) else { continue };
        let mut batch = Batch::new();
        for chunk in store.scan(layout::own_chunks(&salt).as_range()) {
            batch.remove(chunk?.0);
            swept += 1;
            if batch.size() >= BODY_BATCH_SIZE_MAX {
                store.commit(std::mem::take(&mut batch))?;
            }
        }
        batch.remove(mark);
        store.commit(batch)?;
    }
    Ok(swept)
}
