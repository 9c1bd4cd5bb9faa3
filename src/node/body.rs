//! The text of one message, read chunk by chunk in constant memory.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::oneshot;

use super::error::NodeError;
use super::fetch::Pull;
use super::inner::Inner;
use crate::crypto::Opener;
use crate::limits::{BODY_CHUNK_SIZE, SEAL_TAG_SIZE};
use crate::log::{Decoded, Envelope};
use crate::queue::{Offer, OfferBody};
use crate::types::{Epoch, Id, Seq, UnixMs};

/// The text of one message.
pub struct Body {
    node: Arc<Inner>,
    offer: Offer,
    opener: Opener,
    next: u32,
    ready: Bytes,
    size: u64,
}

impl Body {
    /// Finds a message and its first bytes; a long body that is not here is fetched first.
    pub(super) async fn open(
        node: Arc<Inner>,
        from: Id,
        epoch: Option<Epoch>,
        seq: Seq,
    ) -> Result<Self, NodeError> {
        let mut offer = find(&node, from, epoch, seq).await?;
        while matches!(offer.body, OfferBody::Long) {
            fetch(&node, &offer).await?;
            offer = find(&node, from, Some(offer.epoch), seq).await?;
        }
        let unsupported = NodeError::Unsupported { from, epoch: offer.epoch, seq };
        let Decoded::Header(header) = offer.header else { return Err(unsupported) };
        let opener = node.opening().opener(from, &offer, &header);
        let Some(opener) = opener else { return Err(unsupported) };
        let mut body = Self { node, offer, opener, next: 0, ready: Bytes::new(), size: 0 };
        let first = body.open_next().await?.ok_or(NodeError::Stopped)?;
        let Ok((_, start)) = Envelope::decode(&first) else { return Err(unsupported) };
        let chunk = u64::try_from(BODY_CHUNK_SIZE).expect("a chunk's size fits u64");
        let tag = u64::try_from(SEAL_TAG_SIZE).expect("a tag's size fits u64");
        let head = u64::try_from(start).expect("a length in memory fits u64");
        body.size = header.body_len - header.body_len.div_ceil(chunk) * tag - head;
        body.ready = first.slice(start..);
        Ok(body)
    }

    /// Bytes of the whole text.
    ///
    /// ```
    #[doc = include_str!("doc/pair.md")]
    /// let sent = bob.send(alice.id(), "hello").await?;
    /// # connection.next_ack().await?;
    /// let body = alice.read(bob.id(), None, sent.seq).await?;
    /// assert_eq!(body.size(), 5);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// When the sender wrote the message, by its clock.
    ///
    /// ```
    #[doc = include_str!("doc/pair.md")]
    /// let sent = bob.send(alice.id(), "hello").await?;
    /// # connection.next_ack().await?;
    /// let body = alice.read(bob.id(), None, sent.seq).await?;
    /// println!("written {} ms after the Unix epoch", body.time().0);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn time(&self) -> UnixMs {
        self.offer.time()
    }

    /// Which life of the sender's log it stands in.
    ///
    /// ```
    #[doc = include_str!("doc/pair.md")]
    /// let sent = bob.send(alice.id(), "hello").await?;
    /// # connection.next_ack().await?;
    /// let body = alice.read(bob.id(), None, sent.seq).await?;
    /// assert_eq!(body.epoch(), sent.epoch);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.offer.epoch
    }

    /// The next bytes of the text, at most 32 752; `None` at its end.
    ///
    /// ```
    #[doc = include_str!("doc/pair.md")]
    /// let sent = bob.send(alice.id(), "hello").await?;
    /// # connection.next_ack().await?;
    /// let mut body = alice.read(bob.id(), None, sent.seq).await?;
    /// while let Some(bytes) = body.next_bytes().await? {
    ///     println!("{} bytes more", bytes.len());
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`NodeError::Unsupported`] when the body does not open, [`NodeError::Storage`].
    pub async fn next_bytes(&mut self) -> Result<Option<Bytes>, NodeError> {
        if !self.ready.is_empty() {
            return Ok(Some(std::mem::take(&mut self.ready)));
        }
        self.open_next().await
    }

    /// The text as a stream of byte strings, which ends after an error.
    ///
    /// ```
    #[doc = include_str!("doc/pair.md")]
    /// use futures::TryStreamExt;
    ///
    /// let sent = bob.send(alice.id(), vec![b'x'; 100_000]).await?;
    /// # connection.next_ack().await?;
    /// let body = alice.read(bob.id(), None, sent.seq).await?.into_stream();
    /// let pieces: Vec<_> = body.try_collect().await?;
    /// assert_eq!(pieces.concat().len(), 100_000);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn into_stream(self) -> BoxStream<'static, Result<Bytes, NodeError>> {
        let next = |body: Option<Self>| async {
            let mut body = body?;
            match body.next_bytes().await {
                Ok(bytes) => bytes.map(|bytes| (Ok(bytes), Some(body))),
                Err(error) => Some((Err(error), None)),
            }
        };
        stream::unfold(Some(self), next).boxed()
    }

    async fn open_next(&mut self) -> Result<Option<Bytes>, NodeError> {
        if self.next == self.opener.chunk_count() {
            return Ok(None);
        }
        let Offer { from, epoch, seq, .. } = self.offer;
        let sealed = match &self.offer.body {
            OfferBody::Inline(sealed) => Some(sealed.clone()),
            OfferBody::Held | OfferBody::Long => {
                self.node.opening().held_chunk(from, &self.offer, self.next).await?
            }
        };
        let mut chunk = sealed.ok_or(NodeError::NotFound { from, epoch, seq })?.to_vec();
        let opened = self.opener.open(self.next, &mut chunk);
        let size = opened.map_err(|_| NodeError::Unsupported { from, epoch, seq })?.len();
        chunk.truncate(size);
        self.next += 1;
        Ok(Some(chunk.into()))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("size", &self.size).finish_non_exhaustive()
    }
}

async fn find(node: &Inner, from: Id, epoch: Option<Epoch>, seq: Seq) -> Result<Offer, NodeError> {
    let offer = node.storage.read(move |queue| queue.offer(&from, epoch, seq)).await??;
    if let Some(offer) = offer {
        return Ok(offer);
    }
    let epoch = match epoch {
        Some(epoch) => Some(epoch),
        None => node.storage.read(move |queue| queue.first_epoch(&from)).await?,
    };
    Err(epoch.map_or(NodeError::NothingFrom(from), |epoch| NodeError::NotFound {
        from,
        epoch,
        seq,
    }))
}

/// Has a long body fetched by the session with its sender, whenever there is one.
async fn fetch(node: &Inner, offer: &Offer) -> Result<(), NodeError> {
    let mut sessions = node.sessions.watch();
    loop {
        sessions.mark_unchanged();
        if let Some(pulls) = node.sessions.pulls(offer.from) {
            let (done, fetched) = oneshot::channel();
            let pull = Pull { epoch: offer.epoch, seq: offer.seq, done };
            if pulls.send(pull).await.is_ok() && fetched.await.is_ok() {
                return Ok(());
            }
        }
        tokio::select! {
            changed = sessions.changed() => changed.map_err(|_| NodeError::Stopped)?,
            () = node.stopping.cancelled() => return Err(NodeError::Stopped),
        }
    }
}
