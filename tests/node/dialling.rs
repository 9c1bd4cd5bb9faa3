//! Dialling goes on, whatever addresses are announced, and whether or not they answer.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use futures::StreamExt;
use futures::future::{self, BoxFuture, FutureExt};
use peermq::crypto::Identity;
use peermq::limits::DIAL_ADDRESS_COUNT_MAX;
use peermq::node::Options;
use peermq::node::clock::UtcDay;
use peermq::node::discovery::{Addresses, Announcement, Discovery, DiscoveryError};
use peermq::node::transport::{Addr, Connection, ListenAt, Listener, Transport};
use peermq::types::Id;
use tokio::sync::Notify;

use crate::fixture::within;

/// A network that announces many addresses for anyone. One refuses, the others never answer.
#[derive(Debug, Default)]
struct Flood {
    /// Held once by this, and once by each dial.
    dials: Arc<()>,
    last_tried: Notify,
    refused: Notify,
}

impl Discovery for Flood {
    fn announce(&self, _: &Id, _: UtcDay, _: SocketAddr) -> Result<Announcement, DiscoveryError> {
        Ok(Announcement::new(|| ()))
    }

    fn find(&self, _: &Id, _: UtcDay) -> Addresses {
        futures::stream::iter(1..=PORT_MAX).map(address).chain(futures::stream::pending()).boxed()
    }
}

impl Transport for Flood {
    fn dial<'a>(
        &'a self,
        _: &'a Id,
        hints: &'a [Addr],
    ) -> BoxFuture<'a, io::Result<Box<dyn Connection>>> {
        async move {
            let _dial = Arc::clone(&self.dials);
            match hints {
                [Addr::Socket(at)] if *at == address(PORT_MAX) => self.last_tried.notify_one(),
                [Addr::Socket(at)] if *at == refusing() => {
                    self.refused.notify_one();
                    return Err(io::ErrorKind::ConnectionRefused.into());
                }
                _ => {}
            }
            future::pending().await
        }
        .boxed()
    }

    fn listen<'a>(&'a self, _: &'a ListenAt) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        future::ready(Err(io::ErrorKind::Unsupported.into())).boxed()
    }
}

fn address(port: u16) -> SocketAddr {
    ([192, 0, 2, 1], port).into()
}

fn refusing() -> SocketAddr {
    address(PORT_MAX + 1)
}

#[tokio::test]
async fn of_addresses_without_end_the_newest_few_are_tried() {
    let (flood, folder) = (Arc::<Flood>::default(), tempfile::tempdir().unwrap());
    let options = Options::new(folder.path()).discoveries(vec![Arc::<Flood>::clone(&flood)]);
    let node = options.transport(Arc::<Flood>::clone(&flood)).open().await.unwrap();
    let peer = Identity::from_seed(&[1; 32]).id();
    let _connection = node.connect(peer, None).await.unwrap();
    within(flood.last_tried.notified()).await;
    let dials = Arc::strong_count(&flood.dials) - 1;
    // One more for transports that need no address.
    assert!((1..=DIAL_ADDRESS_COUNT_MAX + 1).contains(&dials), "{dials} at once");
    within(node.shutdown()).await.unwrap();
}

#[tokio::test]
async fn an_address_that_never_answers_holds_up_no_other() {
    let (network, folder) = (Arc::<Flood>::default(), tempfile::tempdir().unwrap());
    let options = Options::new(folder.path()).discoveries(Vec::new());
    let node = options.transport(Arc::<Flood>::clone(&network)).open().await.unwrap();
    let peer = Identity::from_seed(&[1; 32]).id();
    let connect = |at| node.connect(peer, Some(Addr::Socket(at)));
    let _connections = [connect(address(1)).await.unwrap(), connect(refusing()).await.unwrap()];
    for _ in 0..3 {
        within(network.refused.notified()).await;
    }
    within(node.shutdown()).await.unwrap();
}

#[tokio::test]
async fn what_the_user_said_is_tried_again_whatever_is_announced() {
    let (flood, folder) = (Arc::<Flood>::default(), tempfile::tempdir().unwrap());
    let options = Options::new(folder.path()).discoveries(vec![Arc::<Flood>::clone(&flood)]);
    let node = options.transport(Arc::<Flood>::clone(&flood)).open().await.unwrap();
    let peer = Identity::from_seed(&[1; 32]).id();
    let _connection = node.connect(peer, Some(Addr::Socket(refusing()))).await.unwrap();
    within(flood.last_tried.notified()).await;
    for _ in 0..3 {
        within(flood.refused.notified()).await;
    }
    within(node.shutdown()).await.unwrap();
}

/// Addresses that are announced.
const PORT_MAX: u16 = 5_000;
