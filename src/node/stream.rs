//! Streams of messages: unread ones, which several readers share, and archived ones.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::watch;

use super::error::NodeError;
use super::inner::Inner;
use super::message::Message;
use super::opening::Opened;
use crate::limits::{READ_GROUP_COUNT_MAX, READ_GROUP_SIZE_MAX};
use crate::queue::{Cursor, Offer, ReaderId, TakeBudget};

/// Which messages a stream gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    /// Neither archived nor cleared. Several streams of one node compete: a message is with one of
    /// them until it is archived or cleared, or that stream is dropped.
    Unread,
    /// Archived and not cleared.
    Archived,
}

/// Whether a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It waits for more.
    Live,
    /// It ends when there is nothing more.
    Drain,
}

/// Messages, oldest first per sender and fair across senders, in groups that stand next to each
/// other: what one `archive` takes at the price of a single message.
///
/// Nothing is read ahead of the reader, so a slow one holds nothing up.
pub struct MessageStream {
    node: Arc<Inner>,
    source: Source,
    mode: Mode,
    ready: VecDeque<Message>,
}

/// Where a stream's messages come from.
enum Source {
    Unread { reader: ReaderId, changed: watch::Receiver<u64> },
    Archived { after: Option<Cursor>, changed: watch::Receiver<u64> },
}

impl MessageStream {
    pub(super) fn new(node: Arc<Inner>, set: Set, mode: Mode) -> Self {
        let source = match set {
            Set::Unread => {
                Source::Unread { reader: node.next_reader(), changed: node.news.unread() }
            }
            Set::Archived => Source::Archived { after: None, changed: node.news.marks() },
        };
        Self { node, source, mode, ready: VecDeque::new() }
    }

    /// The next group, of at most 256 messages or about 256 KiB; `None` at the end.
    ///
    /// ```
    #[doc = include_str!("doc/pair.md")]
    /// bob.send_all(alice.id(), (0..10).map(|n| (n.to_string().into(), SendOptions::default()))).await?;
    /// let mut unread = alice.stream(Set::Unread, Mode::Live);
    /// let group = unread.next_group().await?.expect("a live stream never ends");
    /// assert_eq!(group.len(), 10);
    /// alice.archive(&group).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`NodeError::Storage`] and [`NodeError::Stopped`] when the node's store has ended.
    pub async fn next_group(&mut self) -> Result<Option<Vec<Message>>, NodeError> {
        if !self.ready.is_empty() {
            return Ok(Some(self.ready.drain(..).collect()));
        }
        loop {
            let offers = self.take().await?;
            let ended = offers.is_empty();
            let messages = self.open(offers).await?;
            if !messages.is_empty() {
                return Ok(Some(messages));
            }
            if !ended {
                continue;
            }
            let changed = match (&mut self.source, self.mode) {
                (_, Mode::Drain) => return Ok(None),
                (Source::Unread { changed, .. } | Source::Archived { changed, .. }, Mode::Live) => {
                    changed
                }
            };
            changed.changed().await.map_err(|_| NodeError::Stopped)?;
        }
    }

    /// The next message; `None` at the end.
    ///
    /// ```
    #[doc = include_str!("doc/pair.md")]
    /// bob.send(alice.id(), "hello").await?;
    /// # connection.next_ack().await?;
    /// let mut unread = alice.stream(Set::Unread, Mode::Drain);
    /// while let Some(message) = unread.next_message().await? {
    ///     println!("{}@{} {:?}", message.from, message.seq, message.text());
    ///     alice.archive(&message).await?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`MessageStream::next_group`].
    pub async fn next_message(&mut self) -> Result<Option<Message>, NodeError> {
        if self.ready.is_empty() {
            let group = self.next_group().await?;
            self.ready.extend(group.into_iter().flatten());
        }
        Ok(self.ready.pop_front())
    }

    /// The messages as a [`futures::Stream`], which ends after an error.
    ///
    /// ```
    #[doc = include_str!("doc/pair.md")]
    /// use futures::TryStreamExt;
    ///
    /// bob.send(alice.id(), "hello").await?;
    /// # connection.next_ack().await?;
    /// let unread = alice.stream(Set::Unread, Mode::Drain).into_stream();
    /// let messages: Vec<Message> = unread.try_collect().await?;
    /// assert_eq!(messages.len(), 1);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn into_stream(self) -> BoxStream<'static, Result<Message, NodeError>> {
        let next = |messages: Option<Self>| async {
            let mut messages = messages?;
            match messages.next_message().await {
                Ok(message) => message.map(|message| (Ok(message), Some(messages))),
                Err(error) => Some((Err(error), None)),
            }
        };
        stream::unfold(Some(self), next).boxed()
    }

    async fn take(&mut self) -> Result<Vec<Offer>, NodeError> {
        let budget = TakeBudget { count: READ_GROUP_COUNT_MAX, size: READ_GROUP_SIZE_MAX };
        match &mut self.source {
            Source::Unread { reader, changed } => {
                changed.mark_unchanged();
                let (reader, now) = (*reader, self.node.clock.unix_ms());
                Ok(self.node.storage.read(move |queue| queue.take(reader, budget, now)).await??)
            }
            Source::Archived { after, changed } => {
                changed.mark_unchanged();
                let from = after.clone();
                let read = move |queue: &mut crate::queue::Queue| queue.archived(from, budget);
                let (offers, next) = self.node.storage.read(read).await??;
                *after = next;
                Ok(offers)
            }
        }
    }

    /// Opens a group; what does not open is rejected, durably, and never offered again.
    async fn open(&self, offers: Vec<Offer>) -> Result<Vec<Message>, NodeError> {
        let opening = self.node.opening();
        let mut messages = Vec::with_capacity(offers.len());
        for offer in offers {
            let (from, epoch, seq) = (offer.from, offer.epoch, offer.seq);
            match opening.open(offer).await? {
                Opened::Message(message) => messages.push(message),
                Opened::Rejected => {
                    tracing::warn!(%from, %epoch, %seq, "a message does not open: rejected");
                    self.node.storage.write(move |queue| queue.reject(&from, epoch, seq)).await?;
                }
            }
        }
        Ok(messages)
    }
}

impl Drop for MessageStream {
    /// Gives what was not archived back to the other streams.
    fn drop(&mut self) {
        if let Source::Unread { reader, .. } = self.source {
            self.node.release(reader);
        }
    }
}

impl fmt::Debug for MessageStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageStream").field("mode", &self.mode).finish_non_exhaustive()
    }
}
