//! What runs the pure layers: files, sockets, threads and the clock, behind one handle.
//!
//! ```text
//! Node ── storage thread (one, owns the store) ── Queue
//!   ├─ dialling ─┐
//!   ├─ listening ┴─ link (transport, Noise, yamux) ── session task ── sync::Session
//!   └─ streams, acknowledgements: read the store when news wakes them
//! ```
//!
//! *Invariant*: one process holds a data directory at a time, one thread writes its store, and
//! nothing leaves before what it speaks of is durable: a send answers after its commit, a head is
//! signed over what was read back, a receipt is read from the store. Only the clock here reads the
//! time. Deliberately absent: any decision about a log, a proof or a set.

pub mod backoff;
pub mod clock;
pub mod directory;
pub mod discovery;
mod disk;
pub mod transport;

mod acks;
mod admission;
mod audience;
mod authorisation;
mod backup;
mod body;
mod connection;
mod descriptors;
mod dialling;
mod error;
mod fetch;
mod files;
mod forks;
mod inner;
mod known;
mod link;
mod listening;
mod long_text;
mod marks;
mod message;
mod mux;
mod news;
mod notices;
mod offline;
mod opening;
mod options;
mod pairs;
mod proving;
mod random;
mod reclaiming;
mod restore;
mod sealing;
mod seldom;
mod send;
mod serve;
mod session_task;
mod sessions;
mod signals;
mod standing;
mod status;
mod storage_thread;
mod stream;
mod uses;
mod waiting;

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;

pub use self::acks::{Ack, AckLevel};
pub use self::backup::BackupFile;
pub use self::body::Body;
pub use self::connection::Connection;
pub use self::descriptors::raise_descriptor_limit;
#[cfg(feature = "gateway")]
use self::directory::Lock;
pub use self::error::NodeError;
use self::inner::Inner;
pub use self::listening::Listening;
pub use self::message::{Message, Places, Text};
pub use self::notices::Notice;
pub use self::offline::{Offline, Salvaged, shrink};
pub use self::options::Options;
pub use self::restore::restore;
pub use self::sealing::SendOptions;
pub use self::send::Sent;
pub use self::standing::{Recovered, Recovery};
pub use self::status::{EndedSession, PeerStatus, SessionStatus, Status};
pub use self::stream::{MessageStream, Mode, Set};
use crate::log::Worth;
use crate::queue::Pass;
pub use crate::queue::{
    Cursor, DiskFull, Fork, Intent, Keep, ListSet, ListState, Listed, NewLife, Page, Peer, Place,
    Quota, Reborn, Serving, Stale,
};
pub use crate::sync::proof::{Proof, ProofError, Proven, ProvenDelivery, ProvenFork};
use crate::types::{Epoch, Id, Seq};

/// A running node: the only holder of its data directory. Clones are handles to the same node.
///
/// All methods need a tokio runtime. Ids are checked when they are made, so no method fails for an
/// id's form. In the examples below `alice` listens and has added `bob`, who is connected to her.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// use peermq::node::Options;
///
/// let node = Options::new(directory.path()).open().await?;
/// println!("{}", node.id());
/// node.shutdown().await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

impl Node {
    /// This node's id: what others need to send to it.
    ///
    /// ```
    #[doc = include_str!("doc/node.md")]
    /// println!("send to me: {}", node.id());
    /// assert_eq!(node.id().to_string().len(), 64);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn id(&self) -> Id {
        self.inner.id()
    }

    /// Which life of its log this node writes.
    ///
    /// ```
    #[doc = include_str!("doc/node.md")]
    /// let sent = node.send(peer, "hello").await?;
    /// assert_eq!(sent.epoch, node.epoch());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.inner.epoch
    }

    /// Messages to this node.
    ///
    /// ```
    #[doc = include_str!("doc/pair.md")]
    /// bob.send(alice.id(), "hello").await?;
    /// let mut unread = alice.stream(Set::Unread, Mode::Live);
    /// let message = unread.next_message().await?.expect("a live stream never ends");
    /// assert_eq!((message.from, message.text().unwrap().as_ref()), (bob.id(), &b"hello"[..]));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn stream(&self, set: Set, mode: Mode) -> MessageStream {
        MessageStream::new(Arc::clone(&self.inner), set, mode)
    }

    /// One page of what is stored; `after` is where the page before ended.
    ///
    /// ```
    #[doc = include_str!("doc/node.md")]
    /// node.send_all(peer, (0..300).map(|n| (n.to_string().into(), SendOptions::default()))).await?;
    /// let (mut count, mut after) = (0, None);
    /// loop {
    ///     let page = node.messages(ListSet::Sent, after).await?;
    ///     count += page.items.len();
    ///     after = page.next;
    ///     if after.is_none() {
    ///         break;
    ///     }
    /// }
    /// assert_eq!(count, 300);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`NodeError::Storage`].
    pub async fn messages(&self, set: ListSet, after: Option<Cursor>) -> Result<Page, NodeError> {
        Ok(self.inner.storage.read(move |queue| queue.list(set, after.as_ref())).await??)
    }

    /// The text of one message, as a stream; what is not here yet is fetched from its sender while
    /// a session with it is live. Without an epoch: the first that was seen of the sender.
    ///
    /// ```
    #[doc = include_str!("doc/pair.md")]
    /// let sent = bob.send(alice.id(), vec![b'x'; 100_000]).await?;
    /// # connection.next_ack().await?;
    /// let mut body = alice.read(bob.id(), None, sent.seq).await?;
    /// let mut size = 0;
    /// while let Some(bytes) = body.next_bytes().await? {
    ///     size += bytes.len();
    /// }
    /// assert_eq!(size, 100_000);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`NodeError::NotFound`], [`NodeError::Unsupported`].
    pub async fn read(&self, from: Id, epoch: Option<Epoch>, seq: Seq) -> Result<Body, NodeError> {
        Body::open(Arc::clone(&self.inner), from, epoch, seq).await
    }

    /// The first life of a sender's log that this node has seen: the one that `<from>@<seq>` means.
    /// `None` when nothing of the sender ever came.
    ///
    /// ```
    #[doc = include_str!("doc/pair.md")]
    /// assert_eq!(alice.first_epoch(bob.id()).await?, None);
    /// bob.send(alice.id(), "hello").await?;
    /// # connection.next_ack().await?;
    /// assert_eq!(alice.first_epoch(bob.id()).await?, Some(bob.epoch()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`NodeError::Storage`].
    pub async fn first_epoch(&self, from: Id) -> Result<Option<Epoch>, NodeError> {
        self.inner.storage.read(move |queue| queue.first_epoch(&from)).await
    }

    /// What the node is and does at this moment.
    ///
    /// ```
    #[doc = include_str!("doc/node.md")]
    /// node.send(peer, "hello").await?;
    /// let status = node.status().await?;
    /// assert_eq!((status.id, status.length, status.store), (node.id(), 1, "sled"));
    /// assert!(status.sessions.is_empty() && status.listening.is_none());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`NodeError::Storage`].
    pub async fn status(&self) -> Result<Status, NodeError> {
        Status::of(&self.inner).await
    }

    /// Frees the space of what is of no more use: messages that their recipients have archived,
    /// cleared or rejected (or, by `keep`, only stored), and those that were cleared, rejected or
    /// lost here. Only their hashes stay, so that the logs verify. Returns how many bytes that is;
    /// with [`Intent::Tell`] nothing is freed. A node that runs for long does so by itself.
    ///
    /// ```
    #[doc = include_str!("doc/pair.md")]
    /// use peermq::node::{Intent, Keep};
    ///
    /// let sent = bob.send(alice.id(), "hello").await?;
    /// bob.wait(&sent, AckLevel::Stored).await?;
    /// assert_eq!(bob.reclaim(Intent::Tell, Keep::Archived).await?, 0);
    /// assert_ne!(bob.reclaim(Intent::Tell, Keep::Stored).await?, 0);
    ///
    /// alice.clear(Place { from: bob.id(), epoch: bob.epoch(), seqs: 0..=0 }).await?;
    /// bob.wait(&sent, AckLevel::Archived).await?;
    /// let bytes = bob.reclaim(Intent::Tell, Keep::Archived).await?;
    /// assert_eq!(bob.reclaim(Intent::Free, Keep::Archived).await?, bytes);
    /// assert_eq!(bob.reclaim(Intent::Tell, Keep::Stored).await?, 0);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`NodeError::Storage`].
    pub async fn reclaim(&self, intent: Intent, keep: Keep) -> Result<u64, NodeError> {
        let pass = Pass::new(Worth::Any, intent, keep);
        reclaiming::pass(&self.inner.storage, self.inner.clock, pass).await
    }

    /// All that is stored, as it stands when the stream ends: what a [`BackupFile`] takes.
    ///
    /// # Errors
    /// [`NodeError::Storage`]; in the stream [`NodeError::Queue`] when it is read too slowly.
    pub async fn backup(&self) -> Result<BoxStream<'static, Result<Bytes, NodeError>>, NodeError> {
        backup::stream(self.inner.storage.clone()).await
    }

    /// The directory, for whoever has to keep others out of it for longer than the store is open.
    #[cfg(feature = "gateway")]
    pub(crate) fn hold(&self) -> Option<Arc<Lock>> {
        self.inner.lock.upgrade()
    }

    /// Ends all sessions, finishes what waits to be written, and closes the store. Other handles
    /// get [`NodeError::Stopped`] from then on.
    ///
    /// ```
    #[doc = include_str!("doc/node.md")]
    /// let other_handle = node.clone();
    /// node.shutdown().await?;
    /// assert!(matches!(other_handle.send(peer, "too late").await, Err(NodeError::Stopped)));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`NodeError::Storage`] when the last commit failed.
    pub async fn shutdown(self) -> Result<(), NodeError> {
        self.inner.shutdown().await
    }
}
