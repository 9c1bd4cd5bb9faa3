//! What proofs are made of: receipts that are held, and the entries of which they speak.

use std::ops::Range;

use bytes::Bytes;

use crate::crypto::hash::Hash;
use crate::queue::Queue;
use crate::queue::error::QueueError;
use crate::sync::SignedReceipt;
use crate::types::{Epoch, Id, Index, Recipient, Seq};

/// An entry of this node's log, and a receipt that acknowledges it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipted {
    /// The receipt that says most of the entry.
    pub receipt: SignedReceipt,
    /// The entry's place in the log.
    pub index: Index,
    /// Its header.
    pub header: Bytes,
}

impl Queue {
    /// A message that this node sent and the receipt that says most of it.
    ///
    /// # Errors
    /// [`QueueError::NeverSent`], [`QueueError::NotAcknowledged`], [`QueueError::HeaderDropped`];
    /// fatal ones.
    pub fn receipted(&mut self, to: &Id, epoch: Epoch, seq: Seq) -> Result<Receipted, QueueError> {
        let to = *to;
        let never_sent = QueueError::NeverSent { to, epoch, seq };
        let Some(number) = self.peers.find(&to).map(|peer| peer.number) else {
            return Err(never_sent);
        };
        let found = self.outbox.delivery(&*self.store, &to, number, epoch)?;
        let Some((delivery, log)) = found else { return Err(never_sent) };
        let recipient = Recipient::Peer(*to.as_bytes());
        let seqs = seq.0..seq.0.saturating_add(1);
        let entry = log.entries(&*self.store, &recipient, seqs)?.pop().ok_or(never_sent)?;
        let standing = |receipt: &&SignedReceipt| receipt.unverified().standing(seq);
        let receipt = delivery.newest().filter(|it| standing(it).is_some()).max_by_key(standing);
        let receipt = receipt.ok_or(QueueError::NotAcknowledged { to, epoch, seq })?.clone();
        let header = entry.content.header().ok_or(QueueError::HeaderDropped { to, epoch, seq })?;
        Ok(Receipted { receipt, index: entry.place.index, header: header.clone() })
    }

    /// The leaf hashes of this node's messages to a peer, for a stretch of their seqs.
    ///
    /// # Errors
    /// Fatal ones.
    pub fn sent_leaves(
        &mut self,
        to: &Id,
        epoch: Epoch,
        seqs: Range<u64>,
    ) -> Result<Vec<Hash>, QueueError> {
        let Some(log) = self.outbox.life(epoch) else { return Ok(Vec::new()) };
        let recipient = Recipient::Peer(*to.as_bytes());
        Ok(log.leaves(&*self.store, &recipient, seqs)?)
    }
}
