//! Time as an argument: a monotonic instant and a wall-clock reading, both plain numbers.

use std::ops::Add;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A monotonic instant in microseconds since an arbitrary start. Not std's, which no simulator can
/// make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(pub u64);

impl Instant {
    /// Time since `earlier`; zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Saturates, so that no duration can overflow it.
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }
}

/// A wall-clock reading in milliseconds since the Unix epoch. Shown to people and compared with
/// expiry; it never orders entries.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct UnixMs(pub u64);
