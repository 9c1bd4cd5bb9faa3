//! Accepting connections for as long as someone listens.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio_util::sync::{CancellationToken, DropGuard};

use super::Node;
use super::discovery::Announcement;
use super::error::NodeError;
use super::inner::Inner;
use super::link::{Link, socket};
use super::transport::{Addr, Incoming, ListenAt, Listener, respond};
use crate::crypto::noise::{KnownPairs, Responder};
use crate::limits::HANDSHAKE_COUNT_MAX;

/// What listens at this moment; everyone who called [`Node::listen`] shares it.
pub(super) type Shared = Weak<Port>;

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
        address(&self.inner)
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
    if let Some(port) = shared(node).upgrade() {
        return Ok(Listening { port });
    }
    let at = match address {
        Some(address) => ListenAt::Addr(Addr::Socket(address)),
        None => ListenAt::Anywhere { port: node.directory.port()? },
    };
    let listener = node.transport.listen(&at).await;
    let listener = listener.map_err(|source| NodeError::Listen { at: at.clone(), source })?;
    let bound = listener.local_addr().and_then(socket);
    if let Some(bound) = bound
        && address.is_none()
    {
        node.remember_port(bound.port())?;
    }
    let cancel = CancellationToken::new();
    let (accepting, stop) = (Arc::clone(node), cancel.clone());
    node.tasks.spawn(async move {
        stop.run_until_cancelled(accept(accepting, listener)).await;
    });
    let announcement = bound.map(|address| node.discoveries.announce(node.id(), address));
    let port = Arc::new(Port {
        address: bound,
        _announcement: announcement,
        _cancel: cancel.drop_guard(),
    });
    *shared(node) = Arc::downgrade(&port);
    Ok(Listening { port })
}

/// The address that is listened on.
pub(super) fn address(node: &Inner) -> Option<SocketAddr> {
    shared(node).upgrade().and_then(|port| port.address)
}

fn shared(node: &Inner) -> MutexGuard<'_, Shared> {
    node.listening.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers whoever comes. Past the bound on handshakes under way the oldest makes room: an honest
/// one is done within a round trip.
async fn accept(node: Arc<Inner>, mut listener: Box<dyn Listener>) {
    let known: Arc<dyn KnownPairs> = Arc::<super::known::Known>::clone(&node.known);
    let responder = Arc::new(Responder::new(&node.identity, known, &node.network));
    let under_way = Arc::new(Mutex::new(UnderWay::default()));
    loop {
        let Incoming { connection, from } = match listener.accept().await {
            Ok(incoming) => incoming,
            Err(error) => return tracing::error!(%error, "no more connections can come"),
        };
        let (node, responder) = (Arc::clone(&node), Arc::clone(&responder));
        let (slots, slot) = (Arc::clone(&under_way), lock(&under_way).begin());
        node.tasks.clone().spawn(async move {
            let secured = slot.evicted.run_until_cancelled(respond(connection, &responder)).await;
            // From here on the connection belongs to a peer, and makes room for nobody.
            lock(&slots).finish(slot.number);
            match secured {
                Some(Ok(secured)) => node.run_link(Link::accepted(secured, from)).await,
                Some(Err(error)) => tracing::debug!(%error, "a connection was not answered"),
                None => tracing::debug!("a connection made room for a newer one"),
            }
        });
    }
}

/// Handshakes under way, oldest first; at most [`HANDSHAKE_COUNT_MAX`].
#[derive(Debug, Default)]
struct UnderWay {
    slots: VecDeque<Slot>,
    count: u64,
}

/// One handshake's place.
#[derive(Debug, Clone)]
struct Slot {
    number: u64,
    evicted: CancellationToken,
}

impl UnderWay {
    fn begin(&mut self) -> Slot {
        if self.slots.len() >= HANDSHAKE_COUNT_MAX
            && let Some(oldest) = self.slots.pop_front()
        {
            oldest.evicted.cancel();
        }
        self.count += 1;
        let slot = Slot { number: self.count, evicted: CancellationToken::new() };
        self.slots.push_back(slot.clone());
        slot
    }

    fn finish(&mut self, number: u64) {
        self.slots.retain(|slot| slot.number != number);
    }
}

fn lock(under_way: &Mutex<UnderWay>) -> MutexGuard<'_, UnderWay> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}
