//! What becomes durable wakes whoever waits for it: numbers that grow, and no messages in them. What
//! passes and is not in the store is told to those who listen.

use tokio::sync::{broadcast, watch};

use super::notices::Notice;
use crate::limits::NOTICE_COUNT_MAX;

/// One counter per kind of change; a reader that was away sees that it has changed, and reads the
/// store.
#[derive(Debug)]
pub(super) struct News {
    unread: watch::Sender<u64>,
    marks: watch::Sender<u64>,
    acked: watch::Sender<u64>,
    litter: watch::Sender<u64>,
    standing: watch::Sender<u64>,
    passing: broadcast::Sender<Notice>,
}

impl Default for News {
    fn default() -> Self {
        Self {
            unread: watch::Sender::default(),
            marks: watch::Sender::default(),
            acked: watch::Sender::default(),
            litter: watch::Sender::default(),
            standing: watch::Sender::default(),
            passing: broadcast::Sender::new(NOTICE_COUNT_MAX),
        }
    }
}

impl News {
    /// There is more to read.
    pub(super) fn on_unread(&self) {
        raise(&self.unread);
    }

    /// Messages were marked.
    pub(super) fn on_marks(&self) {
        raise(&self.marks);
    }

    /// A recipient has acknowledged.
    pub(super) fn on_acked(&self) {
        raise(&self.acked);
    }

    /// This node is stale, a log has forked or the user knows of it, or the disk is full or no longer
    /// so.
    pub(super) fn on_standing(&self) {
        raise(&self.standing);
    }

    /// Something happened that leaves nothing to read.
    pub(super) fn on_passing(&self, notice: Notice) {
        // Whoever does not listen does not hear it.
        let _ = self.passing.send(notice);
    }

    /// Much is of no more use.
    pub(super) fn on_litter(&self) {
        raise(&self.litter);
    }

    /// There will be no more news.
    pub(super) fn on_end(&self) {
        let Self { unread, marks, acked, litter, standing, passing: _ } = self;
        [unread, marks, acked, litter, standing].into_iter().for_each(raise);
    }

    /// Changes when there is more to read.
    pub(super) fn unread(&self) -> watch::Receiver<u64> {
        self.unread.subscribe()
    }

    /// Changes when messages were marked.
    pub(super) fn marks(&self) -> watch::Receiver<u64> {
        self.marks.subscribe()
    }

    /// Changes when a recipient has acknowledged.
    pub(super) fn acked(&self) -> watch::Receiver<u64> {
        self.acked.subscribe()
    }

    /// Changes when this node is stale, when a log has forked or the user knows of it, when the disk
    /// is full or no longer so.
    pub(super) fn standing(&self) -> watch::Receiver<u64> {
        self.standing.subscribe()
    }

    /// Yields what happens and leaves nothing to read.
    pub(super) fn passing(&self) -> broadcast::Receiver<Notice> {
        self.passing.subscribe()
    }

    /// Changes when much is of no more use.
    pub(super) fn litter(&self) -> watch::Receiver<u64> {
        self.litter.subscribe()
    }
}

fn raise(counter: &watch::Sender<u64>) {
    counter.send_modify(|count| *count = count.wrapping_add(1));
}
