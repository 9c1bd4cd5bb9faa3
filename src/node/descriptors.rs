//! Descriptors: how many this process may have, and who gets them.
//!
//! A store that can open no file fails, and a store that has failed takes nothing more. So
//! connections get what is left: the last [`STORE_DESCRIPTOR_COUNT`] numbers are no socket's, and
//! of the others each kind of inbound connection has its share.
//!
//! POSIX gives out the lowest number that is free, so the number of a new descriptor tells how many
//! are taken at least, whoever took them.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::limits::{
    ANSWERED_COUNT_MAX, ANSWERED_TOTAL_MAX, CONNECTION_COUNT_MIN, KNOCK_COUNT_MAX,
    KNOCK_KNOWN_COUNT_MAX, OWN_DESCRIPTOR_COUNT, RAISED_DESCRIPTOR_COUNT, STORE_DESCRIPTOR_COUNT,
    UNANSWERED_COUNT_MAX,
};

/// Has this process take as many descriptors as it may: the soft limit becomes the hard one. For
/// programs to call at their start, before a node is opened; a node divides what it finds.
///
/// ```
/// peermq::node::raise_descriptor_limit()?;
/// # Ok::<_, std::io::Error>(())
/// ```
///
/// # Errors
/// What the system says.
pub fn raise_descriptor_limit() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let raise = |current| setrlimit(Resource::Nofile, Rlimit { current, ..limit });
    // Where there is no hard limit some systems still have one of their own.
    Ok(raise(limit.maximum).or_else(|_| raise(Some(RAISED_DESCRIPTOR_COUNT)))?)
}

/// Refuses a socket whose descriptor is one of the store's.
///
/// # Errors
/// As the system says when there is no descriptor at all.
pub(super) fn spare_the_store(socket: &impl AsFd) -> io::Result<()> {
    let number = u64::try_from(socket.as_fd().as_raw_fd()).unwrap_or(u64::MAX);
    if is_spare(number, limit()) { Ok(()) } else { Err(Errno::MFILE.into()) }
}

/// Whether a descriptor's number leaves the store its own, which are the last ones.
const fn is_spare(number: u64, limit: u64) -> bool {
    number.saturating_add(STORE_DESCRIPTOR_COUNT) < limit
}

/// How many inbound connections of each kind may be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shares {
    /// Those whose first flight is awaited.
    pub(super) knocking: usize,
    /// As many more from networks from which a peer came before.
    pub(super) knocking_known: usize,
    /// Those that get no answer.
    pub(super) unanswered: usize,
    /// Handshakes that were answered.
    pub(super) answered: usize,
    /// Of those, of one peer.
    pub(super) answered_to_one: usize,
    /// Sessions, beyond which no further peer is let in.
    pub(super) sessions: usize,
}

impl Shares {
    /// What the limit of this process leaves.
    pub(super) fn of_this_process() -> Self {
        Self::within(limit())
    }

    /// The larger the limit, the more is left for sessions.
    fn within(limit: u64) -> Self {
        let left = limit.saturating_sub(STORE_DESCRIPTOR_COUNT + OWN_DESCRIPTOR_COUNT);
        let left = usize::try_from(left).unwrap_or(usize::MAX).max(CONNECTION_COUNT_MIN);
        let share = |parts: usize, most: usize| (left / parts).clamp(1, most);
        let (knocking, knocking_known) =
            (share(3, KNOCK_COUNT_MAX), share(12, KNOCK_KNOWN_COUNT_MAX));
        let (unanswered, answered) = (share(6, UNANSWERED_COUNT_MAX), share(8, ANSWERED_TOTAL_MAX));
        let answered_to_one = (answered / 2).clamp(1, ANSWERED_COUNT_MAX);
        let sessions = left - knocking - knocking_known - unanswered - answered;
        Self { knocking, knocking_known, unanswered, answered, answered_to_one, sessions }
    }
}

/// Descriptors that this process may have at this moment.
fn limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(shares: &Shares) -> usize {
        let Shares { knocking, knocking_known, unanswered, answered, sessions, .. } = *shares;
        knocking + knocking_known + unanswered + answered + sessions
    }

    #[test]
    fn connections_get_what_the_limit_leaves_and_each_kind_some_of_it() {
        let reserved = usize::try_from(STORE_DESCRIPTOR_COUNT + OWN_DESCRIPTOR_COUNT).unwrap();
        for limit in [0, 64, 72, 73, 96, 256, 1_024, 4_096, 1 << 20, 1 << 31] {
            let shares = Shares::within(limit);
            let left = usize::try_from(limit).unwrap().saturating_sub(reserved);
            assert_eq!(sum(&shares), left.max(CONNECTION_COUNT_MIN), "{limit}: {shares:?}");
            let Shares { knocking, knocking_known, unanswered, sessions, .. } = shares;
            let strangers = knocking + knocking_known + unanswered;
            assert!(knocking_known > 0 && sessions > 1 && strangers <= sum(&shares) * 2 / 3);
        }
        assert_eq!(Shares::within(u64::MAX).knocking, KNOCK_COUNT_MAX);
    }

    #[test]
    fn the_last_numbers_are_the_stores() {
        let highest = 100 - STORE_DESCRIPTOR_COUNT - 1;
        assert!(is_spare(0, 100) && is_spare(highest, 100) && !is_spare(highest + 1, 100));
        assert!(!is_spare(0, 0) && !is_spare(u64::MAX, u64::MAX) && is_spare(1, u64::MAX));
        spare_the_store(&tempfile::tempfile().unwrap()).unwrap();
    }
}
