//! Accepting connections for as long as someone listens.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::task::JoinHandle;
use tokio_util::sync::DropGuard;

use super::Node;
use super::discovery::Announcement;
use super::error::NodeError;
use super::inner::Inner;
use super::link::socket;
use super::transport::{Addr, ListenAt, Listener};

/// What listens at this moment; everyone who called [`Node::listen`] shares it.
#[derive(Debug, Default)]
pub(super) struct Listens {
    port: Mutex<Weak<Port>>,
    /// What accepts at the last port, and frees its address as it ends. Held while a port is opened,
    /// so that callers of one moment share it.
    accepting: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

/// Accepts connections from added peers until the last handle to it is closed or dropped.
#[derive(Debug, Clone)]
pub struct Listening {
    port: Arc<Port>,
}

/// An open port.
#[derive(Debug)]
pub(super) struct Port {
    address: Option<SocketAddr>,
    _announcement: Option<Announcement>,
    _cancel: DropGuard,
}

impl Node {
    /// Opens a port for added peers, and announces it under this node's blinded id. Without an
    /// address: every interface, and the port that was used the last time if it is free. A second
    /// call shares the port of the first, whatever address it names.
    ///
    /// ```
    #[doc = include_str!("doc/node.md")]
    /// let listening = node.listen(Some(([127, 0, 0, 1], 0).into())).await?;
    /// println!("listening on {}", listening.address().expect("TCP has addresses"));
    /// listening.close();
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`NodeError::Listen`] when the address cannot be bound.
    pub async fn listen(&self, address: Option<SocketAddr>) -> Result<Listening, NodeError> {
        listen(&self.inner, address).await
    }

    /// The address that is listened on.
    ///
    /// ```
    #[doc = include_str!("doc/node.md")]
    /// assert_eq!(node.address(), None);
    /// let listening = node.listen(Some(([127, 0, 0, 1], 0).into())).await?;
    /// assert_eq!(node.address(), listening.address());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.inner.listens.address()
    }
}

impl Listening {
    /// The address that is listened on, where the transport has addresses.
    ///
    /// ```
    #[doc = include_str!("doc/pair.md")]
    /// let address = listening.address().expect("TCP has addresses");
    /// assert_ne!(address.port(), 0);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.port.address
    }

    /// Stops, unless others still listen. Sessions that were accepted go on.
    ///
    /// ```
    #[doc = include_str!("doc/pair.md")]
    /// listening.close();
    /// assert_eq!(alice.address(), None);
    /// # Ok(()) }
    /// ```
    pub fn close(self) {}
}

/// Opens the port, or shares the one that is open.
pub(super) async fn listen(
    node: &Arc<Inner>,
    address: Option<SocketAddr>,
) -> Result<Listening, NodeError> {
    let mut accepting = node.listens.accepting.lock().await;
    if let Some(port) = node.listens.port().upgrade() {
        return Ok(Listening { port });
    }
    if let Some(ending) = accepting.as_mut() {
        // The last port was let go a moment ago: its address can be asked for again.
        let _: Result<(), _> = ending.await;
        *accepting = None;
    }
    let listener = bind(node, address).await?;
    let bound = listener.local_addr().and_then(socket);
    let cancel = node.stopping.child_token();
    let (host, stop) = (Arc::clone(node), cancel.clone());
    *accepting = Some(node.tasks.spawn(async move {
        stop.run_until_cancelled(accept(host, listener)).await;
    }));
    let announcement = bound.map(|address| node.discoveries.announce(node.id(), address));
    let port = Arc::new(Port {
        address: bound,
        _announcement: announcement,
        _cancel: cancel.drop_guard(),
    });
    *node.listens.port() = Arc::downgrade(&port);
    Ok(Listening { port })
}

/// The listener at `address`, or where the node listened the last time.
async fn bind(node: &Inner, address: Option<SocketAddr>) -> Result<Box<dyn Listener>, NodeError> {
    let at = match address {
        Some(address) => ListenAt::Addr(Addr::Socket(address)),
        None => ListenAt::Anywhere { port: node.directory.port()? },
    };
    let listener = node.transport.listen(&at).await;
    let listener = listener.map_err(|source| NodeError::Listen { at: at.clone(), source })?;
    if let ListenAt::Anywhere { port } = at
        && let Some(bound) = listener.local_addr().and_then(socket)
        && port != Some(bound.port())
        && let Err(error) = node.remember_port(bound.port())
    {
        // A full disk, say: what came before is delivered and freed all the same.
        tracing::warn!(%error, "the port will be another the next time");
    }
    Ok(listener)
}

impl Listens {
    /// The address that is listened on.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.port().upgrade().and_then(|port| port.address)
    }

    fn port(&self) -> MutexGuard<'_, Weak<Port>> {
        self.port.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has whoever comes knock.
async fn accept(node: Arc<Inner>, mut listener: Box<dyn Listener>) {
    loop {
        let incoming = match listener.accept().await {
            Ok(incoming) => incoming,
            Err(error) => return tracing::error!(%error, "no more connections can come"),
        };
        let (arrival, node) = (node.admission.begin(incoming), Arc::clone(&node));
        node.tasks.clone().spawn(async move {
            if let Some((link, place)) = arrival.admit().await {
                node.run_link(link, Some(place)).await;
            }
        });
    }
}
