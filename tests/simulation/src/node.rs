//! One simulated node: what outlives its process, and the process.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use peermq::crypto::Identity;
use peermq::log::{Draft, SignedHead};
use peermq::queue::{Mark, Pass, Place, Queue, Quota};
use peermq::sync::proof::ProvenFork;
use peermq::sync::{Load, Received, Returned, SignedReceipt};
use peermq::types::{Id, UnixMs};
use peermq_storage::FaultyDisk;

use crate::bodies::BodyJob;
use crate::link::End;
use crate::restoring::{Backup, HeadMark};

/// A node.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) identity: Arc<Identity>,
    pub(crate) disk: FaultyDisk,
    /// Commits on the disk when it was looked at last.
    pub(crate) inspected: Option<u64>,
    /// Absent while the node is down.
    pub(crate) process: Option<Process>,
    /// What its wall clock shows beyond the world's.
    pub(crate) clock_ahead_ms: u64,
    /// Absent in a new directory, and when it is lost.
    pub(crate) mark: Option<HeadMark>,
    pub(crate) backup: Option<Backup>,
}

/// A node's process: gone with the next crash.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) queue: Queue,
    /// What waits for the storage thread.
    pub(crate) jobs: VecDeque<Job>,
    /// What is with each reader.
    pub(crate) readers: BTreeMap<u64, BTreeSet<(usize, u64, u64)>>,
}

/// Something for the storage thread.
#[derive(Debug)]
pub(crate) enum Job {
    Send { message: usize, draft: Box<Draft> },
    Receive { end: End, peer: Id, received: Box<Received> },
    Acknowledge { end: End, peer: Id, receipts: Vec<SignedReceipt> },
    Recall { end: End, peer: Id, returned: Box<Returned> },
    Compare { end: End, heads: Vec<(Id, SignedHead)> },
    Fork { end: End, fork: Box<ProvenFork> },
    Heed { author: Id },
    Mark { from: usize, places: Vec<Place>, to: Mark },
    Body(BodyJob),
    Add { peer: Id, quota: Option<Quota> },
    Remove { peer: Id },
    Reclaim { pass: Pass },
    Load { end: End, load: Load },
}

impl Job {
    /// Who waits for the answer, when it is a session.
    pub(crate) const fn end(&self) -> Option<End> {
        match self {
            Self::Receive { end, .. }
            | Self::Acknowledge { end, .. }
            | Self::Recall { end, .. }
            | Self::Compare { end, .. }
            | Self::Fork { end, .. }
            | Self::Load { end, .. } => Some(*end),
            Self::Send { .. }
            | Self::Body(_)
            | Self::Mark { .. }
            | Self::Heed { .. }
            | Self::Add { .. }
            | Self::Remove { .. }
            | Self::Reclaim { .. } => None,
        }
    }
}

impl Node {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self {
            identity: Arc::new(Identity::from_seed(&seed)),
            disk: FaultyDisk::new(),
            inspected: None,
            process: None,
            clock_ahead_ms: 0,
            mark: None,
            backup: None,
        }
    }

    /// Another node with the same key, and nothing else of it.
    pub(crate) fn twin(&self) -> Self {
        Self { identity: Arc::clone(&self.identity), ..Self::new([0; 32]) }
    }

    pub(crate) fn id(&self) -> Id {
        self.identity.id()
    }

    /// What its wall clock shows.
    pub(crate) const fn time(&self, now_ms: u64) -> UnixMs {
        UnixMs(START_MS + self.clock_ahead_ms + now_ms)
    }
}

/// 2024-01-01.
const START_MS: u64 = 1_704_067_200_000;
