//! What other readers tell of logs that are followed here: compared at once, or kept as a checkpoint
//! that the log's author has to reach.

use super::Queue;
use super::dispatch::LogKey;
use super::error::QueueError;
use super::forks::Fork;
use super::peer_book::PeerState;
use super::received::author_log::AuthorLog;
use crate::limits::CHECKPOINT_COUNT_MAX;
use crate::log::SignedHead;
use crate::planted;
use crate::sync::proof::{Evidence, Proof, ProvenFork};
use crate::sync::{Followed, Forked};
use crate::types::{Epoch, Id};

/// What became of a head that was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compared {
    /// It says nothing new.
    Nothing,
    /// It is ahead: the log has to lead to it.
    Ahead,
    /// It and this one, which is held, cannot be of one log.
    Contradicts(SignedHead),
}

impl Queue {
    /// Takes in verified heads of logs that are followed here.
    ///
    /// # Errors
    /// Fatal ones.
    pub fn compare_heads(&mut self, heads: Vec<(Id, SignedHead)>) -> Result<(), QueueError> {
        for (author, head) in heads {
            let Some(key) = self.log_key(&author, head.epoch) else { continue };
            if self.forks.blocks(key) {
                continue;
            }
            let Some(log) = self.inbox.logs.get_mut(&key) else { continue };
            match log.compare(head) {
                Compared::Nothing => {}
                Compared::Ahead => {
                    let (epoch, ahead) = (head.epoch, log.checkpoints().to_vec());
                    self.inbox.touch(key);
                    let told = &mut self.changes.checkpoints;
                    told.retain(|(id, life, _)| (*id, *life) != (author, epoch));
                    told.push((author, epoch, ahead));
                }
                Compared::Contradicts(ours) => {
                    let evidence = Evidence::of_heads(author, ours, head);
                    let damaged = |_| QueueError::Damaged("the signed head of an author's row");
                    let fork = evidence.verify().map_err(damaged);
                    let fork = self.watch(fork)?;
                    self.add_fork(&fork);
                }
            }
        }
        Ok(())
    }

    /// Takes in a fork of a log that is followed here: it is frozen once committed. An author may
    /// sign two heads of any number of lives that it never led; those do not keep out the fork of a
    /// life that was taken in, of which there are only so many.
    pub fn add_fork(&mut self, fork: &ProvenFork) {
        let (id, epoch) = (fork.first().author, fork.first().epoch);
        let Some(author) = self.peers.find(&id).map(|peer| peer.number) else { return };
        let key = LogKey { author, epoch };
        let is_held = self.inbox.logs.contains_key(&key);
        if !is_held && self.forks.are_many(author) || !self.forks.add(author, fork) {
            return;
        }
        self.changes.forked.push((id, Forked { epoch, is_acknowledged: false }));
        if let Some(log) = self.inbox.logs.get_mut(&key) {
            log.set_checkpoints(Vec::new());
            self.inbox.touch(key);
        }
    }

    /// The forks that are known, by author and life.
    #[must_use]
    pub fn forks(&self) -> Vec<Fork> {
        self.forks.iter().collect()
    }

    /// The user knows of an author's forks, or of the one in one life: later lives are followed.
    ///
    /// # Errors
    /// [`QueueError::NoFork`].
    pub fn acknowledge_fork(
        &mut self,
        author: &Id,
        epoch: Option<Epoch>,
    ) -> Result<(), QueueError> {
        let number = self.peers.find(author).map(|peer| peer.number);
        let found = number.is_some_and(|number| self.forks.acknowledge(number, epoch));
        if found { Ok(()) } else { Err(QueueError::NoFork(*author)) }
    }

    /// The proof of an author's newest fork, or of the one in one life.
    ///
    /// # Errors
    /// [`QueueError::NoFork`].
    pub fn fork_proof(&self, author: &Id, epoch: Option<Epoch>) -> Result<Proof, QueueError> {
        let number = self.peers.find(author).map(|peer| peer.number);
        let forks = number.into_iter().flat_map(|number| self.forks.of(number));
        let mut meant = forks.filter(|(forked, _)| epoch.is_none_or(|it| it == forked.epoch));
        let fork = meant.next_back().map(|(_, fork)| fork.evidence().clone());
        let evidence = fork.ok_or(QueueError::NoFork(*author))?;
        Ok(Proof::Fork(Box::new(evidence)))
    }

    /// The logs that are followed here beside an added peer's own, for a session with it.
    #[must_use]
    pub fn followed(&self, peer: &Id) -> Vec<Followed> {
        if self.peers.state(peer) != PeerState::Added {
            return Vec::new();
        }
        let others =
            self.peers.iter().filter(|(id, row)| row.state == PeerState::Added && *id != peer);
        let followed = others.map(|(id, row)| Followed {
            author: *id,
            heads: self.inbox.lives(row.number).rev().map(|log| log.head).collect(),
            evidence: self.forks.of(row.number).map(|(_, fork)| fork.evidence().clone()).collect(),
        });
        followed.filter(|log| !log.heads.is_empty() || !log.evidence.is_empty()).collect()
    }
}

impl AuthorLog {
    /// Compares a head that the author has signed with what is held of its log.
    fn compare(&mut self, head: SignedHead) -> Compared {
        let known = self.checkpoints().iter().chain([&self.head]);
        if let Some(known) = known.into_iter().find(|known| known.length == head.length) {
            let same = known.root == head.root;
            return if same { Compared::Nothing } else { Compared::Contradicts(*known) };
        }
        if head.length < self.head.length || planted::is("checkpoint-forgotten") {
            return Compared::Nothing; // Whoever told of it compares it with ours.
        }
        let mut ahead = self.checkpoints().to_vec();
        ahead.push(head);
        ahead.sort_by_key(|head| head.length);
        if ahead.len() > CHECKPOINT_COUNT_MAX {
            // The nearest are reached first, and the farthest says most.
            ahead.remove(CHECKPOINT_COUNT_MAX - 1);
        }
        self.set_checkpoints(ahead);
        Compared::Ahead
    }
}
