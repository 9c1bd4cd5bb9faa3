//! Noise records: what a session's bytes are cut into once both ends are known.
//!
//! ```text
//! record = size u16 big-endian | text sealed, 1 .. 65 519 bytes | tag 16     size: without itself
//! ```

use std::fmt;

use ring::aead::{Aad, LessSafeKey};

use super::resolver::{cipher_key, cipher_nonce};
use crate::crypto::CryptoError;
use crate::limits::{NOISE_RECORD_SIZE_MAX, SEAL_TAG_SIZE};

/// Bytes before a record that hold its size.
pub const RECORD_HEADER_SIZE: usize = 2;
/// Bytes of text in one record.
pub const RECORD_TEXT_SIZE_MAX: usize = NOISE_RECORD_SIZE_MAX - SEAL_TAG_SIZE;

/// Seals one direction of a session, record after record.
pub struct RecordSealer {
    key: LessSafeKey,
    next: u64,
}

impl RecordSealer {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self { key: cipher_key(key), next: 0 }
    }

    /// Seals in place what follows `start` in `buffer`: first [`RECORD_HEADER_SIZE`] bytes of room
    /// for the size, then the text. The tag is appended.
    ///
    /// # Errors
    /// [`CryptoError::RecordSize`] when the text is empty or too long,
    /// [`CryptoError::RecordsSpent`] after 2^64 - 1 records.
    pub fn seal(&mut self, buffer: &mut Vec<u8>, start: usize) -> Result<(), CryptoError> {
        let got = (buffer.len() + SEAL_TAG_SIZE).saturating_sub(start + RECORD_HEADER_SIZE);
        let wrong = CryptoError::RecordSize { got };
        let size = u16::try_from(got).map_err(|_| wrong)?;
        let record = buffer.get_mut(start..).ok_or(wrong)?;
        let (header, text) = record.split_first_chunk_mut().ok_or(wrong)?;
        if text.is_empty() {
            return Err(wrong);
        }
        *header = size.to_be_bytes();
        let tag = self.seal_separately(text)?;
        buffer.extend_from_slice(&tag);
        Ok(())
    }

    /// Seals `text` in place and gives its tag.
    pub(super) fn seal_separately(
        &mut self,
        text: &mut [u8],
    ) -> Result<[u8; SEAL_TAG_SIZE], CryptoError> {
        let nonce = cipher_nonce(take(&mut self.next)?);
        let tag = self.key.seal_in_place_separate_tag(nonce, Aad::empty(), text);
        let tag = tag.map_err(|_| CryptoError::RecordSize { got: text.len() })?;
        tag.as_ref().try_into().map_err(|_| CryptoError::Record)
    }
}

/// Opens one direction of a session, record after record.
pub struct RecordOpener {
    /// Gone after the first record that does not open: a session is never tried further.
    key: Option<LessSafeKey>,
    next: u64,
}

impl RecordOpener {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self { key: Some(cipher_key(key)), next: 0 }
    }

    /// Opens a record in place, without its header, and returns its text.
    ///
    /// # Errors
    /// [`CryptoError::Record`], then and for ever, when it is not the next record of the session.
    pub fn open<'a>(&mut self, record: &'a mut [u8]) -> Result<&'a mut [u8], CryptoError> {
        let key = self.key.take().ok_or(CryptoError::Record)?;
        let nonce = cipher_nonce(take(&mut self.next)?);
        let text =
            key.open_in_place(nonce, Aad::empty(), record).map_err(|_| CryptoError::Record)?;
        self.key = Some(key);
        Ok(text)
    }
}

/// The size of the record behind a header, in bytes.
///
/// # Errors
/// [`CryptoError::RecordSize`] when it leaves no room for text.
pub fn record_size(header: [u8; RECORD_HEADER_SIZE]) -> Result<usize, CryptoError> {
    let got = usize::from(u16::from_be_bytes(header));
    if got > SEAL_TAG_SIZE { Ok(got) } else { Err(CryptoError::RecordSize { got }) }
}

/// The next nonce. The last u64 is Noise's own, for rekeying.
fn take(next: &mut u64) -> Result<u64, CryptoError> {
    let nonce = *next;
    *next = nonce.checked_add(1).ok_or(CryptoError::RecordsSpent)?;
    Ok(nonce)
}

impl fmt::Debug for RecordSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordSealer").field("next", &self.next).finish_non_exhaustive()
    }
}

impl fmt::Debug for RecordOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordOpener").field("next", &self.next).finish_non_exhaustive()
    }
}
