//! Why bytes are no proof, or a proof proves nothing.

use thiserror::Error;

use crate::crypto::CryptoError;
use crate::limits::PROOF_SIZE_MAX;
use crate::log::HeaderError;
use crate::sync::error::Misbehaviour;
use crate::types::{IdError, Seq};

/// Why bytes are no proof, or a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProofError {
    /// No proof is as long.
    #[error("expected a proof of at most {PROOF_SIZE_MAX} bytes, got more")]
    TooLong,
    /// The file is of another kind.
    #[error("expected a proof, which begins with \"peermqpf\", got another file")]
    Magic,
    /// A later version wrote it.
    #[error("expected a proof of version 1, got version {0}: check it with a newer peermq")]
    Version(u8),
    /// The hash at its end is not that of what stands before.
    #[error("expected a proof as it was written, got one that was cut or changed")]
    Damaged,
    /// The kind is unknown.
    #[error("expected a proof of a known kind, got kind {0}: check it with a newer peermq")]
    Kind(u8),
    /// The fields do not decode.
    #[error("expected the fields of a proof, got other bytes")]
    Fields,
    /// A name in it is no id.
    #[error(transparent)]
    Id(#[from] IdError),
    /// The receipt is not the receiver's, or its numbers do not hold together.
    #[error("the receipt proves nothing: {0}")]
    Receipt(Misbehaviour),
    /// The header does not decode.
    #[error(transparent)]
    Header(HeaderError),
    /// The entry is addressed to somebody else.
    #[error("expected an entry to the signer of the receipt, got one to another recipient")]
    Recipient,
    /// The receipt's root does not cover the entry.
    #[error("expected entry {seq} to lead to the root that the receipt names, got another root")]
    Inclusion {
        /// The entry's place.
        seq: Seq,
    },
    /// A head is not its author's.
    #[error(transparent)]
    Head(#[from] CryptoError),
    /// The heads are of two lives, or stand in no order, or bring what they do not need.
    #[error("expected two heads of one life of a log, the shorter one first, got others")]
    Heads,
    /// The hashes beside the heads do not lead from one to the other.
    #[error("expected hashes that lead to the second head's root, got others")]
    Branch,
    /// One log has both heads.
    #[error("expected two versions of a log at length {length}, got one and the same")]
    NoFork {
        /// Where they would have to differ.
        length: u64,
    },
    /// The receipt does not acknowledge the entry.
    #[error("expected a receipt that acknowledges {seq}, got one that only knows of it")]
    NotAcknowledged {
        /// The entry's place.
        seq: Seq,
    },
}
