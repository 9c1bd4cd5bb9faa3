//! The peer book: every id that this node has a right, a word or a message for.
//!
//! A row is kept for each id that was added, removed, sent to, dialled or heard of. That an id is a
//! point of the curve is checked once, before its row is written, and costs as much as a signature;
//! a short hash in the row shows that its key is still that id.
//!
//! *Invariant*: numbers are given once and never again; no two ids in the book share an X25519
//! key, so that a first flight names one peer.

use core::net::SocketAddr;
use std::collections::BTreeMap;

use bytes::Bytes;
use peermq_storage::{Batch, Store};
use serde::{Deserialize, Serialize};

use super::dispatch::LogKey;
use super::error::QueueError;
use super::quota::Quota;
use super::row;
use crate::crypto::hash::CHECKED_ID;
use crate::limits::PEER_ADDRESS_COUNT_MAX;
use crate::log::layout;
use crate::types::{Epoch, Id, bounded};

/// The user's word about an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum PeerState {
    /// None: it gets its entries when it is dialled, and nothing is taken in from it.
    #[default]
    Unknown,
    /// Its entries are taken in.
    Added,
    /// It gets nothing and nothing is taken in from it.
    Removed,
}

/// An added peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Which peer.
    pub id: Id,
    /// What its unread entries may take up.
    pub quota: Quota,
}

/// What is known of a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PeerRow {
    /// The number that stands for its id in keys.
    pub(super) number: u32,
    /// The user's word about it.
    pub(super) state: PeerState,
    /// What its unread entries may take up.
    pub(super) quota: Quota,
    /// The first life of its log that this node has seen.
    pub(super) first_epoch: Option<Epoch>,
    /// Where it was last reached, newest first.
    #[serde(deserialize_with = "bounded::list::<_, PEER_ADDRESS_COUNT_MAX, _>")]
    pub(super) addresses: Vec<SocketAddr>,
}

/// Every peer, with the rows that are still to be written.
#[derive(Debug)]
pub(super) struct PeerBook {
    me: Id,
    peers: BTreeMap<Image, (Id, PeerRow)>,
    ids: BTreeMap<u32, Id>,
    changed: Vec<Image>,
}

/// What an id and its negative have in common: all bits but the sign of x, the top one.
type Image = [u8; 32];

impl PeerBook {
    /// Reads all rows.
    pub(super) fn open(store: &dyn Store, me: Id) -> Result<Self, QueueError> {
        let mut is_damaged = false;
        let book = Self::read(store, me, |_| is_damaged = true)?;
        if is_damaged { Err(DAMAGED) } else { Ok(book) }
    }

    /// Reads the rows that are sound, and tells the keys of the others.
    pub(super) fn read(
        store: &dyn Store,
        me: Id,
        mut damaged: impl FnMut(Bytes),
    ) -> Result<Self, QueueError> {
        let mut book =
            Self { me, peers: BTreeMap::new(), ids: BTreeMap::new(), changed: Vec::new() };
        for row in store.scan(layout::peers().as_range()) {
            let (key, value) = row?;
            let Some((id, peer)) = decode(&key, &value) else {
                damaged(key);
                continue;
            };
            let image = image(id.as_bytes());
            if book.peers.contains_key(&image) || book.ids.contains_key(&peer.number) {
                damaged(key);
                continue;
            }
            book.ids.insert(peer.number, id);
            book.peers.insert(image, (id, peer));
        }
        Ok(book)
    }

    /// A peer that has a row.
    pub(super) fn find(&self, id: &Id) -> Option<&PeerRow> {
        self.peers.get(&image(id.as_bytes())).filter(|(known, _)| known == id).map(|(_, peer)| peer)
    }

    /// The id with these bytes, when it has a row.
    pub(super) fn known(&self, bytes: &[u8; Id::SIZE]) -> Option<Id> {
        self.peers.get(&image(bytes)).map(|(id, _)| *id).filter(|id| id.as_bytes() == bytes)
    }

    /// Refuses this node's own id, and the negative of one that is known.
    ///
    /// # Errors
    /// [`QueueError::OwnId`] and [`QueueError::SameImage`].
    pub(super) fn check(&self, id: &Id) -> Result<(), QueueError> {
        if *id == self.me {
            return Err(QueueError::OwnId);
        }
        let image = image(id.as_bytes());
        let other = self.peers.get(&image).map(|(known, _)| known).filter(|known| *known != id);
        let ours = Some(&self.me).filter(|me| self::image(me.as_bytes()) == image);
        match other.or(ours) {
            Some(known) => Err(QueueError::SameImage { known: *known }),
            None => Ok(()),
        }
    }

    /// The id that a number stands for.
    pub(super) fn id(&self, number: u32) -> Option<&Id> {
        self.ids.get(&number)
    }

    /// Whether a log is of the first life that was seen of its author.
    pub(super) fn is_first_life(&self, log: LogKey) -> bool {
        let peer = self.ids.get(&log.author).and_then(|id| self.find(id));
        peer.is_some_and(|peer| peer.first_epoch == Some(log.epoch))
    }

    /// All peers, in the order of their keys' bytes.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Id, &PeerRow)> {
        self.peers.values().map(|(id, peer)| (id, peer))
    }

    /// The user's word about an id; unknown without a row.
    pub(super) fn state(&self, id: &Id) -> PeerState {
        self.find(id).map_or(PeerState::Unknown, |peer| peer.state)
    }

    /// A peer's number, given now if it has none.
    ///
    /// # Errors
    /// [`QueueError::OwnId`] and [`QueueError::SameImage`].
    pub(super) fn meet(&mut self, id: &Id) -> Result<u32, QueueError> {
        match self.find(id) {
            Some(peer) => Ok(peer.number),
            None => self.change(id, |_| ()),
        }
    }

    /// Makes sure that the id with these bytes may be sent to and has a row.
    ///
    /// # Errors
    /// [`QueueError::Removed`], [`QueueError::Recipient`]; as [`PeerBook::meet`].
    pub(super) fn address(&mut self, bytes: &[u8; Id::SIZE]) -> Result<(), QueueError> {
        match self.peers.get(&image(bytes)) {
            Some((id, peer)) if id.as_bytes() == bytes => match peer.state {
                PeerState::Removed => Err(QueueError::Removed(*id)),
                PeerState::Unknown | PeerState::Added => Ok(()),
            },
            _ => self.meet(&Id::from_bytes(*bytes)?).map(drop),
        }
    }

    /// Sets the user's word, and the quota if one is given.
    ///
    /// # Errors
    /// As [`PeerBook::meet`].
    pub(super) fn set(
        &mut self,
        id: &Id,
        state: PeerState,
        quota: Option<Quota>,
    ) -> Result<(), QueueError> {
        self.change(id, |peer| {
            peer.state = state;
            peer.quota = quota.unwrap_or(peer.quota);
        })?;
        Ok(())
    }

    /// Remembers where a peer was reached; the oldest of too many addresses is forgotten.
    ///
    /// # Errors
    /// As [`PeerBook::meet`].
    pub(super) fn reached(&mut self, id: &Id, address: SocketAddr) -> Result<(), QueueError> {
        if self.find(id).is_some_and(|peer| peer.addresses.first() == Some(&address)) {
            return Ok(());
        }
        self.change(id, |peer| {
            peer.addresses.retain(|known| *known != address);
            peer.addresses.insert(0, address);
            peer.addresses.truncate(PEER_ADDRESS_COUNT_MAX);
        })?;
        Ok(())
    }

    /// Remembers the first life that was seen of a peer's log.
    ///
    /// # Errors
    /// As [`PeerBook::meet`].
    pub(super) fn saw_epoch(&mut self, id: &Id, epoch: Epoch) -> Result<(), QueueError> {
        if self.find(id).is_some_and(|peer| peer.first_epoch.is_some()) {
            return Ok(());
        }
        self.change(id, |peer| peer.first_epoch = Some(epoch))?;
        Ok(())
    }

    /// Puts what has changed into the batch.
    pub(super) fn stage(&mut self, batch: &mut Batch) {
        for image in std::mem::take(&mut self.changed) {
            let Some((id, peer)) = self.peers.get(&image) else { continue };
            batch.put(layout::peer(id), row::encode(&(check(id.as_bytes()), peer)));
        }
    }

    fn change(&mut self, id: &Id, change: impl FnOnce(&mut PeerRow)) -> Result<u32, QueueError> {
        self.check(id)?;
        let image = image(id.as_bytes());
        let free = self.ids.last_key_value().map_or(0, |(last, _)| last.saturating_add(1));
        let fresh = || {
            let (state, quota) = (PeerState::Unknown, Quota::default());
            (*id, PeerRow { number: free, state, quota, first_epoch: None, addresses: Vec::new() })
        };
        let (_, peer) = self.peers.entry(image).or_insert_with(fresh);
        change(peer);
        self.ids.insert(peer.number, *id);
        if !self.changed.contains(&image) {
            self.changed.push(image);
        }
        Ok(peer.number)
    }
}

fn image(id: &[u8; Id::SIZE]) -> Image {
    let mut image = *id;
    if let Some(last) = image.last_mut() {
        *last &= 0x7f;
    }
    image
}

fn decode(key: &[u8], row: &[u8]) -> Option<(Id, PeerRow)> {
    let id = key.last_chunk()?;
    let (checked, peer): (Check, PeerRow) = row::decode(row)?;
    (checked == check(id)).then(|| (Id::from_trusted(*id), peer))
}

/// The word for an id that was checked.
fn check(id: &[u8; Id::SIZE]) -> Check {
    *CHECKED_ID.hash(id).0.first_chunk().expect("a hash has 32 bytes")
}

type Check = [u8; 8];

const DAMAGED: QueueError = QueueError::Damaged("a peer's row");

#[cfg(test)]
mod tests {
    use peermq_storage::MemoryStore;

    use super::*;
    use crate::crypto::Identity;

    fn id(seed: u8) -> Id {
        Identity::from_seed(&[seed; 32]).id()
    }

    fn negative(id: &Id) -> Id {
        let mut bytes = *id.as_bytes();
        bytes[31] ^= 0x80;
        Id::from_bytes(bytes).unwrap()
    }

    fn commit(store: &MemoryStore, book: &mut PeerBook) {
        let mut batch = Batch::new();
        book.stage(&mut batch);
        store.commit(batch).unwrap();
    }

    #[test]
    fn what_is_known_of_a_peer_is_there_again_after_a_restart() {
        let store = MemoryStore::new();
        let mut book = PeerBook::open(&store, id(0)).unwrap();
        let quota = Quota { bytes: 5, entries: 6 };
        book.set(&id(1), PeerState::Added, Some(quota)).unwrap();
        book.set(&id(2), PeerState::Removed, None).unwrap();
        assert_eq!(book.meet(&id(3)).unwrap(), 2);
        book.saw_epoch(&id(1), Epoch(9)).unwrap();
        book.saw_epoch(&id(1), Epoch(8)).unwrap();
        book.reached(&id(1), "127.0.0.1:9".parse().unwrap()).unwrap();
        commit(&store, &mut book);

        let mut again = PeerBook::open(&store, id(0)).unwrap();
        assert!(again.iter().eq(book.iter()));
        assert_eq!(again.find(&id(1)).unwrap().first_epoch, Some(Epoch(9)));
        assert_eq!(again.state(&id(2)), PeerState::Removed);
        assert_eq!([again.meet(&id(2)).unwrap(), again.meet(&id(4)).unwrap()], [1, 3]);
        assert_eq!(again.id(2), Some(&id(3)));
        // Adding again without a quota keeps the one that was given.
        again.set(&id(1), PeerState::Added, None).unwrap();
        assert_eq!(again.find(&id(1)).unwrap().quota, quota);
    }

    #[test]
    fn rows_on_disk_do_not_change() {
        let store = MemoryStore::new();
        let mut book = PeerBook::open(&store, id(0)).unwrap();
        book.set(&id(1), PeerState::Added, Some(Quota { bytes: 300, entries: 4 })).unwrap();
        book.saw_epoch(&id(1), Epoch(7)).unwrap();
        book.reached(&id(1), "[::1]:2".parse().unwrap()).unwrap();
        book.reached(&id(1), "127.0.0.1:258".parse().unwrap()).unwrap();
        commit(&store, &mut book);
        let row = store.get(&layout::peer(&id(1))).unwrap().unwrap();
        let v4 = "007f0000018202";
        let v6 = "010000000000000000000000000000000102";
        let checked = hex::encode(check(id(1).as_bytes()));
        assert_eq!(hex::encode(row), format!("01{checked}0001ac0204010702{v4}{v6}"));
    }

    #[test]
    fn an_id_beside_its_negative_and_our_own_are_refused() {
        let mut book = PeerBook::open(&MemoryStore::new(), id(0)).unwrap();
        book.meet(&id(1)).unwrap();
        let refused = book.set(&negative(&id(1)), PeerState::Added, None);
        assert!(matches!(refused, Err(QueueError::SameImage { known }) if known == id(1)));
        assert_eq!(book.find(&negative(&id(1))), None);
        assert!(matches!(book.meet(&id(0)), Err(QueueError::OwnId)));
        let ours = book.meet(&negative(&id(0)));
        assert!(matches!(ours, Err(QueueError::SameImage { known }) if known == id(0)));
    }

    #[test]
    fn the_newest_addresses_are_kept() {
        let mut book = PeerBook::open(&MemoryStore::new(), id(0)).unwrap();
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        for port in [1, 2, 3, 4, 5, 6, 7, 8, 9, 1] {
            book.reached(&id(1), address(port)).unwrap();
        }
        let kept = book.find(&id(1)).unwrap().addresses.clone();
        assert_eq!(kept, [1, 9, 8, 7, 6, 5, 4, 3].map(address));
    }

    #[test]
    fn damaged_rows_are_named() {
        let good = [&[1][..], &check(id(1).as_bytes()), &[0, 1, 5, 6, 0, 0]].concat();
        let read = |key: Bytes, row: &[u8]| {
            let store = MemoryStore::new();
            let mut batch = Batch::new();
            batch.put(key, row.to_vec());
            store.commit(batch).unwrap();
            PeerBook::open(&store, id(0))
        };
        assert!(read(layout::peer(&id(1)), &good).is_ok());
        for (key, row) in [
            (layout::peer(&id(1)), good[..good.len() - 1].to_vec()),
            (layout::peer(&id(1)), [&[2], &good[1..]].concat()),
            (layout::peer(&id(1)), [&good[..], &[0]].concat()),
            (layout::peer(&id(1)).slice(..9), good.clone()),
            (layout::peer(&id(2)), good.clone()),
        ] {
            assert!(matches!(read(key, &row), Err(QueueError::Damaged("a peer's row"))));
        }
    }
}
