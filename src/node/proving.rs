//! Proofs for others, made of what this node holds.

use super::Node;
use super::error::NodeError;
use crate::limits::FOLD_SEQ_COUNT;
use crate::log::{InboxTree, InclusionBuilder};
use crate::queue::{QueueError, Receipted};
use crate::sync::proof::{Delivery, Proof};
use crate::types::{Epoch, Id, Seq};

impl Node {
    /// A proof that a message is at its recipient, by the recipient's own signature: anyone may
    /// check it. Without an epoch: of the life of this node's log that it writes now.
    ///
    /// It reads the leaf hashes of all messages that the receipt covers.
    ///
    /// ```
    #[doc = include_str!("doc/pair.md")]
    /// let sent = bob.send(alice.id(), "the contract").await?;
    /// bob.wait(&sent, AckLevel::Stored).await?;
    /// let proof = bob.receipt(alice.id(), None, sent.seq).await?;
    /// println!("{proof:?}");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`NodeError::Queue`] when the message was never sent or no receipt acknowledges it,
    /// [`NodeError::Storage`].
    pub async fn receipt(
        &self,
        to: Id,
        epoch: Option<Epoch>,
        seq: Seq,
    ) -> Result<Proof, NodeError> {
        let (storage, epoch) = (&self.inner.storage, epoch.unwrap_or_else(|| self.epoch()));
        let found = storage.read(move |queue| queue.receipted(&to, epoch, seq)).await??;
        let Receipted { receipt, index, header } = found;
        let seen = receipt.unverified().seen;
        let mut builder = InclusionBuilder::<InboxTree>::new(seq.0);
        // A piece at a time, so that other work of the storage thread goes on in between.
        while builder.length() < seen {
            let piece = builder.length()..seen.min(builder.length().saturating_add(FOLD_SEQ_COUNT));
            let end = piece.end;
            let leaves = storage.read(move |queue| queue.sent_leaves(&to, epoch, piece)).await??;
            leaves.into_iter().for_each(|leaf| builder.push(leaf));
            if builder.length() != end {
                return Err(QueueError::Damaged("all entries to a recipient").into());
            }
        }
        let inclusion = builder.finish().ok_or(QueueError::NeverSent { to, epoch, seq })?;
        Ok(Proof::Delivery(Box::new(Delivery::new(receipt, index, &header, inclusion))))
    }
}
