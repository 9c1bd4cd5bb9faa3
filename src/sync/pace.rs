//! How often a peer may have this node do what no credit covers.

use std::time::Duration;

use crate::types::Instant;

/// A token bucket: so many at once, and then so many a second. It keeps the time at which it is full
/// again (the generic cell rate algorithm, ITU-T I.371).
#[derive(Debug)]
pub(super) struct Pace {
    interval: Duration,
    burst: Duration,
    full: Instant,
}

impl Pace {
    /// A full bucket.
    pub(super) fn new(per_second: u32, burst: u32) -> Self {
        let interval = Duration::from_secs(1) / per_second;
        Self { interval, burst: interval * burst, full: Instant(0) }
    }

    /// Takes so many tokens, whether there are any or not: the debt has to be waited out.
    pub(super) fn take(&mut self, count: usize, now: Instant) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.full = self.full.max(now) + self.interval.saturating_mul(count);
    }

    /// When there is a token again.
    pub(super) fn free_at(&self) -> Instant {
        let burst = u64::try_from(self.burst.as_micros()).unwrap_or(u64::MAX);
        Instant(self.full.0.saturating_sub(burst))
    }

    /// Whether there is a token.
    pub(super) fn is_free(&self, now: Instant) -> bool {
        self.free_at() <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn taken_at_once(pace: &mut Pace, now: Instant) -> u32 {
        let mut count = 0;
        while pace.is_free(now) {
            pace.take(1, now);
            count += 1;
        }
        count
    }

    #[test]
    fn after_a_burst_tokens_come_at_their_pace() {
        let (mut pace, mut now) = (Pace::new(100, 20), Instant(7 * SECOND));
        assert_eq!(taken_at_once(&mut pace, now), 21);
        let begun = now;
        for _ in 0..300 {
            now = pace.free_at();
            pace.take(1, now);
        }
        assert_eq!(now.since(begun), Duration::from_secs(3));
    }

    #[test]
    fn a_pause_gives_no_more_than_the_burst_and_a_debt_is_waited_out() {
        let mut pace = Pace::new(100, 20);
        assert_eq!(taken_at_once(&mut pace, Instant(SECOND)), 21);
        assert_eq!(taken_at_once(&mut pace, Instant(3_600 * SECOND)), 21);
        pace.take(200, Instant(3_600 * SECOND));
        assert!(!pace.is_free(Instant(3_602 * SECOND)));
        assert!(pace.is_free(Instant(3_602 * SECOND + SECOND / 100)));
    }

    #[test]
    fn no_number_overflows_it() {
        let mut pace = Pace::new(1, u32::MAX);
        pace.take(usize::MAX, Instant(u64::MAX));
        pace.take(usize::MAX, Instant(u64::MAX));
        assert!(pace.is_free(Instant(u64::MAX)));
    }
}
