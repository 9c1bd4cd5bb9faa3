//! A stored message as it is handed to a reader: sealed.

use bytes::Bytes;

use super::error::QueueError;
use super::received::author_log::AuthorLog;
use super::received::block::{StoredContent, StoredEntry};
use crate::limits::EAGER_BODY_SIZE_MAX;
use crate::log::{Decoded, Header};
use crate::types::{Epoch, Id, Index, Seq, UnixMs};

/// A message to this node, still sealed: whoever reads it opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Who wrote it.
    pub from: Id,
    /// Which life of the author's log.
    pub epoch: Epoch,
    /// Its place among the author's messages to this node.
    pub seq: Seq,
    /// Its place in the author's log.
    pub index: Index,
    /// Whether `epoch` is the first that this node saw of the author.
    pub is_first_life: bool,
    /// What its header says.
    pub header: Decoded,
    /// Where its sealed body is.
    pub body: OfferBody,
}

/// Where the sealed body of an offer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OfferBody {
    /// Here.
    Inline(Bytes),
    /// In chunks, wholly held: see [`Queue::held_chunk`](super::Queue::held_chunk).
    Held,
    /// Not wholly held: it is still to be fetched from the author.
    Long,
}

/// How much one [`Queue::take`](super::Queue::take) gives at most. The first offer comes however
/// long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakeBudget {
    /// Offers.
    pub count: usize,
    /// Bytes of sealed bodies that a reader takes into memory.
    pub size: usize,
}

impl Offer {
    /// An offer of a stored entry; `None` when nothing but its leaf hash is stored. `held` tells
    /// whether a body outside the block is wholly held.
    pub(super) fn new(
        log: &AuthorLog,
        is_first_life: bool,
        entry: StoredEntry,
        held: bool,
    ) -> Result<Option<Self>, QueueError> {
        let StoredEntry { seq, index, content } = entry;
        let StoredContent::Entry { header, body } = content else { return Ok(None) };
        let header = Header::decode(&header);
        let header = header.map_err(|_| QueueError::Damaged("the header of a received entry"))?;
        let body = match body {
            Some(body) => OfferBody::Inline(body),
            None if held => OfferBody::Held,
            None => OfferBody::Long,
        };
        let (from, epoch) = (log.id, log.key.epoch);
        Ok(Some(Self { from, epoch, seq, index, is_first_life, header, body }))
    }

    /// When the author wrote it, by the author's clock; 0 when this version cannot tell.
    #[must_use]
    pub const fn time(&self) -> UnixMs {
        match &self.header {
            Decoded::Header(header) => header.time,
            Decoded::Unsupported { .. } => UnixMs(0),
        }
    }

    /// Bytes of the sealed body; of what is here of it when this version cannot tell.
    #[must_use]
    pub fn body_len(&self) -> u64 {
        match (&self.header, &self.body) {
            (Decoded::Header(header), _) => header.body_len,
            (_, OfferBody::Inline(body)) => u64::try_from(body.len()).expect("a length fits u64"),
            _ => 0,
        }
    }

    /// Whether nobody should read it any more.
    pub(super) fn is_expired(&self, now: UnixMs) -> bool {
        match &self.header {
            Decoded::Header(header) => header.not_after.is_some_and(|end| end <= now),
            Decoded::Unsupported { .. } => false,
        }
    }

    /// Whether its reader has to wait until its body is fetched.
    pub(super) fn is_awaited(&self) -> bool {
        let eager = |header: &Header| header.body_len <= EAGER_BODY_SIZE_MAX;
        let short = matches!(&self.header, Decoded::Header(header) if eager(header));
        short && self.body == OfferBody::Long
    }

    /// Bytes that its reader takes into memory with it.
    pub(super) fn size(&self) -> usize {
        match &self.body {
            OfferBody::Inline(body) => body.len(),
            OfferBody::Held => usize::try_from(self.body_len()).unwrap_or(usize::MAX),
            OfferBody::Long => 0,
        }
    }
}
