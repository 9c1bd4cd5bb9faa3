//! What the rest of the node tells a session: the newest of each kind, never a queue.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::log::SignedHead;
use crate::sync::{Forked, Grant, Input, Life};
use crate::types::Epoch;

/// Raised by whoever has news, taken by the one session that they concern. Its size is bounded by
/// the number of lives, however much happens in between.
#[derive(Debug, Default)]
pub(super) struct Signals {
    news: Mutex<News>,
    raised: Notify,
    wanted: Arc<Notify>,
}

/// What has happened since the session looked last.
#[derive(Debug, Default)]
struct News {
    head: Option<Life>,
    marks: BTreeSet<Epoch>,
    grant: Option<Grant>,
    checkpoints: BTreeMap<Epoch, Vec<SignedHead>>,
    forked: BTreeMap<Epoch, Forked>,
    /// Some log that is followed has forked.
    forks: bool,
    /// There is room again, or none.
    room: bool,
}

impl Signals {
    /// This node's log has grown, durably, with entries for the peer.
    pub(super) fn on_head(&self, life: Life) {
        self.raise(|news| news.head = Some(life));
    }

    /// Marks of the peer's entries have changed, durably.
    pub(super) fn on_marks(&self, epoch: Epoch) {
        self.raise(|news| {
            news.marks.insert(epoch);
        });
    }

    /// The user's word about the peer has changed.
    pub(super) fn on_grant(&self, grant: Grant) {
        self.raise(|news| news.grant = Some(grant));
    }

    /// The peer's log has other heads to reach.
    pub(super) fn on_checkpoints(&self, epoch: Epoch, heads: Vec<SignedHead>) {
        self.raise(|news| {
            news.checkpoints.insert(epoch, heads);
        });
    }

    /// A life of the peer's log has forked.
    pub(super) fn on_forked(&self, forked: Forked) {
        self.raise(|news| {
            news.forked.insert(forked.epoch, forked);
        });
    }

    /// Some log that is followed has forked.
    pub(super) fn on_forks(&self) {
        self.raise(|news| news.forks = true);
    }

    /// The disk has room again, or none.
    pub(super) fn on_room(&self) {
        self.raise(|news| news.room = true);
    }

    /// Long bodies of the peer are to be fetched.
    pub(super) fn on_wanted(&self) {
        self.wanted.notify_one();
    }

    /// Wakes when long bodies are to be fetched.
    pub(super) fn wanted(&self) -> Arc<Notify> {
        Arc::clone(&self.wanted)
    }

    /// Waits for news; safe to drop while it waits.
    pub(super) async fn next(&self) -> Vec<Input> {
        loop {
            let raised = self.raised.notified();
            let news = mem::take(&mut *self.news.lock().unwrap_or_else(PoisonError::into_inner));
            let inputs: Vec<_> = news.into_inputs().collect();
            if !inputs.is_empty() {
                return inputs;
            }
            raised.await;
        }
    }

    fn raise(&self, change: impl FnOnce(&mut News)) {
        change(&mut self.news.lock().unwrap_or_else(PoisonError::into_inner));
        self.raised.notify_one();
    }
}

impl News {
    fn into_inputs(self) -> impl Iterator<Item = Input> {
        let grant = self.grant.map(Input::Regrant);
        let head = self.head.map(Input::LocalHead);
        let marks = self.marks.into_iter().map(Input::LocalMarks);
        let checkpoints = self.checkpoints.into_iter();
        let checkpoints = checkpoints.map(|(epoch, heads)| Input::Checkpoints { epoch, heads });
        let forked = self.forked.into_values().map(Input::Forked);
        let forks = self.forks.then_some(Input::Forks);
        let room = self.room.then_some(Input::Room);
        let told = grant.into_iter().chain(head).chain(marks).chain(checkpoints);
        told.chain(forked).chain(forks).chain(room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn news_raised_before_anyone_waits_are_not_lost_and_only_the_newest_counts() {
        let signals = Signals::default();
        signals.on_head(Life { epoch: Epoch(1), length: 1 });
        signals.on_marks(Epoch(4));
        signals.on_head(Life { epoch: Epoch(1), length: 2 });
        signals.on_marks(Epoch(4));
        let news = signals.next().await;
        let [Input::LocalHead(Life { length: 2, .. }), Input::LocalMarks(Epoch(4))] = news[..]
        else {
            panic!("expected the newest head and one mark, got {news:?}");
        };
    }
}
