//! This node's own log, and what recipients have acknowledged of it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use peermq_storage::Store;

use super::fault::{Fault, Finding, Part};
use super::{CheckObserver, unreadable};
use crate::crypto::hash::Hash;
use crate::crypto::{Salt, Verifier};
use crate::log::{self, InboxTree, LogFault, LogObserver, Peaks, layout};
use crate::queue::error::QueueError;
use crate::queue::peer_book::PeerBook;
use crate::queue::sent::deliveries::Delivery;
use crate::types::{Epoch, Id, Recipient, Seq};

/// Looks at one life of this node's log, and at each peer's acknowledgements of it; notes its long
/// bodies.
pub(super) fn check(
    store: &dyn Store,
    me: &Id,
    epoch: Epoch,
    peers: &PeerBook,
    bodies: &mut BTreeSet<Salt>,
    observer: &mut dyn CheckObserver,
) -> Result<(), QueueError> {
    let mut folds = BTreeMap::new();
    for (id, peer) in peers.iter() {
        match Delivery::open(store, id, peer.number, epoch) {
            Ok(delivery) => {
                folds.insert(Recipient::Peer(*id.as_bytes()), Fold::of(*id, delivery));
            }
            Err(error) => {
                let key = layout::delivery(peer.number, epoch);
                let fault = unreadable(error, Fault::Delivery);
                observer.found(Finding::new(Part::Delivery { to: *id, epoch }, key, fault));
            }
        }
    }
    let mut watch = Watch { epoch, folds, bodies, is_sound: true, observer };
    log::check(store, *me, epoch, &mut watch)?;
    let Watch { folds, is_sound, observer, .. } = watch;
    for fold in folds.into_values() {
        fold.check(store, epoch, is_sound, observer);
    }
    Ok(())
}

/// A recipient's acknowledgements, beside this node's own fold of the same entries.
struct Fold {
    to: Id,
    delivery: Delivery,
    peaks: Peaks<InboxTree>,
}

impl Fold {
    const fn of(to: Id, delivery: Delivery) -> Self {
        Self { to, delivery, peaks: Peaks::new() }
    }

    /// `is_whole` when every entry of the log was seen.
    fn check(
        mut self,
        store: &dyn Store,
        epoch: Epoch,
        is_whole: bool,
        observer: &mut dyn CheckObserver,
    ) {
        let part = Part::Delivery { to: self.to, epoch };
        let mut found = |key, fault| observer.found(Finding::new(part, key, fault));
        let peer = self.delivery.peer();
        let fault = match self.is_sound(store, is_whole) {
            Ok(true) => None,
            Ok(false) => Some(Fault::Delivery),
            Err(error) => Some(unreadable(error, Fault::Delivery)),
        };
        fault.into_iter().for_each(|fault| found(layout::delivery(peer, epoch), fault));
        let verifier = Verifier::new(&self.to);
        for receipt in self.delivery.newest() {
            if receipt.verify(&verifier).is_err() {
                let first = receipt.unverified().window.start;
                found(layout::receipt(peer, epoch, Seq(first)), Fault::Receipt);
            }
        }
    }

    /// Whether the rows say what the entries and the receipts do. Without all entries the bounds of
    /// what is counted cannot be trusted, and the receipts alone are looked at.
    fn is_sound(&mut self, store: &dyn Store, is_whole: bool) -> Result<bool, QueueError> {
        let folded = self.delivery.folded();
        let seen = self.delivery.newest().map(|receipt| receipt.unverified().seen).max();
        if seen.is_some_and(|seen| seen > folded.length()) {
            return Ok(false);
        }
        if self.peaks != *folded {
            return Ok(!is_whole);
        }
        Ok(self.delivery.is_counted_right(store)? && self.delivery.holds_receipts(store)?)
    }
}

/// Hears what the check of the log sees.
struct Watch<'a> {
    epoch: Epoch,
    folds: BTreeMap<Recipient, Fold>,
    bodies: &'a mut BTreeSet<Salt>,
    /// Whether every entry so far was sound.
    is_sound: bool,
    observer: &'a mut dyn CheckObserver,
}

impl LogObserver for Watch<'_> {
    fn entry(&mut self, recipient: &Recipient, _: Seq, leaf: Hash) {
        if let Some(fold) = self.folds.get_mut(recipient)
            && fold.peaks.length() < fold.delivery.folded().length()
        {
            fold.peaks.push_leaf(leaf, |_, _| ());
        }
        self.observer.checked();
    }

    fn long_body(&mut self, salt: &Salt) {
        self.bodies.insert(*salt);
    }

    fn found(&mut self, key: Bytes, fault: LogFault) {
        self.is_sound &= fault.is_derived();
        let part = Part::Log { epoch: self.epoch };
        self.observer.found(Finding::new(part, key, fault.into()));
    }
}
