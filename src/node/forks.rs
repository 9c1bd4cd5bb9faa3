//! Forks of logs that this node follows.

use std::sync::Arc;

use super::Node;
use super::error::NodeError;
use crate::queue::Fork;
use crate::sync::proof::Proof;
use crate::types::{Epoch, Id};

impl Node {
    /// The authors that have signed two versions of their log, by author and life.
    ///
    /// ```
    #[doc = include_str!("doc/node.md")]
    /// for fork in node.forks().await? {
    ///     println!("{} has two versions of its log {}", fork.author(), fork.epoch());
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`NodeError::Storage`].
    pub async fn forks(&self) -> Result<Vec<Fork>, NodeError> {
        self.inner.storage.read(|queue| queue.forks()).await
    }

    /// The user knows that an author has forked, in all lives of its log or in one:
    /// [`Node::notices`] tells it no more, and later lives of the log are followed. The life that has
    /// forked stays frozen.
    ///
    /// ```
    #[doc = include_str!("doc/node.md")]
    /// for fork in node.forks().await? {
    ///     node.acknowledge_fork(fork.author(), Some(fork.epoch())).await?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`NodeError::Queue`] when the author is not known to have forked, [`NodeError::Storage`].
    pub async fn acknowledge_fork(
        &self,
        author: Id,
        epoch: Option<Epoch>,
    ) -> Result<(), NodeError> {
        let node = Arc::clone(&self.inner);
        self.inner
            .to_the_end(async move {
                node.storage.write(move |queue| queue.acknowledge_fork(&author, epoch)).await?;
                node.news.on_standing();
                // The next session asks for the lives that may be followed now.
                node.sessions.cut(author).await;
                Ok(())
            })
            .await
    }

    /// What proves an author's newest fork, or the one in one life, to anyone.
    ///
    /// ```
    #[doc = include_str!("doc/node.md")]
    /// for fork in node.forks().await? {
    ///     let proof = node.fork_proof(fork.author(), Some(fork.epoch())).await?;
    ///     std::fs::write("fork.proof", proof.encode())?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Node::acknowledge_fork`].
    pub async fn fork_proof(&self, author: Id, epoch: Option<Epoch>) -> Result<Proof, NodeError> {
        let read = self.inner.storage.read(move |queue| queue.fork_proof(&author, epoch));
        Ok(read.await??)
    }
}
