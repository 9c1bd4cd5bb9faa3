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
    /// A Diffie-Hellman value is all zeros: the other side's key has small order.
    #[error("expected an X25519 key of full order, got one that gives an all-zero secret")]
    ZeroSecret,
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
}
