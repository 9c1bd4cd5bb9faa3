//! A proof of delivery: the recipient's receipt, and the entry of which it speaks.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::error::ProofError;
use crate::crypto::Verifier;
use crate::limits::HEADER_SIZE_MAX;
use crate::log::{Decoded, Header, InboxTree, Inclusion, leaf_hash};
use crate::sync::receipt::{SignedReceipt, Standing};
use crate::types::{Epoch, Id, Index, Recipient, Seq, bounded};

/// The recipient's signed receipt, the header of one entry, and the header's way to the receipt's
/// `inbox` root.
///
/// The receipt alone names no message: it speaks of seqs and a root. The header names the message,
/// by the hash of its sealed body, and its way to the root shows that it is the one at its seq.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    receipt: SignedReceipt,
    index: Index,
    #[serde(deserialize_with = "bounded::list::<_, HEADER_SIZE_MAX, _>")]
    header: Vec<u8>,
    inclusion: Inclusion,
}

/// What a recipient has signed of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProvenDelivery {
    /// Who says so.
    pub receiver: Id,
    /// Who wrote the message.
    pub author: Id,
    /// Which life of the author's log.
    pub epoch: Epoch,
    /// Its place among the author's messages to the receiver.
    pub seq: Seq,
    /// How far it is at the receiver.
    pub standing: Standing,
    /// What the entry says of the message: its time, and its body's length and hash.
    pub entry: Decoded,
}

impl Delivery {
    /// Puts the parts of a proof together; whether they fit [`Delivery::verify`] tells.
    #[must_use]
    pub fn new(receipt: SignedReceipt, index: Index, header: &Bytes, inclusion: Inclusion) -> Self {
        Self { receipt, index, header: header.to_vec(), inclusion }
    }

    /// Checks the receipt's signature, and that it speaks of this header.
    ///
    /// # Errors
    /// [`ProofError`] names what does not hold.
    pub fn verify(&self) -> Result<ProvenDelivery, ProofError> {
        let said = self.receipt.unverified();
        let (receiver, author) = (Id::from_bytes(said.receiver)?, Id::from_bytes(said.author)?);
        self.receipt.verify(&Verifier::new(&receiver)).map_err(ProofError::Receipt)?;
        let entry = Header::decode(&self.header).map_err(ProofError::Header)?;
        let (epoch, seq) = (said.epoch, entry.seq());
        if entry.recipient() != said.recipient || said.recipient != Recipient::Peer(said.receiver) {
            return Err(ProofError::Recipient);
        }
        let leaf = leaf_hash(&author, epoch, self.index, &self.header);
        if self.inclusion.root::<InboxTree>(leaf, seq.0, said.seen) != Some(said.inbox) {
            return Err(ProofError::Inclusion { seq });
        }
        let standing = said.standing(seq).ok_or(ProofError::NotAcknowledged { seq })?;
        Ok(ProvenDelivery { receiver, author, epoch, seq, standing, entry })
    }
}
