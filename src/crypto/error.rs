//! Why bytes were not believed, not opened, or not made.

use thiserror::Error;

/// Why bytes were not believed, not opened, or not made.
///
/// None of the variants says more than a stranger may know: a failed tag looks like any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CryptoError {
    /// A signature is not that key's over that statement.
    #[error("expected a signature by {signer} over a {domain}, got another")]
    Signature {
        /// The id that should have signed.
        signer: crate::types::Id,
        /// The domain string of the statement.
        domain: &'static str,
    },
    /// An X25519 key is of small order, or the image of no Ed25519 key.
    #[error("expected the X25519 key of an Ed25519 key of full order, got another")]
    WeakKey,
    /// A sealed chunk did not open: wrong key, changed bytes, or another place in its body.
    #[error("expected chunk {number} of a body sealed for this node, got one that does not open")]
    Unopened {
        /// The chunk's number in its body, from 0.
        number: u32,
    },
    /// A chunk has not the size that its place in the body demands.
    #[error("expected {expected} bytes in chunk {number} of a body, got {got}")]
    ChunkSize {
        /// The chunk's number in its body, from 0.
        number: u32,
        /// Bytes that its place demands.
        expected: usize,
        /// Bytes that came.
        got: usize,
    },
    /// No text gives a sealed body of this size, or it passes the bound.
    #[error("expected the size of a sealed body, got {got} bytes")]
    BodySize {
        /// The size that was declared or would come out, in bytes.
        got: u64,
    },
    /// A flight of a handshake does not open: made for another node, network or protocol, changed
    /// on its way, or noise.
    #[error("expected flight {number} of a handshake with this node, got one that does not open")]
    Flight {
        /// 1 or 2.
        number: u8,
    },
    /// The initiator proved an X25519 key that belongs to no id that this node knows.
    #[error("expected an initiator that this node knows, got a stranger")]
    Stranger,
    /// A record does not open, or is not the next one. The session can only be closed.
    #[error("expected the session's next record, got one that does not open")]
    Record,
    /// A record's declared or wanted size is out of bounds.
    #[error("expected a record of 17 to 65535 bytes, got {got}")]
    RecordSize {
        /// Bytes of the sealed record.
        got: usize,
    },
    /// All nonces of a session's direction are used.
    #[error("expected fewer than 2^64 - 1 records in a session")]
    RecordsSpent,
}
