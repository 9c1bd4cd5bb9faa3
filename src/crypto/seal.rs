//! Sealed bodies: STREAM over ChaCha20-Poly1305, one key per body.
//!
//! STREAM: <https://eprint.iacr.org/2015/189>; the layout of chunks is age's
//! (<https://c2sp.org/age>, "Payload") with chunks of 32 768 sealed bytes. All inputs of the key are
//! in the signed leaf, so no additional data is bound.
//!
//! ```text
//! body  = chunk 0 .. chunk n-1     each but the last: 32 752 bytes of text and a tag of 16
//! nonce = 0 0 0 0 0 0 0 | chunk number u32 big-endian | 1 for the last chunk, else 0
//! ```

use std::fmt;
use std::sync::LazyLock;

use blake3::hazmat::{ContextKey, HasherExt, hash_derive_key_context};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::hash::{self, Fields};
use super::{CryptoError, PairSecret, Salt};
use crate::limits::{BODY_CHUNK_SIZE, BODY_CHUNK_TEXT_SIZE, BODY_SIZE_MAX, SEAL_TAG_SIZE};
use crate::types::{Epoch, Id};

/// How a body is sealed: one byte of the header. An unknown suite is kept, never refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Suite(pub u8);

impl Suite {
    /// Not sealed: entries to everyone.
    pub const CLEAR: Self = Self(0);
    /// Sealed under the X25519 secret of author and recipient.
    pub const STATIC_X25519: Self = Self(1);
}

/// What a body's key is bound to, beside the secret.
#[derive(Debug, Clone, Copy)]
pub struct SealContext {
    /// Who wrote the entry.
    pub author: Id,
    /// The raw id of the recipient, a peer or a channel.
    pub recipient: [u8; 32],
    /// Which life of the author's log.
    pub epoch: Epoch,
    /// The entry header's version.
    pub header_version: u8,
    /// The entry header's suite.
    pub suite: Suite,
    /// The entry header's salt.
    pub salt: Salt,
}

/// The key of one body. To seal, it is used up.
pub struct BodyKey(LessSafeKey);

impl BodyKey {
    /// The key of a body between two nodes.
    #[must_use]
    pub fn new(secret: &PairSecret, context: &SealContext) -> Self {
        // Two pieces, since each costs; the secret goes no further than the hasher.
        let fields = Fields::<CONTEXT_SIZE>::new()
            .raw(context.author.as_bytes())
            .raw(&context.recipient)
            .number(context.epoch.0)
            .tag(context.header_version)
            .tag(context.suite.0)
            .raw(&context.salt.0);
        let mut hasher = blake3::Hasher::new_from_context_key(&SEAL_CONTEXT);
        hasher.update(secret.as_bytes()).update(fields.as_bytes());
        Self::from_bytes(&Zeroizing::new(*hasher.finalize().as_bytes()))
    }

    /// Seals a text of at most [`BODY_CHUNK_TEXT_SIZE`] bytes in place. With room for
    /// [`SEAL_TAG_SIZE`] more bytes in `text`, nothing is allocated.
    ///
    /// # Errors
    /// [`CryptoError::ChunkSize`] when the text is longer.
    pub fn seal_short(self, text: Vec<u8>) -> Result<Vec<u8>, CryptoError> {
        self.into_sealer().seal_last(text)
    }

    /// Opens a body of one chunk in place.
    ///
    /// # Errors
    /// As [`Opener::open`], and [`CryptoError::BodySize`] when the body has more chunks.
    pub fn open_short(self, mut sealed: Vec<u8>) -> Result<Vec<u8>, CryptoError> {
        let size = wide(sealed.len());
        let opener = self.into_opener(size)?;
        if opener.chunk_count() != 1 {
            return Err(CryptoError::BodySize { got: size });
        }
        let text_size = opener.open(0, &mut sealed)?.len();
        sealed.truncate(text_size);
        Ok(sealed)
    }

    /// Seals a body chunk by chunk.
    #[must_use]
    pub const fn into_sealer(self) -> Sealer {
        Sealer { key: self, next: 0 }
    }

    /// Opens the chunks of a body of `size` sealed bytes, as the signed header declares it.
    ///
    /// # Errors
    /// [`CryptoError::BodySize`] when no text seals to that size, or it passes the bound.
    pub fn into_opener(self, size: u64) -> Result<Opener, CryptoError> {
        let wrong = CryptoError::BodySize { got: size };
        let bounded = usize::try_from(size.min(BODY_SIZE_MAX)).map_err(|_| wrong)?;
        let last = bounded.checked_sub(1).ok_or(wrong)? / BODY_CHUNK_SIZE;
        let last_size = bounded - last * BODY_CHUNK_SIZE;
        // Only a body of one chunk may be empty: each text has one form.
        let last_size_min = if last == 0 { SEAL_TAG_SIZE } else { SEAL_TAG_SIZE + 1 };
        if size > BODY_SIZE_MAX || last_size < last_size_min {
            return Err(wrong);
        }
        Ok(Opener { key: self, last: u32::try_from(last).map_err(|_| wrong)?, last_size })
    }

    fn from_bytes(key: &[u8; 32]) -> Self {
        let key = UnboundKey::new(&CHACHA20_POLY1305, key).expect("the key has the cipher's size");
        Self(LessSafeKey::new(key))
    }

    fn seal(&self, number: u32, place: Place, text: &mut Vec<u8>) {
        self.0
            .seal_in_place_append_tag(nonce(number, place), Aad::empty(), text)
            .expect("a chunk is far below the cipher's 256 GiB");
    }
}

/// Seals a body chunk by chunk, in order.
#[derive(Debug)]
pub struct Sealer {
    key: BodyKey,
    next: u32,
}

impl Sealer {
    /// Seals a chunk in place after which more text comes: exactly [`BODY_CHUNK_TEXT_SIZE`] bytes.
    ///
    /// # Errors
    /// [`CryptoError::ChunkSize`] for another size, [`CryptoError::BodySize`] when the body would
    /// pass its bound; nothing is sealed then.
    pub fn seal(&mut self, mut text: Vec<u8>) -> Result<Vec<u8>, CryptoError> {
        let number = self.next;
        if text.len() != BODY_CHUNK_TEXT_SIZE {
            return Err(wrong_size(number, BODY_CHUNK_TEXT_SIZE, text.len()));
        }
        let end = (u64::from(number) + 1) * wide(BODY_CHUNK_SIZE);
        if end > BODY_SIZE_MAX {
            return Err(CryptoError::BodySize { got: end });
        }
        self.key.seal(number, Place::Inner, &mut text);
        self.next = number + 1;
        Ok(text)
    }

    /// Seals the last chunk in place: 1 to [`BODY_CHUNK_TEXT_SIZE`] bytes, or none when it is the
    /// only one.
    ///
    /// # Errors
    /// [`CryptoError::ChunkSize`] for another size.
    pub fn seal_last(self, mut text: Vec<u8>) -> Result<Vec<u8>, CryptoError> {
        let needless = text.is_empty() && self.next > 0;
        if needless || text.len() > BODY_CHUNK_TEXT_SIZE {
            return Err(wrong_size(self.next, BODY_CHUNK_TEXT_SIZE, text.len()));
        }
        self.key.seal(self.next, Place::Last, &mut text);
        Ok(text)
    }
}

/// Opens the chunks of a body of known size, in any order.
#[derive(Debug)]
pub struct Opener {
    key: BodyKey,
    last: u32,
    last_size: usize,
}

impl Opener {
    /// How many chunks the body has, at least 1.
    #[must_use]
    pub const fn chunk_count(&self) -> u32 {
        self.last + 1
    }

    /// Opens chunk `number` in place and returns its text, which begins where the chunk did.
    ///
    /// # Errors
    /// [`CryptoError::ChunkSize`] when the chunk has not its place's size (0 past the last place),
    /// [`CryptoError::Unopened`] when it was not sealed under this key for this place. What is in
    /// `chunk` is then worthless.
    pub fn open<'a>(&self, number: u32, chunk: &'a mut [u8]) -> Result<&'a [u8], CryptoError> {
        let (place, size) = match number.cmp(&self.last) {
            std::cmp::Ordering::Less => (Place::Inner, BODY_CHUNK_SIZE),
            std::cmp::Ordering::Equal => (Place::Last, self.last_size),
            std::cmp::Ordering::Greater => return Err(wrong_size(number, 0, chunk.len())),
        };
        if chunk.len() != size {
            return Err(wrong_size(number, size, chunk.len()));
        }
        let opened = self.key.0.open_in_place(nonce(number, place), Aad::empty(), chunk);
        opened.map(|text| &*text).map_err(|_| CryptoError::Unopened { number })
    }
}

/// Bytes of the sealed body of a text of `text_size` bytes.
///
/// # Errors
/// [`CryptoError::BodySize`] when that passes [`BODY_SIZE_MAX`].
pub fn sealed_size(text_size: u64) -> Result<u64, CryptoError> {
    let chunk_count = text_size.div_ceil(wide(BODY_CHUNK_TEXT_SIZE)).max(1);
    let size = text_size.saturating_add(chunk_count.saturating_mul(wide(SEAL_TAG_SIZE)));
    if size > BODY_SIZE_MAX { Err(CryptoError::BodySize { got: size }) } else { Ok(size) }
}

impl fmt::Debug for BodyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BodyKey(..)")
    }
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Inner,
    Last,
}

fn nonce(number: u32, place: Place) -> Nonce {
    let [a, b, c, d] = number.to_be_bytes();
    let last = match place {
        Place::Inner => 0,
        Place::Last => 1,
    };
    Nonce::assume_unique_for_key([0, 0, 0, 0, 0, 0, 0, a, b, c, d, last])
}

const fn wrong_size(number: u32, expected: usize, got: usize) -> CryptoError {
    CryptoError::ChunkSize { number, expected, got }
}

fn wide(size: usize) -> u64 {
    u64::try_from(size).expect("a size in memory fits u64")
}

/// Bytes of a [`SealContext`] as it is hashed.
const CONTEXT_SIZE: usize = 32 + 32 + 8 + 1 + 1 + Salt::SIZE;

static SEAL_CONTEXT: LazyLock<ContextKey> = LazyLock::new(|| hash_derive_key_context(hash::SEAL));

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::Identity;

    fn key(change: impl FnOnce(&mut SealContext)) -> BodyKey {
        let (author, recipient) = (Identity::from_seed(&[1; 32]), Identity::from_seed(&[2; 32]));
        let secret = PairSecret::new(&author, &recipient.id()).unwrap();
        let mut context = SealContext {
            author: author.id(),
            recipient: *recipient.id().as_bytes(),
            epoch: Epoch(7),
            header_version: 1,
            suite: Suite::STATIC_X25519,
            salt: Salt([9; 16]),
        };
        change(&mut context);
        BodyKey::new(&secret, &context)
    }

    fn same_key() -> BodyKey {
        key(|_| ())
    }

    fn text(size: usize) -> Vec<u8> {
        (0..size).map(|i| u8::try_from(i % 251).unwrap()).collect()
    }

    fn seal_all(text: &[u8]) -> Vec<Vec<u8>> {
        let mut sealer = same_key().into_sealer();
        let (last, inner) = {
            let mut chunks: Vec<_> =
                text.chunks(BODY_CHUNK_TEXT_SIZE).map(<[u8]>::to_vec).collect();
            (chunks.pop().unwrap_or_default(), chunks)
        };
        let mut sealed: Vec<_> = inner.into_iter().map(|c| sealer.seal(c).unwrap()).collect();
        sealed.push(sealer.seal_last(last).unwrap());
        sealed
    }

    #[test]
    fn the_key_is_derived_from_the_secret_and_the_header() {
        let (author, recipient) = (Identity::from_seed(&[1; 32]), Identity::from_seed(&[2; 32]));
        let secret = PairSecret::new(&author, &recipient.id()).unwrap();
        let (author, recipient) = (author.id(), recipient.id());
        let material = [
            &secret.as_bytes()[..],
            author.as_bytes(),
            recipient.as_bytes(),
            &7u64.to_be_bytes(),
            &[1, 1],
            &[9; 16],
        ];
        let key = hash::derive("peermq seal v1", &material.concat());
        let sealed = BodyKey::from_bytes(&key).seal_short(text(5)).unwrap();
        assert_eq!(same_key().open_short(sealed).unwrap(), text(5));
    }

    #[test]
    fn every_input_makes_another_key() {
        let sealed = same_key().seal_short(text(5)).unwrap();
        let third = Identity::from_seed(&[3; 32]).id();
        let others = [
            key(|c| c.author = third),
            key(|c| c.recipient = [0; 32]),
            key(|c| c.epoch = Epoch(8)),
            key(|c| c.header_version = 2),
            key(|c| c.suite = Suite(2)),
            key(|c| c.salt = Salt([8; 16])),
        ];
        for other in others {
            let refused = other.open_short(sealed.clone());
            assert_eq!(refused, Err(CryptoError::Unopened { number: 0 }));
        }
    }

    #[test]
    fn bodies_of_every_shape_open_again() {
        for size in [0, 1, 100, 32_751, 32_752, 32_753, 65_504, 65_505, 100_000] {
            let mut sealed = seal_all(&text(size));
            let sealed_len = sealed.iter().map(Vec::len).sum::<usize>();
            assert_eq!(sealed_size(wide(size)), Ok(wide(sealed_len)));
            let opener = same_key().into_opener(wide(sealed_len)).unwrap();
            assert_eq!(opener.chunk_count(), u32::try_from(sealed.len()).unwrap());
            let texts = (0..).zip(&mut sealed).map(|(n, c)| opener.open(n, c).unwrap().to_vec());
            assert_eq!(texts.collect::<Vec<_>>().concat(), text(size));
        }
    }

    #[test]
    fn a_short_body_is_sealed_where_it_lies() {
        let mut short = Vec::with_capacity(100 + SEAL_TAG_SIZE);
        short.extend_from_slice(&text(100));
        let place = short.as_ptr();
        let sealed = same_key().seal_short(short).unwrap();
        assert_eq!((sealed.len(), sealed.as_ptr()), (116, place));
    }

    #[test]
    fn truncated_reordered_and_appended_bodies_do_not_open() {
        let sealed = seal_all(&text(70_000));
        let size = wide(sealed.iter().map(Vec::len).sum());
        let opener = same_key().into_opener(size).unwrap();
        let swapped = opener.open(1, &mut sealed[0].clone()).unwrap_err();
        assert_eq!(swapped, CryptoError::Unopened { number: 1 });
        assert!(opener.open(3, &mut sealed[2].clone()).is_err());
        assert!(opener.open(2, &mut sealed[0].clone()).is_err());
        // Cut after the second chunk: what was an inner chunk is not a last one.
        let cut = same_key().into_opener(2 * wide(BODY_CHUNK_SIZE)).unwrap();
        let refused = cut.open(1, &mut sealed[1].clone()).unwrap_err();
        assert_eq!(refused, CryptoError::Unopened { number: 1 });
        // One chunk more: what was the last one is not an inner one.
        let two = seal_all(&text(2 * BODY_CHUNK_TEXT_SIZE));
        let longer = same_key().into_opener(2 * wide(BODY_CHUNK_SIZE) + 20).unwrap();
        assert!(longer.open(1, &mut two[1].clone()).is_err());
    }

    #[test]
    fn sizes_that_no_text_has_are_refused() {
        let chunk = wide(BODY_CHUNK_SIZE);
        for size in [0, 15, chunk + 1, chunk + 16, BODY_SIZE_MAX + 1, u64::MAX] {
            let refused = same_key().into_opener(size).unwrap_err();
            assert_eq!(refused, CryptoError::BodySize { got: size });
        }
        assert!(sealed_size(u64::MAX).is_err() && sealed_size(BODY_SIZE_MAX).is_err());
        assert!(sealed_size(crate::limits::BODY_TEXT_SIZE_MAX + 4_096).is_ok());
        let mut sealer = same_key().into_sealer();
        sealer.seal(text(BODY_CHUNK_TEXT_SIZE - 1)).unwrap_err();
        sealer.seal(text(BODY_CHUNK_TEXT_SIZE)).unwrap();
        sealer.seal_last(Vec::new()).unwrap_err();
        same_key().seal_short(text(BODY_CHUNK_TEXT_SIZE + 1)).unwrap_err();
    }

    proptest! {
        #[test]
        fn a_flipped_bit_does_not_open(size in 0usize..300, at: prop::sample::Index, bit in 0u8..8) {
            let mut sealed = same_key().seal_short(text(size)).unwrap();
            let at = at.index(sealed.len());
            sealed[at] ^= 1 << bit;
            prop_assert!(same_key().open_short(sealed).is_err());
        }
    }
}
