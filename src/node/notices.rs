//! What a node notices of itself and of others, and its user has to know.

use std::collections::VecDeque;

use futures::stream::{self, BoxStream, Stream, StreamExt};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::watch;

use super::Node;
use super::error::NodeError;
use super::storage_thread::Storage;
use crate::queue::{DiskFull, Fork, Queue, Reborn, Stale};
use crate::types::{Epoch, Id};

/// Something that the user has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// This node signs nothing. Told at each start for as long as it is so.
    Stale(Stale),
    /// The disk is too full for anything new. Told at each start for as long as it is so.
    DiskFull(DiskFull),
    /// An author has signed two versions of its log. Told at each start until the user has
    /// acknowledged it.
    Fork(Fork),
    /// An ended life of this node's log has two signed versions: what it had still to deliver stays
    /// here.
    GivenUp {
        /// The life.
        epoch: Epoch,
        /// A length at which they differ.
        length: u64,
    },
    /// An author has begun a further life of its log.
    Reborn(Reborn),
    /// An author does not lead to a head that it has signed, though it could.
    Unproven {
        /// The author.
        author: Id,
        /// Which life of its log.
        epoch: Epoch,
        /// The length of the head.
        length: u64,
    },
}

impl Node {
    /// What the user has to know: first what stands, then whatever comes, each once. The stream ends
    /// after an error.
    ///
    /// ```
    #[doc = include_str!("doc/node.md")]
    /// use futures::StreamExt;
    ///
    /// let mut notices = node.notices();
    /// tokio::spawn(async move {
    ///     while let Some(Ok(notice)) = notices.next().await {
    ///         println!("{notice:?}");
    ///     }
    /// });
    /// # Ok(()) }
    /// ```
    pub fn notices(&self) -> BoxStream<'static, Result<Notice, NodeError>> {
        let news = &self.inner.news;
        let (mut standing, passing) = (news.standing(), news.passing());
        standing.mark_changed();
        let storage = self.inner.storage.clone();
        let (told, ready) = (Vec::new(), VecDeque::new());
        Watch { storage, standing, passing, told, ready }.into_stream().boxed()
    }
}

/// Reads the store when something changed, and keeps what it has told.
struct Watch {
    storage: Storage,
    standing: watch::Receiver<u64>,
    passing: broadcast::Receiver<Notice>,
    told: Vec<Notice>,
    ready: VecDeque<Notice>,
}

impl Watch {
    async fn next(&mut self) -> Result<Notice, NodeError> {
        loop {
            if let Some(notice) = self.ready.pop_front() {
                self.told.push(notice);
                return Ok(notice);
            }
            tokio::select! {
                changed = self.standing.changed() => changed.map_err(|_| NodeError::Stopped)?,
                passing = self.passing.recv() => match passing {
                    Ok(notice) => return Ok(notice),
                    Err(RecvError::Lagged(_)) => continue,
                    Err(RecvError::Closed) => return Err(NodeError::Stopped),
                },
            }
            let standing = self.storage.read(standing).await?;
            self.told.retain(|told| standing.contains(told));
            self.ready = standing.into_iter().filter(|it| !self.told.contains(it)).collect();
        }
    }

    fn into_stream(self) -> impl Stream<Item = Result<Notice, NodeError>> + Send {
        stream::unfold(Some(self), |watch| async {
            let mut watch = watch?;
            match watch.next().await {
                Ok(notice) => Some((Ok(notice), Some(watch))),
                Err(error) => Some((Err(error), None)),
            }
        })
    }
}

/// What is so until the user has done something about it.
fn standing(queue: &mut Queue) -> Vec<Notice> {
    let stale = queue.stale().map(Notice::Stale);
    let forks = queue.forks().into_iter().filter(|fork| !fork.is_acknowledged).map(Notice::Fork);
    let disk_full = queue.disk_full().map(Notice::DiskFull);
    stale.into_iter().chain(disk_full).chain(forks).collect()
}
