//! Every key of the store: a one-byte prefix, then fields of fixed size, numbers big-endian.
//!
//! So keys sort by their fields, and what is read together stands together.
//!
//! | prefix | key, bytes per field | value |
//! |---|---|---|
//! | `00` | meta: name | one fact about the store |
//! | `11` | outbox row: epoch 8, recipient 33, LAST index 8 | blocks and first seqs |
//! | `12` | outbox mark: epoch 8 | length that the outbox rows tell of, 8 |
//! | `14` | staging mark: salt 16 | empty: these chunks belong to no entry yet |
//! | `21` | author row: author number 4, epoch 8 | head, peaks, inbox peaks |
//! | `23` | set chunk: owner number 4, epoch 8, kind 1, chunk number 8 | a bitmap of 65 536 seqs |
//! | `24` | acked chunk: peer number 4, epoch 8, kind 1, chunk number 8 | a bitmap of 65 536 seqs |
//! | `25` | newest receipt: peer number 4, epoch 8, first seq of its window 8 | the signed receipt |
//! | `26` | peer book row: id 32 | what is known of a peer |
//! | `27` | tally: author number 4, epoch 8 | what is unread of an author's log |
//! | `28` | received body: author number 4, epoch 8, seq 8 | its chunks held so far |
//! | `29` | useless body: author number 4, epoch 8, seq 8 | its chunks still to be removed |
//! | `2a` | delivery row: peer number 4, epoch 8 | how far a peer's receipts are taken in |
//! | `70` | own block: epoch 8, LAST index 8 | the entries of one commit |
//! | `71` | received block: author number 4, epoch 8, LAST seq 8 | a group of received entries |
//! | `80` | own body chunk: salt 16, chunk number 4 | up to 32 768 sealed bytes |
//! | `81` | received body chunk: author number 4, epoch 8, recipient 33, seq 8, chunk number 4 | up to 32 768 sealed bytes |
//!
//! A block is keyed by its LAST index, so that the first key at or after an index is the block that
//! holds it. Author and peer numbers stand for ids: four bytes in place of 32 in each key.

use std::ops::Range;

use bytes::Bytes;
use peermq_storage::{LARGE_KEYS, WIDE_KEYS};

use crate::crypto::Salt;
use crate::limits::BLOCK_ENTRY_COUNT_MAX;
use crate::types::{Epoch, Id, Index, Recipient, Seq};

/// A range of keys, first to before last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    start: Bytes,
    end: Bytes,
}

impl Keys {
    /// The range as [`Store::scan`](peermq_storage::Store::scan) takes it.
    #[must_use]
    pub fn as_range(&self) -> Range<&[u8]> {
        &self.start..&self.end
    }

    /// All keys that begin with `prefix`, which is not made of 255s alone.
    fn under(prefix: &Bytes) -> Self {
        Self { start: prefix.clone(), end: successor(prefix) }
    }

    /// From `first` to the last key that begins with `prefix`.
    fn from(first: Bytes, prefix: &Bytes) -> Self {
        Self { start: first, end: successor(prefix) }
    }
}

/// One fact about the store.
#[must_use]
pub fn meta(name: &str) -> Bytes {
    key(META, [name.as_bytes()])
}

/// A block of this node's log.
#[must_use]
pub fn own_block(epoch: Epoch, last: Index) -> Bytes {
    key(OWN_BLOCK, [&epoch.0.to_be_bytes(), &last.0.to_be_bytes()])
}

/// All blocks of one life of this node's log.
#[must_use]
pub fn own_blocks(epoch: Epoch) -> Keys {
    Keys::under(&key(OWN_BLOCK, [&epoch.0.to_be_bytes()]))
}

/// The blocks that hold `index` or what comes after it.
#[must_use]
pub fn own_blocks_from(epoch: Epoch, index: Index) -> Keys {
    Keys::from(own_block(epoch, index), &key(OWN_BLOCK, [&epoch.0.to_be_bytes()]))
}

/// The blocks of a life of this node's log, and of all that came after it.
#[must_use]
pub fn own_lives_from(epoch: Epoch) -> Keys {
    Keys::from(own_block(epoch, Index(0)), &key(OWN_BLOCK, [&[]]))
}

/// The epoch in an own block's key.
#[must_use]
pub fn own_block_epoch(key: &[u8]) -> Option<Epoch> {
    let (epoch, _) = key.split_first()?.1.split_first_chunk()?;
    Some(Epoch(u64::from_be_bytes(*epoch)))
}

/// Where the block that holds `index` must be: no block ends later than 255 after it.
#[must_use]
pub fn own_block_of(epoch: Epoch, index: Index) -> Keys {
    let count = u64::try_from(BLOCK_ENTRY_COUNT_MAX).expect("a small number");
    let start = own_block(epoch, index);
    match index.0.checked_add(count) {
        Some(end) => Keys { start, end: own_block(epoch, Index(end)) },
        None => own_blocks_from(epoch, index),
    }
}

/// Which blocks hold entries to one recipient.
#[must_use]
pub fn outbox_row(epoch: Epoch, recipient: &Recipient, last: Index) -> Bytes {
    let fields = [&epoch.0.to_be_bytes()[..], &recipient.to_bytes(), &last.0.to_be_bytes()];
    key(OUTBOX_ROW, fields)
}

/// The outbox rows of one recipient that tell of `index` or what comes after it.
#[must_use]
pub fn outbox_rows_from(epoch: Epoch, recipient: &Recipient, index: Index) -> Keys {
    let all = key(OUTBOX_ROW, [&epoch.0.to_be_bytes()[..], &recipient.to_bytes()]);
    Keys::from(outbox_row(epoch, recipient, index), &all)
}

/// The outbox rows of all recipients.
#[must_use]
pub fn outbox_rows(epoch: Epoch) -> Keys {
    Keys::under(&key(OUTBOX_ROW, [&epoch.0.to_be_bytes()]))
}

/// The recipient and the LAST index in an outbox row's key.
#[must_use]
pub fn outbox_row_of(key: &[u8]) -> Option<(Recipient, u64)> {
    let (_, rest) = key.split_first()?.1.split_first_chunk::<8>()?;
    let (recipient, last) = rest.split_first_chunk()?;
    Some((Recipient::from_bytes(recipient)?, u64::from_be_bytes(last.try_into().ok()?)))
}

/// How far the outbox rows of one life are written.
#[must_use]
pub fn outbox_mark(epoch: Epoch) -> Bytes {
    key(OUTBOX_MARK, [&epoch.0.to_be_bytes()])
}

/// A chunk of a long body that this node wrote.
#[must_use]
pub fn own_chunk(salt: &Salt, number: u32) -> Bytes {
    key(OWN_CHUNK, [&salt.0[..], &number.to_be_bytes()])
}

/// All chunks of one long body that this node wrote.
#[must_use]
pub fn own_chunks(salt: &Salt) -> Keys {
    Keys::under(&key(OWN_CHUNK, [&salt.0]))
}

/// The chunks of all long bodies that this node wrote, from one on.
#[must_use]
pub fn own_bodies_from(salt: &Salt) -> Keys {
    Keys { start: key(OWN_CHUNK, [&salt.0]), ..Keys::under(&key(OWN_CHUNK, [&[]])) }
}

/// Whose chunk lies under a key of [`own_chunk`].
#[must_use]
pub fn own_body_of(key: &[u8]) -> Option<Salt> {
    let (salt, _) = key.split_first()?.1.split_first_chunk()?;
    Some(Salt(*salt))
}

/// There while own chunks belong to no entry.
#[must_use]
pub fn staging(salt: &Salt) -> Bytes {
    key(STAGING, [&salt.0])
}

/// All bodies that belong to no entry.
#[must_use]
pub fn stagings() -> Keys {
    Keys::under(&key(STAGING, [&[]]))
}

/// A group of received entries.
#[must_use]
pub fn received_block(author: u32, epoch: Epoch, last: Seq) -> Bytes {
    let fields = [&author.to_be_bytes()[..], &epoch.0.to_be_bytes(), &last.0.to_be_bytes()];
    key(RECEIVED_BLOCK, fields)
}

/// The groups of received entries that hold `seq` or what comes after it.
#[must_use]
pub fn received_blocks_from(author: u32, epoch: Epoch, seq: Seq) -> Keys {
    let all = key(RECEIVED_BLOCK, [&author.to_be_bytes()[..], &epoch.0.to_be_bytes()]);
    Keys::from(received_block(author, epoch, seq), &all)
}

/// The groups of received entries of a life of an author's log, and of all after it.
#[must_use]
pub fn received_lives_from(author: u32, epoch: Epoch) -> Keys {
    Keys::from(received_block(author, epoch, Seq(0)), &key(RECEIVED_BLOCK, [&[]]))
}

/// How far one life of an author's log is taken in.
#[must_use]
pub fn author(author: u32, epoch: Epoch) -> Bytes {
    key(AUTHOR, [&author.to_be_bytes()[..], &epoch.0.to_be_bytes()])
}

/// All known lives of all authors' logs.
#[must_use]
pub fn authors() -> Keys {
    Keys::under(&key(AUTHOR, [&[]]))
}

/// The author's number and the epoch in the key of an author row, a received block or a fork.
#[must_use]
pub fn author_of(key: &[u8]) -> Option<(u32, Epoch)> {
    let (author, rest) = key.split_first()?.1.split_first_chunk()?;
    let (epoch, _) = rest.split_first_chunk()?;
    Some((u32::from_be_bytes(*author), Epoch(u64::from_be_bytes(*epoch))))
}

/// A chunk of a long body that was received.
#[must_use]
pub fn received_chunk(
    author: u32,
    epoch: Epoch,
    recipient: &Recipient,
    seq: Seq,
    number: u32,
) -> Bytes {
    let fields = [
        &author.to_be_bytes()[..],
        &epoch.0.to_be_bytes(),
        &recipient.to_bytes(),
        &seq.0.to_be_bytes(),
        &number.to_be_bytes(),
    ];
    key(RECEIVED_CHUNK, fields)
}

/// 65 536 seqs of one set.
#[must_use]
pub fn set_chunk(owner: u32, epoch: Epoch, kind: u8, number: u64) -> Bytes {
    bitmap(SET_CHUNK, owner, epoch, kind, &number.to_be_bytes())
}

/// All of one set.
#[must_use]
pub fn set_chunks(owner: u32, epoch: Epoch, kind: u8) -> Keys {
    Keys::under(&bitmap(SET_CHUNK, owner, epoch, kind, &[]))
}

/// 65 536 seqs of what a peer has acknowledged.
#[must_use]
pub fn acked_chunk(peer: u32, epoch: Epoch, kind: u8, number: u64) -> Bytes {
    bitmap(ACKED_CHUNK, peer, epoch, kind, &number.to_be_bytes())
}

/// A peer's newest receipt for one window of seqs.
#[must_use]
pub fn receipt(peer: u32, epoch: Epoch, first: Seq) -> Bytes {
    let fields = [&peer.to_be_bytes()[..], &epoch.0.to_be_bytes(), &first.0.to_be_bytes()];
    key(RECEIPT, fields)
}

/// A peer's newest receipts for one life of this node's log.
#[must_use]
pub fn receipts(peer: u32, epoch: Epoch) -> Keys {
    Keys::under(&key(RECEIPT, [&peer.to_be_bytes()[..], &epoch.0.to_be_bytes()]))
}

/// All rows of one life of an author's log but its sets.
#[must_use]
pub fn received_life(author: u32, epoch: Epoch) -> [Keys; 7] {
    let rows =
        [RECEIVED_BLOCK, AUTHOR, RECEIVED_CHUNK, TALLY, RECEIVED_BODY, USELESS_BODY, CHECKPOINTS];
    rows.map(|prefix| {
        Keys::under(&key(prefix, [&author.to_be_bytes()[..], &epoch.0.to_be_bytes()]))
    })
}

/// All rows about what a peer has acknowledged of one life of this node's log.
#[must_use]
pub fn delivery_rows(peer: u32, epoch: Epoch) -> [Keys; 3] {
    let rows = [ACKED_CHUNK, RECEIPT, DELIVERY];
    rows.map(|prefix| Keys::under(&key(prefix, [&peer.to_be_bytes()[..], &epoch.0.to_be_bytes()])))
}

/// The outbox index of one life of this node's log.
#[must_use]
pub fn outbox_of(epoch: Epoch) -> [Keys; 2] {
    [OUTBOX_ROW, OUTBOX_MARK].map(|prefix| Keys::under(&key(prefix, [&epoch.0.to_be_bytes()])))
}

/// All rows of one life of this node's log but its long bodies.
#[must_use]
pub fn own_life(epoch: Epoch) -> [Keys; 3] {
    let rows = [OWN_BLOCK, OUTBOX_ROW, OUTBOX_MARK];
    rows.map(|prefix| Keys::under(&key(prefix, [&epoch.0.to_be_bytes()])))
}

/// What is known of a peer.
#[must_use]
pub fn peer(id: &Id) -> Bytes {
    key(PEER, [id.as_bytes()])
}

/// All peers.
#[must_use]
pub fn peers() -> Keys {
    Keys::under(&key(PEER, [&[]]))
}

/// What is unread of one life of an author's log.
#[must_use]
pub fn tally(author: u32, epoch: Epoch) -> Bytes {
    key(TALLY, [&author.to_be_bytes()[..], &epoch.0.to_be_bytes()])
}

/// What proves that a life of an author's log has forked.
#[must_use]
pub fn fork(author: u32, epoch: Epoch) -> Bytes {
    key(FORK, [&author.to_be_bytes()[..], &epoch.0.to_be_bytes()])
}

/// All forks.
#[must_use]
pub fn forks() -> Keys {
    Keys::under(&key(FORK, [&[]]))
}

/// Heads that a life of an author's log has to reach.
#[must_use]
pub fn checkpoints(author: u32, epoch: Epoch) -> Bytes {
    key(CHECKPOINTS, [&author.to_be_bytes()[..], &epoch.0.to_be_bytes()])
}

/// How much is held of a long body that was received.
#[must_use]
pub fn received_body(author: u32, epoch: Epoch, seq: Seq) -> Bytes {
    let fields = [&author.to_be_bytes()[..], &epoch.0.to_be_bytes(), &seq.0.to_be_bytes()];
    key(RECEIVED_BODY, fields)
}

/// There while chunks of a received body are to be removed.
#[must_use]
pub fn useless_body(author: u32, epoch: Epoch, seq: Seq) -> Bytes {
    let fields = [&author.to_be_bytes()[..], &epoch.0.to_be_bytes(), &seq.0.to_be_bytes()];
    key(USELESS_BODY, fields)
}

/// All bodies whose chunks are to be removed.
#[must_use]
pub fn useless_bodies() -> Keys {
    Keys::under(&key(USELESS_BODY, [&[]]))
}

/// How far a peer's receipts for one life of this node's log are taken in.
#[must_use]
pub fn delivery(peer: u32, epoch: Epoch) -> Bytes {
    key(DELIVERY, [&peer.to_be_bytes()[..], &epoch.0.to_be_bytes()])
}

/// The number at a key's end: a LAST index or seq, a chunk number of 8 bytes.
#[must_use]
pub fn last_number(key: &[u8]) -> Option<u64> {
    key.last_chunk().map(|number| u64::from_be_bytes(*number))
}

fn bitmap(prefix: u8, owner: u32, epoch: Epoch, kind: u8, number: &[u8]) -> Bytes {
    let fields = [&owner.to_be_bytes()[..], &epoch.0.to_be_bytes(), &[kind], number];
    key(prefix, fields)
}

fn key<const FIELDS: usize>(prefix: u8, fields: [&[u8]; FIELDS]) -> Bytes {
    let mut key = Vec::with_capacity(1 + fields.iter().map(|field| field.len()).sum::<usize>());
    key.push(prefix);
    fields.iter().for_each(|field| key.extend_from_slice(field));
    Bytes::from(key)
}

/// The first key after all that begin with `prefix`.
fn successor(prefix: &Bytes) -> Bytes {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            break;
        }
    }
    Bytes::from(end)
}

const META: u8 = 0x00;
const OUTBOX_ROW: u8 = 0x11;
const OUTBOX_MARK: u8 = 0x12;
const STAGING: u8 = 0x14;
const AUTHOR: u8 = 0x21;
const SET_CHUNK: u8 = 0x23;
const ACKED_CHUNK: u8 = 0x24;
const RECEIPT: u8 = 0x25;
const PEER: u8 = 0x26;
const TALLY: u8 = 0x27;
const RECEIVED_BODY: u8 = 0x28;
const USELESS_BODY: u8 = 0x29;
const DELIVERY: u8 = 0x2a;
const FORK: u8 = 0x30;
const CHECKPOINTS: u8 = 0x31;
const OWN_BLOCK: u8 = WIDE_KEYS;
const RECEIVED_BLOCK: u8 = OWN_BLOCK + 1;
const OWN_CHUNK: u8 = *LARGE_KEYS.start();
const RECEIVED_CHUNK: u8 = OWN_CHUNK + 1;

#[cfg(test)]
mod tests {
    use peermq_storage::KEY_SIZE_MAX;

    use super::*;

    const EPOCH: Epoch = Epoch(7);
    const PEER_TAG: Recipient = Recipient::Peer([0xff; 32]);

    fn holds(keys: &Keys, key: &Bytes) -> bool {
        keys.as_range().contains(&&key[..])
    }

    #[test]
    fn a_range_holds_its_keys_and_no_neighbours() {
        let blocks = own_blocks(EPOCH);
        assert!(holds(&blocks, &own_block(EPOCH, Index(0))));
        assert!(holds(&blocks, &own_block(EPOCH, Index(u64::MAX))));
        assert!(!holds(&blocks, &own_block(Epoch(8), Index(0))));
        assert!(!holds(&blocks, &own_block(Epoch(6), Index(u64::MAX))));
        let last_epoch = own_blocks(Epoch(u64::MAX));
        assert!(holds(&last_epoch, &own_block(Epoch(u64::MAX), Index(u64::MAX))));
        assert!(!holds(&last_epoch, &outbox_mark(Epoch(0))));

        let rows = outbox_rows_from(EPOCH, &PEER_TAG, Index(5));
        assert!(holds(&rows, &outbox_row(EPOCH, &PEER_TAG, Index(5))));
        assert!(holds(&rows, &outbox_row(EPOCH, &PEER_TAG, Index(u64::MAX))));
        assert!(!holds(&rows, &outbox_row(EPOCH, &PEER_TAG, Index(4))));
        assert!(!holds(&rows, &outbox_row(EPOCH, &Recipient::Channel([0; 32]), Index(9))));
        assert!(holds(&stagings(), &staging(&Salt([0xff; 16]))));
        assert!(!holds(&stagings(), &own_chunk(&Salt([0xff; 16]), u32::MAX)));
    }

    #[test]
    fn the_block_of_an_index_is_near_it() {
        let keys = own_block_of(EPOCH, Index(300));
        assert!(holds(&keys, &own_block(EPOCH, Index(300))));
        assert!(holds(&keys, &own_block(EPOCH, Index(555))));
        assert!(!holds(&keys, &own_block(EPOCH, Index(556))));
        let end = own_block_of(EPOCH, Index(u64::MAX));
        assert!(holds(&end, &own_block(EPOCH, Index(u64::MAX))));
    }

    #[test]
    fn keys_sort_by_their_numbers_and_stay_within_the_stores_bound() {
        assert!(own_block(EPOCH, Index(255)) < own_block(EPOCH, Index(256)));
        assert_eq!(last_number(&own_block(EPOCH, Index(256))), Some(256));
        assert_eq!(last_number(&[1, 2]), None);
        let longest = received_chunk(1, EPOCH, &PEER_TAG, Seq(1), 1);
        assert_eq!(longest.len(), 58);
        assert!(longest.len() <= KEY_SIZE_MAX);
    }
}
