//! Addresses that were given or that worked before.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use futures::stream::{self, StreamExt};
use tokio::sync::watch;

use super::{Addresses, Announcement, Discovery, DiscoveryError};
use crate::limits::BOOK_ADDRESS_COUNT_MAX;
use crate::node::clock::UtcDay;
use crate::types::Id;

/// Addresses by id, newest first, in memory. It announces nothing.
#[derive(Debug, Default)]
pub struct Book {
    addresses: watch::Sender<BTreeMap<Id, Vec<SocketAddr>>>,
}

impl Book {
    /// Puts an address first for `id`. Past [`BOOK_ADDRESS_COUNT_MAX`] the oldest goes.
    pub fn remember(&self, id: Id, address: SocketAddr) {
        self.addresses.send_modify(|addresses| {
            let known = addresses.entry(id).or_default();
            known.retain(|other| *other != address);
            known.insert(0, address);
            known.truncate(BOOK_ADDRESS_COUNT_MAX);
        });
    }

    /// Forgets all addresses of `id`.
    pub fn forget(&self, id: &Id) {
        self.addresses.send_modify(|addresses| {
            addresses.remove(id);
        });
    }

    /// The addresses of `id`, newest first.
    #[must_use]
    pub fn addresses(&self, id: &Id) -> Vec<SocketAddr> {
        self.addresses.borrow().get(id).cloned().unwrap_or_default()
    }
}

impl Discovery for Book {
    fn announce(&self, _: &Id, _: UtcDay, _: SocketAddr) -> Result<Announcement, DiscoveryError> {
        Ok(Announcement::new(|| {}))
    }

    fn find(&self, id: &Id, _: UtcDay) -> Addresses {
        let mut book = self.addresses.subscribe();
        book.mark_changed();
        let state = (book, *id, Vec::new());
        stream::unfold(state, |(mut book, id, known)| async move {
            book.changed().await.ok()?;
            let now = book.borrow_and_update().get(&id).cloned().unwrap_or_default();
            let new: Vec<_> = now.iter().copied().filter(|a| !known.contains(a)).collect();
            Some((stream::iter(new), (book, id, now)))
        })
        .flatten()
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Identity;

    fn address(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    #[tokio::test]
    async fn addresses_are_found_as_they_are_learnt() {
        let book = Book::default();
        let [id, other] = [1, 2].map(|seed| Identity::from_seed(&[seed; 32]).id());
        book.remember(id, address(1));
        book.remember(id, address(2));
        let mut found = book.find(&id, UtcDay(1));
        assert_eq!(found.next().await, Some(address(2)));
        assert_eq!(found.next().await, Some(address(1)));
        book.remember(other, address(3));
        book.remember(id, address(4));
        assert_eq!(found.next().await, Some(address(4)));
        drop(book);
        assert_eq!(found.next().await, None);
    }

    #[test]
    fn the_oldest_address_goes_first() {
        let book = Book::default();
        let id = Identity::from_seed(&[1; 32]).id();
        for port in (1..=20).chain([13]) {
            book.remember(id, address(port));
        }
        let ports: Vec<_> = book.addresses(&id).iter().map(SocketAddr::port).collect();
        assert_eq!(ports, [13, 20, 19, 18, 17, 16, 15, 14]);
        book.forget(&id);
        assert!(book.addresses(&id).is_empty());
    }
}
