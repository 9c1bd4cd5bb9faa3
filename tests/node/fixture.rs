//! Two nodes that talk, in three lines.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use peermq::node::directory::Directory;
use peermq::node::transport::{Addr, MemoryNetwork, Transport};
use peermq::node::{Connection, Listening, Message, MessageStream, Node, Options};
use tempfile::TempDir;

/// No behaviour takes so long on the slowest machine; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// How nodes reach each other.
#[derive(Clone)]
pub(crate) enum Net {
    Tcp,
    Memory(MemoryNetwork),
}

/// A node with a directory of its own, which it can be opened on again.
pub(crate) struct Host {
    net: Net,
    directory: TempDir,
    pub(crate) node: Node,
}

impl Net {
    pub(crate) fn memory() -> Self {
        Self::Memory(MemoryNetwork::new())
    }

    pub(crate) async fn host(&self) -> Host {
        let directory = tempfile::tempdir().unwrap();
        let node = self.open(&directory).await;
        Host { net: self.clone(), directory, node }
    }

    /// A node in a directory of its own with the key of another: what no user may have.
    pub(crate) async fn host_with_key_of(&self, other: &Host) -> Host {
        let directory = tempfile::tempdir().unwrap();
        // The folder's mode and the lock file are the directory's own to make.
        drop(Directory::open_or_create(directory.path()).unwrap());
        std::fs::copy(other.directory.path().join("key"), directory.path().join("key")).unwrap();
        let node = self.open(&directory).await;
        assert_eq!(node.id(), other.node.id());
        Host { net: self.clone(), directory, node }
    }

    async fn open(&self, directory: &TempDir) -> Node {
        let options = Options::new(directory.path()).discoveries(Vec::new());
        let options = match self {
            Self::Tcp => options,
            Self::Memory(network) => {
                let seed = Directory::open_or_create(directory.path()).unwrap();
                let identity = seed.identity(rand_seed).unwrap();
                let transport: Arc<dyn Transport> = Arc::new(network.transport(identity.id()));
                options.transport(transport)
            }
        };
        options.open().await.unwrap()
    }

    /// An address whose ports nobody else on this machine takes meanwhile: for who lets one go, and
    /// wants it back.
    pub(crate) fn quiet_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp => Some(([127, 77, 0, 1], 0).into()),
            Self::Memory(_) => None,
        }
    }

    /// Where a listening node is dialled.
    pub(crate) fn hint(&self, listening: &Listening) -> Option<Addr> {
        match self {
            Self::Tcp => Some(Addr::Socket(listening.address().unwrap())),
            Self::Memory(_) => None,
        }
    }
}

impl Host {
    /// Shuts the node down and opens its directory again.
    pub(crate) async fn restart(self) -> Self {
        self.restart_after(|_| ()).await
    }

    /// Shuts the node down, does something with its directory and opens it again.
    pub(crate) async fn restart_after(self, between: impl FnOnce(&Path)) -> Self {
        let Self { net, directory, node } = self;
        within(node.shutdown()).await.unwrap();
        between(directory.path());
        let node = net.open(&directory).await;
        Self { net, directory, node }
    }

    /// Drops the last handle to the node, and opens its directory again as soon as it is free.
    pub(crate) async fn drop_and_open(self) -> Self {
        let Self { net, directory, node } = self;
        drop(node);
        let is_held = || Directory::open(directory.path()).unwrap().lock().is_err();
        within(async {
            while is_held() {
                tokio::task::yield_now().await
            }
        })
        .await;
        let node = net.open(&directory).await;
        Self { net, directory, node }
    }

    /// Listens on loopback.
    pub(crate) async fn listen(&self) -> Listening {
        let address = match self.net {
            Net::Tcp => Some(([127, 0, 0, 1], 0).into()),
            Net::Memory(_) => None,
        };
        self.node.listen(address).await.unwrap()
    }

    /// Stays connected to a listening host.
    pub(crate) async fn connect(&self, to: &Self, listening: &Listening) -> Connection {
        self.node.connect(to.node.id(), self.net.hint(listening)).await.unwrap()
    }
}

/// Fails loudly instead of hanging.
pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it must not hang")
}

/// The next messages of a live stream, archived one by one, as text.
pub(crate) async fn read(node: &Node, stream: &mut MessageStream, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.len() < count {
        let message = within(stream.next_message()).await.unwrap().unwrap();
        texts.push(text(&message));
        node.archive(&message).await.unwrap();
    }
    texts
}

/// `<seq> <text>`.
pub(crate) fn text(message: &Message) -> String {
    let text = String::from_utf8_lossy(message.text().unwrap());
    format!("{} {text}", message.seq)
}

fn rand_seed() -> [u8; 32] {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).unwrap();
    seed
}

/// One test over each transport.
macro_rules! over_each_transport {
    ($(async fn $name:ident($net:ident: Net) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn body($net: Net) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn tcp() {
                body(Net::Tcp).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn memory() {
                body(Net::memory()).await;
            }
        }
    )*};
}
