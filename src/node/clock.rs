//! The node's clock: the one place that reads the time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::limits::DAY_CHECK_MS;
use crate::types::{Instant, UnixMs};

/// Reads the monotonic time, by the runtime's timers, and the wall time.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: tokio::time::Instant,
    wall: Wall,
}

/// A day by UTC: days since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcDay(pub u32);

#[derive(Debug, Clone, Copy)]
enum Wall {
    /// The machine's, which may jump.
    System,
    /// A reading at the start, from which it goes with the runtime's time.
    #[cfg(any(test, feature = "test-utils"))]
    Simulated(UnixMs),
}

impl Clock {
    /// A clock by the machine's wall time. Its instants count from now.
    #[must_use]
    pub fn system() -> Self {
        Self { start: tokio::time::Instant::now(), wall: Wall::System }
    }

    /// A clock whose wall time is `unix` now and then goes with the runtime's time, which a test
    /// may pause.
    #[cfg(any(test, feature = "test-utils"))]
    #[must_use]
    pub fn simulated(unix: UnixMs) -> Self {
        Self { start: tokio::time::Instant::now(), wall: Wall::Simulated(unix) }
    }

    /// The monotonic time.
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant::default() + self.start.elapsed()
    }

    /// The runtime's instant for one of this clock, to set a timer by.
    #[must_use]
    pub fn timer(&self, instant: Instant) -> tokio::time::Instant {
        let since_start = instant.since(Instant::default());
        self.start.checked_add(since_start).unwrap_or(self.start + FAR)
    }

    /// The wall time in nanoseconds since the Unix epoch; 0 before it.
    #[must_use]
    pub fn unix_ns(&self) -> u64 {
        u64::try_from(self.wall_time().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The wall time; 0 before the Unix epoch.
    #[must_use]
    pub fn unix_ms(&self) -> UnixMs {
        UnixMs(u64::try_from(self.wall_time().as_millis()).unwrap_or(u64::MAX))
    }

    /// The day by UTC.
    #[must_use]
    pub fn today(&self) -> UtcDay {
        self.unix_ms().into()
    }

    /// Waits until today is another day than `day`, and returns it.
    ///
    /// Timers stand still while the machine sleeps, and the wall time may be set anew, so it looks
    /// at the clock at least every [`DAY_CHECK_MS`].
    pub async fn day_after(&self, day: UtcDay) -> UtcDay {
        loop {
            let today = self.today();
            if today != day {
                return today;
            }
            let left_ms = DAY_MS - self.unix_ms().0 % DAY_MS;
            tokio::time::sleep(Duration::from_millis(left_ms.min(DAY_CHECK_MS))).await;
        }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the time")]
    fn wall_time(&self) -> Duration {
        match self.wall {
            Wall::System => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            #[cfg(any(test, feature = "test-utils"))]
            Wall::Simulated(unix) => Duration::from_millis(unix.0) + self.start.elapsed(),
        }
    }
}

impl UtcDay {
    /// Yesterday, today and tomorrow: whoever's clock is less than a day off is on one of them.
    #[must_use]
    pub const fn around(self) -> [Self; 3] {
        [Self(self.0.saturating_sub(1)), self, Self(self.0.saturating_add(1))]
    }
}

impl From<UnixMs> for UtcDay {
    fn from(unix: UnixMs) -> Self {
        Self(u32::try_from(unix.0 / DAY_MS).unwrap_or(u32::MAX))
    }
}

/// Milliseconds of a day; Unix time has no leap seconds.
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// What a timer too far to be set is set to: 30 years, as far as the runtime's timers go.
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_day_changes_at_midnight() {
        let noon = UnixMs(20_000 * DAY_MS + DAY_MS / 2);
        let clock = Clock::simulated(noon);
        assert_eq!(clock.today(), UtcDay(20_000));
        assert_eq!(clock.day_after(UtcDay(20_000)).await, UtcDay(20_001));
        assert_eq!(clock.unix_ms(), UnixMs(20_001 * DAY_MS));
        assert_eq!(clock.now(), Instant(DAY_MS / 2 * 1_000));
        assert_eq!(clock.day_after(UtcDay(19_000)).await, UtcDay(20_001));
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_rings_at_its_instant() {
        let clock = Clock::system();
        let instant = clock.now() + Duration::from_millis(1_500);
        tokio::time::sleep_until(clock.timer(instant)).await;
        assert!(clock.now() >= instant);
        assert!(clock.timer(Instant(u64::MAX)) > clock.timer(instant));
    }

    #[tokio::test]
    async fn the_wall_time_is_the_machines() {
        let clock = Clock::system();
        assert!(clock.today() > UtcDay(20_000) && clock.today() < UtcDay(60_000));
        assert_eq!(clock.unix_ns() / 1_000_000_000, clock.unix_ms().0 / 1_000);
    }
}
