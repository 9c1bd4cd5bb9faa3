//! The store contract: one ordered key-value tree, one atomic and durable step.
//!
//! Bytes only: an adapter knows nothing of logs or messages. Its methods block: [`Store::get`],
//! [`Store::scan`], [`Store::keys`] and [`Store::commit`], the only write.
//!
//! *Invariant*: `commit` returned Ok ⇒ the whole batch is fsynced. `commit` returned Err ⇒ the
//! handle is poisoned: each later commit fails, what is on disk is the state before or after that
//! batch, and only a new open tells which. `get` sees whole batches; `scan` may see later ones.
//! Keys from [`WIDE_KEYS`] on are of values of kilobytes, those below of such as are rewritten often.
//! Values under [`LARGE_KEYS`] are kept for what writes them once, reads them once and drops them
//! together: when a batch has many, they lie in a file of their own.
//! Deliberately absent: snapshots (sled has none), transactions that read, several writers.

mod apart;
mod batch;
mod directory;
mod error;
#[cfg(feature = "faulty")]
mod faulty;
#[cfg(feature = "fjall")]
mod fjall;
mod guard;
mod kind;
mod mark;
mod memory;
mod open;
#[doc(hidden)]
pub mod planted;
mod poison;
#[cfg(feature = "redb")]
mod redb;
mod rewrite;
mod salvage;
mod shrink;
#[cfg(feature = "sled")]
mod sled;

use std::fmt::Debug;
use std::ops::Range;

#[cfg(feature = "sled")]
use batch::FENCE_KEYS;
use batch::HIDDEN_KEYS;
pub use batch::{
    BATCH_SIZE_MAX, Batch, BatchError, KEY_SIZE_MAX, LARGE_KEYS, VALUE_SIZE_MAX, WIDE_KEYS,
};
pub use bytes::Bytes;
pub use error::StoreError;
#[cfg(feature = "faulty")]
pub use faulty::{Cause, Effect, Failure, FaultyDisk};
pub use guard::is_contained;
pub use kind::{Kind, KindError};
pub use memory::MemoryStore;
pub use open::{Health, OpenError, Opened, open};
pub use salvage::salvage;
pub use shrink::{Shrunk, shrink};

/// The pairs of a range of keys, in key order from either end.
pub type Scan<'a> = Box<dyn DoubleEndedIterator<Item = Result<(Bytes, Bytes), StoreError>> + 'a>;

/// The keys of a range, in order from either end.
pub type Keys<'a> = Box<dyn DoubleEndedIterator<Item = Result<Bytes, StoreError>> + 'a>;

/// An ordered key-value tree whose every write is one durable batch.
pub trait Store: Send + Sync + Debug {
    /// The value of a key, as of the newest committed batch.
    ///
    /// # Errors
    /// [`StoreError::Read`] or [`StoreError::Corrupt`].
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError>;

    /// The pairs whose keys lie in the half-open `range`. Batches committed meanwhile may be seen.
    fn scan(&self, range: Range<&[u8]>) -> Scan<'_>;

    /// The keys that [`Store::scan`] yields pairs of, for who has no need of the values: those that lie
    /// in files of their own are not read.
    fn keys(&self, range: Range<&[u8]>) -> Keys<'_> {
        Box::new(self.scan(range).map(|pair| Ok(pair?.0)))
    }

    /// Writes a batch: all of it or nothing, fsynced when it returns Ok.
    ///
    /// # Errors
    /// [`StoreError::Full`] without space, [`StoreError::Write`] and [`StoreError::Sync`] from the
    /// disk, [`StoreError::Batch`] for a batch beyond the contract's bounds (nothing is written and
    /// the handle stays good), [`StoreError::Poisoned`] after any of the others.
    fn commit(&self, batch: Batch) -> Result<(), StoreError>;
}
