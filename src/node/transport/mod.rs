//! Ways to reach another node. Each gives a byte stream; Noise always runs on top, so all of them
//! are equally safe and none is trusted.
//!
//! *Invariant*: nothing but handshake bytes passes before both ends have proved their ids, and a
//! stranger gets none. Deliberately absent: finding addresses, choosing between two sessions.

mod addr;
mod connection;
#[cfg(test)]
pub(crate) mod fixture;
mod memory;
mod noise_stream;
mod secure;
mod tcp;

use std::fmt::{self, Debug};
use std::io;

use futures::future::BoxFuture;

pub use addr::{Addr, AddrError};
pub(super) use connection::AbortOnDrop;
pub use connection::{Aborter, Connection};
pub use memory::{MemoryNetwork, MemoryTransport};
pub use noise_stream::NoiseStream;
pub use secure::{Claim, Knock, Secured, TransportError, Unanswered, initiate};
pub use tcp::TcpTransport;

use crate::types::Id;

/// A way to reach other nodes.
pub trait Transport: Debug + Send + Sync {
    /// Connects to where a node may be, at the first of `hints` that answers. Who answers has
    /// proved nothing yet: see [`initiate`].
    ///
    /// # Errors
    /// When nothing answers; the last error then.
    fn dial<'a>(
        &'a self,
        id: &'a Id,
        hints: &'a [Addr],
    ) -> BoxFuture<'a, io::Result<Box<dyn Connection>>>;

    /// Begins to accept connections.
    ///
    /// # Errors
    /// When the address cannot be had.
    fn listen<'a>(&'a self, at: &'a ListenAt) -> BoxFuture<'a, io::Result<Box<dyn Listener>>>;
}

/// Where to accept connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAt {
    /// Everywhere, at this port when it is free, else at any.
    Anywhere {
        /// The port of the last time.
        port: Option<u16>,
    },
    /// At this address and no other; port 0 is any.
    Addr(Addr),
}

impl fmt::Display for ListenAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anywhere { .. } => f.write_str("any port"),
            Self::Addr(addr) => write!(f, "{addr}"),
        }
    }
}

/// Accepts connections until it is dropped.
pub trait Listener: Debug + Send {
    /// Waits for the next connection. Trouble that may pass is waited out.
    ///
    /// # Errors
    /// When no connection can come any more.
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Incoming>>;

    /// Where it listens, for transports that have addresses.
    fn local_addr(&self) -> Option<Addr>;
}

/// A connection that someone made to this node.
#[derive(Debug)]
pub struct Incoming {
    /// The byte stream.
    pub connection: Box<dyn Connection>,
    /// Where it comes from, for transports that have addresses.
    pub from: Option<Addr>,
}

#[cfg(test)]
mod tests;
