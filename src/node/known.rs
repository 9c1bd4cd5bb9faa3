//! Whom the listener answers: added peers, by their X25519 keys.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::crypto::noise::KnownPairs;
use crate::crypto::{CryptoError, Identity, PairSecret, x25519_image};
use crate::types::Id;

/// The added peers, each with the secret that this node shares with it.
#[derive(Debug)]
pub(super) struct Known {
    identity: Arc<Identity>,
    pairs: RwLock<BTreeMap<[u8; 32], Arc<PairSecret>>>,
}

impl Known {
    pub(super) const fn new(identity: Arc<Identity>) -> Self {
        Self { identity, pairs: RwLock::new(BTreeMap::new()) }
    }

    /// Answers a peer from now on.
    ///
    /// # Errors
    /// [`CryptoError`] when the two ids share no secret.
    pub(super) fn add(&self, peer: &Id) -> Result<(), CryptoError> {
        let pair = Arc::new(PairSecret::new(&self.identity, peer)?);
        let mut pairs = self.pairs.write().unwrap_or_else(PoisonError::into_inner);
        pairs.insert(x25519_image(peer), pair);
        Ok(())
    }

    /// Whether a peer is answered.
    pub(super) fn contains(&self, peer: &Id) -> bool {
        self.pair(&x25519_image(peer)).is_some()
    }

    /// Is silent to a peer from now on.
    pub(super) fn remove(&self, peer: &Id) {
        let mut pairs = self.pairs.write().unwrap_or_else(PoisonError::into_inner);
        pairs.remove(&x25519_image(peer));
    }
}

impl KnownPairs for Known {
    fn pair(&self, image: &[u8; 32]) -> Option<Arc<PairSecret>> {
        self.pairs.read().unwrap_or_else(PoisonError::into_inner).get(image).cloned()
    }
}
