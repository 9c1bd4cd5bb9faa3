//! Finding where a peer can be dialled, from its id alone.
//!
//! What is announced is never the id but its [`BlindedId`] of the day, so that only who knows the
//! id can look for it. An address that was found is a hint and no more: whoever answers there must
//! prove to be the peer, and one that fails is passed over.
//!
//! *Invariant*: nothing is announced longer than its [`Announcement`] lives. Deliberately absent:
//! dialling, and any trust in what was found.

mod blinded;
mod book;
mod discoveries;
mod error;
#[cfg(feature = "mdns")]
mod mdns;
mod rendezvous;
mod surroundings;

use std::fmt;
use std::net::SocketAddr;

use futures::stream::BoxStream;

pub use self::blinded::BlindedId;
pub use self::book::Book;
pub use self::discoveries::Discoveries;
pub use self::error::DiscoveryError;
#[cfg(feature = "mdns")]
pub use self::mdns::Mdns;
pub use self::rendezvous::Rendezvous;
use crate::node::clock::UtcDay;
use crate::types::Id;

/// A way to find peers and to be found. Called within a tokio runtime.
pub trait Discovery: fmt::Debug + Send + Sync {
    /// Makes `id` findable at the address that is listened on, until the guard is dropped. A
    /// wildcard address stands for every interface, and `[::]` for IPv4 too.
    ///
    /// # Errors
    /// When this way is not open on this machine.
    fn announce(
        &self,
        id: &Id,
        day: UtcDay,
        listening: SocketAddr,
    ) -> Result<Announcement, DiscoveryError>;

    /// The addresses at which `id` may be, as they come up: announced on `day`, the day before or
    /// the day after. An address comes again when it was announced anew: another try may help.
    fn find(&self, id: &Id, day: UtcDay) -> Addresses;
}

/// Addresses as they are found; it may never end.
pub type Addresses = BoxStream<'static, SocketAddr>;

/// What was announced; dropping it withdraws it.
pub struct Announcement {
    withdraw: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl Announcement {
    /// An announcement that `withdraw` takes back. It is called from `drop`, and must not block.
    pub fn new(withdraw: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self { withdraw: Some(Box::new(withdraw)) }
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        if let Some(withdraw) = self.withdraw.take() {
            withdraw();
        }
    }
}

impl fmt::Debug for Announcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Announcement").finish_non_exhaustive()
    }
}
