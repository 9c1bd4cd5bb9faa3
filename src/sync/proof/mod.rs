//! Proofs: files that convince anyone, without a store, a network or a word of trust.
//!
//! ```text
//! magic "peermqpf" | version 1 | kind 1 | fields, in postcard | BLAKE3 of all before, 32 bytes
//! ```
//!
//! *Invariant*: what [`Proof::verify`] returns follows from signatures in the file alone. The hash
//! at the end only tells a damaged file from a false one. Deliberately absent: who is to be
//! believed, and whether a key was stolen.

mod delivery;
mod error;
mod evidence;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::delivery::{Delivery, ProvenDelivery};
pub use self::error::ProofError;
pub use self::evidence::{Evidence, ProvenFork};
use crate::crypto::hash::body_hash;
use crate::limits::PROOF_SIZE_MAX;

/// A proof as it was read or made; what it claims is not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proof {
    /// 1: a message is at its recipient, by the recipient's word.
    Delivery(Box<Delivery>),
    /// 2: an author has signed two versions of its log.
    Fork(Box<Evidence>),
}

/// What a proof has proven.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proven {
    /// A message is at its recipient, by the recipient's word.
    Delivery(Box<ProvenDelivery>),
    /// An author has signed two versions of its log.
    Fork(Box<ProvenFork>),
}

impl Proof {
    /// The bytes of the file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Delivery(delivery) => seal(DELIVERY, delivery),
            Self::Fork(evidence) => seal(FORK, evidence),
        }
    }

    /// Reads a file's bytes.
    ///
    /// # Errors
    /// [`ProofError`] says what was expected in place of what came: every one but those of
    /// [`Proof::verify`].
    pub fn decode(bytes: &[u8]) -> Result<Self, ProofError> {
        if bytes.len() > PROOF_SIZE_MAX {
            return Err(ProofError::TooLong);
        }
        let after_magic = bytes.strip_prefix(&MAGIC).ok_or(ProofError::Magic)?;
        let (version, _) = after_magic.split_first().ok_or(ProofError::Damaged)?;
        if *version != VERSION {
            return Err(ProofError::Version(*version));
        }
        let (content, hash) = bytes.split_last_chunk::<32>().ok_or(ProofError::Damaged)?;
        if body_hash(content).0 != *hash {
            return Err(ProofError::Damaged);
        }
        let place = content.get(MAGIC.len() + 1..).and_then(<[u8]>::split_first);
        match place.ok_or(ProofError::Damaged)? {
            (&DELIVERY, fields) => Ok(Self::Delivery(open(fields)?)),
            (&FORK, fields) => Ok(Self::Fork(open(fields)?)),
            (kind, _) => Err(ProofError::Kind(*kind)),
        }
    }

    /// Checks every signature and hash in it.
    ///
    /// # Errors
    /// [`ProofError`] names the first that does not hold.
    pub fn verify(self) -> Result<Proven, ProofError> {
        match self {
            Self::Delivery(delivery) => Ok(Proven::Delivery(Box::new(delivery.verify()?))),
            Self::Fork(evidence) => Ok(Proven::Fork(Box::new(evidence.verify()?))),
        }
    }
}

fn seal(kind: u8, fields: &impl Serialize) -> Vec<u8> {
    let fields = postcard::to_stdvec(fields).expect("a proof holds only what postcard encodes");
    let mut bytes = [&MAGIC[..], &[VERSION, kind], &fields].concat();
    bytes.extend(body_hash(&bytes).0);
    bytes
}

fn open<T: DeserializeOwned>(fields: &[u8]) -> Result<T, ProofError> {
    match postcard::take_from_bytes(fields) {
        Ok((proof, [])) => Ok(proof),
        _ => Err(ProofError::Fields),
    }
}

const MAGIC: [u8; 8] = *b"peermqpf";
const VERSION: u8 = 1;
const DELIVERY: u8 = 1;
const FORK: u8 = 2;
