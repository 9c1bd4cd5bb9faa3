//! Secrets between two ids: X25519 (RFC 7748) over the birational images of their keys.

use std::fmt;

use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::montgomery::MontgomeryPoint;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{CryptoError, Identity, Verifier};
use crate::types::Id;

/// What two nodes know and nobody else: X25519 of one's scalar and the other's image. Both compute
/// the same. It costs a scalar multiplication, so callers keep it per peer. Wiped when dropped.
pub struct PairSecret {
    peer: Verifier,
    image: [u8; 32],
    secret: Zeroizing<[u8; 32]>,
}

impl PairSecret {
    /// Computes the secret between this node and `peer`.
    ///
    /// # Errors
    /// [`CryptoError::WeakKey`], which no id can cause.
    pub fn new(ours: &Identity, peer: &Id) -> Result<Self, CryptoError> {
        let peer = Verifier::new(peer);
        let image = peer.point().to_montgomery().to_bytes();
        let secret = agree_on(ours.scalar(), &peer.point())?;
        Ok(Self { peer, image, secret })
    }

    /// The other node.
    #[must_use]
    pub fn peer(&self) -> Id {
        self.peer.id()
    }

    /// What verifies the other node's signatures.
    #[must_use]
    pub const fn verifier(&self) -> &Verifier {
        &self.peer
    }

    /// The other node's X25519 public key.
    #[must_use]
    pub const fn image(&self) -> &[u8; 32] {
        &self.image
    }

    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.secret
    }
}

/// An X25519 secret, wiped when dropped.
pub(super) type Secret = Zeroizing<[u8; 32]>;

impl fmt::Debug for PairSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PairSecret").field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// The X25519 public key of an id: u = (1 + y) / (1 - y) (RFC 7748 §4.1), 32 bytes.
///
/// An id A and its negative -A share it; see [`same_image`].
#[must_use]
pub fn x25519_image(id: &Id) -> [u8; 32] {
    Verifier::new(id).point().to_montgomery().to_bytes()
}

/// Whether two ids have one X25519 key: they are equal, or each other's negative. A node must not
/// know both, since the first flight of a handshake cannot tell them apart.
#[must_use]
pub fn same_image(a: &Id, b: &Id) -> bool {
    // The sign of x, the top bit, is all that differs between a point and its negative.
    let without_sign = |id: &Id| {
        let mut bytes = *id.as_bytes();
        if let Some(last) = bytes.last_mut() {
            *last &= 0x7f;
        }
        bytes
    };
    without_sign(a) == without_sign(b)
}

/// X25519 with a public key that came over the wire.
///
/// A key on the curve's twist, which X25519 would take, is refused: no scalar has it as its public
/// key, so no honest node sends it.
pub(super) fn agree(scalar: &[u8; 32], public: &[u8; 32]) -> Result<Secret, CryptoError> {
    let point = MontgomeryPoint(*public).to_edwards(0).ok_or(CryptoError::WeakKey)?;
    agree_on(scalar, &point)
}

/// X25519 with the check of RFC 7748 §6.1, on the curve's Edwards form: there `curve25519-dalek`
/// has vector code and takes 48 us, where its ladder takes 66.
pub(super) fn agree_on(scalar: &[u8; 32], point: &EdwardsPoint) -> Result<Secret, CryptoError> {
    let secret = Zeroizing::new(point.mul_clamped(*scalar).to_montgomery().to_bytes());
    if bool::from(secret.ct_eq(&[0; 32])) { Err(CryptoError::WeakKey) } else { Ok(secret) }
}

/// The X25519 public key of a scalar.
pub(super) fn public(scalar: &[u8; 32]) -> [u8; 32] {
    MontgomeryPoint::mul_base_clamped(*scalar).to_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn identity(number: u8) -> Identity {
        Identity::from_seed(&[number; 32])
    }

    #[test]
    fn both_ends_compute_one_secret() {
        let (a, b) = (identity(1), identity(2));
        let (ab, ba) =
            (PairSecret::new(&a, &b.id()).unwrap(), PairSecret::new(&b, &a.id()).unwrap());
        assert_eq!(ab.as_bytes(), ba.as_bytes());
        let ac = PairSecret::new(&a, &identity(3).id()).unwrap();
        assert_ne!(ab.as_bytes(), ac.as_bytes());
    }

    #[test]
    fn the_image_of_an_id_is_the_public_key_of_its_scalar() {
        let a = identity(1);
        assert_eq!(x25519_image(&a.id()), public(a.scalar()));
        assert_eq!(&x25519_image(&a.id()), a.image());
    }

    #[test]
    fn an_id_and_its_negative_have_one_image() {
        let a = identity(1).id();
        let mut negative = *a.as_bytes();
        negative[31] ^= 0x80;
        let negative = Id::from_bytes(negative).unwrap();
        assert!(same_image(&a, &negative) && same_image(&a, &a));
        assert_eq!(x25519_image(&a), x25519_image(&negative));
        assert!(!same_image(&a, &identity(2).id()));
    }

    #[test]
    fn keys_of_small_order_give_no_secret() {
        // All u-coordinates of small order, and their forms that are not canonical
        // (<https://cr.yp.to/ecdh.html#validate>).
        let points = [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ];
        for point in points {
            let public: [u8; 32] = hex::decode(point).unwrap().try_into().unwrap();
            assert_eq!(agree(identity(1).scalar(), &public), Err(CryptoError::WeakKey));
        }
    }

    #[test]
    fn keys_on_the_twist_are_refused() {
        // u = 2 is no point of the curve.
        let mut public = [0; 32];
        public[0] = 2;
        assert_eq!(agree(identity(1).scalar(), &public), Err(CryptoError::WeakKey));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn the_edwards_form_gives_what_the_ladder_gives(a: [u8; 32], b: [u8; 32]) {
            let theirs = public(&b);
            let ladder = MontgomeryPoint(theirs).mul_clamped(a).to_bytes();
            prop_assert_eq!(*agree(&a, &theirs).unwrap(), ladder);
        }
    }

    #[test]
    fn x25519_is_that_of_the_standard() {
        // RFC 7748 §6.1.
        let bytes = |text: &str| -> [u8; 32] { hex::decode(text).unwrap().try_into().unwrap() };
        let alice = bytes("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
        let bob = bytes("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
        let shared = bytes("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
        assert_eq!(*agree(&alice, &bob).unwrap(), shared);
        let image = bytes("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
        assert_eq!(public(&alice), image);
    }
}
