//! Whether the peer is still there: pings after silence, and bytes that must move.

use std::time::Duration;

use super::error::Misbehaviour;
use crate::limits::{PING_AFTER_MS, SILENCE_MS_MAX};
use crate::types::Instant;

const PING_AFTER: Duration = Duration::from_millis(PING_AFTER_MS);
const SILENCE_MAX: Duration = Duration::from_millis(SILENCE_MS_MAX);

/// Watches one peer's signs of life.
#[derive(Debug)]
pub(super) struct Liveness {
    heard: Instant,
    pinged: Option<Instant>,
    pings: u64,
    unsent: usize,
    moved: Instant,
}

impl Liveness {
    pub(super) const fn new(now: Instant) -> Self {
        Self { heard: now, pinged: None, pings: 0, unsent: 0, moved: now }
    }

    /// A frame came.
    pub(super) const fn on_received(&mut self, now: Instant) {
        self.heard = now;
        self.pinged = None;
    }

    /// Bytes were handed to the stream.
    pub(super) const fn on_transmit(&mut self, size: usize, now: Instant) {
        if self.unsent == 0 {
            self.moved = now;
        }
        self.unsent = self.unsent.saturating_add(size);
    }

    /// The stream took bytes.
    pub(super) const fn on_flushed(&mut self, size: usize, now: Instant) {
        self.unsent = self.unsent.saturating_sub(size);
        self.moved = now;
    }

    /// Bytes that the stream has not taken yet.
    pub(super) const fn unsent(&self) -> usize {
        self.unsent
    }

    /// The number of a ping that is due, if one is.
    ///
    /// # Errors
    /// [`Misbehaviour::Silent`] when an earlier one stays unanswered or bytes do not move.
    pub(super) fn on_timeout(&mut self, now: Instant) -> Result<Option<u64>, Misbehaviour> {
        let unanswered = self.pinged.is_some_and(|at| now >= at + SILENCE_MAX);
        let stuck = self.unsent > 0 && now >= self.moved + SILENCE_MAX;
        if unanswered || stuck {
            return Err(Misbehaviour::Silent(SILENCE_MS_MAX));
        }
        let due = self.pinged.is_none() && now >= self.heard + PING_AFTER;
        Ok(due.then(|| self.on_probe(now)))
    }

    /// A ping goes out: its number.
    pub(super) fn on_probe(&mut self, now: Instant) -> u64 {
        self.pinged = self.pinged.or(Some(now));
        self.pings += 1;
        self.pings
    }

    /// When to look again.
    pub(super) fn timeout(&self) -> Instant {
        let silence = self.pinged.map_or(self.heard + PING_AFTER, |at| at + SILENCE_MAX);
        if self.unsent == 0 { silence } else { silence.min(self.moved + SILENCE_MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_asked_about_and_then_ends_the_session() {
        let mut peer = Liveness::new(Instant(0));
        assert_eq!(peer.on_timeout(Instant(1)), Ok(None));
        let asked = peer.timeout();
        assert_eq!(peer.on_timeout(asked), Ok(Some(1)));
        peer.on_received(asked);
        let asked = peer.timeout();
        assert_eq!(peer.on_timeout(asked), Ok(Some(2)));
        assert_eq!(peer.on_timeout(peer.timeout()), Err(Misbehaviour::Silent(SILENCE_MS_MAX)));
    }

    #[test]
    fn bytes_that_do_not_move_end_the_session_though_the_peer_talks() {
        let mut peer = Liveness::new(Instant(0));
        peer.on_transmit(10, Instant(0));
        peer.on_flushed(4, Instant(5));
        let end = Instant(5) + SILENCE_MAX;
        peer.on_received(end);
        assert_eq!(peer.timeout(), end);
        assert_eq!(peer.on_timeout(end), Err(Misbehaviour::Silent(SILENCE_MS_MAX)));
        peer.on_flushed(6, end);
        assert_eq!(peer.on_timeout(end), Ok(None));
    }
}
