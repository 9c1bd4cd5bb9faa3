//! What expired so long ago that its body may go.
//!
//! An expired message is not offered. It goes a day later, and not a day by the clock, which may be
//! wrong: the lowest time that the clock showed throughout a day of this node's uptime is past its
//! end. What is not read then is rejected, and so its author hears of it.
//!
//! ```text
//! uptime   |------- a day -------|------- a day -------|
//! lowest   t1                    t2                      what expired by t1 lapses from here on
//! ```
//!
//! The row `lapse` is written from the first message on that ever expires.

use peermq_storage::{Batch, Store};
use serde::{Deserialize, Serialize};

use super::error::QueueError;
use super::row;
use crate::limits::LAPSE_UPTIME_MS;
use crate::log::layout;
use crate::types::UnixMs;

/// How long what expires has been expired.
#[derive(Debug)]
pub(super) struct Lapse {
    days: Option<Days>,
    is_changed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Days {
    /// What expired by then has been expired for a day of uptime.
    lapsed: UnixMs,
    /// The lowest time of the day that has begun.
    lowest: UnixMs,
    /// How far it has come, in milliseconds.
    uptime: u64,
}

impl Lapse {
    /// As the store tells.
    pub(super) fn open(store: &dyn Store) -> Result<Self, QueueError> {
        let row = store.get(&layout::meta(LAPSE))?;
        let damaged = || QueueError::Damaged("the day of what expires");
        let days = row.map(|row| row::decode(&row).ok_or_else(damaged)).transpose()?;
        Ok(Self { days, is_changed: false })
    }

    /// There is something that expires.
    pub(super) fn begin(&mut self) {
        if self.days.is_none() {
            self.days = Some(Days { lapsed: UnixMs(0), lowest: UnixMs(u64::MAX), uptime: 0 });
            self.is_changed = true;
        }
    }

    /// What expired by this time may go.
    pub(super) fn lapsed(&self) -> UnixMs {
        self.days.map_or(UnixMs(0), |days| days.lapsed)
    }

    /// The node has run for so many milliseconds more. Returns whether more may go than before.
    pub(super) fn pass(&mut self, now: UnixMs, uptime: u64) -> bool {
        let Some(days) = &mut self.days else { return false };
        self.is_changed = true;
        days.lowest = days.lowest.min(now);
        days.uptime = days.uptime.saturating_add(uptime);
        if days.uptime < LAPSE_UPTIME_MS {
            return false;
        }
        let Days { lapsed, lowest, .. } = *days;
        *days = Days { lapsed: lapsed.max(lowest), lowest: now, uptime: 0 };
        days.lapsed > lapsed
    }

    /// Puts what has changed into the batch.
    pub(super) fn stage(&mut self, batch: &mut Batch) {
        if let Some(days) = self.days.filter(|_| std::mem::take(&mut self.is_changed)) {
            batch.put(layout::meta(LAPSE), row::encode(&days));
        }
    }
}

/// The name of the row.
pub(super) const LAPSE: &str = "lapse";

#[cfg(test)]
mod tests {
    use peermq_storage::MemoryStore;

    use super::*;

    const HOUR: u64 = 60 * 60 * 1_000;

    fn begun() -> Lapse {
        let mut lapse = Lapse::open(&MemoryStore::new()).unwrap();
        lapse.begin();
        lapse
    }

    #[test]
    fn a_day_of_uptime_passes_before_anything_lapses() {
        let mut lapse = begun();
        for hour in 1..24 {
            assert!(!lapse.pass(UnixMs(hour * HOUR), HOUR));
        }
        assert_eq!(lapse.lapsed(), UnixMs(0));
        assert!(lapse.pass(UnixMs(24 * HOUR), HOUR));
        assert_eq!(lapse.lapsed(), UnixMs(HOUR));
        // However late it is by the clock.
        assert!(!lapse.pass(UnixMs(999 * HOUR), HOUR));
        assert_eq!(lapse.lapsed(), UnixMs(HOUR));
    }

    #[test]
    fn a_clock_that_is_far_ahead_for_less_than_a_day_does_no_harm() {
        let mut lapse = begun();
        for hour in 1..=48 {
            let wrong = if hour % 24 == 9 { 0 } else { 9_999 * HOUR };
            lapse.pass(UnixMs(hour * HOUR + wrong), HOUR);
        }
        assert_eq!(lapse.lapsed(), UnixMs(33 * HOUR));
    }

    #[test]
    fn a_clock_that_goes_back_takes_nothing_back() {
        let mut lapse = begun();
        assert!(lapse.pass(UnixMs(50 * HOUR), 24 * HOUR));
        assert!(!lapse.pass(UnixMs(HOUR), 24 * HOUR));
        assert_eq!(lapse.lapsed(), UnixMs(50 * HOUR));
    }

    #[test]
    fn the_row_brings_it_back_and_a_node_without_expiry_writes_none() {
        let store = MemoryStore::new();
        let mut lapse = Lapse::open(&store).unwrap();
        let mut batch = Batch::new();
        assert!(!lapse.pass(UnixMs(1), 99 * HOUR));
        lapse.stage(&mut batch);
        assert!(batch.is_empty());
        lapse.begin();
        lapse.pass(UnixMs(8), 5 * HOUR);
        lapse.stage(&mut batch);
        store.commit(batch).unwrap();
        assert_eq!(Lapse::open(&store).unwrap().days, lapse.days);
        let days = Days { lapsed: UnixMs(5), lowest: UnixMs(300), uptime: 7 };
        assert_eq!(row::encode(&days)[..], [1, 5, 0xac, 2, 7]);
    }
}
