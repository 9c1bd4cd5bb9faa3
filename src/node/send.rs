//! Sending: sealed in the caller's task, numbered and made durable by the storage thread.

use bytes::Bytes;
use tokio::io::AsyncRead;

use super::Node;
use super::error::NodeError;
use super::inner::Inner;
use super::long_text::{Filled, LongText, Upload, fill};
use super::sealing::{SealedShort, Sealing, SendOptions};
use crate::limits::{BODY_CHUNK_SIZE, SEND_ALL_COUNT, SEND_ALL_SIZE};
use crate::log::{Draft, DraftBody};
use crate::queue::{self, Queue, QueueError};
use crate::types::{Epoch, Id, Seq};

/// A message that is durable here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// To whom.
    pub to: Id,
    /// Which life of this node's log.
    pub epoch: Epoch,
    /// Its place among this node's messages to that recipient.
    pub seq: Seq,
}

impl Node {
    /// Sends a text of at most 1 GiB. Ok means that it is fsynced; it is delivered when the
    /// recipient is met, now or in a year.
    ///
    /// After [`NodeError::Storage`] it is unknown whether the message was written: send it again
    /// with the same idempotency key.
    ///
    /// ```
    #[doc = include_str!("doc/node.md")]
    /// let sent = node.send(peer, "hello").await?; // On this disk, whatever happens next.
    /// assert_eq!(sent.seq, Seq(0));
    /// assert_eq!(node.send(peer, "again").await?.seq, Seq(1));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`NodeError::TextSize`], [`NodeError::Queue`] for a removed recipient, this node's own id or a
    /// disk that is nearly full, [`NodeError::Storage`].
    pub async fn send(&self, to: Id, text: impl Into<Bytes>) -> Result<Sent, NodeError> {
        self.send_with(to, text, SendOptions::default()).await
    }

    /// Sends a text, with more said about it.
    ///
    /// ```
    #[doc = include_str!("doc/node.md")]
    /// let once = || SendOptions { idempotency_key: Some("order 17".into()), ..SendOptions::default() };
    /// let first = node.send_with(peer, "two boxes", once()).await?;
    /// let again = node.send_with(peer, "two boxes", once()).await?;
    /// assert_eq!(first, again);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Node::send`]; also [`NodeError::IdempotencyKeySize`] and [`NodeError::Envelope`].
    pub async fn send_with(
        &self,
        to: Id,
        text: impl Into<Bytes>,
        options: SendOptions,
    ) -> Result<Sent, NodeError> {
        let text = text.into();
        let plain = Sealing::plain(&text, &options)?;
        if !Sealing::is_short(&plain) {
            // Boxed: its state is many times that of a short send, which would carry it about.
            return Box::pin(self.inner.send_long(to, &text[..], options)).await;
        }
        let sealed = self.inner.sealing.seal_short(&to, plain, &options)?;
        let sent = self.inner.storage.write(move |queue| stage(queue, sealed)).await?;
        Ok(Sent { to, epoch: sent.epoch, seq: sent.seq })
    }

    /// Sends many texts to one recipient, in order, as few durable steps as their size allows: one
    /// for up to 256 of them or 256 KiB.
    ///
    /// ```
    #[doc = include_str!("doc/node.md")]
    /// let texts = ["one", "two", "three"].map(|text| (text.into(), SendOptions::default()));
    /// let sent = node.send_all(peer, texts).await?;
    /// assert_eq!(sent.last().map(|sent| sent.seq), Some(Seq(2)));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Node::send`]. The texts before the group that failed are durable.
    pub async fn send_all(
        &self,
        to: Id,
        texts: impl IntoIterator<Item = (Bytes, SendOptions)>,
    ) -> Result<Vec<Sent>, NodeError> {
        let mut all = Vec::new();
        let mut group = Vec::new();
        let mut size = 0;
        for (text, options) in texts {
            let plain = Sealing::plain(&text, &options)?;
            if !Sealing::is_short(&plain) {
                all.extend(self.inner.send_group(to, std::mem::take(&mut group)).await?);
                all.push(Box::pin(self.inner.send_long(to, &text[..], options)).await?);
                size = 0;
                continue;
            }
            size += plain.len();
            group.push(self.inner.sealing.seal_short(&to, plain, &options)?);
            if group.len() >= SEND_ALL_COUNT || size >= SEND_ALL_SIZE {
                all.extend(self.inner.send_group(to, std::mem::take(&mut group)).await?);
                size = 0;
            }
        }
        all.extend(self.inner.send_group(to, group).await?);
        Ok(all)
    }

    /// Sends what a reader gives until its end, up to 1 GiB, in constant memory. Nothing is sent
    /// when the reader fails.
    ///
    /// ```
    #[doc = include_str!("doc/node.md")]
    /// let film = tokio::io::repeat(7);
    /// # let film = tokio::io::AsyncReadExt::take(film, 1 << 20);
    /// let sent = node.send_stream(peer, film, SendOptions::default()).await?;
    /// assert_eq!(sent.to, peer);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Node::send_with`]; also [`NodeError::Input`].
    pub async fn send_stream(
        &self,
        to: Id,
        text: impl AsyncRead + Send + Unpin,
        options: SendOptions,
    ) -> Result<Sent, NodeError> {
        self.inner.send_long(to, text, options).await
    }
}

impl Inner {
    async fn send_group(&self, to: Id, group: Vec<SealedShort>) -> Result<Vec<Sent>, NodeError> {
        if group.is_empty() {
            return Ok(Vec::new());
        }
        let stage_all = move |queue: &mut Queue| {
            group.into_iter().map(|sealed| stage(queue, sealed)).collect::<Result<Vec<_>, _>>()
        };
        let sent = self.storage.write(stage_all).await?;
        Ok(sent.into_iter().map(|sent| Sent { to, epoch: sent.epoch, seq: sent.seq }).collect())
    }

    /// Seals chunk by chunk. While one batch of chunks is made durable the next is read and sealed, and
    /// the entry goes with the last, once all before it are durable.
    async fn send_long(
        &self,
        to: Id,
        mut text: impl AsyncRead + Send + Unpin,
        options: SendOptions,
    ) -> Result<Sent, NodeError> {
        let mut chunk = Vec::with_capacity(BODY_CHUNK_SIZE);
        options.envelope.encode(&mut chunk)?;
        let envelope_size = chunk.len();
        if fill(&mut text, &mut chunk).await? == Filled::ToTheEnd {
            let sealed = self.sealing.seal_short(&to, chunk, &options)?;
            let sent = self.storage.write(move |queue| stage(queue, sealed)).await?;
            return Ok(Sent { to, epoch: sent.epoch, seq: sent.seq });
        }
        // Whoever would be refused is not made to send a long text first.
        let check = move |queue: &mut Queue| {
            queue.check_sending()?;
            queue.check_recipient(&to)
        };
        self.storage.read(check).await??;
        let sheet = self.sealing.sheet(&to, None, &options)?;
        let sealer = self.sealing.key(&to, &sheet)?.into_sealer();
        let mut long = LongText::new((text, chunk), envelope_size, sealer, sheet.salt())?;
        let mut upload = Upload::begin(self.storage.clone(), sheet.salt());
        let (mut batch, mut filled) = long.next_batch().await?;
        while filled == Filled::ToTheBrim {
            upload.goes_up_to(batch.end());
            let stage = move |queue: &mut Queue| {
                queue.check_sending()?;
                batch.stage(queue);
                Ok(())
            };
            let (written, next) = futures::join!(self.storage.write(stage), long.next_batch());
            written?;
            (batch, filled) = next?;
        }
        let (hash, body_len) = long.sealed();
        let draft = sheet.draft(hash, DraftBody::Staged { body_len });
        let stage_last =
            move |queue: &mut Queue| stage_with(queue, draft, |queue| batch.stage(queue));
        let sent = self.storage.write(stage_last).await?;
        Ok(Sent { to, epoch: sent.epoch, seq: sent.seq })
    }
}

/// Stages a short body: its entry, and its chunk when it is not inline.
fn stage(queue: &mut Queue, sealed: SealedShort) -> Result<queue::Sent, QueueError> {
    let SealedShort { draft, chunk } = sealed;
    let salt = draft.salt;
    stage_with(queue, draft, |queue| {
        if let Some(chunk) = chunk {
            queue.stage_body(&salt, 0, chunk);
        }
    })
}

/// Stages an entry, and with it what is still to be staged of its body: nothing when the entry is
/// refused or repeats another, since it would belong to none.
fn stage_with(
    queue: &mut Queue,
    draft: Draft,
    stage_rest: impl FnOnce(&mut Queue),
) -> Result<queue::Sent, QueueError> {
    let sent = queue.send(draft)?;
    if !sent.is_repeat {
        stage_rest(queue);
    }
    Ok(sent)
}
