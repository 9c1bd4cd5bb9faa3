//! What is handed to a log to be appended.

use bytes::Bytes;

use super::block::Content;
use super::entry::{Header, HeaderBytes};
use super::error::LogError;
use super::idempotency::IdempotencyHash;
use crate::crypto::hash::Hash;
use crate::crypto::{Salt, Suite};
use crate::limits::{BODY_SIZE_MAX, INLINE_BODY_SIZE_MAX};
use crate::types::{Index, Recipient, Seq, UnixMs};

/// An entry without its place: the log gives it index and seq.
#[derive(Debug, Clone)]
pub struct Draft {
    /// To whom.
    pub recipient: Recipient,
    /// How the body is sealed.
    pub suite: Suite,
    /// The salt that the body was sealed with.
    pub salt: Salt,
    /// When it was written, by this node's clock.
    pub time: UnixMs,
    /// From when on nobody should read it; absent: never.
    pub not_after: Option<UnixMs>,
    /// BLAKE3 of the sealed body.
    pub body_hash: Hash,
    /// The sealed body.
    pub body: DraftBody,
    /// Present when a repeat must give the first one's place.
    pub idempotency: Option<IdempotencyHash>,
}

/// The sealed body of a draft.
#[derive(Debug, Clone)]
pub enum DraftBody {
    /// All of it: at most 4 096 bytes.
    Inline(Bytes),
    /// More: its chunks are staged under the draft's salt.
    Staged {
        /// Bytes of the sealed body.
        body_len: u64,
    },
}

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// In the log.
    pub index: Index,
    /// Among the entries to its recipient.
    pub seq: Seq,
}

impl Draft {
    /// Refuses a body that is inline where it should be staged, or the other way.
    pub(crate) fn check(&self) -> Result<(), LogError> {
        let inline_max = u64::try_from(INLINE_BODY_SIZE_MAX).expect("a small number");
        let (range, len) = match &self.body {
            DraftBody::Inline(_) => (0..=inline_max, self.body_len()),
            DraftBody::Staged { body_len } => (inline_max + 1..=BODY_SIZE_MAX, *body_len),
        };
        if range.contains(&len) { Ok(()) } else { Err(LogError::BodySize(len)) }
    }

    /// The header, once the entry has its seq.
    pub(super) fn header(&self, seq: Seq) -> HeaderBytes {
        let header = Header {
            recipient: self.recipient,
            seq,
            suite: self.suite,
            salt: self.salt,
            time: self.time,
            not_after: self.not_after,
            body_len: self.body_len(),
            body_hash: self.body_hash,
        };
        header.encode()
    }

    /// What a block holds of the entry.
    pub(super) fn content<'a>(&'a self, header: &'a HeaderBytes) -> Content<&'a [u8]> {
        let header = header.as_bytes();
        match &self.body {
            DraftBody::Inline(body) => Content::Inline { header, body },
            DraftBody::Staged { body_len } => {
                let body_len = u32::try_from(*body_len).expect("checked to be no longer than any");
                Content::Long { header, body_len }
            }
        }
    }

    fn body_len(&self) -> u64 {
        match &self.body {
            DraftBody::Inline(body) => u64::try_from(body.len()).expect("a length fits u64"),
            DraftBody::Staged { body_len } => *body_len,
        }
    }
}
