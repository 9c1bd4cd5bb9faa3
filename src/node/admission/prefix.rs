//! Networks that connections come from.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::slots::SlotKey;
use crate::limits::KNOWN_PREFIX_COUNT_MAX;

/// What one household or one machine is given: an IPv4 address, or the first 64 bits of an IPv6
/// address (RFC 4291 §2.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prefix {
    V4([u8; 4]),
    V6([u8; 8]),
}

impl Prefix {
    /// The network of an address; none for this machine itself, which is everybody on it.
    pub(super) fn of(address: SocketAddr) -> Option<Self> {
        let ip = address.ip().to_canonical();
        if ip.is_loopback() {
            return None;
        }
        Some(match ip {
            IpAddr::V4(ip) => Self::V4(ip.octets()),
            IpAddr::V6(ip) => {
                let first = ip.octets().first_chunk().copied();
                Self::V6(first.expect("an address is longer than its prefix"))
            }
        })
    }
}

impl SlotKey for Option<Prefix> {
    fn is_one(&self) -> bool {
        self.is_some()
    }
}

/// Networks from which a peer came and authenticated; past their number the oldest is forgotten.
#[derive(Debug)]
pub(super) struct Prefixes(Mutex<VecDeque<Prefix>>);

impl Prefixes {
    pub(super) fn new(known: impl Iterator<Item = Prefix>) -> Self {
        let prefixes = Self(Mutex::default());
        known.for_each(|prefix| prefixes.insert(prefix));
        prefixes
    }

    /// The newest now.
    pub(super) fn insert(&self, prefix: Prefix) {
        let mut known = self.lock();
        known.retain(|other| *other != prefix);
        if known.len() >= KNOWN_PREFIX_COUNT_MAX {
            known.pop_front();
        }
        known.push_back(prefix);
    }

    pub(super) fn contains(&self, prefix: &Prefix) -> bool {
        self.lock().contains(prefix)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Prefix>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(address: &str) -> Option<Prefix> {
        Prefix::of(address.parse().unwrap())
    }

    #[test]
    fn neighbours_in_one_household_share_a_prefix() {
        assert_eq!(prefix("192.0.2.7:1"), prefix("[::ffff:192.0.2.7]:2"));
        assert_ne!(prefix("192.0.2.7:1"), prefix("192.0.2.8:1"));
        assert_eq!(prefix("[2001:db8::1]:1"), prefix("[2001:db8::ffff:1]:1"));
        assert_ne!(prefix("[2001:db8::1]:1"), prefix("[2001:db8:0:1::1]:1"));
        for loopback in ["127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert_eq!(prefix(loopback), None);
        }
    }

    #[test]
    fn the_oldest_network_is_forgotten_first() {
        let of = |number: usize| {
            let [.., a, b, c] = number.to_be_bytes();
            Prefix::V4([10, a, b, c])
        };
        let prefixes = Prefixes::new((0..KNOWN_PREFIX_COUNT_MAX).map(of));
        prefixes.insert(of(0));
        prefixes.insert(of(KNOWN_PREFIX_COUNT_MAX));
        assert!(prefixes.contains(&of(0)) && !prefixes.contains(&of(1)));
    }
}
