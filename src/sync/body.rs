//! Long bodies: wanted and sent in order, on a sub-stream of their own, checked as a whole.
//!
//! The right to a body is its address: who asks for (author, epoch, recipient, seq) must be the
//! recipient. Nobody asks by hash.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::error::{Malformed, Misbehaviour};
use super::frame::{Frame, Kind};
use super::message::encode;
use crate::crypto::hash::Hash;
use crate::limits::BODY_CHUNK_SIZE;
use crate::planted;
use crate::types::{Epoch, Recipient, Seq};

/// A long body is wanted, from a chunk on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Want {
    /// Whose log.
    pub author: [u8; 32],
    /// Which life of it.
    pub epoch: Epoch,
    /// Entries to whom.
    pub recipient: Recipient,
    /// Which of them.
    pub seq: Seq,
    /// The first chunk that is not held yet.
    pub first_chunk: u32,
}

/// One sealed chunk of a long body. A frame without bytes says that the author has the body no
/// more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyChunk {
    /// Its place, from 0.
    pub number: u32,
    /// 32 768 sealed bytes, fewer in the last chunk.
    pub sealed: Bytes,
}

impl BodyChunk {
    /// The payload: the number as a varint, the bytes after it to the end.
    pub(super) fn encode(&self) -> Bytes {
        let mut payload = encode(&self.number).to_vec();
        payload.extend_from_slice(&self.sealed);
        payload.into()
    }

    /// Reads the payload without copying the chunk.
    pub(super) fn decode(frame: &Frame) -> Result<Self, Malformed> {
        let (number, sealed) = postcard::take_from_bytes(&frame.payload)
            .map_err(|_| Malformed::Payload(Kind::Body))?;
        if sealed.len() > BODY_CHUNK_SIZE {
            return Err(Malformed::Payload(Kind::Body));
        }
        Ok(Self { number, sealed: frame.payload.slice_ref(sealed) })
    }
}

/// Holds the chunks of a body against the length and the hash that its header names.
#[derive(Debug, Clone)]
pub struct BodyCheck {
    seq: Seq,
    len: u64,
    hash: Hash,
    hasher: blake3::Hasher,
    taken: u64,
    next: u32,
}

impl BodyCheck {
    /// A check that has seen nothing. `len` is in sealed bytes.
    #[must_use]
    pub fn new(seq: Seq, len: u64, hash: Hash) -> Self {
        Self { seq, len, hash, hasher: blake3::Hasher::new(), taken: 0, next: 0 }
    }

    /// How many chunks a body of `len` sealed bytes has.
    #[must_use]
    pub fn chunk_count(len: u64) -> u32 {
        let chunk = u64::try_from(BODY_CHUNK_SIZE).expect("a chunk's size fits u64");
        u32::try_from(len.div_ceil(chunk)).unwrap_or(u32::MAX)
    }

    fn is_of_the_header(&self) -> bool {
        *self.hasher.finalize().as_bytes() == self.hash.0 || planted::is("chunks-unchecked")
    }

    /// Takes the next chunk in. Returns whether it was the last, with the whole hash checked.
    ///
    /// # Errors
    /// [`Misbehaviour::Body`] when the chunk is not the next one, has another size than its place
    /// demands, or completes another body than the header names.
    pub fn take(&mut self, chunk: &BodyChunk) -> Result<Progress, Misbehaviour> {
        let wrong = Misbehaviour::Body(self.seq);
        let full = u64::try_from(BODY_CHUNK_SIZE).expect("a chunk's size fits u64");
        let expected = full.min(self.len - self.taken);
        let size = u64::try_from(chunk.sealed.len()).map_err(|_| wrong)?;
        if chunk.number != self.next || size != expected || size == 0 {
            return Err(wrong);
        }
        self.hasher.update(&chunk.sealed);
        self.taken += size;
        self.next += 1;
        match self.taken == self.len {
            false => Ok(Progress::More),
            true if self.is_of_the_header() => Ok(Progress::Whole),
            true => Err(wrong),
        }
    }
}

/// How far a body has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Chunks are still to come.
    More,
    /// All are there, and the hash is the header's.
    Whole,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::hash::body_hash;

    fn chunks(body: &[u8]) -> Vec<BodyChunk> {
        let pieces = body.chunks(BODY_CHUNK_SIZE).zip(0..);
        pieces
            .map(|(piece, number)| BodyChunk { number, sealed: Bytes::copy_from_slice(piece) })
            .collect()
    }

    #[test]
    fn a_body_is_whole_only_in_order_and_with_its_hash() {
        let body = vec![7; BODY_CHUNK_SIZE + 9];
        let check = BodyCheck::new(Seq(1), 32_777, body_hash(&body));
        let [first, last] = chunks(&body).try_into().unwrap();
        let mut good = check.clone();
        assert_eq!(good.take(&first), Ok(Progress::More));
        assert_eq!(good.take(&last), Ok(Progress::Whole));

        check.clone().take(&last).unwrap_err();
        let mut repeated = check.clone();
        repeated.take(&first).unwrap();
        repeated.take(&first).unwrap_err();
        let mut other = check;
        other.take(&first).unwrap();
        let changed = BodyChunk { number: 1, sealed: vec![8; 9].into() };
        assert_eq!(other.take(&changed), Err(Misbehaviour::Body(Seq(1))));
    }

    #[test]
    fn chunks_are_counted_to_the_last_byte() {
        assert_eq!(BodyCheck::chunk_count(32_768), 1);
        assert_eq!(BodyCheck::chunk_count(32_769), 2);
        assert_eq!(BodyCheck::chunk_count(u64::MAX), u32::MAX);
    }
}
