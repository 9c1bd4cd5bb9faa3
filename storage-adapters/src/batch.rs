//! One atomic and durable step: puts and removals, bounded.

use std::ops::RangeInclusive;

use bytes::Bytes;
use thiserror::Error;

/// Bytes of a key: the longest key of the layouts above is under 100.
pub const KEY_SIZE_MAX: usize = 128;
/// Bytes of a value: far under the size from which sled writes a file of its own per value.
pub const VALUE_SIZE_MAX: usize = 65_536;
/// First byte of the first keys of wide values, of kilobytes; below are those of narrow ones, which
/// may change with each commit.
pub const WIDE_KEYS: u8 = 0x70;
/// First bytes of the keys of large values: parts of what is written once and dropped as a whole.
pub const LARGE_KEYS: RangeInclusive<u8> = 0x80..=0xfe;
/// First bytes of the keys that adapters have for themselves: between narrow and wide values, and
/// after them all.
pub(crate) const FENCE_KEYS: u8 = WIDE_KEYS - 1;
pub(crate) const HIDDEN_KEYS: u8 = 0xff;
/// Bytes of a batch, keys and values together: what every adapter commits as one step.
pub const BATCH_SIZE_MAX: usize = 8 << 20;

/// Puts and removals that take effect together, in order; the last word on a key counts.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    steps: Vec<(Bytes, Option<Bytes>)>,
    size: usize,
}

/// A batch beyond the contract's bounds. Nothing of it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BatchError {
    /// A key is too long or empty.
    #[error("expected a key of 1 to {KEY_SIZE_MAX} bytes, got {0}")]
    Key(usize),
    /// A key is not the caller's to use.
    #[error("expected a key that begins with neither {FENCE_KEYS:#x} nor {HIDDEN_KEYS:#x}")]
    Hidden,
    /// A value is too long.
    #[error("expected a value of at most {VALUE_SIZE_MAX} bytes, got {0}")]
    Value(usize),
    /// The batch is too large.
    #[error("expected a batch of at most {BATCH_SIZE_MAX} bytes, got {0}")]
    Size(usize),
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub const fn new() -> Self {
        Self { steps: Vec::new(), size: 0 }
    }

    /// Sets a key.
    pub fn put(&mut self, key: impl Into<Bytes>, value: impl Into<Bytes>) {
        let (key, value) = (key.into(), value.into());
        self.size = self.size.saturating_add(key.len()).saturating_add(value.len());
        self.steps.push((key, Some(value)));
    }

    /// Removes a key, which need not be there.
    pub fn remove(&mut self, key: impl Into<Bytes>) {
        let key = key.into();
        self.size = self.size.saturating_add(key.len());
        self.steps.push((key, None));
    }

    /// Adds the steps of `other` after those of this batch.
    pub fn append(&mut self, other: Self) {
        self.size = self.size.saturating_add(other.size);
        self.steps.extend(other.steps);
    }

    /// Bytes of all keys and values.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Whether nothing is in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The steps in order: a key with its value, or with none for a removal.
    pub fn steps(&self) -> impl Iterator<Item = (&Bytes, Option<&Bytes>)> {
        self.steps.iter().map(|(key, value)| (key, value.as_ref()))
    }

    /// The steps in order, taken.
    pub fn into_steps(self) -> impl Iterator<Item = (Bytes, Option<Bytes>)> {
        self.steps.into_iter()
    }

    /// Holds the batch against the contract's bounds.
    ///
    /// # Errors
    /// [`BatchError`] names the first bound that is passed.
    pub fn check(&self) -> Result<(), BatchError> {
        for (key, value) in self.steps() {
            if key.is_empty() || key.len() > KEY_SIZE_MAX {
                return Err(BatchError::Key(key.len()));
            }
            if matches!(key.first(), Some(&FENCE_KEYS | &HIDDEN_KEYS)) {
                return Err(BatchError::Hidden);
            }
            if let Some(value) = value
                && value.len() > VALUE_SIZE_MAX
            {
                return Err(BatchError::Value(value.len()));
            }
        }
        if self.size > BATCH_SIZE_MAX { Err(BatchError::Size(self.size)) } else { Ok(()) }
    }
}
