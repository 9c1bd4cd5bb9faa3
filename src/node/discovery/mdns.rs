//! Nodes of one local network find each other by multicast DNS (RFC 6762, RFC 6763).
//!
//! A listening node announces an instance of `_peermq._tcp` that is named by its blinded id. Who
//! searches asks for all instances and picks by name, so that the network does not see for whom.
//! An announcement carries a number of its own, `n`, so that a node that is back at its old
//! address is told from one that was there all along.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::stream::{self, Stream, StreamExt};
use mdns_sd::{
    IfKind, Receiver, ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent, ServiceInfo,
};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

use super::{Addresses, Announcement, BlindedId, Discovery, DiscoveryError};
use crate::limits::{MDNS_ADDRESS_COUNT_MAX, MDNS_GOODBYE_MS_MAX};
use crate::node::clock::UtcDay;
use crate::types::Id;

/// The local network. Each announcement has a thread and sockets of its own, and all searches
/// together have one more, while they live.
#[derive(Clone, Default)]
pub struct Mdns {
    network: Arc<Mutex<Network>>,
}

impl Mdns {
    /// Looks at nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn search(&self, names: [String; 3]) -> Result<Found, mdns_sd::Error> {
        let (sender, found) = mpsc::channel(MDNS_ADDRESS_COUNT_MAX);
        let mut network = lock(&self.network);
        let events = network.browse()?;
        network.searches.push(Search { names, seen: BTreeSet::new(), found: sender });
        let follow = follow(Arc::downgrade(&self.network), events);
        network.following = Some(AbortOnDropHandle::new(tokio::spawn(follow)));
        Ok(Found { found, network: Arc::clone(&self.network) })
    }
}

impl Discovery for Mdns {
    fn announce(
        &self,
        id: &Id,
        day: UtcDay,
        listening: SocketAddr,
    ) -> Result<Announcement, DiscoveryError> {
        let service = service(&BlindedId::new(id, day), listening)?;
        // One that announced this name a moment ago, and said goodbye, may be held back from
        // announcing it again (RFC 6762 §6: no record twice in a second).
        let daemon = Daemon::start()?;
        daemon.0.register(service)?;
        Ok(Announcement::new(move || drop(daemon)))
    }

    fn find(&self, id: &Id, day: UtcDay) -> Addresses {
        match self.search(BlindedId::around(id, day).map(|name| name.to_string())) {
            Ok(found) => found.boxed(),
            Err(error) => {
                warn!(%error, "the local network cannot be searched");
                stream::empty().boxed()
            }
        }
    }
}

impl fmt::Debug for Mdns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mdns").finish_non_exhaustive()
    }
}

/// The library's thread; dropping it says goodbye for what it announced.
struct Daemon(ServiceDaemon);

impl Daemon {
    fn start() -> Result<Self, mdns_sd::Error> {
        ServiceDaemon::new().map(Self)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Ok(ended) = self.0.shutdown() {
            let _ = ended.recv_timeout(Duration::from_millis(MDNS_GOODBYE_MS_MAX));
        }
    }
}

/// All searches. The library keeps one, the last, so each new one here asks again for all, which
/// also brings what was known before.
#[derive(Default)]
struct Network {
    daemon: Option<Daemon>,
    searches: Vec<Search>,
    following: Option<AbortOnDropHandle<()>>,
}

impl Network {
    fn browse(&mut self) -> Result<Receiver<ServiceEvent>, mdns_sd::Error> {
        let daemon = match self.daemon.take() {
            Some(daemon) => daemon,
            None => Daemon::start()?,
        };
        self.daemon.insert(daemon).0.browse(SERVICE)
    }

    fn on_event(&mut self, event: &ServiceEvent) {
        match event {
            ServiceEvent::ServiceResolved(service) => self.on_resolved(service),
            ServiceEvent::ServiceRemoved(_, name) => {
                self.searches_for(name).for_each(|search| search.seen.clear());
            }
            _ => {}
        }
    }

    fn on_resolved(&mut self, service: &ResolvedService) {
        let number = service.get_property_val_str(NUMBER).unwrap_or_default();
        for search in self.searches_for(&service.fullname) {
            for ip in &service.addresses {
                if let Some(address) = address(ip, service.port) {
                    search.on_address(number, address);
                }
            }
        }
    }

    fn searches_for(&mut self, full_name: &str) -> impl Iterator<Item = &mut Search> {
        let name = full_name.split('.').next().unwrap_or_default().to_owned();
        let wanted = move |other: &String| other.eq_ignore_ascii_case(&name);
        self.searches.iter_mut().filter(move |search| search.names.iter().any(&wanted))
    }

    /// Forgets the searches whose results nobody takes any more.
    fn prune(&mut self) {
        self.searches.retain(|search| !search.found.is_closed());
        if self.searches.is_empty() {
            *self = Self::default();
        }
    }
}

/// One search: its names, and the addresses that were passed on, each with its announcement's
/// number.
struct Search {
    names: [String; 3],
    seen: BTreeSet<(String, SocketAddr)>,
    found: mpsc::Sender<SocketAddr>,
}

impl Search {
    fn on_address(&mut self, number: &str, address: SocketAddr) {
        if self.seen.len() >= MDNS_ADDRESS_COUNT_MAX {
            self.seen.clear();
        }
        if self.seen.insert((number.to_owned(), address)) {
            // Full: whoever floods the name gains no more than that.
            let _ = self.found.try_send(address);
        }
    }
}

/// The addresses that a search finds; dropping it ends the search.
struct Found {
    found: mpsc::Receiver<SocketAddr>,
    network: Arc<Mutex<Network>>,
}

impl Stream for Found {
    type Item = SocketAddr;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<SocketAddr>> {
        self.found.poll_recv(context)
    }
}

impl Drop for Found {
    fn drop(&mut self) {
        self.found.close();
        lock(&self.network).prune();
    }
}

/// Passes events on to the searches. The library cuts off who reads too slowly: ask again.
async fn follow(network: Weak<Mutex<Network>>, mut events: Receiver<ServiceEvent>) {
    loop {
        while let Ok(event) = events.recv_async().await {
            let Some(network) = network.upgrade() else { return };
            lock(&network).on_event(&event);
        }
        tokio::time::sleep(ASK_AGAIN).await;
        let Some(network) = network.upgrade() else { return };
        let anew = lock(&network).browse();
        match anew {
            Ok(anew) => events = anew,
            Err(error) => return warn!(%error, "the local network is searched no more"),
        }
    }
}

/// What is announced: a name that nobody else can have, so nothing is asked before.
fn service(name: &BlindedId, listening: SocketAddr) -> Result<ServiceInfo, mdns_sd::Error> {
    let (ips, interfaces) = match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (vec![], IfKind::IPv4),
        IpAddr::V6(ip) if ip.is_unspecified() => (vec![], IfKind::All),
        ip => (vec![ip], IfKind::Addr(ip)),
    };
    let number = getrandom::u32().unwrap_or_default();
    let properties = [(NUMBER, format!("{number:08x}"))];
    let host = format!("{name}.local.");
    let port = listening.port();
    let mut service =
        ServiceInfo::new(SERVICE, &name.to_string(), &host, &ips[..], port, &properties[..])?;
    if ips.is_empty() {
        service = service.enable_addr_auto();
    }
    service.set_interfaces(vec![interfaces]);
    service.set_requires_probe(false);
    Ok(service)
}

/// Where to dial; nothing for what no single host can have.
fn address(ip: &ScopedIp, port: u16) -> Option<SocketAddr> {
    let ip_alone = ip.to_ip_addr();
    if ip_alone.is_unspecified() || ip_alone.is_multicast() || port == 0 {
        return None;
    }
    match ip {
        // A link-local address is one only together with its link (RFC 4007 §6).
        ScopedIp::V6(v6) if v6.addr().is_unicast_link_local() => {
            Some(SocketAddrV6::new(*v6.addr(), port, 0, v6.scope_id().index).into())
        }
        _ => Some((ip_alone, port).into()),
    }
}

fn lock(network: &Mutex<Network>) -> MutexGuard<'_, Network> {
    network.lock().unwrap_or_else(PoisonError::into_inner)
}

const SERVICE: &str = "_peermq._tcp.local.";
const NUMBER: &str = "n";
/// How long to wait after the library cut a search off.
const ASK_AGAIN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
