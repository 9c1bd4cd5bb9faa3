//! Whether this node may write: its store, compared with the newest head that it is known to have
//! signed.
//!
//! A store that was restored from an older copy would number its next entries as it did before, and
//! sign a second version of its log. So a queue that is behind, or a copy, is *stale*: it reads,
//! receives and acknowledges, but takes no draft and gives no chunk to sign. It leaves that state by
//! a new life of its log alone, or by the user's word that a moved directory is the only one.

use thiserror::Error;

use super::Queue;
use super::error::QueueError;
use crate::log::Tip;
use crate::planted;

/// Why a node signs nothing more in this life of its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Stale {
    /// The data directory is a copy of another one, or was moved from another file system.
    #[error(
        "expected a data directory that is where its head mark was made, got a copy: run `peermq \
         recover --moved` if no other copy was used since, else `peermq recover --new-epoch`"
    )]
    Copied,
    /// The head mark is lost, so nobody knows whether the store is an older copy.
    #[error(
        "expected a head mark beside the store, got none: run `peermq recover --moved` if the store \
         is the newest that this node had, else `peermq recover --new-epoch`"
    )]
    Unmarked,
    /// This node has signed more than its store holds.
    #[error(
        "expected a store with all that this node has signed, {signed}, got an older one, with \
         {stored}: run `peermq recover --new-epoch`"
    )]
    Behind {
        /// The newest head that is known to be signed.
        signed: Tip,
        /// How far the store has come.
        stored: Tip,
    },
    /// A peer holds more of this node's log than its store, signed, and this store was written to
    /// meanwhile: there may be two versions.
    #[error(
        "expected a store with all that this node has signed, got an older one, with {stored}: a \
         peer holds {signed}: run `peermq recover --new-epoch`"
    )]
    Outrun {
        /// The head that the peer showed.
        signed: Tip,
        /// How far the store has come.
        stored: Tip,
    },
    /// This node has signed two versions of its log.
    #[error(
        "expected one version of this node's log, got two signed ones: {signed}, and in the store \
         root {stored_root} at that length: run `peermq recover --new-epoch`", stored_root = stored.root
    )]
    Forked {
        /// The version that is not in the store.
        signed: Tip,
        /// The store's, at the same length.
        stored: Tip,
    },
}

impl Stale {
    /// The newest head that is known to be signed and that the store does not have.
    const fn signed(&self) -> Option<Tip> {
        match self {
            Self::Copied | Self::Unmarked => None,
            Self::Behind { signed, .. }
            | Self::Outrun { signed, .. }
            | Self::Forked { signed, .. } => Some(*signed),
        }
    }

    /// Whether the store showed it as it was opened, so that nothing was signed from it since.
    #[must_use]
    pub const fn is_since_open(&self) -> bool {
        matches!(self, Self::Copied | Self::Unmarked | Self::Behind { .. })
    }

    /// Whether the user's word that there is no other copy ends it.
    #[must_use]
    pub const fn ends_by_word(&self) -> bool {
        matches!(self, Self::Copied | Self::Unmarked)
    }
}

impl Queue {
    /// Why this node signs nothing, if that is so.
    #[must_use]
    pub const fn stale(&self) -> Option<Stale> {
        self.stale
    }

    /// How far this node's log has come.
    #[must_use]
    pub fn tip(&self) -> Tip {
        self.outbox.log.tip()
    }

    /// Signs nothing from now on.
    pub fn suspend(&mut self, stale: Stale) {
        if !planted::is("never-stale") {
            self.stale = Some(stale);
        }
    }

    /// What the store is, compared with a head that this node has signed.
    ///
    /// # Errors
    /// Fatal ones.
    pub fn compare(&mut self, signed: &Tip) -> Result<Option<Stale>, QueueError> {
        let (signed, stored) = (*signed, self.tip());
        if signed.is_past(&stored) {
            return Ok(Some(Stale::Behind { signed, stored }));
        }
        if signed.epoch < stored.epoch {
            return Ok(None);
        }
        let root = self.outbox.log.root_at(&*self.store, signed.length)?;
        let stored = Tip { root: root.unwrap_or(stored.root), ..signed };
        Ok((stored.root != signed.root).then_some(Stale::Forked { signed, stored }))
    }

    /// Takes in a head of this node's log that a peer showed, with this node's own signature. What
    /// the store does not cover makes it stale, or says better why it is; of a lower epoch, it tells
    /// where that life ended, or that it has two versions. What was stale since it was opened has signed
    /// nothing that may contradict the head: it is behind, and no more than that.
    ///
    /// # Errors
    /// Fatal ones.
    pub fn on_shown(&mut self, signed: &Tip) -> Result<(), QueueError> {
        let known = self.stale.and_then(|stale| stale.signed());
        if known.is_some_and(|known| !signed.is_past(&known)) {
            return Ok(());
        }
        if signed.epoch < self.epoch() {
            return self.on_earlier_shown(signed);
        }
        let compared = self.compare(signed);
        let Some(stale) = self.watch(compared)? else { return Ok(()) };
        let has_written = !self.stale.is_some_and(|stale| stale.is_since_open());
        let stale = match stale {
            Stale::Behind { signed, stored } if has_written => Stale::Outrun { signed, stored },
            other => other,
        };
        self.suspend(stale);
        self.shown = Some(*signed);
        self.changes.stale = Some(stale);
        Ok(())
    }

    /// The head that a peer showed and that is to stand in the head mark: once.
    pub const fn take_shown(&mut self) -> Option<Tip> {
        self.shown.take()
    }

    /// Refuses to write while stale, and on a full disk.
    ///
    /// # Errors
    /// [`QueueError::Stale`] and [`QueueError::DiskFull`].
    pub fn check_sending(&self) -> Result<(), QueueError> {
        match self.stale {
            Some(stale) => Err(stale.into()),
            None => self.check_disk(),
        }
    }
}
