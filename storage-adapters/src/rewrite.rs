//! Writing a whole store anew, so that each byte of it reaches the disk once more.

use std::path::Path;

use crate::mark::{Demand, Mark};
use crate::open::with_engine;
use crate::{BATCH_SIZE_MAX, Batch, KEY_SIZE_MAX, Kind, OpenError, Store, VALUE_SIZE_MAX};

/// Copies all pairs of the engine in `from` into a new engine in `to`; both are closed again.
pub(crate) fn copy(kind: Kind, from: &Path, mark: Mark, to: &Path) -> Result<(), OpenError> {
    with_engine(kind, from, Demand::Whole(mark), |old| {
        with_engine(kind, to, Demand::Whole(Mark::NEW), |new| copy_pairs(old, new))
    })
}

fn copy_pairs(old: &dyn Store, new: &dyn Store) -> Result<(), OpenError> {
    let mut batch = Batch::new();
    // No key is as long as this one, so it is above them all.
    for pair in old.scan(&[]..&[u8::MAX; KEY_SIZE_MAX + 1]) {
        let (key, value) = pair?;
        batch.put(key, value);
        if batch.size() >= COPY_SIZE {
            new.commit(std::mem::take(&mut batch))?;
        }
    }
    Ok(new.commit(batch)?)
}

/// Bytes of a batch from which it is written: one more pair still fits into any batch.
pub(crate) const COPY_SIZE: usize = 4 << 20;
const _: () = assert!(COPY_SIZE + KEY_SIZE_MAX + VALUE_SIZE_MAX <= BATCH_SIZE_MAX);
