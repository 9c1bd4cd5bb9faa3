//! Two nodes in session: the real machine between two queues, without a network.

use std::sync::Arc;

use super::*;
use crate::sync::{
    Grant, Input, Load, Loaded, Output, Reason, Session, SessionConfig, Store as ToStore, Stored,
    SyncError,
};
use crate::types::Instant;

/// Two nodes and the two ends of their session.
pub(super) struct Pair {
    pub(super) nodes: [Node; 2],
    ends: [Session; 2],
}

impl Pair {
    /// Both have added each other.
    pub(super) fn of(nodes: [Node; 2]) -> Self {
        let [mut one, mut other] = nodes;
        one.add(&other);
        other.add(&one);
        let ends = [end(&one, &other), end(&other, &one)];
        Self { nodes: [one, other], ends }
    }

    /// A new session.
    pub(super) fn reconnect(&mut self) {
        let [one, other] = &self.nodes;
        self.ends = [end(one, other), end(other, one)];
    }

    /// Runs until nothing moves any more; the end that closes says why.
    pub(super) fn run(&mut self) -> Result<(), SyncError> {
        let mut moved = true;
        while moved {
            moved = false;
            for side in [0, 1] {
                while let Some(output) = self.ends[side].poll_output() {
                    moved = true;
                    self.on_output(side, output)?;
                }
            }
        }
        Ok(())
    }

    /// Commits on one side, tells its session as a node would, and runs.
    pub(super) fn commit(&mut self, side: usize) -> Result<Changes, SyncError> {
        let changes = self.nodes[side].queue.commit().unwrap();
        self.tell(side, &changes)?;
        self.run()?;
        Ok(changes)
    }

    fn tell(&mut self, side: usize, changes: &Changes) -> Result<(), SyncError> {
        for (_, life) in &changes.grown {
            self.input(side, Input::LocalHead(*life))?;
        }
        for (_, epoch) in &changes.marked {
            self.input(side, Input::LocalMarks(*epoch))?;
        }
        if changes.is_disk_other {
            self.input(side, Input::Room)?;
        }
        let peer = self.nodes[1 - side].id();
        for (_, epoch, heads) in changes.checkpoints.iter().filter(|it| it.0 == peer) {
            self.input(side, Input::Checkpoints { epoch: *epoch, heads: heads.clone() })?;
        }
        for (author, forked) in &changes.forked {
            if *author == peer {
                self.input(side, Input::Forked(*forked))?;
            }
            self.input(side, Input::Forks)?;
        }
        Ok(())
    }

    fn on_output(&mut self, side: usize, output: Output) -> Result<(), SyncError> {
        let peer = self.nodes[1 - side].id();
        let queue = &mut self.nodes[side].queue;
        match output {
            Output::Transmit(frame) => {
                let size = frame.size();
                self.input(1 - side, Input::Received(frame))?;
                self.input(side, Input::Flushed(size))
            }
            Output::Load(load) => {
                let loaded = match load {
                    Load::Opening => Loaded::Opening(queue.opening(&peer).unwrap()),
                    Load::Chunk { epoch, from, checkpoints, budget } => {
                        let chunk = queue.chunk(&peer, epoch, from, &checkpoints, budget).unwrap();
                        Loaded::Chunk { epoch, from, chunk }
                    }
                    Load::Followed => Loaded::Followed(queue.followed(&peer)),
                    Load::Receipts { epoch } => {
                        Loaded::Receipts(queue.receipts(&peer, epoch).unwrap())
                    }
                };
                self.input(side, Input::Loaded(loaded))
            }
            Output::Store(ToStore::Received(received)) => {
                let epoch = received.head.epoch;
                if let Err(QueueError::Refused(refusal)) = queue.receive(&peer, &received) {
                    return self.input(side, Input::Stored(Stored::Refused(refusal)));
                }
                queue.commit().unwrap();
                let receipts = queue.receipts(&peer, epoch).unwrap();
                self.input(side, Input::Stored(Stored::Received(receipts)))
            }
            Output::Store(ToStore::Receipts(receipts)) => {
                if let Err(QueueError::Refused(refusal)) = queue.acknowledge(&peer, receipts) {
                    return self.input(side, Input::Stored(Stored::Refused(refusal)));
                }
                queue.commit().unwrap();
                self.input(side, Input::Stored(Stored::Receipts))
            }
            Output::Store(ToStore::Returned(returned)) => {
                queue.recall(&peer, &returned).unwrap();
                queue.commit().unwrap();
                self.input(side, Input::Stored(Stored::Returned))
            }
            Output::Store(ToStore::Heads(heads)) => {
                queue.compare_heads(heads).unwrap();
                let changes = queue.commit().unwrap();
                self.input(side, Input::Stored(Stored::Heads))?;
                self.tell(side, &changes)
            }
            Output::Store(ToStore::Fork(fork)) => {
                queue.add_fork(&fork);
                let changes = queue.commit().unwrap();
                self.input(side, Input::Stored(Stored::Fork))?;
                self.tell(side, &changes)
            }
            Output::Close(Reason::Failed(error)) => Err(error),
            _ => Ok(()),
        }
    }

    fn input(&mut self, side: usize, input: Input) -> Result<(), SyncError> {
        self.ends[side].handle(input, Instant(0))
    }
}

fn end(node: &Node, other: &Node) -> Session {
    let identity = Arc::clone(&node.identity);
    let (peer, grant, session_hash) = (other.id(), Grant::Receive, [7; 32]);
    let config = SessionConfig { identity, peer, grant, session_hash };
    Session::new(config, Instant(0))
}
