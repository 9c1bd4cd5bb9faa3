//! All ways at once, also past midnight and on another network.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use futures::stream::{self, BoxStream, StreamExt};
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

use super::surroundings::Surroundings;
use super::{Addresses, Announcement, Discovery};
use crate::node::clock::{Clock, UtcDay};
use crate::types::Id;

/// All ways to find peers and to be found, used at once.
#[derive(Debug, Clone)]
pub struct Discoveries {
    ways: Arc<[Arc<dyn Discovery>]>,
    clock: Clock,
}

impl Discoveries {
    /// Uses these ways, and takes the day from `clock`.
    #[must_use]
    pub fn new(ways: Vec<Arc<dyn Discovery>>, clock: Clock) -> Self {
        Self { ways: ways.into(), clock }
    }

    /// Makes `id` findable in every way that is open, until the guard is dropped, under each new
    /// day's name. Called within a tokio runtime.
    #[must_use]
    pub fn announce(&self, id: Id, listening: SocketAddr) -> Announcement {
        let mut day = self.clock.today();
        let announced = Arc::new(Mutex::new(self.announce_on(&id, day, listening)));
        let (this, renewed) = (self.clone(), Arc::downgrade(&announced));
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                day = this.clock.day_after(day).await;
                let Some(announced) = renewed.upgrade() else { return };
                let todays = this.announce_on(&id, day, listening);
                *announced.lock().expect("no holder panics") = todays;
            }
        }));
        Announcement::new(move || drop((task, announced)))
    }

    /// The addresses at which `id` may be, from all ways as they come up; it never ends. With a new
    /// day, or on another network, it searches anew, and what it found before comes again.
    #[must_use]
    pub fn find(&self, id: Id) -> Addresses {
        let today = stream::iter([self.clock.today()]);
        let mut changes = Box::pin(today.chain(self.changes()));
        let ways = Arc::clone(&self.ways);
        let mut found = stream::SelectAll::<Addresses>::new();
        stream::poll_fn(move |context| {
            while let Poll::Ready(Some(day)) = changes.poll_next_unpin(context) {
                found = ways.iter().map(|way| way.find(&id, day)).collect();
            }
            match found.poll_next_unpin(context) {
                Poll::Ready(None) => Poll::Pending,
                other => other,
            }
        })
        .boxed()
    }

    /// The day, whenever it or the network is another; it never ends.
    #[must_use]
    pub fn changes(&self) -> BoxStream<'static, UtcDay> {
        let start = (Surroundings::now(&self.clock), self.clock);
        stream::unfold(start, |(last, clock)| async move {
            let now = last.changed(&clock).await;
            Some((now.day, (now, clock)))
        })
        .boxed()
    }

    fn announce_on(&self, id: &Id, day: UtcDay, listening: SocketAddr) -> Vec<Announcement> {
        let announced = self.ways.iter().map(|way| way.announce(id, day, listening));
        announced
            .filter_map(|announced| {
                announced.inspect_err(|error| warn!(%error, "one way less to be found")).ok()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::crypto::Identity;
    use crate::node::discovery::{BlindedId, DiscoveryError};
    use crate::types::UnixMs;

    /// Names announced at this moment; whoever looks finds each as a port that tells the day.
    #[derive(Debug, Default)]
    struct Board {
        names: Arc<Mutex<BTreeSet<BlindedId>>>,
    }

    impl Discovery for Board {
        fn announce(
            &self,
            id: &Id,
            day: UtcDay,
            _: SocketAddr,
        ) -> Result<Announcement, DiscoveryError> {
            let (names, name) = (Arc::clone(&self.names), BlindedId::new(id, day));
            names.lock().unwrap().insert(name);
            Ok(Announcement::new(move || {
                names.lock().unwrap().remove(&name);
            }))
        }

        fn find(&self, _: &Id, day: UtcDay) -> Addresses {
            let port = u16::try_from(day.0).unwrap();
            stream::iter([SocketAddr::from(([127, 0, 0, 1], port))]).boxed()
        }
    }

    const NOON: UnixMs = UnixMs(20_000 * 86_400_000 + 43_200_000);

    #[tokio::test(start_paused = true)]
    async fn what_is_announced_and_looked_for_follows_midnight() {
        let board = Arc::new(Board::default());
        let names = Arc::clone(&board.names);
        let clock = Clock::simulated(NOON);
        let discoveries = Discoveries::new(vec![board], clock);
        let id = Identity::from_seed(&[1; 32]).id();
        let announced = |day| BTreeSet::from([BlindedId::new(&id, UtcDay(day))]);

        let announcement = discoveries.announce(id, ([0, 0, 0, 0], 1).into());
        let mut found = discoveries.find(id);
        assert_eq!(found.next().await.map(|address| address.port()), Some(20_000));
        assert_eq!(*names.lock().unwrap(), announced(20_000));

        assert_eq!(found.next().await.map(|address| address.port()), Some(20_001));
        assert_eq!(discoveries.changes().next().await, Some(UtcDay(20_002)));
        tokio::task::yield_now().await;
        assert_eq!(*names.lock().unwrap(), announced(20_002));

        drop(announcement);
        assert!(names.lock().unwrap().is_empty(), "withdrawn before drop returned");
    }
}
