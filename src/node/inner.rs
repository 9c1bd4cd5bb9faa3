//! What all parts of a running node share.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::admission::Admission;
use super::clock::Clock;
use super::dialling::Dials;
use super::directory::{Directory, Lock};
use super::discovery::{Addresses, Book, Discoveries};
use super::error::NodeError;
use super::known::Known;
use super::listening::Listens;
use super::news::News;
use super::opening::Opening;
use super::sealing::Sealing;
use super::sessions::Sessions;
use super::storage_thread::Storage;
use super::transport::Transport;
use crate::crypto::Identity;
use crate::crypto::noise::Network;
use crate::limits::TASKS_END_MS_MAX;
use crate::queue::ReaderId;
use crate::types::{Epoch, Id};

/// A running node.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) identity: Arc<Identity>,
    pub(super) epoch: Epoch,
    pub(super) network: Network,
    pub(super) directory: Directory,
    /// Held by the storage thread, until the store is closed.
    pub(super) lock: Weak<Lock>,
    pub(super) store: StoreInfo,
    pub(super) storage: Storage,
    pub(super) sealing: Sealing,
    pub(super) known: Arc<Known>,
    pub(super) admission: Arc<Admission>,
    pub(super) sessions: Arc<Sessions>,
    pub(super) news: Arc<News>,
    pub(super) dials: Dials,
    pub(super) listens: Listens,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) discoveries: Discoveries,
    pub(super) book: Arc<Book>,
    pub(super) clock: Clock,
    pub(super) tasks: TaskTracker,
    pub(super) stopping: CancellationToken,
    pub(super) readers: AtomicU64,
}

/// The store as `status` tells of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoreInfo {
    pub(super) name: &'static str,
    pub(super) health: peermq_storage::Health,
}

impl Inner {
    pub(super) fn id(&self) -> Id {
        self.identity.id()
    }

    /// Opens offers for a reader.
    pub(super) fn opening(&self) -> Opening<'_> {
        Opening { me: self.id(), sealing: &self.sealing, storage: &self.storage }
    }

    /// A number for one more reader of unread messages.
    pub(super) fn next_reader(&self) -> ReaderId {
        ReaderId(self.readers.fetch_add(1, Ordering::Relaxed))
    }

    /// A reader has gone: what it holds is offered to the others.
    pub(super) fn release(&self, reader: ReaderId) {
        let (storage, news) = (self.storage.clone(), Arc::clone(&self.news));
        self.tasks.spawn(async move {
            // A node that has stopped offers nothing to anyone.
            if storage.read(move |queue| queue.release(reader)).await.is_ok() {
                news.on_unread();
            }
        });
    }

    /// Remembers the port that is listened on, so that it can be taken again.
    pub(super) fn remember_port(&self, port: u16) -> Result<(), NodeError> {
        let lock = self.lock.upgrade().ok_or(NodeError::Stopped)?;
        Ok(self.directory.remember_port(&lock, port)?)
    }

    /// Does `work` to its end, also when whoever asked for it has gone meanwhile.
    pub(super) async fn to_the_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, NodeError>> + Send + 'static,
    ) -> Result<T, NodeError> {
        self.tasks.spawn(work).await.map_err(|_| NodeError::Stopped)?
    }

    /// Ends everything: what is under way, the store, and what waited for either.
    pub(super) async fn shutdown(&self) -> Result<(), NodeError> {
        self.stopping.cancel();
        self.tasks.close();
        self.sessions.cut_all().await;
        let closed = self.storage.shutdown().await;
        // A port is free once its task has ended. Not one of them has anything left to wait for, but
        // for the disk.
        let end = Duration::from_millis(TASKS_END_MS_MAX);
        if tokio::time::timeout(end, self.tasks.wait()).await.is_err() {
            tracing::warn!("expected all that was under way to end, got some that goes on");
        }
        closed
    }

    /// The addresses at which a peer may be.
    pub(super) fn find(&self, id: Id) -> Addresses {
        self.discoveries.find(id)
    }

    /// A peer was met at an address: it is tried first the next time.
    pub(super) fn remember(&self, peer: Id, address: SocketAddr) {
        if self.book.addresses(&peer).first() == Some(&address) {
            return;
        }
        self.book.remember(peer, address);
        let storage = self.storage.clone();
        self.tasks.spawn(async move {
            let written = storage.write(move |queue| queue.remember_address(&peer, address)).await;
            if let Err(error) = written {
                tracing::debug!(%peer, %error, "an address was not remembered");
            }
        });
    }
}
