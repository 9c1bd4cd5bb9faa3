//! Who may send to this node: the user's word, made durable and then felt by live sessions.

use std::sync::Arc;

use super::Node;
use super::error::NodeError;
use super::inner::Inner;
use crate::queue::{Peer, Quota};
use crate::sync::Grant;
use crate::types::Id;

impl Node {
    /// Lets a peer's messages in, with the quota that it had or the default one. Takes effect on a
    /// live session. Adding twice is Ok.
    ///
    /// ```
    #[doc = include_str!("doc/node.md")]
    /// node.add_peer(peer).await?;
    /// node.add_peer(peer).await?; // Twice is Ok.
    /// assert_eq!(node.peers().await?.len(), 1);
    /// node.add_peer(node.id()).await.unwrap_err();
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`NodeError::Queue`] for this node's own id and for the negative of a known one,
    /// [`NodeError::Storage`].
    pub async fn add_peer(&self, peer: Id) -> Result<(), NodeError> {
        self.add_peer_with(peer, None).await
    }

    /// Lets the messages of several peers in.
    ///
    /// ```
    #[doc = include_str!("doc/node.md")]
    /// let friends = ["d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"];
    /// node.add_peers(friends.map(str::parse).into_iter().collect::<Result<Vec<Id>, _>>()?).await?;
    /// assert_eq!(node.peers().await?.len(), 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Node::add_peer`]; the peers before the one that failed are added.
    pub async fn add_peers(&self, peers: impl IntoIterator<Item = Id>) -> Result<(), NodeError> {
        for peer in peers {
            self.add_peer(peer).await?;
        }
        Ok(())
    }

    /// Lets a peer's messages in, up to a quota of unread ones.
    ///
    /// ```
    #[doc = include_str!("doc/node.md")]
    /// let quota = Quota { bytes: 64 << 20, entries: 10_000 };
    /// node.add_peer_with(peer, Some(quota)).await?;
    /// assert_eq!(node.peers().await?[0].quota, quota);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Node::add_peer`].
    pub async fn add_peer_with(&self, peer: Id, quota: Option<Quota>) -> Result<(), NodeError> {
        self.inner.add_peer(peer, quota).await
    }

    /// Refuses a peer, known or not: its messages stay out, its session is cut, and not one more
    /// byte goes to it once this has returned. What it sent before stays and is offered.
    ///
    /// ```
    #[doc = include_str!("doc/node.md")]
    /// node.add_peer(peer).await?;
    /// node.remove_peer(peer).await?;
    /// assert!(node.peers().await?.is_empty());
    /// node.send(peer, "too late").await.unwrap_err();
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`NodeError::Storage`].
    pub async fn remove_peer(&self, peer: Id) -> Result<(), NodeError> {
        self.inner.remove_peer(peer).await
    }

    /// Refuses several peers.
    ///
    /// ```
    #[doc = include_str!("doc/node.md")]
    /// let all = node.peers().await?;
    /// node.remove_peers(all.into_iter().map(|peer| peer.id)).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Node::remove_peer`]; the peers before the one that failed are removed.
    pub async fn remove_peers(&self, peers: impl IntoIterator<Item = Id>) -> Result<(), NodeError> {
        for peer in peers {
            self.remove_peer(peer).await?;
        }
        Ok(())
    }

    /// The added peers, sorted by id.
    ///
    /// ```
    #[doc = include_str!("doc/node.md")]
    /// node.add_peer(peer).await?;
    /// for peer in node.peers().await? {
    ///     println!("{} may hold {} bytes unread here", peer.id, peer.quota.bytes);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`NodeError::Storage`].
    pub async fn peers(&self) -> Result<Vec<Peer>, NodeError> {
        self.inner.storage.read(|queue| queue.peers()).await
    }
}

impl Inner {
    /// Durable first; then the listener answers the peer, and a live session takes its entries in.
    pub(super) async fn add_peer(
        self: &Arc<Self>,
        peer: Id,
        quota: Option<Quota>,
    ) -> Result<(), NodeError> {
        let node = Arc::clone(self);
        self.to_the_end(async move {
            let known = Arc::clone(&node.known);
            // On the storage thread: the last word about a peer is the last that was written.
            let known = node
                .storage
                .write_then(
                    move |queue| queue.add_peer(&peer, quota),
                    move |_, ()| known.add(&peer),
                )
                .await?;
            known?;
            node.sessions.signal(&peer, |signals| signals.on_grant(Grant::Receive));
            Ok(())
        })
        .await
    }

    /// Durable first: whoever gets a seat from then on is told so. Then the listener falls silent,
    /// nobody dials the peer, and its handshakes and its session are cut together with what the
    /// kernel has not sent.
    pub(super) async fn remove_peer(self: &Arc<Self>, peer: Id) -> Result<(), NodeError> {
        let node = Arc::clone(self);
        self.to_the_end(async move {
            let known = Arc::clone(&node.known);
            node.storage
                .write_then(move |queue| queue.remove_peer(&peer), move |_, ()| known.remove(&peer))
                .await?;
            node.admission.cut(peer).await;
            let dialled = node.dials.end(&peer);
            node.sessions.cut(peer).await;
            dialled.await;
            Ok(())
        })
        .await
    }
}
