//! A wish to stay connected, and the acknowledgements that come of it.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::stream::{BoxStream, Stream, StreamExt};

use super::Node;
use super::acks::{Ack, AckFollower};
use super::dialling::Dial;
use super::error::NodeError;
use super::inner::Inner;
use super::transport::Addr;
use crate::types::Id;

/// Stays connected to a peer until it is closed or dropped. As a stream it gives the peer's
/// acknowledgements as they become durable here; it never ends by itself, but for an error when the
/// peer is removed or the node stops.
pub struct Connection {
    node: Arc<Inner>,
    to: Id,
    dial: Arc<Dial>,
    acks: BoxStream<'static, Result<Ack, NodeError>>,
}

impl Node {
    /// Stays connected to a peer, which need not be added, until the connection is closed or
    /// dropped: it is found by its id, dialled again whenever it is lost, and gets what was and
    /// will be sent to it. The connection streams its acknowledgements.
    ///
    /// ```
    #[doc = include_str!("doc/pair.md")]
    /// let mut to_alice = bob.connect(alice.id(), None).await?;
    /// let sent = bob.send(alice.id(), "hello").await?;
    /// let ack = to_alice.next_ack().await?;
    /// assert_eq!((ack.first, ack.level), (sent.seq, AckLevel::Stored));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`NodeError::Removed`], [`NodeError::Queue`] for this node's own id.
    pub async fn connect(&self, to: Id, hint: Option<Addr>) -> Result<Connection, NodeError> {
        Connection::open(&self.inner, to, hint).await
    }
}

impl Connection {
    pub(super) async fn open(
        node: &Arc<Inner>,
        to: Id,
        hint: Option<Addr>,
    ) -> Result<Self, NodeError> {
        let check = || node.storage.read(move |queue| queue.check_recipient(&to));
        check().await??;
        let follower =
            AckFollower::start(node.storage.clone(), to, node.epoch, node.news.acked()).await?;
        let dial = node.dials.dial(node, to, hint);
        // A removal that came after the first look found nothing dialled that it could end.
        check().await??;
        let removed = Arc::clone(&dial);
        let until_removed = futures::stream::once(async move {
            removed.removed().await;
            Err(NodeError::Removed(to))
        });
        let acks = futures::stream::select(follower.into_stream(), until_removed.boxed()).boxed();
        Ok(Self { node: Arc::clone(node), to, dial, acks })
    }

    /// The peer.
    ///
    /// ```
    #[doc = include_str!("doc/pair.md")]
    /// assert_eq!(connection.to(), alice.id());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub const fn to(&self) -> Id {
        self.to
    }

    /// Whether a session with the peer is live at this moment.
    ///
    /// ```
    #[doc = include_str!("doc/pair.md")]
    /// bob.send(alice.id(), "hello").await?;
    /// connection.next_ack().await?;
    /// assert!(connection.is_live());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.node.sessions.is_live(self.to)
    }

    /// The next acknowledgement.
    ///
    /// ```
    #[doc = include_str!("doc/pair.md")]
    /// bob.send(alice.id(), "hello").await?;
    /// let ack = connection.next_ack().await?;
    /// println!("{}@{}-{} {}", ack.to, ack.first, ack.last, ack.level);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`NodeError::Removed`], [`NodeError::Stopped`], [`NodeError::Storage`].
    pub async fn next_ack(&mut self) -> Result<Ack, NodeError> {
        self.acks.next().await.unwrap_or(Err(NodeError::Stopped))
    }

    /// Ends the session, if this node dialled it and nobody else stays connected to the peer.
    ///
    /// ```
    #[doc = include_str!("doc/pair.md")]
    /// connection.close().await;
    /// assert!(bob.status().await?.sessions.is_empty());
    /// # Ok(()) }
    /// ```
    pub async fn close(self) {
        let Self { node, to, dial, acks } = self;
        drop(acks);
        if Arc::into_inner(dial).is_some() {
            node.sessions.end_dialled(to).await;
        }
    }
}

impl Stream for Connection {
    type Item = Result<Ack, NodeError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.acks.poll_next_unpin(context)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("to", &self.to).finish_non_exhaustive()
    }
}
