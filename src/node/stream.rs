//! Streams of messages: unread ones, which several readers share, and archived ones.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
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
/// A call that is dropped before it returned, by a `select` or a timeout, loses nothing: the next
/// one goes on where it was.
pub struct MessageStream {
    node: Arc<Inner>,
    source: Source,
    mode: Mode,
    /// The storage thread's answer that is on its way.
    asked: Option<BoxFuture<'static, Result<Taken, NodeError>>>,
    /// What has come and is still to be opened.
    offers: VecDeque<Offer>,
    ready: VecDeque<Message>,
}

/// Where a stream's messages come from.
struct Source {
    supply: Supply,
    changed: watch::Receiver<u64>,
}

#[derive(Debug, Clone)]
enum Supply {
    Unread(ReaderId),
    /// Those behind a place.
    Archived(Option<Cursor>),
}

/// What the storage thread gives at a time, and where the next comes from.
type Taken = (Vec<Offer>, Supply);

impl MessageStream {
    pub(super) fn new(node: Arc<Inner>, set: Set, mode: Mode) -> Self {
        let (supply, changed) = match set {
            Set::Unread => (Supply::Unread(node.next_reader()), node.news.unread()),
            Set::Archived => (Supply::Archived(None), node.news.marks()),
        };
        let (offers, ready) = (VecDeque::new(), VecDeque::new());
        Self { node, source: Source { supply, changed }, mode, asked: None, offers, ready }
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
        loop {
            self.open().await?;
            if !self.ready.is_empty() {
                return Ok(Some(self.ready.drain(..).collect()));
            }
            self.take().await?;
            if self.offers.is_empty() {
                if self.mode == Mode::Drain {
                    return Ok(None);
                }
                self.source.changed.changed().await.map_err(|_| NodeError::Stopped)?;
            }
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

    /// Takes the next offers, if there are any.
    async fn take(&mut self) -> Result<(), NodeError> {
        let asked = match &mut self.asked {
            Some(asked) => asked,
            none => none.insert(self.source.ask(&self.node)),
        };
        let taken = asked.await;
        self.asked = None;
        let (offers, supply) = taken?;
        self.source.supply = supply;
        self.offers.extend(offers);
        Ok(())
    }

    /// Opens what was taken; what does not open is rejected, durably, and never offered again.
    async fn open(&mut self) -> Result<(), NodeError> {
        let opening = self.node.opening();
        while let Some(offer) = self.offers.front() {
            let (from, epoch, seq) = (offer.from, offer.epoch, offer.seq);
            match opening.open(offer).await? {
                Opened::Message(message) => self.ready.push_back(message),
                Opened::Rejected => {
                    tracing::warn!(%from, %epoch, %seq, "a message does not open: rejected");
                    self.node.storage.write(move |queue| queue.reject(&from, epoch, seq)).await?;
                }
            }
            self.offers.pop_front();
        }
        Ok(())
    }
}

impl Source {
    /// Asks for as much as a group holds.
    fn ask(&mut self, node: &Inner) -> BoxFuture<'static, Result<Taken, NodeError>> {
        let budget = TakeBudget { count: READ_GROUP_COUNT_MAX, size: READ_GROUP_SIZE_MAX };
        let (storage, now) = (node.storage.clone(), node.clock.unix_ms());
        let supply = self.supply.clone();
        self.changed.mark_unchanged();
        let taken = async move {
            storage
                .read(move |queue| match supply {
                    Supply::Unread(reader) => Ok((queue.take(reader, budget, now)?, supply)),
                    Supply::Archived(after) => {
                        let (offers, next) = queue.archived(after, budget)?;
                        Ok((offers, Supply::Archived(next)))
                    }
                })
                .await?
        };
        taken.boxed()
    }
}

impl Drop for MessageStream {
    /// Gives what was not archived back to the other streams.
    fn drop(&mut self) {
        if let Supply::Unread(reader) = self.source.supply {
            self.node.release(reader);
        }
    }
}

impl fmt::Debug for MessageStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageStream").field("mode", &self.mode).finish_non_exhaustive()
    }
}
