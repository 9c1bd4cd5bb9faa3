//! How long to wait before the next try.
//!
//! The ceiling doubles with each failure, and the wait is a random one between half of it and all
//! of it, so that peers cut off together do not come back together ("equal jitter":
//! <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>).

use std::time::Duration;

/// Waits that grow from one failure to the next, up to a bound.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    ceiling: Duration,
}

impl Backoff {
    /// Waits of at most `first` after one failure, twice that after the next, and never more than
    /// `longest`.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, ceiling: first }
    }

    /// How long to wait after one more failure; `random` is any number, each equally likely.
    pub fn wait(&mut self, random: u64) -> Duration {
        let half = self.ceiling / 2;
        let half_ns = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX - 1);
        self.ceiling = self.ceiling.saturating_mul(2).min(self.longest);
        half.saturating_add(Duration::from_nanos(random % (half_ns + 1)))
    }

    /// Forgets the failures: a try succeeded, or the network is another.
    pub const fn reset(&mut self) {
        self.ceiling = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(250);
    const LONGEST: Duration = Duration::from_secs(10);

    #[test]
    fn waits_double_up_to_the_bound_and_start_anew_after_a_success() {
        let mut backoff = Backoff::new(FIRST, LONGEST);
        let mut shortest = || backoff.wait(0).as_millis();
        assert_eq!([shortest(), shortest(), shortest()], [125, 250, 500]);
        let waits = [shortest(), shortest(), shortest(), shortest(), shortest()];
        assert_eq!(waits, [1_000, 2_000, 4_000, 5_000, 5_000]);
        backoff.reset();
        assert_eq!(backoff.wait(0), FIRST / 2);
    }

    #[test]
    fn a_wait_lies_between_half_the_ceiling_and_all_of_it() {
        proptest::proptest!(|(random: u64, failures in 0_u32..10)| {
            let mut backoff = Backoff::new(FIRST, LONGEST);
            for _ in 0..failures {
                backoff.wait(random);
            }
            let ceiling = (FIRST * 2_u32.pow(failures)).min(LONGEST);
            let wait = backoff.wait(random);
            assert!(wait >= ceiling / 2 && wait <= ceiling);
        });
    }

    #[test]
    fn no_bound_overflows() {
        let mut backoff = Backoff::new(Duration::MAX, Duration::MAX);
        assert!(backoff.wait(u64::MAX) <= Duration::MAX);
    }
}
