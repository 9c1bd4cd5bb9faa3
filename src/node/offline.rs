//! A data directory on which no node runs, held to look at its store or to mend it.

use std::path::Path;

use peermq_storage::{Kind, Store};

use super::directory::{Directory, Lock};
use super::error::NodeError;
use crate::crypto::Identity;
use crate::queue::check::{CheckObserver, check};

/// A data directory whose store is open and on which no node runs. Blocks; needs no runtime.
#[derive(Debug)]
pub struct Offline {
    identity: Identity,
    store: Box<dyn Store>,
    #[expect(dead_code, reason = "the directory is held for as long as the lock lives")]
    lock: Lock,
}

impl Offline {
    /// Holds a directory that a node was made in before, with the store that is wanted or whichever
    /// it has.
    ///
    /// # Errors
    /// [`NodeError::Directory`] when another process holds it or it cannot be used,
    /// [`NodeError::Open`] when its store does not open.
    pub fn open(path: &Path, wanted: Option<Kind>) -> Result<Self, NodeError> {
        let directory = Directory::open(path)?;
        let lock = directory.lock()?;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(NodeError::Random)?;
        let identity = directory.identity(|| seed)?;
        let kind = directory.store_kind(&lock, wanted)?;
        let opened = peermq_storage::open(kind, &directory.store(), &directory.poison())?;
        Ok(Self { identity, store: opened.store, lock })
    }

    /// Looks at everything in the store, and changes nothing.
    ///
    /// # Errors
    /// [`NodeError::Queue`] when the store cannot be read.
    pub fn check(&self, observer: &mut dyn CheckObserver) -> Result<(), NodeError> {
        Ok(check(&*self.store, &self.identity.id(), observer)?)
    }
}
