//! One node: its key, its durable state, and its session with the other.

use std::sync::Arc;

use bytes::Bytes;
use peermq::crypto::hash::body_hash;
use peermq::crypto::{BodyKey, Identity, PairSecret, Salter, SealContext, Suite};
use peermq::log::{Draft, DraftBody, Envelope, HEADER_VERSION};
use peermq::queue::{Mark, Place, Queue};
use peermq::sync::{
    Frame, Grant, Input, Load, Loaded, Output, Session, SessionConfig, Store, Stored,
};
use peermq::types::{Id, Instant, Recipient, UnixMs};
use peermq_storage::MemoryStore;

use crate::{GROUP_COUNT, Outcome, TEXT_SIZE};

/// One end of a [`Pair`](crate::Pair).
#[derive(Debug)]
pub struct Node {
    identity: Identity,
    peer: Id,
    secret: PairSecret,
    salter: Salter,
    queue: Queue,
    session: Session,
    sent: u64,
}

impl Node {
    pub(crate) fn new(seed: u8, peer_seed: u8) -> Outcome<Self> {
        let identity = Identity::from_seed(&[seed; 32]);
        let peer = Identity::from_seed(&[peer_seed; 32]).id();
        let mut queue = Queue::open(Box::new(MemoryStore::new()), identity.id(), NOW)?;
        queue.add_peer(&peer, None)?;
        queue.commit()?;
        let config = SessionConfig {
            identity: Arc::new(Identity::from_seed(&[seed; 32])),
            peer,
            grant: Grant::Receive,
            session_hash: [0; 32],
        };
        let (secret, salter) = (PairSecret::new(&identity, &peer)?, Salter::new(&identity));
        let session = Session::new(config, Instant(0));
        Ok(Self { identity, peer, secret, salter, queue, session, sent: 0 })
    }

    /// This node's id.
    #[must_use]
    pub fn id(&self) -> Id {
        self.identity.id()
    }

    /// Seals so many texts for the peer, as `Node::send` does in its caller's task.
    ///
    /// # Errors
    /// When a text does not seal.
    pub fn seal(&mut self, count: usize) -> Outcome<Vec<Draft>> {
        (0..count).map(|_| self.seal_one()).collect()
    }

    /// Numbers the texts and makes them durable in one step, as the storage thread does.
    ///
    /// # Errors
    /// When the queue refuses.
    pub fn append(&mut self, drafts: Vec<Draft>) -> Outcome<()> {
        for draft in drafts {
            self.queue.send(draft)?;
        }
        self.queue.commit()?;
        Ok(())
    }

    /// Sends so many texts in steps of a full block.
    ///
    /// # Errors
    /// As [`Node::seal`] and [`Node::append`].
    pub fn send(&mut self, count: usize) -> Outcome<()> {
        for start in (0..count).step_by(GROUP_COUNT) {
            let drafts = self.seal(GROUP_COUNT.min(count - start))?;
            self.append(drafts)?;
        }
        Ok(())
    }

    /// Archives what came from the peer: those at these places, in one step.
    ///
    /// # Errors
    /// When one of them never came.
    pub fn archive(&mut self, seqs: std::ops::RangeInclusive<u64>) -> Outcome<()> {
        let epoch = self.queue.first_epoch(&self.peer).ok_or("expected messages of the peer")?;
        self.queue.mark(&[Place { from: self.peer, epoch, seqs }], Mark::Archived)?;
        self.queue.commit()?;
        Ok(())
    }

    /// Takes a frame in; what comes out waits in the session.
    ///
    /// # Errors
    /// When the frame is not what an honest peer sends.
    pub fn receive(&mut self, frame: Frame) -> Outcome<()> {
        Ok(self.session.handle(Input::Received(frame), Instant(0))?)
    }

    /// Does what the session asks for; gives what goes to the peer.
    ///
    /// # Errors
    /// When the session or the queue fails.
    pub fn answer(&mut self) -> Outcome<Vec<Frame>> {
        let mut frames = Vec::new();
        while let Some(output) = self.session.poll_output() {
            let input = match output {
                Output::Transmit(frame) => {
                    let size = frame.size();
                    frames.push(frame);
                    Input::Flushed(size)
                }
                Output::Load(load) => Input::Loaded(self.load(load)?),
                Output::Store(store) => Input::Stored(self.store(store)?),
                _ => continue,
            };
            self.session.handle(input, Instant(0))?;
        }
        Ok(frames)
    }

    fn seal_one(&mut self) -> Outcome<Draft> {
        let mut plain = Vec::with_capacity(TEXT_SIZE + 16);
        Envelope::default().encode(&mut plain)?;
        plain.resize(plain.len() + TEXT_SIZE, b'x');
        let recipient = Recipient::Peer(*self.peer.as_bytes());
        // Fresh for each text; a real node draws it by chance.
        let mut random = [0; 32];
        random[..8].copy_from_slice(&self.sent.to_be_bytes());
        self.sent += 1;
        let salt = self.salter.salt(&random, NOW.0 * 1_000_000, &recipient, Some(&plain));
        let context = SealContext {
            author: self.identity.id(),
            recipient: *self.peer.as_bytes(),
            epoch: self.queue.epoch(),
            header_version: HEADER_VERSION,
            suite: Suite::STATIC_X25519,
            salt,
        };
        let sealed = Bytes::from(BodyKey::new(&self.secret, &context).seal_short(plain)?);
        Ok(Draft {
            recipient,
            suite: Suite::STATIC_X25519,
            salt,
            time: NOW,
            not_after: None,
            body_hash: body_hash(&sealed),
            body: DraftBody::Inline(sealed),
            idempotency: None,
        })
    }

    fn load(&mut self, load: Load) -> Outcome<Loaded> {
        Ok(match load {
            Load::Opening => Loaded::Opening(self.queue.opening(&self.peer)?),
            Load::Chunk { epoch, from, checkpoints, budget } => {
                let chunk = self.queue.chunk(&self.peer, epoch, from, &checkpoints, budget)?;
                Loaded::Chunk { epoch, from, chunk }
            }
            Load::Receipts { epoch } => Loaded::Receipts(self.queue.receipts(&self.peer, epoch)?),
            other => return Err(format!("expected nothing of the kind, got {other:?}").into()),
        })
    }

    fn store(&mut self, store: Store) -> Outcome<Stored> {
        let stored = match store {
            Store::Received(received) => {
                let epoch = received.head.epoch;
                self.queue.receive(&self.peer, &received)?;
                self.queue.commit()?;
                return Ok(Stored::Received(self.queue.receipts(&self.peer, epoch)?));
            }
            Store::Returned(returned) => {
                self.queue.recall(&self.peer, &returned)?;
                Stored::Returned
            }
            Store::Receipts(receipts) => {
                self.queue.acknowledge(&self.peer, receipts)?;
                Stored::Receipts
            }
            other => return Err(format!("expected nothing of the kind, got {other:?}").into()),
        };
        self.queue.commit()?;
        Ok(stored)
    }
}

/// The hour never changes.
const NOW: UnixMs = UnixMs(1_700_000_000_000);
