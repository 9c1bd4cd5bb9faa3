//! From a stored offer to a message: the body read, the seal opened, the envelope taken off.

use bytes::Bytes;

use super::error::NodeError;
use super::message::{Message, Text};
use super::sealing::{Sealing, body_key};
use super::storage_thread::Storage;
use crate::crypto::Opener;
use crate::limits::BODY_CHUNK_SIZE;
use crate::log::{Decoded, Envelope, EnvelopeError, Header, plain_text_size};
use crate::queue::{Offer, OfferBody};
use crate::types::{Id, Seq};

/// What became of an offer.
#[derive(Debug)]
pub(super) enum Opened {
    /// A message for the reader.
    Message(Message),
    /// Its author sealed something that does not open: nobody can read it.
    Rejected,
}

/// Opens offers in the reader's own task.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening<'a> {
    pub(super) me: Id,
    pub(super) sealing: &'a Sealing,
    pub(super) storage: &'a Storage,
}

impl Opening<'_> {
    /// Opens one offer.
    ///
    /// # Errors
    /// [`NodeError`] when the body cannot be read from the store. A body that does not open is no
    /// error of this node: [`Opened::Rejected`].
    pub(super) async fn open(&self, offer: &Offer) -> Result<Opened, NodeError> {
        let Decoded::Header(header) = &offer.header else {
            return Ok(Opened::Message(message(offer, 0, Text::Unsupported)));
        };
        let sealed_text = match &offer.body {
            OfferBody::Inline(sealed) => self.open_inline(offer, header, sealed),
            OfferBody::Held => self.open_held(offer, header).await?,
            OfferBody::Long => {
                let size = plain_text_size(header.body_len);
                return Ok(Opened::Message(message(offer, size, Text::Long)));
            }
        };
        let Some(plain) = sealed_text else { return Ok(Opened::Rejected) };
        Ok(match Envelope::decode(&plain) {
            Ok((_, start)) => {
                let text = plain.slice(start..);
                let size = u64::try_from(text.len()).expect("a length in memory fits u64");
                Opened::Message(message(offer, size, Text::Here(text)))
            }
            Err(EnvelopeError::Unsupported(_)) => {
                Opened::Message(message(offer, header.body_len, Text::Unsupported))
            }
            Err(_) => Opened::Rejected,
        })
    }

    /// An opener for the chunks of a body.
    pub(super) fn opener(&self, from: Id, offer: &Offer, header: &Header) -> Option<Opener> {
        let secret = self.sealing.pairs().secret(&from).ok()?;
        let key = body_key(&secret, from, &self.me, offer.epoch, header.salt);
        key.into_opener(header.body_len).ok()
    }

    fn open_inline(&self, offer: &Offer, header: &Header, sealed: &Bytes) -> Option<Bytes> {
        let opener = self.opener(offer.from, offer, header)?;
        let mut plain = sealed.to_vec();
        let size = opener.open(0, &mut plain).ok()?.len();
        plain.truncate(size);
        Some(plain.into())
    }

    async fn open_held(&self, offer: &Offer, header: &Header) -> Result<Option<Bytes>, NodeError> {
        let Some(opener) = self.opener(offer.from, offer, header) else { return Ok(None) };
        let count = usize::try_from(opener.chunk_count()).unwrap_or(0);
        let mut plain = Vec::with_capacity(count * BODY_CHUNK_SIZE);
        for number in 0..opener.chunk_count() {
            let sealed = self.held_chunk(offer.from, offer, number).await?;
            let Some(sealed) = sealed else { return Ok(None) };
            let mut chunk = sealed.to_vec();
            let Ok(text) = opener.open(number, &mut chunk) else { return Ok(None) };
            plain.extend_from_slice(text);
        }
        Ok(Some(plain.into()))
    }

    /// One sealed chunk of a held body.
    pub(super) async fn held_chunk(
        &self,
        from: Id,
        offer: &Offer,
        number: u32,
    ) -> Result<Option<Bytes>, NodeError> {
        let (epoch, seq): (_, Seq) = (offer.epoch, offer.seq);
        let read = self.storage.read(move |queue| queue.held_chunk(&from, epoch, seq, number));
        Ok(read.await??)
    }
}

fn message(offer: &Offer, size: u64, text: Text) -> Message {
    Message {
        from: offer.from,
        epoch: offer.epoch,
        seq: offer.seq,
        is_first_life: offer.is_first_life,
        time: offer.time(),
        size,
        text,
    }
}
