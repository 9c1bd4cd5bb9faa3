//! Two nodes on loopback TCP.

use std::path::Path;

use peermq::node::transport::Addr;
use peermq::node::{AckLevel, Connection, Listening, Node, NodeError, Options};
use peermq::types::Id;
use peermq_storage::Kind;

use crate::Outcome;

/// A node that sends and one that added it and listens.
pub(crate) struct Pair {
    pub(crate) sender: Node,
    pub(crate) receiver: Node,
    listening: Listening,
}

impl Pair {
    pub(crate) async fn open(store: Kind, dir: &Path) -> Outcome<Self> {
        let sender = Options::new(dir.join("sender")).store(store).open().await?;
        let receiver = Options::new(dir.join("receiver")).store(store).open().await?;
        receiver.add_peer(sender.id()).await?;
        let listening = receiver.listen(Some(([127, 0, 0, 1], 0).into())).await?;
        Ok(Self { sender, receiver, listening })
    }

    /// Dials from the sender.
    pub(crate) async fn connect(&self) -> Outcome<Connection> {
        let hint = self.listening.address().map(Addr::Socket);
        Ok(self.sender.connect(self.receiver.id(), hint).await?)
    }

    /// Waits until the sender has receipts that all of its first `count` messages are archived.
    pub(crate) async fn await_archived(&self, count: usize) -> Outcome<()> {
        let last = u64::try_from(count)?.checked_sub(1).ok_or("expected messages to wait for")?;
        let (to, epoch) = (self.receiver.id(), self.sender.epoch());
        Ok(self.sender.wait_all(to, epoch, 0..=last, AckLevel::Archived).await?)
    }

    pub(crate) async fn close(self) -> Result<(), NodeError> {
        drop(self.listening);
        self.sender.shutdown().await?;
        self.receiver.shutdown().await
    }
}

/// An id of a node that is never met.
pub(crate) async fn stranger(dir: &Path) -> Outcome<Id> {
    let node = Options::new(dir.join("stranger")).open().await?;
    let id = node.id();
    node.shutdown().await?;
    Ok(id)
}
