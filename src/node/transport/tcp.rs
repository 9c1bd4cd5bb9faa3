//! TCP.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, select_ok};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::time::{Instant, sleep};

use super::connection::Abortable;
use super::{Addr, Connection, Incoming, ListenAt, Listener, Transport};
use crate::limits::{ACCEPT_PAUSE_MS, DIAL_ADDRESS_COUNT_MAX};
use crate::node::descriptors::spare_the_store;
use crate::node::seldom::Seldom;
use crate::types::Id;

/// Reaches nodes by TCP, at the addresses it is given.
#[derive(Debug, Clone, Copy, Default)]
pub struct TcpTransport;

impl Transport for TcpTransport {
    /// Dials all addresses at once; the first that connects wins.
    fn dial<'a>(
        &'a self,
        _id: &'a Id,
        hints: &'a [Addr],
    ) -> BoxFuture<'a, io::Result<Box<dyn Connection>>> {
        async move {
            let addrs = look_up(hints).await?;
            let dials = addrs.into_iter().map(|addr| TcpStream::connect(addr).boxed());
            let (stream, _) = select_ok(dials).await?;
            connection(stream)
        }
        .boxed()
    }

    fn listen<'a>(&'a self, at: &'a ListenAt) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        async move {
            let listener = match at {
                ListenAt::Anywhere { port } => bind_anywhere(*port).await?,
                ListenAt::Addr(Addr::Socket(addr)) => TcpListener::bind(addr).await?,
                ListenAt::Addr(Addr::Host(name, port)) => {
                    TcpListener::bind((name.as_str(), *port)).await?
                }
            };
            let local_addr = listener.local_addr()?;
            let failures = Seldom::default();
            let listener: Box<dyn Listener> =
                Box::new(Accepting { listener, local_addr, failures });
            Ok(listener)
        }
        .boxed()
    }
}

#[derive(Debug)]
struct Accepting {
    listener: TcpListener,
    local_addr: SocketAddr,
    failures: Seldom,
}

impl Listener for Accepting {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Incoming>> {
        async move {
            loop {
                let accepted = self.listener.accept().await;
                let error =
                    match accepted.and_then(|(stream, from)| Ok((connection(stream)?, from))) {
                        Ok((connection, from)) => {
                            return Ok(Incoming { connection, from: Some(from.into()) });
                        }
                        Err(error) => error,
                    };
                // Either the connection was gone before it was accepted, or descriptors or memory
                // have run out, which only time can mend.
                if !is_the_connections_own(&error) {
                    if let Some(count) = self.failures.note(Instant::now()) {
                        tracing::warn!(count, %error, "connections were not accepted");
                    }
                    sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
                }
            }
        }
        .boxed()
    }

    fn local_addr(&self) -> Option<Addr> {
        Some(self.local_addr.into())
    }
}

/// Frames are written whole, so waiting for more to fill a packet only costs time. To abort, the
/// kernel resets the connection and drops what it has not sent (`SO_LINGER` 0).
fn connection(stream: TcpStream) -> io::Result<Box<dyn Connection>> {
    spare_the_store(&stream)?;
    stream.set_nodelay(true)?;
    Ok(Box::new(Abortable::new(stream, |stream| {
        // Fails only when the connection is reset already.
        let _ = stream.set_zero_linger();
    })))
}

async fn look_up(hints: &[Addr]) -> io::Result<Vec<SocketAddr>> {
    let none = io::Error::new(
        io::ErrorKind::AddrNotAvailable,
        "expected an address of the node, got none",
    );
    let (mut addrs, mut last) = (Vec::new(), none);
    for hint in hints {
        match hint {
            Addr::Socket(addr) => addrs.push(*addr),
            Addr::Host(name, port) => match lookup_host((name.as_str(), *port)).await {
                Ok(found) => addrs.extend(found),
                Err(error) => last = error,
            },
        }
    }
    addrs.truncate(DIAL_ADDRESS_COUNT_MAX);
    if addrs.is_empty() { Err(last) } else { Ok(addrs) }
}

/// `[::]` takes IPv4 too, where the kernel has IPv6.
async fn bind_anywhere(port: Option<u16>) -> io::Result<TcpListener> {
    let mut last = None;
    for ip in [IpAddr::from(Ipv6Addr::UNSPECIFIED), Ipv4Addr::UNSPECIFIED.into()] {
        for port in port.into_iter().chain([0]) {
            match TcpListener::bind((ip, port)).await {
                Ok(listener) => return Ok(listener),
                Err(error) => last = Some(error),
            }
        }
    }
    Err(last.expect("two addresses were tried"))
}

fn is_the_connections_own(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionReset, Interrupted, InvalidInput, NotConnected,
    };
    // Setting an option of a connection that was reset says "invalid input" on some systems.
    let own = [ConnectionAborted, ConnectionReset, Interrupted, InvalidInput, NotConnected];
    own.contains(&error.kind())
}
