//! What a node tells everyone about itself: entries of its log, in clear, that are read by the nodes
//! which get them and never offered to anyone.

use bytes::Bytes;

use super::draft::{Draft, DraftBody};
use super::entry::Decoded;
use super::envelope::Envelope;
use super::head::Tip;
use crate::crypto::hash::body_hash;
use crate::crypto::{Salt, Suite};
use crate::types::{Recipient, UnixMs};

/// An entry to everyone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Announcement {
    /// Entry 0 of a life that is not the first: where the life before ended, as far as its author
    /// knows.
    EarlierLife(Tip),
}

impl Announcement {
    /// The entry, to be appended.
    ///
    /// # Panics
    /// Never: the envelope has one field.
    #[must_use]
    pub fn draft(&self, salt: Salt, time: UnixMs) -> Draft {
        let Self::EarlierLife(tip) = self;
        let mut body = Vec::new();
        let envelope = Envelope { kind: Some(EARLIER_LIFE), ..Envelope::default() };
        envelope.encode(&mut body).expect("one small field fits");
        let tip = postcard::to_stdvec(tip).expect("a tip holds only what postcard encodes");
        body.extend_from_slice(&tip);
        Draft {
            recipient: Recipient::Everyone,
            suite: Suite::CLEAR,
            salt,
            time,
            not_after: None,
            body_hash: body_hash(&body),
            body: DraftBody::Inline(body.into()),
            idempotency: None,
        }
    }

    /// Reads an entry to everyone; `None` when it is of another kind, or says nothing.
    #[must_use]
    pub fn read(header: &Decoded, body: &Bytes) -> Option<Self> {
        let Decoded::Header(header) = header else { return None };
        let (envelope, start) = Envelope::decode(body).ok()?;
        if header.suite != Suite::CLEAR || envelope.kind != Some(EARLIER_LIFE) {
            return None;
        }
        let (tip, rest) = postcard::take_from_bytes(body.get(start..)?).ok()?;
        rest.is_empty().then_some(Self::EarlierLife(tip))
    }
}

/// The envelope's kind.
const EARLIER_LIFE: u16 = 1;
