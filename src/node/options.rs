//! How a node is opened.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use peermq_storage::Kind;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Node;
use super::admission::Admission;
use super::audience::Audience;
use super::clock::Clock;
use super::descriptors::Shares;
use super::dialling::Dials;
use super::directory::{AskPassphrase, Directory, Lock};
use super::discovery::{Book, Discoveries, Discovery, Rendezvous};
use super::disk;
use super::error::NodeError;
use super::inner::{Inner, StoreInfo};
use super::known::Known;
use super::listening::Listens;
use super::news::News;
use super::reclaiming;
use super::sealing::Sealing;
use super::sessions::Sessions;
use super::standing::{Recovered, Recovery, Standing};
use super::storage_thread::Storage;
use super::transport::{TcpTransport, Transport};
use crate::crypto::noise::Network;
use crate::crypto::{Identity, Salt};
use crate::queue::Keep;

/// How a node is opened; see [`Options::open`].
#[derive(Debug)]
pub struct Options {
    directory: PathBuf,
    lock: Option<Lock>,
    store: Option<Kind>,
    passphrase: Option<AskPassphrase>,
    network: Network,
    transport: Arc<dyn Transport>,
    discoveries: Option<Vec<Arc<dyn Discovery>>>,
    keep: Keep,
}

impl Options {
    /// A node in `directory`, which is made on first use, over TCP; found on this machine and, with
    /// feature `mdns`, on the local network.
    ///
    /// ```
    #[doc = include_str!("doc/node.md")]
    /// # let other = tempfile::tempdir()?;
    /// # let path = other.path().join("made/on/first/use");
    /// let node = Options::new(path).open().await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            lock: None,
            store: None,
            passphrase: None,
            network: Network::default(),
            transport: Arc::new(TcpTransport),
            discoveries: None,
            keep: Keep::default(),
        }
    }

    /// The store to make; the directory remembers it, and another one later is an error.
    ///
    /// ```
    #[doc = include_str!("doc/node.md")]
    /// use peermq_storage::Kind;
    ///
    /// # let other = tempfile::tempdir()?;
    /// let node = Options::new(other.path()).store(Kind::Sled).open().await?;
    /// assert_eq!(node.status().await?.store, "sled");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub const fn store(mut self, kind: Kind) -> Self {
        self.store = Some(kind);
        self
    }

    /// Where to get the passphrase, if the directory's key is under one.
    #[must_use]
    pub fn passphrase(mut self, ask: AskPassphrase) -> Self {
        self.passphrase = Some(ask);
        self
    }

    /// The network to be in: nodes of two networks cannot speak.
    ///
    /// ```
    #[doc = include_str!("doc/node.md")]
    /// use peermq::crypto::noise::Network;
    ///
    /// # let other = tempfile::tempdir()?;
    /// let tests = Options::new(other.path()).network(Network([1; 32]));
    /// let node = tests.open().await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub const fn network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// How peers are reached, instead of TCP.
    ///
    /// ```
    #[doc = include_str!("doc/node.md")]
    /// use peermq::node::directory::Directory;
    /// use peermq::node::transport::MemoryNetwork;
    ///
    /// # let other = tempfile::tempdir()?;
    /// let network = MemoryNetwork::new(); // Its nodes are all in this process.
    /// let id = Directory::open_or_create(other.path())?.id(|| [7; 32])?;
    /// let transport = std::sync::Arc::new(network.transport(id));
    /// let node = Options::new(other.path()).transport(transport).open().await?;
    /// # assert_eq!(node.id(), id);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = transport;
        self
    }

    /// How peers are found, beside the addresses that were given or that worked before.
    ///
    /// ```
    #[doc = include_str!("doc/node.md")]
    /// # let other = tempfile::tempdir()?;
    /// let by_address_alone = Options::new(other.path()).discoveries(Vec::new());
    /// let node = by_address_alone.open().await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn discoveries(mut self, discoveries: Vec<Arc<dyn Discovery>>) -> Self {
        self.discoveries = Some(discoveries);
        self
    }

    /// Until when sent messages are kept, when the node frees space by itself.
    ///
    /// ```
    #[doc = include_str!("doc/node.md")]
    /// use peermq::node::Keep;
    ///
    /// # let other = tempfile::tempdir()?;
    /// let node = Options::new(other.path()).keep(Keep::Stored).open().await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub const fn keep(mut self, keep: Keep) -> Self {
        self.keep = keep;
        self
    }

    /// The directory's lock, when the caller took it already.
    ///
    /// ```
    #[doc = include_str!("doc/node.md")]
    /// use peermq::node::directory::Directory;
    ///
    /// # let other = tempfile::tempdir()?;
    /// let lock = Directory::open_or_create(other.path())?.lock()?;
    /// let node = Options::new(other.path()).lock(lock).open().await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn lock(mut self, lock: Lock) -> Self {
        self.lock = Some(lock);
        self
    }

    /// Opens the node. Nothing listens or dials yet.
    ///
    /// ```
    #[doc = include_str!("doc/node.md")]
    /// assert!(matches!(
    ///     Options::new(directory.path()).open().await,
    ///     Err(NodeError::Directory(_)) // `node` has it.
    /// ));
    /// node.shutdown().await?;
    /// Options::new(directory.path()).open().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`NodeError::Directory`] when another process holds the directory or it cannot be used,
    /// [`NodeError::Open`] when its store does not open, [`NodeError::Queue`] when what is in it is
    /// damaged.
    pub async fn open(self) -> Result<Node, NodeError> {
        let clock = Clock::system();
        let opened = tokio::task::spawn_blocking(move || self.open_blocking(clock)).await;
        let (options, opened) = opened.map_err(|_| NodeError::Stopped)??;
        Ok(options.start(opened, clock))
    }

    /// Brings a node that signs nothing back, without running it. Nobody else may hold the
    /// directory.
    ///
    /// # Errors
    /// As [`Options::open`]; also [`NodeError::Queue`] with the [`Stale`](super::Stale) that the user's word
    /// cannot end.
    pub async fn recover(self, recovery: Recovery) -> Result<Recovered, NodeError> {
        let clock = Clock::system();
        let recovered = tokio::task::spawn_blocking(move || {
            let (_, Opened { standing, .. }) = self.open_blocking(clock)?;
            let mut random = [0; Salt::SIZE];
            getrandom::fill(&mut random).map_err(NodeError::Random)?;
            let recovered = standing.recover(recovery, clock.unix_ms(), Salt(random))?;
            Ok(recovered)
        });
        recovered.await.map_err(|_| NodeError::Stopped)?
    }

    /// The part that waits for the disk.
    fn open_blocking(mut self, clock: Clock) -> Result<(Self, Opened), NodeError> {
        let directory = Directory::open_or_create(&self.directory)?;
        let lock = match self.lock.take() {
            Some(lock) => lock,
            None => directory.lock()?,
        };
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(NodeError::Random)?;
        let identity = Arc::new(match &self.passphrase {
            Some(ask) => directory.identity_under(ask, || seed)?,
            None => directory.identity(|| seed)?,
        });
        let kind = directory.store_kind(&lock, self.store)?;
        let store = peermq_storage::open(kind, &directory.store(), &directory.poison())?;
        let info = StoreInfo { name: kind.name(), health: store.health };
        let (me, now) = (identity.id(), clock.unix_ms());
        let standing = Standing::open(&directory, lock, store.store, me, now)?;
        let queue = &standing.queue;
        let known = Known::new(Arc::clone(&identity));
        let book = Book::default();
        for peer in queue.peers() {
            known.add(&peer.id)?;
        }
        for (peer, address) in queue.addresses() {
            book.remember(peer, address);
        }
        Ok((self, Opened { directory, identity, info, standing, known, book }))
    }

    fn start(self, opened: Opened, clock: Clock) -> Node {
        let Opened { directory, identity, info, mut standing, known, book } = opened;
        standing.queue.keep_sent(self.keep);
        let shares = Shares::of_this_process();
        let sessions = Arc::new(Sessions::new(identity.id(), shares.sessions));
        let news = Arc::new(News::default());
        let book = Arc::new(book);
        let mut ways: Vec<Arc<dyn Discovery>> = vec![Arc::<Book>::clone(&book)];
        ways.extend(self.discoveries.unwrap_or_else(default_discoveries));
        let epoch = standing.queue.epoch();
        let (known, addresses) = (Arc::new(known), standing.queue.addresses());
        let addresses = addresses.map(|(_, address)| address);
        let admission =
            Admission::new(&identity, Arc::clone(&known), &self.network, addresses, &shares);
        let stopping = CancellationToken::new();
        let audience = Audience {
            sessions: Arc::clone(&sessions),
            news: Arc::clone(&news),
            stopping: stopping.clone(),
        };
        let lock = standing.lock();
        let storage = Storage::start(standing, clock, audience);
        let inner = Inner {
            epoch,
            network: self.network,
            directory,
            lock,
            store: info,
            storage,
            sealing: Sealing::new(Arc::clone(&identity), clock, epoch),
            known,
            admission: Arc::new(admission),
            sessions,
            news,
            dials: Dials::default(),
            listens: Listens::default(),
            transport: self.transport,
            discoveries: Discoveries::new(ways, clock),
            book,
            clock,
            tasks: TaskTracker::new(),
            stopping,
            readers: AtomicU64::new(0),
            identity,
        };
        let inner = Arc::new(inner);
        let freeing = reclaiming::run(Arc::downgrade(&inner), inner.news.litter(), self.keep);
        let watching = disk::watch(Arc::downgrade(&inner), inner.news.standing());
        let stopping = inner.stopping.clone();
        inner.tasks.spawn(async move {
            let both = async { tokio::join!(freeing, watching) };
            stopping.run_until_cancelled(both).await;
        });
        Node { inner }
    }
}

/// What was read from the disk.
struct Opened {
    directory: Directory,
    identity: Arc<Identity>,
    info: StoreInfo,
    standing: Standing,
    known: Known,
    book: Book,
}

/// This machine, and the local network.
fn default_discoveries() -> Vec<Arc<dyn Discovery>> {
    let mut ways: Vec<Arc<dyn Discovery>> = Vec::new();
    match Rendezvous::of_this_user() {
        Ok(rendezvous) => ways.push(Arc::new(rendezvous)),
        Err(error) => tracing::warn!(%error, "nodes of this user are not found"),
    }
    #[cfg(feature = "mdns")]
    ways.push(Arc::new(super::discovery::Mdns::new()));
    ways
}
