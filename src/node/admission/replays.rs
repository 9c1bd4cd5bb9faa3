//! First flights that were answered: each is answered once.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::limits::SEEN_FLIGHT_COUNT_MAX;

/// The ephemeral keys of the newest flights that named a peer. Only who holds a peer's key, or a
/// recording of what it sent, gets one in here.
#[derive(Debug, Default)]
pub(super) struct Replays(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    keys: BTreeSet<[u8; 32]>,
    /// Oldest first.
    order: VecDeque<[u8; 32]>,
}

impl Replays {
    /// Whether a flight with this key came before.
    pub(super) fn contains(&self, ephemeral: &[u8; 32]) -> bool {
        self.lock().keys.contains(ephemeral)
    }

    /// Notes a flight; false when it came before.
    pub(super) fn insert(&self, ephemeral: [u8; 32]) -> bool {
        let mut seen = self.lock();
        if !seen.keys.insert(ephemeral) {
            return false;
        }
        seen.order.push_back(ephemeral);
        if seen.order.len() > SEEN_FLIGHT_COUNT_MAX
            && let Some(oldest) = seen.order.pop_front()
        {
            seen.keys.remove(&oldest);
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flight_counts_once_until_many_others_came() {
        let key = |number: usize| {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&number.to_be_bytes());
            key
        };
        let replays = Replays::default();
        assert!(replays.insert(key(0)) && !replays.insert(key(0)));
        (1..SEEN_FLIGHT_COUNT_MAX).for_each(|number| assert!(replays.insert(key(number))));
        assert!(replays.contains(&key(0)));
        assert!(replays.insert(key(SEEN_FLIGHT_COUNT_MAX)) && !replays.contains(&key(0)));
    }
}
