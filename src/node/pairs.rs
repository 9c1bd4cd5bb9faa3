//! The secrets that this node shares with others, kept at hand: making one costs a scalar
//! multiplication, which is a hundred times the price of sealing a short message.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::crypto::{CryptoError, Identity, PairSecret};
use crate::limits::PAIR_SECRET_COUNT_MAX;
use crate::types::Id;

/// Pair secrets by the other's id; at most 4 096.
#[derive(Debug)]
pub(super) struct Pairs {
    identity: Arc<Identity>,
    secrets: Mutex<BTreeMap<Id, Arc<PairSecret>>>,
}

impl Pairs {
    pub(super) const fn new(identity: Arc<Identity>) -> Self {
        Self { identity, secrets: Mutex::new(BTreeMap::new()) }
    }

    /// The secret shared with `other`.
    ///
    /// # Errors
    /// [`CryptoError`] when the two ids share none.
    pub(super) fn secret(&self, other: &Id) -> Result<Arc<PairSecret>, CryptoError> {
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(secret) = secrets.get(other) {
            return Ok(Arc::clone(secret));
        }
        let secret = Arc::new(PairSecret::new(&self.identity, other)?);
        if secrets.len() >= PAIR_SECRET_COUNT_MAX {
            secrets.clear();
        }
        secrets.insert(*other, Arc::clone(&secret));
        Ok(secret)
    }
}
