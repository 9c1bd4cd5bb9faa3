//! How fast something may be done: one at a time, and so many a second.

use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep_until};

use crate::limits::FLIGHT_BURST_MS;

/// Gives turns. What was not used for a while may be used at once later, as much as
/// [`FLIGHT_BURST_MS`] would have given.
#[derive(Debug)]
pub(super) struct Pace {
    interval: Duration,
    next: Mutex<Instant>,
}

/// A turn, for as long as it is held.
pub(super) type Turn<'a> = MutexGuard<'a, Instant>;

impl Pace {
    pub(super) fn new(per_second: u32) -> Self {
        Self { interval: Duration::from_secs(1) / per_second, next: Mutex::new(Instant::now()) }
    }

    /// Waits for the next turn. Who waits no more has used none up.
    pub(super) async fn turn(&self) -> Turn<'_> {
        let mut next = self.next.lock().await;
        sleep_until(*next).await;
        self.use_up(&mut next);
        next
    }

    /// A turn, if one is free at this moment.
    pub(super) fn turn_now(&self) -> Option<Turn<'_>> {
        let mut next = self.next.try_lock().ok()?;
        if *next > Instant::now() {
            return None;
        }
        self.use_up(&mut next);
        Some(next)
    }

    fn use_up(&self, next: &mut Instant) {
        let burst = Duration::from_millis(FLIGHT_BURST_MS);
        let earliest = Instant::now().checked_sub(burst).unwrap_or(*next);
        *next = earliest.max(*next) + self.interval;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn after_a_burst_turns_come_at_their_pace() {
        let pace = Pace::new(1_000);
        tokio::time::advance(Duration::from_secs(60)).await;
        let began = Instant::now();
        for _ in 0..FLIGHT_BURST_MS {
            drop(pace.turn().await);
        }
        assert!(began.elapsed() <= Duration::from_millis(2), "{:?}", began.elapsed());
        for _ in 0..100 {
            drop(pace.turn().await);
        }
        let (least, most) = (Duration::from_millis(98), Duration::from_millis(104));
        assert!((least..=most).contains(&began.elapsed()), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn who_stops_waiting_uses_no_turn_up() {
        let pace = Pace::new(10);
        while pace.turn_now().is_some() {}
        let began = Instant::now();
        for _ in 0..50 {
            let gave_up = tokio::time::timeout(Duration::from_millis(1), pace.turn()).await;
            gave_up.unwrap_err();
        }
        drop(pace.turn().await);
        assert!(began.elapsed() <= Duration::from_millis(110), "{:?}", began.elapsed());
    }
}
