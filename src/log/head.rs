//! A head: what an author signs of its log.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::tree::{LogTree, Peaks};
use crate::crypto::hash::Hash;
use crate::crypto::{CryptoError, Domain, Identity, Signature, Statement, Verifier};
use crate::types::{Epoch, Id};

/// A log at a length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Whose log.
    pub author: Id,
    /// Which life of it.
    pub epoch: Epoch,
    /// Its entries.
    pub length: u64,
    /// The root over them.
    pub root: Hash,
}

/// How far one life of a log has come: a head without its author.
///
/// In postcard: epoch (varint), length (varint), root (32 bytes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tip {
    /// Which life.
    pub epoch: Epoch,
    /// Its entries.
    pub length: u64,
    /// The root over them.
    pub root: Hash,
}

impl Tip {
    /// A life that has no entries yet.
    #[must_use]
    pub fn start(epoch: Epoch) -> Self {
        Self { epoch, length: 0, root: Peaks::<LogTree>::new().root() }
    }

    /// Whether this is further on than `other`: of a later life, or longer.
    #[must_use]
    pub fn is_past(&self, other: &Self) -> bool {
        (self.epoch, self.length) > (other.epoch, other.length)
    }
}

impl fmt::Display for Tip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epoch, length, root } = self;
        write!(f, "{length} entries of epoch {epoch} with root {root}")
    }
}

/// A head with a signature that is not verified yet. Its author stands beside it or is known.
///
/// In postcard: epoch (varint), length (varint), root (32 bytes), signature (64 bytes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedHead {
    /// Which life of the log.
    pub epoch: Epoch,
    /// Its entries.
    pub length: u64,
    /// The root over them.
    pub root: Hash,
    /// The author's signature over author, epoch, length and root.
    pub signature: Signature,
}

impl Head {
    /// Signs the head. Every entry below its length must be durable before.
    #[must_use]
    pub fn sign(&self, identity: &Identity) -> SignedHead {
        let Self { epoch, length, root, .. } = *self;
        SignedHead { epoch, length, root, signature: identity.sign(&self.statement()) }
    }

    /// How far the log has come.
    #[must_use]
    pub const fn tip(&self) -> Tip {
        let Self { epoch, length, root, .. } = *self;
        Tip { epoch, length, root }
    }

    /// Domain, author, epoch, length, root.
    fn statement(&self) -> Statement {
        Statement::new(Domain::HEAD)
            .raw(self.author.as_bytes())
            .number(self.epoch.0)
            .number(self.length)
            .raw(&self.root.0)
    }
}

impl SignedHead {
    /// The head, once its signature is checked to be this author's.
    ///
    /// # Errors
    /// [`CryptoError::Signature`].
    pub fn verify(&self, author: &Verifier) -> Result<Head, CryptoError> {
        let Self { epoch, length, root, signature } = *self;
        let head = Head { author: author.id(), epoch, length, root };
        author.verify(&head.statement(), &signature)?;
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_believed_from_its_author_and_as_signed_only() {
        let [ours, theirs] = [1, 2].map(|seed| Identity::from_seed(&[seed; 32]));
        let verifier = Verifier::new(&ours.id());
        let head = Head { author: ours.id(), epoch: Epoch(7), length: 3, root: Hash([9; 32]) };
        let signed = head.sign(&ours);
        assert_eq!(signed.verify(&verifier), Ok(head));
        let others = [
            SignedHead { epoch: Epoch(8), ..signed },
            SignedHead { length: 4, ..signed },
            SignedHead { root: Hash([8; 32]), ..signed },
            head.sign(&theirs),
            Head { author: theirs.id(), ..head }.sign(&theirs),
            Head { author: theirs.id(), ..head }.sign(&ours),
        ];
        for other in others {
            other.verify(&verifier).unwrap_err();
        }
    }
}
