//! Why a session ended: the bytes, the versions, or the peer.

use thiserror::Error;

use super::frame::Kind;
use crate::log::{FoldError, HeaderError};
use crate::types::Seq;

/// Why a session cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SyncError {
    /// The peer sent bytes that are no message.
    #[error("the peer sent bytes that are no message: {0}")]
    Malformed(#[from] Malformed),
    /// The two nodes speak no common version.
    #[error("the peer cannot be understood: {0}")]
    Incompatible(#[from] Incompatible),
    /// The peer sent a message that no honest peer sends.
    #[error("the peer broke the rules: {0}")]
    Misbehaved(#[from] Misbehaviour),
}

/// Bytes that are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Malformed {
    /// The kind is unknown.
    #[error("expected a known kind of message, got kind {0}")]
    Kind(u8),
    /// The declared length is 0 or beyond the kind's limit.
    #[error("expected a {kind:?} of at most {max} bytes, got a declared length of {len}")]
    TooLong {
        /// What was declared to come.
        kind: Kind,
        /// Bytes declared, kind included.
        len: u32,
        /// Bytes of the longest payload.
        max: usize,
    },
    /// The payload does not decode.
    #[error("expected a {0:?}, got bytes that do not decode as one")]
    Payload(Kind),
    /// Bytes follow the message.
    #[error("expected the end of a {0:?}, got more bytes")]
    Trailing(Kind),
}

/// Versions that do not meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Incompatible {
    /// Version 0 does not exist.
    #[error("expected version 1 or higher, got version {0}")]
    Version(u8),
}

/// What no honest peer sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Misbehaviour {
    /// A message came that this moment does not allow.
    #[error("expected {expected}, got a {got:?}")]
    OutOfTurn {
        /// What was allowed.
        expected: &'static str,
        /// What came.
        got: Kind,
    },
    /// A message names a log that the peer may not speak of.
    #[error("expected a {0:?} about a log of one of us, got another author or epoch")]
    ForeignLog(Kind),
    /// A chunk does not begin where the one before ended.
    #[error("expected a chunk from {expected}, got one from {got}")]
    NotContiguous {
        /// The length that was taken in.
        expected: u64,
        /// The start of what came.
        got: u64,
    },
    /// The items of a chunk do not fill its span as they must.
    #[error(transparent)]
    Items(#[from] FoldError),
    /// An entry's header does not decode.
    #[error(transparent)]
    Header(HeaderError),
    /// The items do not fold to the root that came with them.
    #[error("expected items that fold to the signed root at length {length}, got others")]
    Root {
        /// The end of the chunk.
        length: u64,
    },
    /// The signature does not verify.
    #[error("expected a valid signature on a {0:?}, got another")]
    Signature(Kind),
    /// An entry is addressed to somebody else.
    #[error("expected entries to this node, got one to another recipient")]
    ForeignEntry,
    /// A seq is missing or repeated.
    #[error("expected seq {expected}, got seq {got}")]
    SeqGap {
        /// The next seq.
        expected: Seq,
        /// What came.
        got: Seq,
    },
    /// A body is not what its header says.
    #[error("expected the body that the header of seq {0} names, got another")]
    Body(Seq),
    /// More was sent than was granted.
    #[error("expected at most {granted} bytes of chunks, got {used}")]
    OverCredit {
        /// The running total granted.
        granted: u64,
        /// The running total sent.
        used: u64,
    },
    /// A number of a running series went back or overflowed.
    #[error("expected a {0:?} with numbers that grow and fit, got others")]
    Numbers(Kind),
    /// A list names one thing twice.
    #[error("expected a {0:?} that names each life of a log once, got one twice")]
    Repeated(Kind),
    /// A receipt speaks of more than was ever sent.
    #[error("expected a receipt for at most {length} entries, got one for {seen}")]
    ReceiptBeyond {
        /// Entries to the peer that this log holds.
        length: u64,
        /// What the receipt claims.
        seen: u64,
    },
    /// A chunk passes a length at which it had to end.
    #[error("expected a chunk that ends at the checkpoint {length}, got one that passes it")]
    Checkpoint {
        /// The checkpoint.
        length: u64,
    },
    /// Evidence proves nothing.
    #[error("expected evidence of a fork, got what proves none")]
    Evidence,
    /// The peer neither reads nor answers.
    #[error("expected an answer within {0} ms, got none")]
    Silent(u64),
}
