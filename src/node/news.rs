//! What becomes durable wakes whoever waits for it: numbers that grow, and no messages in them.

use tokio::sync::watch;

/// One counter per kind of change; a reader that was away sees that it has changed, and reads the
/// store.
#[derive(Debug, Default)]
pub(super) struct News {
    unread: watch::Sender<u64>,
    marks: watch::Sender<u64>,
    acked: watch::Sender<u64>,
    forks: watch::Sender<u64>,
    litter: watch::Sender<u64>,
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

    /// A log has forked, or the user knows of it.
    pub(super) fn on_forks(&self) {
        raise(&self.forks);
    }

    /// Much is of no more use.
    pub(super) fn on_litter(&self) {
        raise(&self.litter);
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

    /// Changes when a log has forked, or the user knows of it.
    pub(super) fn forks(&self) -> watch::Receiver<u64> {
        self.forks.subscribe()
    }

    /// Changes when much is of no more use.
    pub(super) fn litter(&self) -> watch::Receiver<u64> {
        self.litter.subscribe()
    }
}

fn raise(counter: &watch::Sender<u64>) {
    counter.send_modify(|count| *count = count.wrapping_add(1));
}
