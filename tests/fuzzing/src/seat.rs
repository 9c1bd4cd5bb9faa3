//! A node's end of one session: frames in, frames out, and the store's answers straight back in.

use std::sync::Arc;

use peermq::queue::{Changes, QueueError};
use peermq::sync::{
    Frame, Grant, Input, Load, Loaded, Output, Reason, Session, SessionConfig, Store, Stored,
};
use peermq::types::{Id, Instant};

use crate::node::Node;

/// A node with a session.
#[derive(Debug)]
pub(crate) struct Seat<'a> {
    pub(crate) node: &'a mut Node,
    pub(crate) peer: Id,
    pub(crate) now: Instant,
    /// Why the session is over, once it is.
    pub(crate) closed: Option<Reason>,
    session: Session,
}

impl<'a> Seat<'a> {
    pub(crate) fn new(node: &'a mut Node, peer: Id) -> Self {
        let identity = Arc::clone(&node.identity);
        let config = SessionConfig { identity, peer, grant: Grant::Receive, session_hash: [5; 32] };
        let now = Instant(0);
        Self { node, peer, now, closed: None, session: Session::new(config, now) }
    }

    /// Hands an input in, and gives what is to be sent.
    pub(crate) fn handle(&mut self, input: Input) -> Vec<Frame> {
        // An error comes out as `Output::Close`.
        let _ = self.session.handle(input, self.now);
        self.drain()
    }

    /// Gives what is to be sent, after the store has answered all that it was asked.
    pub(crate) fn drain(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Transmit(frame) => frames.push(frame),
                Output::Load(load) => {
                    let loaded = self.load(load);
                    self.answer(Input::Loaded(loaded));
                }
                Output::Store(store) => {
                    let answers = self.store(store);
                    answers.into_iter().for_each(|answer| self.answer(answer));
                }
                Output::Close(reason) => self.closed = Some(reason),
                _ => {}
            }
        }
        frames
    }

    fn answer(&mut self, input: Input) {
        // As above.
        let _ = self.session.handle(input, self.now);
    }

    fn load(&mut self, load: Load) -> Loaded {
        let (queue, peer) = (&mut self.node.queue, &self.peer);
        let loaded = match load {
            Load::Opening => queue.opening(peer).map(Loaded::Opening),
            Load::Chunk { epoch, from, checkpoints, budget } => queue
                .chunk(peer, epoch, from, &checkpoints, budget)
                .map(|chunk| Loaded::Chunk { epoch, from, chunk }),
            Load::Receipts { epoch } => queue.receipts(peer, epoch).map(Loaded::Receipts),
            Load::Followed => Ok(Loaded::Followed(queue.followed(peer))),
            other => panic!("expected a known read, got {other:?}"),
        };
        loaded.expect("a sound store can be read")
    }

    /// Writes, durably; then what to tell the session.
    fn store(&mut self, store: Store) -> Vec<Input> {
        let (queue, peer) = (&mut self.node.queue, self.peer);
        let (epoch, staged) = match store {
            Store::Received(received) => {
                let epoch = received.head.epoch;
                (Some(epoch), queue.receive(&peer, &received).map(|()| Stored::Returned))
            }
            Store::Returned(returned) => {
                (None, queue.recall(&peer, &returned).map(|()| Stored::Returned))
            }
            Store::Receipts(receipts) => {
                (None, queue.acknowledge(&peer, receipts).map(|_| Stored::Receipts))
            }
            Store::Heads(heads) => (None, queue.compare_heads(heads).map(|()| Stored::Heads)),
            Store::Fork(fork) => {
                queue.add_fork(&fork);
                (None, Ok(Stored::Fork))
            }
            other => panic!("expected a known write, got {other:?}"),
        };
        let stored = match staged {
            Ok(stored) => stored,
            Err(QueueError::Refused(refusal)) => {
                return vec![Input::Stored(Stored::Refused(refusal))];
            }
            Err(error) => panic!("a peer must not make a write fail: {error}"),
        };
        let changes = queue.commit().expect("a store in memory takes all that is within bounds");
        let stored = match epoch {
            Some(epoch) => {
                Stored::Received(queue.receipts(&peer, epoch).expect("a sound store can be read"))
            }
            None => stored,
        };
        let mut inputs = vec![Input::Stored(stored)];
        inputs.extend(news(changes, &peer));
        inputs
    }
}

/// What a commit changed that a session with `peer` is told.
pub(crate) fn news(changes: Changes, peer: &Id) -> Vec<Input> {
    let grown = changes.grown.into_iter().filter(|(id, _)| id == peer);
    let marked = changes.marked.into_iter().filter(|(id, _)| id == peer);
    let checkpoints = changes.checkpoints.into_iter().filter(|(id, ..)| id == peer);
    let forked = changes.forked.into_iter().filter(|(id, _)| id == peer);
    let inputs = grown.map(|(_, life)| Input::LocalHead(life));
    let inputs = inputs.chain(marked.map(|(_, epoch)| Input::LocalMarks(epoch)));
    let inputs =
        inputs.chain(checkpoints.map(|(_, epoch, heads)| Input::Checkpoints { epoch, heads }));
    inputs.chain(forked.map(|(_, forked)| Input::Forked(forked))).collect()
}

/// Lets two honest nodes talk until neither has anything more to say.
pub(crate) fn converse(one: &mut Node, other: &mut Node) {
    let [id, other_id] = [one.id(), other.id()];
    let mut seats = [Seat::new(one, other_id), Seat::new(other, id)];
    let mut coming = [seats[1].drain(), seats[0].drain()];
    while coming.iter().any(|frames| !frames.is_empty()) {
        let mut answers = [Vec::new(), Vec::new()];
        for (at, frames) in std::mem::take(&mut coming).into_iter().enumerate() {
            for frame in frames {
                let flushed = Input::Flushed(frame.size());
                answers[1 - at].extend(seats[at].handle(Input::Received(frame)));
                answers[at].extend(seats[1 - at].handle(flushed));
            }
        }
        coming = answers;
    }
    for seat in &seats {
        assert_eq!(seat.closed, None, "two honest nodes have no quarrel");
    }
}
