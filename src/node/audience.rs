//! Who hears of what the storage thread does: sessions and streams, and the whole node when it ends.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::news::News;
use super::notices::Notice;
use super::sessions::Sessions;
use super::signals::Signals;
use crate::queue::Changes;

/// Told on the storage thread, which waits for nobody.
#[derive(Debug)]
pub(super) struct Audience {
    pub(super) sessions: Arc<Sessions>,
    pub(super) news: Arc<News>,
    pub(super) stopping: CancellationToken,
}

impl Audience {
    /// Tells everyone whom a commit concerns.
    pub(super) fn on_commit(&self, changes: Changes) {
        let Self { sessions, news, .. } = self;
        for (peer, life) in changes.grown {
            sessions.signal(&peer, |signals| signals.on_head(life));
        }
        for (author, epoch) in &changes.marked {
            sessions.signal(author, |signals| signals.on_marks(*epoch));
        }
        for author in &changes.wanting {
            sessions.signal(author, |signals| signals.on_wanted());
        }
        for (author, epoch, heads) in changes.checkpoints {
            sessions.signal(&author, |signals| signals.on_checkpoints(epoch, heads));
        }
        for (author, forked) in &changes.forked {
            sessions.signal(author, |signals| signals.on_forked(*forked));
        }
        if !changes.forked.is_empty() {
            sessions.signal_all(Signals::on_forks);
        }
        if changes.is_disk_other {
            sessions.signal_all(Signals::on_room);
            sessions.signal_all(Signals::on_wanted);
        }
        if !changes.forked.is_empty() || changes.stale.is_some() || changes.is_disk_other {
            news.on_standing();
        }
        for shown in changes.given_up {
            tracing::warn!(%shown, "an ended life of this log has two versions: it is not served");
            news.on_passing(Notice::GivenUp { epoch: shown.epoch, length: shown.length });
        }
        for reborn in changes.reborn {
            news.on_passing(Notice::Reborn(reborn));
        }
        if !changes.marked.is_empty() {
            news.on_marks();
        }
        if !changes.unread.is_empty() {
            news.on_unread();
        }
        if !changes.acked.is_empty() {
            news.on_acked();
        }
        if changes.is_littered {
            news.on_litter();
        }
    }

    /// The store takes nothing more: sessions, ports and dials end, and whoever waits for news asks
    /// the store once more, which says why.
    pub(super) fn on_end(&self) {
        self.stopping.cancel();
        self.news.on_end();
    }
}
