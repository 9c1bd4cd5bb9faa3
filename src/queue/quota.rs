//! How much of one peer's mail may wait here.

use serde::{Deserialize, Serialize};

use crate::limits::{QUOTA_BYTES_DEFAULT, QUOTA_ENTRIES_DEFAULT, RECEIVED_ENTRY_SIZE_MIN};
use crate::planted;

/// What one peer's unread entries may take up. Over it the peer has to wait; nothing is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Bytes of headers, inline bodies and held long bodies.
    pub bytes: u64,
    /// Entries.
    pub entries: u64,
}

/// What one peer's unread entries take up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Bytes of headers, inline bodies and held long bodies.
    pub bytes: u64,
    /// Entries.
    pub entries: u64,
}

impl Quota {
    /// Bytes of entries that may still come. They are never so many that entries of the smallest
    /// size could pass the bound on entries.
    #[must_use]
    pub fn room(&self, used: &Usage) -> u64 {
        let entries = self.entries.saturating_sub(used.entries);
        let bytes = self.bytes.saturating_sub(used.bytes);
        if planted::is("quota-unchecked") {
            return u64::MAX;
        }
        bytes.min(entries.saturating_mul(RECEIVED_ENTRY_SIZE_MIN))
    }
}

impl Default for Quota {
    fn default() -> Self {
        Self { bytes: QUOTA_BYTES_DEFAULT, entries: QUOTA_ENTRIES_DEFAULT }
    }
}

impl Usage {
    /// Both summed.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(other.bytes),
            entries: self.entries.saturating_add(other.entries),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_entries_both_bound_the_room() {
        let quota = Quota { bytes: 1_000, entries: 10 };
        assert_eq!(quota.room(&Usage::default()), 10 * RECEIVED_ENTRY_SIZE_MIN);
        assert_eq!(quota.room(&Usage { bytes: 990, entries: 1 }), 10);
        assert_eq!(quota.room(&Usage { bytes: 0, entries: 10 }), 0);
        assert_eq!(quota.room(&Usage { bytes: u64::MAX, entries: u64::MAX }), 0);
        assert!(Quota::default().room(&Usage::default()) > 100 << 20);
    }
}
