//! Looking at everything in a store: each row against the others, each entry against the hashes and
//! signatures that speak of it.
//!
//! *Invariant*: nothing is written. What is wrong is told row by row, with what a repair would do;
//! a part that cannot be read does not hide the parts after it.

mod fault;
pub(super) mod received;
mod sent;

use std::collections::BTreeSet;

use peermq_storage::Store;

pub use self::fault::{Fault, Finding, Part, Remedy};
use super::dispatch::LogKey;
use super::error::QueueError;
use super::forks::Forks;
use super::peer_book::PeerBook;
use super::sent::lives::unreadable_rows;
use super::{EPOCH, Queue};
use crate::log::{self, layout};
use crate::types::{Epoch, Id};

/// Who is told how a check goes.
pub trait CheckObserver {
    /// One more entry was looked at.
    fn checked(&mut self);

    /// Something is wrong.
    fn found(&mut self, finding: Finding);
}

/// Looks at all that a store of `me` holds.
///
/// # Errors
/// [`QueueError::Store`] when the store cannot be read.
pub fn check(
    store: &dyn Store,
    me: &Id,
    observer: &mut dyn CheckObserver,
) -> Result<(), QueueError> {
    let epoch = check_epoch(store, observer)?;
    for key in unreadable_rows(store)? {
        observer.found(Finding::new(Part::Node, key, Fault::Lives));
    }
    let peers = PeerBook::read(store, *me, |key| {
        observer.found(Finding::new(Part::Peers, key, Fault::Peer));
    })?;
    Forks::read(store, &peers, |key| {
        observer.found(Finding::new(Part::Forks, key, Fault::Fork));
    })?;
    let mut lives = log::lives(store)?;
    lives.extend(epoch.filter(|epoch| !lives.contains(epoch)));
    let mut bodies = BTreeSet::new();
    for epoch in lives {
        sent::check(store, me, epoch, &peers, &mut bodies, observer)?;
    }
    for salt in log::settled_bodies(store)?.iter().filter(|salt| !bodies.contains(salt)) {
        let chunk = layout::own_chunk(salt, 0);
        observer.found(Finding::new(Part::Bodies, chunk, Fault::Unowned));
    }
    for key in received_lives(store)? {
        match peers.id(key.author) {
            Some(id) => received::check(store, me, *id, key, observer)?,
            None => {
                let row = layout::author(key.author, key.epoch);
                observer.found(Finding::new(Part::Nobodys, row, Fault::Author));
            }
        }
    }
    Ok(())
}

/// The epoch of this node's log; `None` in a new store and in one that does not name it.
fn check_epoch(
    store: &dyn Store,
    observer: &mut dyn CheckObserver,
) -> Result<Option<Epoch>, QueueError> {
    let epoch = Queue::epoch_in(store);
    let is_named = match &epoch {
        Ok(None) => log::lives(store)?.is_empty(),
        Err(QueueError::Damaged(_)) => false,
        _ => true,
    };
    if is_named {
        return epoch;
    }
    observer.found(Finding::new(Part::Node, layout::meta(EPOCH), Fault::Epoch));
    Ok(None)
}

/// The lives of authors' logs of which there is an author row or a block.
fn received_lives(store: &dyn Store) -> Result<Vec<LogKey>, QueueError> {
    let mut lives = Vec::new();
    for row in store.keys(layout::authors().as_range()) {
        let life = layout::author_of(&row?);
        lives.extend(life.map(|(author, epoch)| LogKey { author, epoch }));
    }
    let mut next = Some((0, Epoch(0)));
    while let Some((author, epoch)) = next {
        let keys = layout::received_lives_from(author, epoch);
        let Some(key) = store.keys(keys.as_range()).next().transpose()? else { break };
        let Some((author, epoch)) = layout::author_of(&key) else { break };
        lives.push(LogKey { author, epoch });
        let later = epoch.0.checked_add(1).map(|epoch| (author, Epoch(epoch)));
        next = later.or_else(|| author.checked_add(1).map(|author| (author, Epoch(0))));
    }
    lives.sort_unstable();
    lives.dedup();
    Ok(lives)
}

/// What an error while reading says: the store's own, or that a row is not what it should be.
fn unreadable(error: QueueError, otherwise: Fault) -> Fault {
    match error {
        QueueError::Store(error) => error.into(),
        _ => otherwise,
    }
}
