//! The queue as a whole: two nodes' queues over stores that outlive them.

mod backup;
mod check;
mod disk;
mod exchange;
mod forks;
mod golden;
mod listing;
mod long_bodies;
mod marks;
mod model;
mod pair;
mod readers;
mod reclaim;
mod sending;
mod standing;

use std::sync::Arc;

use bytes::Bytes;
use peermq_storage::{Batch, MemoryStore, Scan, Store, StoreError};

use super::*;
use crate::crypto::hash::body_hash;
use crate::crypto::{Identity, Salt, Suite};
use crate::log::{Draft, DraftBody, Head, Header, IdempotencyHash, fold};
use crate::sync::{Content, Follow, Received, ReceivedEntry};
use crate::types::{Ranges, Seq};

/// 2024-01-01, in milliseconds.
const NOW: UnixMs = UnixMs(1_704_067_200_000);
const EVERYTHING: TakeBudget = TakeBudget { count: usize::MAX, size: usize::MAX };

/// A node without a network: its queue, and the store that stays when the queue is dropped.
#[derive(Debug)]
struct Node {
    identity: Arc<Identity>,
    store: Arc<MemoryStore>,
    queue: Queue,
    salts: u128,
}

/// A store in several hands.
#[derive(Debug)]
struct Shared(Arc<MemoryStore>);

impl Node {
    fn new(seed: u8) -> Self {
        let identity = Arc::new(Identity::from_seed(&[seed; 32]));
        let store = Arc::new(MemoryStore::new());
        let queue = open(&store, &identity);
        Self { identity, store, queue, salts: 0 }
    }

    fn id(&self) -> Id {
        self.identity.id()
    }

    /// Loses what was staged, and opens the store again.
    fn crash(&mut self) {
        self.queue = open(&self.store, &self.identity);
    }

    /// Lets the other's entries in.
    fn add(&mut self, other: &Self) {
        self.queue.add_peer(&other.id(), None).unwrap();
        self.queue.commit().unwrap();
    }

    fn draft(&mut self, to: Id, body: &[u8]) -> Draft {
        self.salts += 1;
        Draft {
            recipient: Recipient::Peer(*to.as_bytes()),
            suite: Suite::STATIC_X25519,
            salt: Salt(self.salts.to_be_bytes()),
            time: NOW,
            not_after: None,
            body_hash: body_hash(body),
            body: DraftBody::Inline(Bytes::copy_from_slice(body)),
            idempotency: None,
        }
    }

    fn send(&mut self, to: Id, body: &[u8]) -> Sent {
        let draft = self.draft(to, body);
        self.queue.send(draft).unwrap()
    }

    /// Sends one message per number, as `stage` and `commit`.
    fn send_numbers(&mut self, to: Id, numbers: std::ops::Range<u64>) {
        for number in numbers {
            self.send(to, &number.to_be_bytes());
        }
        self.queue.commit().unwrap();
    }

    /// What a session would bring `reader` of this node's log, from where `follow` is.
    fn group_for(&mut self, reader: Id, follow: &Follow) -> Option<Received> {
        let (author, epoch) = (self.id(), self.queue.epoch());
        let chunk = self.queue.chunk(&reader, epoch, follow.length(), &[], 200_000).unwrap()?;
        let folded = fold(&follow.peaks, &author, epoch, chunk.to, chunk.items).unwrap();
        assert_eq!(folded.peaks.root(), chunk.root);
        let head = Head { author, epoch, length: chunk.to, root: chunk.root };
        let (mut entries, mut next_seq) = (Vec::new(), follow.next_seq);
        for shown in folded.shown {
            let content = match shown.header {
                None => Content::Gone,
                Some(header) => {
                    let decoded = Header::decode(&header).unwrap();
                    Content::Entry { header, decoded, body: shown.body }
                }
            };
            let (index, leaf, seq) = (shown.index, shown.leaf, next_seq);
            entries.push(ReceivedEntry { index, seq, leaf, content });
            next_seq.0 += 1;
        }
        let follow = Follow { peaks: folded.peaks, next_seq, ..*follow };
        let head = head.sign(&self.identity);
        let (announcements, reached) = (Vec::new(), Vec::new());
        Some(Received { entries, announcements, follow, head, reached })
    }

    /// Takes in all that `author` has for this node, each group with a commit of its own.
    fn receive_all(&mut self, author: &mut Self) {
        while let Some(group) = self.next_group(author) {
            self.queue.receive(&author.id(), &group).unwrap();
            self.queue.commit().unwrap();
        }
    }

    fn next_group(&mut self, author: &mut Self) -> Option<Received> {
        let opening = self.queue.opening(&author.id()).unwrap();
        let held = opening.held.into_iter().find(|held| held.epoch == author.queue.epoch());
        author.group_for(self.id(), &held.map(|held| held.follow).unwrap_or_default())
    }

    /// Marks seqs of the author's first life, durably.
    fn mark(
        &mut self,
        from: Id,
        seqs: std::ops::RangeInclusive<u64>,
        to: Mark,
    ) -> Result<Changes, QueueError> {
        let epoch = self.queue.first_epoch(&from).unwrap_or_default();
        self.queue.mark(&[Place { from, epoch, seqs }], to)?;
        Ok(self.queue.commit().unwrap())
    }

    fn take(&mut self, reader: u64, count: usize) -> Vec<u64> {
        let budget = TakeBudget { count, size: usize::MAX };
        seqs(&self.queue.take(ReaderId(reader), budget, NOW).unwrap())
    }

    fn figures(&mut self, of: Id) -> PeerFigures {
        self.queue.figures().unwrap().into_iter().find(|figures| figures.id == of).unwrap()
    }
}

/// A node and one that has added it.
fn author_and_reader() -> (Node, Node) {
    let (author, mut reader) = (Node::new(1), Node::new(2));
    reader.add(&author);
    (author, reader)
}

fn open(store: &Arc<MemoryStore>, identity: &Identity) -> Queue {
    Queue::open(Box::new(Shared(Arc::clone(store))), identity.id(), NOW).unwrap()
}

/// A set of one run.
fn run(seqs: std::ops::Range<u64>) -> Ranges {
    std::iter::once(seqs).collect()
}

fn seqs(offers: &[Offer]) -> Vec<u64> {
    offers.iter().map(|offer| offer.seq.0).collect()
}

impl Store for Shared {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.0.get(key)
    }

    fn scan(&self, range: std::ops::Range<&[u8]>) -> Scan<'_> {
        self.0.scan(range)
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.0.commit(batch)
    }
}
