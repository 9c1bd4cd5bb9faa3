//! Two sessions and what they need, without a queue: the store answers when the test says so.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use peermq_storage::{Batch, MemoryStore, Store as _};

use crate::crypto::hash::body_hash;
use crate::crypto::{Identity, Salt, Suite};
use crate::log::{ChunkBudget, Draft, DraftBody, InboxTree, Log, Peaks};
use crate::sync::proof::ProvenFork;
use crate::sync::*;
use crate::types::{Epoch, Id, Instant, Ranges, Recipient, Seq, UnixMs};

pub(super) const EPOCH: Epoch = Epoch(1_000);

/// One end of a session.
#[derive(Debug)]
pub(super) struct End {
    pub(super) session: Session,
    pub(super) id: Id,
    peer: Id,
    store: MemoryStore,
    log: Log,
    follow: Follow,
    inbox: Peaks<InboxTree>,
    head: Option<crate::log::SignedHead>,
    /// The entries of the peer that are "durable" here.
    pub(super) entries: Vec<ReceivedEntry>,
    /// Receipts of the peer that are "durable" here.
    pub(super) receipts: Vec<SignedReceipt>,
    /// What the peer gave back, compared with the store.
    pub(super) returned: Vec<Returned>,
    /// Writes that wait for [`End::finish_writes`].
    pub(super) writes: VecDeque<Store>,
    /// Whether reads wait for [`End::finish_loads`].
    pub(super) holds_loads: bool,
    loads: VecDeque<Load>,
    /// Frames on their way out.
    pub(super) frames: VecDeque<Frame>,
    pub(super) room: u64,
    /// Lives of this end's log that have ended, empty.
    pub(super) ended: Vec<Life>,
    /// The logs of others that this end follows.
    pub(super) followed: Vec<Followed>,
    /// Heads that were to be compared.
    pub(super) heads: Vec<(Id, crate::log::SignedHead)>,
    /// Forks that are "durable" here.
    pub(super) forks: Vec<ProvenFork>,
    /// Checkpoints that were compared.
    pub(super) reached: Vec<u64>,
    pub(super) events: Vec<Event>,
    pub(super) closed: Option<Reason>,
}

impl End {
    pub(super) fn pair(grants: [Grant; 2]) -> [Self; 2] {
        let ends = [1, 2].map(|seed| Arc::new(Identity::from_seed(&[seed; 32])));
        let ids = ends.each_ref().map(|identity| identity.id());
        let [a, b] = ends;
        [Self::new(a, ids[1], grants[0]), Self::new(b, ids[0], grants[1])]
    }

    fn new(identity: Arc<Identity>, peer: Id, grant: Grant) -> Self {
        let store = MemoryStore::new();
        let id = identity.id();
        let log = Log::open(&store, id, EPOCH).unwrap();
        let config = SessionConfig { identity, peer, grant, session_hash: [7; 32] };
        Self {
            session: Session::new(config, Instant(0)),
            id,
            peer,
            store,
            log,
            follow: Follow::default(),
            inbox: Peaks::new(),
            head: None,
            entries: Vec::new(),
            receipts: Vec::new(),
            returned: Vec::new(),
            writes: VecDeque::new(),
            holds_loads: false,
            loads: VecDeque::new(),
            frames: VecDeque::new(),
            room: u64::MAX,
            ended: Vec::new(),
            followed: Vec::new(),
            heads: Vec::new(),
            forks: Vec::new(),
            reached: Vec::new(),
            events: Vec::new(),
            closed: None,
        }
    }

    /// A session like this one's, over what this end holds: the next connection.
    pub(super) fn reconnect(&mut self, identity_seed: u8) {
        let identity = Arc::new(Identity::from_seed(&[identity_seed; 32]));
        let (peer, grant, session_hash) = (self.peer, Grant::Receive, [7; 32]);
        let config = SessionConfig { identity, peer, grant, session_hash };
        self.session = Session::new(config, Instant(0));
        self.frames.clear();
        self.writes.clear();
    }

    /// Appends one durable commit with a text for each recipient.
    pub(super) fn append(&mut self, texts: &[(Recipient, &str)]) {
        let drafts: Vec<_> = texts
            .iter()
            .map(|(recipient, text)| Draft {
                recipient: *recipient,
                suite: Suite::STATIC_X25519,
                salt: Salt([7; 16]),
                time: UnixMs(5),
                not_after: None,
                body_hash: body_hash(text.as_bytes()),
                body: DraftBody::Inline(Bytes::copy_from_slice(text.as_bytes())),
                idempotency: None,
            })
            .collect();
        let mut batch = Batch::new();
        self.log.append(&self.store, &drafts, &mut batch).unwrap();
        self.store.commit(batch).unwrap();
        self.handle(Input::LocalHead(Life { epoch: EPOCH, length: self.log.length() }));
    }

    /// One input, and all that comes of it but writes.
    pub(super) fn handle(&mut self, input: Input) {
        self.handle_at(input, Instant(0));
    }

    /// One input at its time.
    pub(super) fn handle_at(&mut self, input: Input, now: Instant) {
        let _ = self.session.handle(input, now);
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Transmit(frame) => self.frames.push_back(frame),
                Output::Load(load) if self.holds_loads => self.loads.push_back(load),
                Output::Load(load) => {
                    let loaded = self.load(load);
                    let _ = self.session.handle(Input::Loaded(loaded), now);
                }
                Output::Store(store) => self.writes.push_back(store),
                Output::Event(event) => self.events.push(event),
                Output::Close(reason) => self.closed = Some(reason),
            }
        }
    }

    /// Answers all reads that wait, and lets none wait from now on.
    pub(super) fn finish_loads(&mut self) {
        self.holds_loads = false;
        while let Some(load) = self.loads.pop_front() {
            let loaded = self.load(load);
            self.handle(Input::Loaded(loaded));
        }
    }

    /// Makes all writes that wait durable.
    pub(super) fn finish_writes(&mut self) {
        self.finish_writes_at(Instant(0));
    }

    /// Makes all writes that wait durable, at a time.
    pub(super) fn finish_writes_at(&mut self, now: Instant) {
        while let Some(write) = self.writes.pop_front() {
            let stored = match write {
                Store::Received(received) => {
                    for entry in &received.entries {
                        self.inbox.push_leaf(entry.leaf, |_, _| {});
                    }
                    self.entries.extend(received.entries);
                    self.reached.extend(received.reached);
                    (self.follow, self.head) = (received.follow, Some(received.head));
                    Stored::Received(self.receipts())
                }
                Store::Returned(returned) => {
                    self.returned.push(*returned);
                    Stored::Returned
                }
                Store::Receipts(receipts) => {
                    self.receipts.extend(receipts);
                    Stored::Receipts
                }
                Store::Heads(heads) => {
                    self.heads.extend(heads);
                    Stored::Heads
                }
                Store::Fork(fork) => {
                    self.forks.push(*fork);
                    Stored::Fork
                }
            };
            self.handle_at(Input::Stored(stored), now);
        }
    }

    /// The root of this end's log at a length.
    pub(super) fn root_at(&self, length: u64) -> crate::crypto::hash::Hash {
        let mut log = Log::open(&self.store, self.id, EPOCH).unwrap();
        log.root_at(&self.store, length).unwrap().unwrap()
    }

    pub(super) fn texts(&self) -> Vec<String> {
        let bodies = self.entries.iter().map(|entry| match &entry.content {
            Content::Entry { body: Some(body), .. } => body.clone(),
            other => panic!("expected an inline body, got {other:?}"),
        });
        bodies.map(|body| String::from_utf8(body.to_vec()).unwrap()).collect()
    }

    fn load(&mut self, load: Load) -> Loaded {
        match load {
            Load::Opening => {
                let known = self.head.is_some();
                let held = Held {
                    epoch: EPOCH,
                    follow: self.follow.clone(),
                    receipts: self.receipts().receipts,
                    checkpoints: Vec::new(),
                };
                Loaded::Opening(Opening {
                    lives: [&[Life { epoch: EPOCH, length: self.log.length() }][..], &self.ended]
                        .concat(),
                    heads: self.head.into_iter().collect(),
                    receipts: self.receipts.clone(),
                    held: if known { vec![held] } else { Vec::new() },
                    room: self.room,
                    forked: Vec::new(),
                    followed: self.followed.clone(),
                })
            }
            Load::Followed => Loaded::Followed(self.followed.clone()),
            Load::Chunk { epoch, from, checkpoints, budget } => {
                let recipient = Recipient::Peer(*self.peer.as_bytes());
                let budget = ChunkBudget { bytes: budget, items: 4_096, checkpoints: &checkpoints };
                let chunk = self.log.chunk(&self.store, &recipient, from, &budget).unwrap();
                Loaded::Chunk { epoch, from, chunk }
            }
            Load::Receipts { epoch, .. } if epoch != EPOCH => {
                let (receipts, room) = (Vec::new(), self.room);
                Loaded::Receipts(Receipts { epoch, receipts, more: false, room })
            }
            Load::Receipts { .. } => Loaded::Receipts(self.receipts()),
        }
    }

    fn receipts(&self) -> Receipts {
        let seen = self.follow.next_seq.0;
        let receipt = Receipt {
            receiver: *self.id.as_bytes(),
            author: *self.peer.as_bytes(),
            epoch: EPOCH,
            recipient: Recipient::Peer(*self.id.as_bytes()),
            seen,
            inbox: self.inbox.root(),
            window: 0..seen,
            stored: Acked::of(&Ranges::below(seen), 0..seen),
            archived: Acked::default(),
            rejected: Ranges::new(),
        };
        Receipts { epoch: EPOCH, receipts: vec![receipt], more: false, room: self.room }
    }
}

/// Carries frames to and fro until both are quiet; writes stay undone.
pub(super) fn carry(ends: &mut [End; 2]) {
    let [a, b] = ends;
    loop {
        let (to_b, to_a) = (std::mem::take(&mut a.frames), std::mem::take(&mut b.frames));
        if to_a.is_empty() && to_b.is_empty() {
            return;
        }
        to_b.into_iter().for_each(|frame| b.handle(Input::Received(frame)));
        to_a.into_iter().for_each(|frame| a.handle(Input::Received(frame)));
    }
}

/// Carries frames and finishes writes until nothing is left to do.
pub(super) fn settle(ends: &mut [End; 2]) {
    loop {
        carry(ends);
        if ends.iter().all(|end| end.writes.is_empty()) {
            return;
        }
        ends.iter_mut().for_each(End::finish_writes);
    }
}

/// Hands each end its first output: the opening.
pub(super) fn open(ends: &mut [End; 2]) {
    for end in ends.iter_mut() {
        // A flush of nothing makes the session look at its outputs.
        end.handle(Input::Flushed(0));
    }
    settle(ends);
}

/// A recipient that is neither end.
pub(super) fn third() -> Recipient {
    Recipient::Peer([3; 32])
}

/// The seq of an entry, for tests that compare.
pub(super) fn seqs(end: &End) -> Vec<Seq> {
    end.entries.iter().map(|entry| entry.seq).collect()
}
