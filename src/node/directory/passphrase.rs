//! A seed under a passphrase: Argon2id (RFC 9106) makes a key of it, XChaCha20-Poly1305 seals.
//!
//! The same seal under other parameters is another seal: they are authenticated with it.

use std::fmt;
use std::io;
use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::limits::{
    PASSPHRASE_LANE_COUNT_MAX, PASSPHRASE_MEMORY_KIB_MAX, PASSPHRASE_PASS_COUNT_MAX,
    PASSPHRASE_SIZE_MAX,
};

/// What a key is kept under. It is wiped when it is dropped, and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// Takes the bytes as they are.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for none, and for more than 1 024.
    pub fn new(bytes: Vec<u8>) -> io::Result<Self> {
        let bytes = Zeroizing::new(bytes);
        if bytes.is_empty() || bytes.len() > PASSPHRASE_SIZE_MAX {
            let got = bytes.len();
            let text =
                format!("expected a passphrase of 1 to {PASSPHRASE_SIZE_MAX} bytes, got {got}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        Ok(Self(bytes))
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// Gets a passphrase from the user, when a key turns out to want one. It may wait.
#[derive(Clone)]
pub struct AskPassphrase(Arc<dyn Fn() -> io::Result<Passphrase> + Send + Sync>);

impl AskPassphrase {
    /// Asks by calling `ask`, on a thread that may wait.
    pub fn new(ask: impl Fn() -> io::Result<Passphrase> + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }

    pub(super) fn ask(&self) -> io::Result<Passphrase> {
        (self.0)()
    }
}

impl fmt::Debug for AskPassphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AskPassphrase(…)")
    }
}

/// How much work Argon2id is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) memory_kib: u32,
    pub(super) passes: u32,
    pub(super) lanes: u32,
}

impl Work {
    /// The second of the two recommendations of RFC 9106 §4: 64 MiB.
    pub(super) const RECOMMENDED: Self = Self { memory_kib: 64 << 10, passes: 3, lanes: 4 };

    /// Whether a file may ask for it.
    const fn is_bearable(self) -> bool {
        self.memory_kib <= PASSPHRASE_MEMORY_KIB_MAX
            && self.passes <= PASSPHRASE_PASS_COUNT_MAX
            && self.lanes <= PASSPHRASE_LANE_COUNT_MAX
    }
}

/// Seals a seed; `header` says how, and cannot be changed without the seal failing.
pub(super) fn seal(
    seed: &[u8; 32],
    passphrase: &Passphrase,
    work: Work,
    salt: &[u8; 16],
    nonce: &[u8; 24],
    header: &[u8],
) -> Option<Vec<u8>> {
    let payload = Payload { msg: seed, aad: header };
    cipher(passphrase, work, salt)?.encrypt(&XNonce::from(*nonce), payload).ok()
}

/// Opens a sealed seed; `None` when the passphrase is another.
pub(super) fn open(
    sealed: &[u8],
    passphrase: &Passphrase,
    work: Work,
    salt: &[u8; 16],
    nonce: &[u8; 24],
    header: &[u8],
) -> Option<Zeroizing<[u8; 32]>> {
    let payload = Payload { msg: sealed, aad: header };
    let opened = cipher(passphrase, work, salt)?.decrypt(&XNonce::from(*nonce), payload).ok();
    let opened = Zeroizing::new(opened?);
    opened.as_slice().try_into().ok().map(Zeroizing::new)
}

fn cipher(passphrase: &Passphrase, work: Work, salt: &[u8; 16]) -> Option<XChaCha20Poly1305> {
    if !work.is_bearable() {
        return None;
    }
    let params = Params::new(work.memory_kib, work.passes, work.lanes, Some(32)).ok()?;
    let mut key = Zeroizing::new([0; 32]);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(&passphrase.0, salt, &mut *key).ok()?;
    Some(XChaCha20Poly1305::new(&(*key).into()))
}
