//! What may happen often, and is told once a minute.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits::TELL_INTERVAL_MS;

/// Counts occurrences between two tellings.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    count: u64,
    told: Option<Instant>,
}

impl Seldom {
    /// Counts one more; gives how many came since the last telling, when it is time for one.
    pub(super) fn note(&mut self, now: Instant) -> Option<u64> {
        self.count = self.count.saturating_add(1);
        let since_told = self.told.map(|told| now.saturating_duration_since(told));
        if since_told.is_some_and(|since| since < Duration::from_millis(TELL_INTERVAL_MS)) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_those_of_a_minute_together() {
        let (mut seldom, begin) = (Seldom::default(), Instant::now());
        let at = |ms| begin + Duration::from_millis(ms);
        assert_eq!(seldom.note(at(0)), Some(1));
        assert_eq!(seldom.note(at(1)), None);
        assert_eq!(seldom.note(at(TELL_INTERVAL_MS - 1)), None);
        assert_eq!(seldom.note(at(TELL_INTERVAL_MS)), Some(3));
        assert_eq!(seldom.note(at(TELL_INTERVAL_MS + 1)), None);
        assert_eq!(seldom.note(at(9 * TELL_INTERVAL_MS)), Some(2));
    }
}
