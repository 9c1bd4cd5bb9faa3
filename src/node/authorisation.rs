//! Who may send to this node: the user's word, made durable and then felt by live sessions.

use super::error::NodeError;
use super::inner::Inner;
use crate::queue::Quota;
use crate::sync::Grant;
use crate::types::Id;

impl Inner {
    /// Durable first; then the listener answers the peer, and a live session takes its entries in.
    pub(super) async fn add_peer(&self, peer: Id, quota: Option<Quota>) -> Result<(), NodeError> {
        self.storage.write(move |queue| queue.add_peer(&peer, quota)).await?;
        self.known.add(&peer)?;
        self.sessions.signal(&peer, |signals| signals.on_grant(Grant::Receive));
        Ok(())
    }

    /// Durable first: whoever gets a seat from then on is told so. Then the listener falls silent,
    /// nobody dials the peer, and its session is cut together with what the kernel has not sent.
    pub(super) async fn remove_peer(&self, peer: Id) -> Result<(), NodeError> {
        self.storage.write(move |queue| queue.remove_peer(&peer)).await?;
        self.known.remove(&peer);
        self.dials.end(&peer);
        self.sessions.cut(peer).await;
        Ok(())
    }
}
