//! A connection: two sessions, and the frames that are on their way between them.

use std::collections::VecDeque;

use peermq::sync::{Frame, Session};

/// One end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct End {
    pub(crate) link: u64,
    pub(crate) side: usize,
}

/// A connection of two nodes.
#[derive(Debug)]
pub(crate) struct Link {
    /// Who is at its ends.
    pub(crate) nodes: [usize; 2],
    /// What runs at its ends, until it is over there.
    pub(crate) ends: [Option<Session>; 2],
    /// What is on its way to each end, in order.
    pub(crate) coming: [VecDeque<Frame>; 2],
    /// Whether something that was said on it waited, at a disk or on its way, when time went by last:
    /// its ends may be late through no fault of theirs.
    pub(crate) is_slow: bool,
}

impl End {
    pub(crate) const fn other(self) -> Self {
        Self { link: self.link, side: 1 - self.side }
    }
}

impl Link {
    /// The node at a side.
    pub(crate) fn node(&self, side: usize) -> usize {
        self.nodes[side]
    }
}
