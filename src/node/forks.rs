//! Forks of logs that this node follows: told until the user knows of them.

use std::collections::VecDeque;

use futures::stream::{self, BoxStream, Stream, StreamExt};
use tokio::sync::watch;

use super::Node;
use super::error::NodeError;
use super::storage_thread::Storage;
use crate::queue::Fork;
use crate::sync::proof::Proof;
use crate::types::{Epoch, Id};

impl Node {
    /// The authors that have signed two versions of their log, by author and life.
    ///
    /// # Errors
    /// [`NodeError::Storage`].
    pub async fn forks(&self) -> Result<Vec<Fork>, NodeError> {
        self.inner.storage.read(|queue| queue.forks()).await
    }

    /// Every fork that is not acknowledged, now and as it is found; after a restart it is told
    /// again. The stream ends after an error.
    pub fn watch_forks(&self) -> BoxStream<'static, Result<Fork, NodeError>> {
        let mut changed = self.inner.news.forks();
        changed.mark_changed();
        let storage = self.inner.storage.clone();
        let watch = Watch { storage, changed, told: Vec::new(), ready: VecDeque::new() };
        watch.into_stream().boxed()
    }

    /// The user knows that an author has forked, in all lives of its log or in one: it is told no
    /// more, and later lives of the log are followed. The life that has forked stays frozen.
    ///
    /// # Errors
    /// [`NodeError::Queue`] when the author is not known to have forked, [`NodeError::Storage`].
    pub async fn acknowledge_fork(
        &self,
        author: Id,
        epoch: Option<Epoch>,
    ) -> Result<(), NodeError> {
        let storage = &self.inner.storage;
        storage.write(move |queue| queue.acknowledge_fork(&author, epoch)).await?;
        self.inner.news.on_forks();
        // The next session asks for the lives that may be followed now.
        self.inner.sessions.cut(author).await;
        Ok(())
    }

    /// What proves an author's newest fork, or the one in one life, to anyone.
    ///
    /// # Errors
    /// As [`Node::acknowledge_fork`].
    pub async fn fork_proof(&self, author: Id, epoch: Option<Epoch>) -> Result<Proof, NodeError> {
        let read = self.inner.storage.read(move |queue| queue.fork_proof(&author, epoch));
        Ok(read.await??)
    }
}

/// Reads the store when something changed, and keeps what it has told.
struct Watch {
    storage: Storage,
    changed: watch::Receiver<u64>,
    told: Vec<(Id, Epoch)>,
    ready: VecDeque<Fork>,
}

impl Watch {
    async fn next(&mut self) -> Result<Fork, NodeError> {
        loop {
            if let Some(fork) = self.ready.pop_front() {
                self.told.push((fork.author(), fork.epoch()));
                return Ok(fork);
            }
            self.changed.changed().await.map_err(|_| NodeError::Stopped)?;
            let forks = self.storage.read(|queue| queue.forks()).await?;
            let untold = forks.into_iter().filter(|fork| {
                !fork.is_acknowledged && !self.told.contains(&(fork.author(), fork.epoch()))
            });
            self.ready = untold.collect();
        }
    }

    fn into_stream(self) -> impl Stream<Item = Result<Fork, NodeError>> + Send {
        stream::unfold(Some(self), |watch| async {
            let mut watch = watch?;
            match watch.next().await {
                Ok(fork) => Some((Ok(fork), Some(watch))),
                Err(error) => Some((Err(error), None)),
            }
        })
    }
}
