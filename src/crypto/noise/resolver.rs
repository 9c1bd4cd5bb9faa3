//! Noise's primitives as snow asks for them (Noise Protocol Framework rev 34, §4 and §12).
//!
//! Own ones, because snow's X25519 neither wipes keys nor refuses an all-zero secret, and because
//! randomness is an argument here. The node's secret never passes through snow.

use std::fmt;
use std::sync::Arc;

use blake2::{Blake2s256, Digest};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::CryptoResolver;
use snow::types::{Cipher, Dh, Hash, Random};
use zeroize::Zeroizing;

use super::KnownPairs;
use crate::crypto::{Identity, pair};
use crate::limits::SEAL_TAG_SIZE;

/// Gives snow the primitives of one handshake.
pub(super) struct Resolver {
    pub(super) identity: Arc<Identity>,
    pub(super) known: Arc<dyn KnownPairs>,
    /// The scalar of the one ephemeral key; 32 random bytes.
    pub(super) ephemeral: Zeroizing<[u8; 32]>,
}

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(OneDraw(Some(self.ephemeral.clone()))))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        let (identity, known) = (Arc::clone(&self.identity), Arc::clone(&self.known));
        (*choice == DHChoice::Curve25519)
            .then(|| -> Box<dyn Dh> { Box::new(X25519 { identity, known, ephemeral: None }) })
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        (*choice == HashChoice::Blake2s)
            .then(|| -> Box<dyn Hash> { Box::new(Blake2s(Blake2s256::new())) })
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        (*choice == CipherChoice::ChaChaPoly)
            .then(|| -> Box<dyn Cipher> { Box::new(ChaChaPoly(None)) })
    }
}

/// Randomness that is drawn once; a second draw fails.
struct OneDraw(Option<Zeroizing<[u8; 32]>>);

impl Random for OneDraw {
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), snow::Error> {
        match self.0.take() {
            Some(drawn) if drawn.len() == dest.len() => dest.copy_from_slice(&*drawn),
            _ => return Err(snow::Error::Rng),
        }
        Ok(())
    }
}

/// The node's static key, until an ephemeral one is generated in its place.
struct X25519 {
    identity: Arc<Identity>,
    known: Arc<dyn KnownPairs>,
    ephemeral: Option<Ephemeral>,
}

struct Ephemeral {
    scalar: Zeroizing<[u8; 32]>,
    public: [u8; 32],
}

impl Dh for X25519 {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        32
    }

    fn priv_len(&self) -> usize {
        32
    }

    /// Nothing to set: the static key is the identity's.
    fn set(&mut self, _privkey: &[u8]) {}

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), snow::Error> {
        let mut scalar = Zeroizing::new([0; 32]);
        rng.try_fill_bytes(&mut *scalar)?;
        self.ephemeral = Some(Ephemeral { public: pair::public(&scalar), scalar });
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        self.ephemeral.as_ref().map_or_else(|| self.identity.image(), |ephemeral| &ephemeral.public)
    }

    fn privkey(&self) -> &[u8] {
        self.ephemeral
            .as_ref()
            .map_or_else(|| self.identity.scalar(), |ephemeral| &*ephemeral.scalar)
    }

    fn dh(&self, pubkey: &[u8], out: &mut [u8]) -> Result<(), snow::Error> {
        let public: &[u8; 32] = pubkey.first_chunk().ok_or(snow::Error::Dh)?;
        let known = self.known.pair(public);
        let secret = match (&self.ephemeral, &known) {
            (None, Some(pair)) => Ok(Zeroizing::new(*pair.as_bytes())),
            (Some(own), Some(pair)) => pair::agree_on(&own.scalar, &pair.verifier().point()),
            (Some(own), None) => pair::agree(&own.scalar, public),
            (None, None) => pair::agree(self.identity.scalar(), public),
        };
        let secret = secret.map_err(|_| snow::Error::Dh)?;
        out.first_chunk_mut().ok_or(snow::Error::Dh).map(|out: &mut [u8; 32]| *out = *secret)
    }
}

struct Blake2s(Blake2s256);

impl Hash for Blake2s {
    fn name(&self) -> &'static str {
        "BLAKE2s"
    }

    fn block_len(&self) -> usize {
        64
    }

    fn hash_len(&self) -> usize {
        32
    }

    fn reset(&mut self) {
        self.0 = Blake2s256::new();
    }

    fn input(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn result(&mut self, out: &mut [u8]) {
        let out: &mut [u8; 32] = out.first_chunk_mut().expect("snow gives room for a hash");
        *out = std::mem::take(&mut self.0).finalize().into();
    }
}

struct ChaChaPoly(Option<LessSafeKey>);

impl ChaChaPoly {
    fn key(&self) -> &LessSafeKey {
        self.0.as_ref().expect("snow sets a key before it uses it")
    }
}

impl Cipher for ChaChaPoly {
    fn name(&self) -> &'static str {
        "ChaChaPoly"
    }

    fn set(&mut self, key: &[u8; 32]) {
        self.0 = Some(cipher_key(key));
    }

    fn encrypt(&self, nonce: u64, authtext: &[u8], plaintext: &[u8], out: &mut [u8]) -> usize {
        let size = plaintext.len() + SEAL_TAG_SIZE;
        let out = out.get_mut(..size).expect("snow gives room for the tag");
        let (text, tag) = out.split_at_mut(plaintext.len());
        text.copy_from_slice(plaintext);
        let sealed =
            self.key().seal_in_place_separate_tag(cipher_nonce(nonce), Aad::from(authtext), text);
        tag.copy_from_slice(sealed.expect("a flight is short").as_ref());
        size
    }

    fn decrypt(
        &self,
        nonce: u64,
        authtext: &[u8],
        ciphertext: &[u8],
        out: &mut [u8],
    ) -> Result<usize, snow::Error> {
        let (sealed, tag) =
            ciphertext.split_last_chunk::<SEAL_TAG_SIZE>().ok_or(snow::Error::Decrypt)?;
        let text = out.get_mut(..sealed.len()).ok_or(snow::Error::Decrypt)?;
        text.copy_from_slice(sealed);
        let (nonce, aad) = (cipher_nonce(nonce), Aad::from(authtext));
        self.key()
            .open_in_place_separate_tag(nonce, aad, (*tag).into(), text, 0..)
            .map(|text| text.len())
            .map_err(|_| snow::Error::Decrypt)
    }
}

/// A key for ChaCha20-Poly1305.
pub(super) fn cipher_key(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).expect("the key has its size"))
}

/// Noise's nonce: 4 zero bytes, then the count u64 little-endian (rev 34, §12.3).
pub(super) fn cipher_nonce(count: u64) -> Nonce {
    let mut nonce = [0; 12];
    if let Some(counted) = nonce.last_chunk_mut() {
        *counted = count.to_le_bytes();
    }
    Nonce::assume_unique_for_key(nonce)
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("identity", &self.identity).finish_non_exhaustive()
    }
}
