//! A node's id: its Ed25519 public key, checked once.

use std::fmt;
use std::str::FromStr;

use curve25519_dalek::edwards::CompressedEdwardsY;
use thiserror::Error;

/// A node's Ed25519 public key: 32 bytes, written as 64 lower-case hex digits.
///
/// Only canonical encodings of torsion-free points that are not of small order become an `Id`, so
/// that an id and its X25519 image (RFC 7748 §4.1) stand for each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id([u8; 32]);

/// Why bytes or text are not an [`Id`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IdError {
    /// The text is not 64 hex digits.
    #[error("expected an id of 64 hex digits, got {got}")]
    NotHex {
        /// What came instead: its length, or its first wrong character.
        got: String,
    },
    /// The bytes are no point of the curve, or not the one encoding of it.
    #[error("expected an Ed25519 public key, got bytes that encode no point canonically")]
    NotCanonical,
    /// The point has small order: anyone could sign for it.
    #[error("expected an Ed25519 public key, got a point of small order")]
    SmallOrder,
    /// The point lies outside the prime-order subgroup.
    #[error("expected an Ed25519 public key, got a point with torsion")]
    Torsion,
}

impl Id {
    /// Size of an id in bytes.
    pub const SIZE: usize = 32;

    /// Checks 32 bytes.
    ///
    /// # Errors
    /// [`IdError::NotCanonical`], [`IdError::SmallOrder`] or [`IdError::Torsion`].
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, IdError> {
        let encoded = CompressedEdwardsY(bytes);
        let point = encoded.decompress().ok_or(IdError::NotCanonical)?;
        if point.compress() != encoded {
            return Err(IdError::NotCanonical);
        }
        if point.is_small_order() {
            return Err(IdError::SmallOrder);
        }
        if !point.is_torsion_free() {
            return Err(IdError::Torsion);
        }
        Ok(Self(bytes))
    }

    /// Takes bytes that were checked before this node wrote them down.
    pub(crate) const fn from_trusted(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for Id {
    type Err = IdError;

    /// Reads 64 hex digits of either case.
    fn from_str(text: &str) -> Result<Self, IdError> {
        if let Some(wrong) = text.chars().find(|c| !c.is_ascii_hexdigit()) {
            return Err(IdError::NotHex { got: format!("the character {wrong:?}") });
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)
            .map_err(|_| IdError::NotHex { got: format!("{} digits", text.len()) })?;
        Self::from_bytes(bytes)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032 §7.1, test 1.
    const KNOWN: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

    #[test]
    fn either_case_is_read_and_lower_case_is_written() {
        let id: Id = KNOWN.to_uppercase().parse().unwrap();
        assert_eq!(id.to_string(), KNOWN);
    }

    #[test]
    fn wrong_text_is_named() {
        let short = "abcd".parse::<Id>().unwrap_err();
        assert_eq!(short.to_string(), "expected an id of 64 hex digits, got 4 digits");
        let odd = KNOWN.replace('d', "ü").parse::<Id>().unwrap_err();
        assert_eq!(odd.to_string(), "expected an id of 64 hex digits, got the character 'ü'");
    }

    #[test]
    fn keys_that_anyone_could_sign_for_are_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(Id::from_bytes(identity), Err(IdError::SmallOrder));
        assert_eq!(Id::from_bytes([0; 32]), Err(IdError::SmallOrder));
        // y = p + 1 is the identity once more, written another way.
        let mut not_canonical = [0xff; 32];
        not_canonical[0] = 0xee;
        not_canonical[31] = 0x7f;
        assert_eq!(Id::from_bytes(not_canonical), Err(IdError::NotCanonical));
        let torsioned = {
            use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
            (ED25519_BASEPOINT_POINT + EIGHT_TORSION[1]).compress().to_bytes()
        };
        assert_eq!(Id::from_bytes(torsioned), Err(IdError::Torsion));
    }
}
