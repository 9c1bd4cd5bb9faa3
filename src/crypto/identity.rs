//! A node's secret: one seed, from which it signs, agrees on secrets and salts.

use std::fmt;

use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

use crate::types::Id;

/// A node's secret key. Wiped from memory when dropped; its `Debug` shows the id alone.
///
/// The X25519 key is the birational image of the Ed25519 key (RFC 7748 §4.1), so that an id is all
/// that another node needs. For the safety of sharing one key: <https://eprint.iacr.org/2021/509>.
pub struct Identity {
    signing: SigningKey,
    scalar: Zeroizing<[u8; 32]>,
    id: Id,
    image: [u8; 32],
}

impl Identity {
    /// The identity of a 32-byte seed (RFC 8032 §5.1.5). The same seed gives the same id.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let signing = SigningKey::from_bytes(seed);
        let scalar = Zeroizing::new(signing.to_scalar_bytes());
        let public = signing.verifying_key();
        let id = Id::from_trusted(public.to_bytes());
        Self { signing, scalar, id, image: public.to_montgomery().to_bytes() }
    }

    /// The public half.
    #[must_use]
    pub const fn id(&self) -> Id {
        self.id
    }

    pub(super) const fn signing(&self) -> &SigningKey {
        &self.signing
    }

    /// The X25519 scalar before clamping.
    pub(super) fn scalar(&self) -> &[u8; 32] {
        &self.scalar
    }

    /// The X25519 public key.
    pub(super) const fn image(&self) -> &[u8; 32] {
        &self.image
    }

    pub(super) fn seed(&self) -> &[u8; 32] {
        self.signing.as_bytes()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_id_of_the_standard() {
        // RFC 8032 §7.1, test 1.
        let seed = hex_32("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let id = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        assert_eq!(Identity::from_seed(&seed).id(), id.parse().unwrap());
    }

    #[test]
    fn debug_shows_no_secret() {
        let text = format!("{:?}", Identity::from_seed(&[7; 32]));
        assert!(text.contains("Id("));
        assert!(!text.contains(&hex::encode([7; 32])) && !text.contains("[7, 7"));
    }

    fn hex_32(text: &str) -> [u8; 32] {
        hex::decode(text).unwrap().try_into().unwrap()
    }
}
