//! Forks of logs that this node follows.

use super::Node;
use super::error::NodeError;
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

    /// The user knows that an author has forked, in all lives of its log or in one:
    /// [`Node::notices`] tells it no more, and later lives of the log are followed. The life that has forked stays frozen.
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
        self.inner.news.on_standing();
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
