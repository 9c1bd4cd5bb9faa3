//! Acknowledgements as they become durable here: the difference between what was known and what is.

use std::collections::VecDeque;
use std::fmt;

use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::watch;

use super::error::NodeError;
use super::storage_thread::Storage;
use crate::queue::AckedSets;
use crate::types::{Epoch, Id, Seq};

/// What a recipient has said of a run of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack {
    /// Who says it.
    pub to: Id,
    /// Which life of this node's log.
    pub epoch: Epoch,
    /// The first of the run.
    pub first: Seq,
    /// The last of the run.
    pub last: Seq,
    /// How far they are.
    pub level: AckLevel,
}

/// How far a message is at its recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AckLevel {
    /// Fsynced there, with its whole body.
    Stored,
    /// Archived or cleared there.
    Archived,
    /// Unusable there: it does not open, or its body was gone.
    Rejected,
}

impl fmt::Display for AckLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stored => "stored",
            Self::Archived => "archived",
            Self::Rejected => "rejected",
        })
    }
}

/// Follows what one recipient acknowledges. It keeps no queue of events: it reads the store when
/// something changed, so a slow reader costs nothing and misses nothing.
#[derive(Debug)]
pub(super) struct AckFollower {
    storage: Storage,
    to: Id,
    epoch: Epoch,
    known: AckedSets,
    changed: watch::Receiver<u64>,
    ready: VecDeque<Ack>,
}

impl AckFollower {
    /// Follows from now on.
    pub(super) async fn start(
        storage: Storage,
        to: Id,
        epoch: Epoch,
        mut changed: watch::Receiver<u64>,
    ) -> Result<Self, NodeError> {
        changed.mark_unchanged();
        let known = storage.read(move |queue| queue.acked(&to, epoch)).await??;
        Ok(Self { storage, to, epoch, known, changed, ready: VecDeque::new() })
    }

    /// The next acknowledgement, when it comes.
    pub(super) async fn next(&mut self) -> Result<Ack, NodeError> {
        loop {
            if let Some(ack) = self.ready.pop_front() {
                return Ok(ack);
            }
            self.changed.changed().await.map_err(|_| NodeError::Stopped)?;
            let (to, epoch) = (self.to, self.epoch);
            let now = self.storage.read(move |queue| queue.acked(&to, epoch)).await??;
            self.compare(now);
        }
    }

    /// The acknowledgements as a stream, which ends after an error.
    pub(super) fn into_stream(self) -> BoxStream<'static, Result<Ack, NodeError>> {
        let next = |follower: Option<Self>| async {
            let mut follower = follower?;
            match follower.next().await {
                Ok(ack) => Some((Ok(ack), Some(follower))),
                Err(error) => Some((Err(error), None)),
            }
        };
        stream::unfold(Some(self), next).boxed()
    }

    fn compare(&mut self, now: AckedSets) {
        let levels = [
            (AckLevel::Stored, now.stored.difference(&self.known.stored)),
            (AckLevel::Archived, now.archived.difference(&self.known.archived)),
            (AckLevel::Rejected, now.rejected.difference(&self.known.rejected)),
        ];
        for (level, new) in levels {
            let acks = new.iter().map(|run| self.ack(level, run.start, run.end - 1));
            self.ready.extend(acks.collect::<Vec<_>>());
        }
        self.known = now;
    }

    const fn ack(&self, level: AckLevel, first: u64, last: u64) -> Ack {
        Ack { to: self.to, epoch: self.epoch, first: Seq(first), last: Seq(last), level }
    }
}
