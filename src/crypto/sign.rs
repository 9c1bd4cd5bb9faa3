//! Signatures over statements: a domain string, a 0 byte, then fields that read one way only.
//!
//! Ed25519 (RFC 8032), checked strictly: canonical `s`, no small-order `R`, no cofactor
//! (<https://eprint.iacr.org/2020/1244>, §4), so that all nodes agree on what is signed.

use std::fmt;

use curve25519_dalek::edwards::EdwardsPoint;
use ed25519_dalek::{Signer, VerifyingKey};
use serde::{Deserialize, Serialize};

use super::{CryptoError, Identity};
use crate::types::Id;

/// An Ed25519 signature: 64 raw bytes, without a length.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "[[u8; 32]; 2]", into = "[[u8; 32]; 2]")]
pub struct Signature(pub [u8; 64]);

impl Signature {
    /// Size of a signature in bytes.
    pub const SIZE: usize = 64;
}

/// What a statement is about. No other string can be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Domain(&'static str);

impl Domain {
    /// The head of a log.
    pub const HEAD: Self = Self("peermq head v1");
    /// Who is at one end of a session.
    pub const SESSION: Self = Self("peermq session v1");
    /// What a receiver has of an author's entries.
    pub const RECEIPT: Self = Self("peermq receipt v1");
    /// An entry of a channel and the one before it.
    pub const CHANNEL_ENTRY: Self = Self("peermq channel entry v1");
}

/// What a signature says: its domain, then fields in order. Ids, hashes and salts stand as they
/// are, numbers u64 big-endian, tags one byte, variable bytes after their u64 length.
#[derive(Clone, PartialEq, Eq)]
pub struct Statement {
    domain: Domain,
    bytes: Vec<u8>,
}

impl Statement {
    /// A statement without fields yet.
    #[must_use]
    pub fn new(domain: Domain) -> Self {
        let mut bytes = Vec::with_capacity(STATEMENT_CAPACITY);
        bytes.extend_from_slice(domain.0.as_bytes());
        bytes.push(0);
        Self { domain, bytes }
    }

    /// Adds an id, a hash or a salt as it is; its size must be fixed by the domain.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Adds a tag.
    #[must_use]
    pub fn tag(self, tag: u8) -> Self {
        self.raw(&[tag])
    }

    /// Adds a number.
    #[must_use]
    pub fn number(self, number: u64) -> Self {
        self.raw(&number.to_be_bytes())
    }

    /// Adds variable bytes behind their length.
    #[must_use]
    pub fn variable(self, bytes: &[u8]) -> Self {
        let len = u64::try_from(bytes.len()).expect("a length in memory fits u64");
        self.number(len).raw(bytes)
    }
}

impl Identity {
    /// Signs a statement. Deterministic: the same statement has the same signature.
    #[must_use]
    pub fn sign(&self, statement: &Statement) -> Signature {
        Signature(self.signing().sign(&statement.bytes).to_bytes())
    }
}

/// An id ready to verify with: its point is decompressed once.
#[derive(Clone)]
pub struct Verifier(VerifyingKey);

impl Verifier {
    /// Prepares an id.
    #[must_use]
    pub fn new(id: &Id) -> Self {
        Self(VerifyingKey::from_bytes(id.as_bytes()).expect("an id is a point of the curve"))
    }

    /// The id whose signatures it believes.
    #[must_use]
    pub fn id(&self) -> Id {
        Id::from_trusted(self.0.to_bytes())
    }

    /// The point of the curve that the id encodes.
    pub(super) fn point(&self) -> EdwardsPoint {
        self.0.to_edwards()
    }

    /// Checks a signature over a statement.
    ///
    /// # Errors
    /// [`CryptoError::Signature`].
    pub fn verify(&self, statement: &Statement, signature: &Signature) -> Result<(), CryptoError> {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.0
            .verify_strict(&statement.bytes, &signature)
            .map_err(|_| CryptoError::Signature { signer: self.id(), domain: statement.domain.0 })
    }
}

impl From<[[u8; 32]; 2]> for Signature {
    fn from(halves: [[u8; 32]; 2]) -> Self {
        let mut bytes = [0; 64];
        bytes.copy_from_slice(halves.as_flattened());
        Self(bytes)
    }
}

impl From<Signature> for [[u8; 32]; 2] {
    fn from(signature: Signature) -> Self {
        let mut halves = [[0; 32]; 2];
        halves.as_flattened_mut().copy_from_slice(&signature.0);
        halves
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", hex::encode(self.0))
    }
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Statement({}, {})", self.domain.0, hex::encode(&self.bytes))
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({})", self.id())
    }
}

/// Room for all fixed statements; a receipt grows past it.
const STATEMENT_CAPACITY: usize = 192;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn statement() -> Statement {
        Statement::new(Domain::HEAD).raw(&[3; 32]).number(1).tag(2).variable(b"text")
    }

    #[test]
    fn a_statement_is_domain_zero_and_fields() {
        let expected: [&[u8]; 6] = [
            b"peermq head v1\0",
            &[3; 32],
            &[0, 0, 0, 0, 0, 0, 0, 1],
            &[2],
            &[0, 0, 0, 0, 0, 0, 0, 4],
            b"text",
        ];
        assert_eq!(statement().bytes, expected.concat());
    }

    #[test]
    fn a_signature_is_believed_for_its_key_domain_and_fields_only() {
        let (ours, theirs) = (Identity::from_seed(&[1; 32]), Identity::from_seed(&[2; 32]));
        let signature = ours.sign(&statement());
        let verifier = Verifier::new(&ours.id());
        assert_eq!(verifier.id(), ours.id());
        verifier.verify(&statement(), &signature).unwrap();
        Verifier::new(&theirs.id()).verify(&statement(), &signature).unwrap_err();
        verifier.verify(&statement().tag(0), &signature).unwrap_err();
        let elsewhere = Statement { domain: Domain::RECEIPT, ..Statement::new(Domain::RECEIPT) };
        let refused = verifier.verify(&elsewhere, &signature).unwrap_err();
        assert!(refused.to_string().ends_with("over a peermq receipt v1, got another"));
    }

    #[test]
    fn postcard_writes_a_signature_as_64_raw_bytes() {
        let signature = Signature(std::array::from_fn(|i| u8::try_from(i).unwrap() | 0x80));
        let bytes = postcard::to_stdvec(&signature).unwrap();
        assert_eq!(bytes, signature.0);
        assert_eq!(postcard::from_bytes::<Signature>(&bytes).unwrap(), signature);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_flipped_bit_is_not_believed(bit in 0usize..512) {
            let ours = Identity::from_seed(&[1; 32]);
            let mut signature = ours.sign(&statement());
            signature.0[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(Verifier::new(&ours.id()).verify(&statement(), &signature).is_err());
        }
    }
}
