//! Two nodes without tokio, sockets, clock or disk: the pure layers driven by hand.
//!
//! The session is a machine: inputs in, outputs out. Here frames cross by a function call and the
//! store is in memory, so the whole exchange can be watched, simulated, or carried by anything.
//!
//! `cargo run --example sync_without_tokio --no-default-features`

use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use peermq::crypto::hash::body_hash;
use peermq::crypto::{BodyKey, Identity, PairSecret, Salter, SealContext, Suite};
use peermq::log::{Draft, DraftBody, Envelope, HEADER_VERSION};
use peermq::queue::{OfferBody, Queue, ReaderId, TakeBudget};
use peermq::sync::{
    Frame, Grant, Input, Load, Loaded, Output, Session, SessionConfig, Store, Stored,
};
use peermq::types::{Epoch, Id, Instant, Recipient, UnixMs};
use peermq_storage::MemoryStore;

const NOW: UnixMs = UnixMs(1_700_000_000_000);

/// One node: its key, its durable state, and its session with the other.
struct Node {
    identity: Arc<Identity>,
    peer: Id,
    queue: Queue,
    session: Session,
}

fn main() -> Result<(), Box<dyn Error>> {
    let [alice, bob] = [1, 2].map(|seed| Arc::new(Identity::from_seed(&[seed; 32])));
    let mut a = Node::new(Arc::clone(&alice), bob.id())?;
    let mut b = Node::new(bob, alice.id())?;
    b.send("hello without a runtime")?;

    let (mut to_a, mut to_b) = (b.step(None)?, a.step(None)?);
    while !to_a.is_empty() || !to_b.is_empty() {
        let (for_a, for_b) = (std::mem::take(&mut to_a), std::mem::take(&mut to_b));
        for frame in for_a {
            println!("b to a: {:?}, {} bytes", frame.kind, frame.size());
            to_b.extend(a.step(Some(frame))?);
        }
        for frame in for_b {
            println!("a to b: {:?}, {} bytes", frame.kind, frame.size());
            to_a.extend(b.step(Some(frame))?);
        }
    }
    let acked = b.queue.acked(&alice.id(), b.queue.epoch())?;
    println!("a reads: {}; b knows that {} is stored", a.read()?, acked.stored.count());
    Ok(())
}

impl Node {
    fn new(identity: Arc<Identity>, peer: Id) -> Result<Self, Box<dyn Error>> {
        let mut queue = Queue::open(Box::new(MemoryStore::new()), identity.id(), NOW)?;
        queue.add_peer(&peer, None)?;
        queue.commit()?;
        let config = SessionConfig {
            identity: Arc::clone(&identity),
            peer,
            grant: Grant::Receive,
            session_hash: [0; 32],
        };
        Ok(Self { identity, peer, queue, session: Session::new(config, Instant(0)) })
    }

    /// Hands a frame in and does what comes out; the answers of the store go straight back in.
    fn step(&mut self, frame: Option<Frame>) -> Result<Vec<Frame>, Box<dyn Error>> {
        let mut frames = Vec::new();
        if let Some(frame) = frame {
            self.session.handle(Input::Received(frame), Instant(0))?;
        }
        while let Some(output) = self.session.poll_output() {
            let answer = match output {
                Output::Transmit(frame) => {
                    frames.push(frame);
                    continue;
                }
                Output::Load(load) => Input::Loaded(self.load(load)?),
                Output::Store(store) => Input::Stored(self.store(store)?),
                _ => continue,
            };
            self.session.handle(answer, Instant(0))?;
        }
        Ok(frames)
    }

    fn load(&mut self, load: Load) -> Result<Loaded, Box<dyn Error>> {
        Ok(match load {
            Load::Opening => Loaded::Opening(self.queue.opening(&self.peer)?),
            Load::Chunk { epoch, from, checkpoints, budget } => {
                let chunk = self.queue.chunk(&self.peer, epoch, from, &checkpoints, budget)?;
                Loaded::Chunk { epoch, from, chunk }
            }
            Load::Receipts { epoch } => Loaded::Receipts(self.queue.receipts(&self.peer, epoch)?),
            other => return Err(format!("nothing is known of {other:?}").into()),
        })
    }

    /// The answer goes in only after the commit: this is what makes a receipt true.
    fn store(&mut self, store: Store) -> Result<Stored, Box<dyn Error>> {
        Ok(match store {
            Store::Received(received) => {
                let epoch = received.head.epoch;
                self.queue.receive(&self.peer, &received)?;
                self.queue.commit()?;
                Stored::Received(self.queue.receipts(&self.peer, epoch)?)
            }
            Store::Returned(returned) => {
                self.queue.recall(&self.peer, &returned)?;
                self.queue.commit()?;
                Stored::Returned
            }
            Store::Receipts(receipts) => {
                self.queue.acknowledge(&self.peer, receipts)?;
                self.queue.commit()?;
                Stored::Receipts
            }
            other => return Err(format!("nothing is known of {other:?}").into()),
        })
    }

    fn send(&mut self, text: &str) -> Result<(), Box<dyn Error>> {
        let mut plain = Vec::new();
        Envelope::default().encode(&mut plain)?;
        plain.extend_from_slice(text.as_bytes());
        let recipient = Recipient::Peer(*self.peer.as_bytes());
        // A program draws 32 fresh random bytes here.
        let random = [7; 32];
        let salt =
            Salter::new(&self.identity).salt(&random, NOW.0 * 1_000_000, &recipient, Some(&plain));
        let secret = PairSecret::new(&self.identity, &self.peer)?;
        let context = context(self.identity.id(), self.peer, self.queue.epoch(), salt);
        let sealed = Bytes::from(BodyKey::new(&secret, &context).seal_short(plain)?);
        self.queue.send(Draft {
            recipient,
            suite: Suite::STATIC_X25519,
            salt,
            time: NOW,
            not_after: None,
            body_hash: body_hash(&sealed),
            body: DraftBody::Inline(sealed),
            idempotency: None,
        })?;
        self.queue.commit()?;
        Ok(())
    }

    fn read(&mut self) -> Result<String, Box<dyn Error>> {
        let budget = TakeBudget { count: 1, size: 4_096 };
        let offers = self.queue.take(ReaderId(0), budget, NOW)?;
        let offer = offers.into_iter().next().ok_or("nothing is unread")?;
        let (peermq::log::Decoded::Header(header), OfferBody::Inline(sealed)) =
            (offer.header, offer.body)
        else {
            return Err("expected a short message of this version".into());
        };
        let secret = PairSecret::new(&self.identity, &offer.from)?;
        let context = context(offer.from, self.identity.id(), offer.epoch, header.salt);
        let plain = BodyKey::new(&secret, &context).open_short(sealed.to_vec())?;
        let (_, start) = Envelope::decode(&plain)?;
        Ok(String::from_utf8_lossy(plain.get(start..).unwrap_or_default()).into_owned())
    }
}

fn context(author: Id, recipient: Id, epoch: Epoch, salt: peermq::crypto::Salt) -> SealContext {
    let recipient = *recipient.as_bytes();
    let suite = Suite::STATIC_X25519;
    SealContext { author, recipient, epoch, header_version: HEADER_VERSION, suite, salt }
}
