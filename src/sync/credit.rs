//! Credit for chunks: running totals, so that nothing is lost when messages cross.

use super::error::Misbehaviour;
use super::frame::Kind;
use crate::limits::{ADVANCE_FRAME_SIZE_MAX, CREDIT_WINDOW_SIZE};
use crate::planted;

/// What the receiver of chunks has granted.
#[derive(Debug)]
pub(super) struct Granted {
    /// Bytes that may be on their way or waiting.
    window: u64,
    total: u64,
    used: u64,
    stored: u64,
}

impl Granted {
    /// Nothing yet, for one of `log_count` logs that share a session's window. Each has room for a
    /// chunk, however many they are: it could not begin otherwise.
    pub(super) fn sharing(log_count: usize) -> Self {
        let count = u64::try_from(log_count).unwrap_or(u64::MAX).max(1);
        let window = (CREDIT_WINDOW_SIZE / count).max(ADVANCE_FRAME_SIZE_MAX);
        Self { window, total: 0, used: 0, stored: 0 }
    }

    /// Counts a chunk that came.
    pub(super) fn use_up(&mut self, size: usize) -> Result<(), Misbehaviour> {
        let used = u64::try_from(size).ok().and_then(|size| self.used.checked_add(size));
        let used = used.ok_or(Misbehaviour::Numbers(Kind::Advance))?;
        if used > self.total {
            return Err(Misbehaviour::OverCredit { granted: self.total, used });
        }
        self.used = used;
        Ok(())
    }

    /// Chunks of this size are stored, or were dropped.
    pub(super) fn release(&mut self, size: usize) {
        let size = u64::try_from(size).unwrap_or(u64::MAX);
        self.stored = self.stored.saturating_add(size).min(self.used);
    }

    /// Whether the author may send the largest chunk.
    pub(super) const fn covers_a_chunk(&self) -> bool {
        self.total.saturating_sub(self.used) >= ADVANCE_FRAME_SIZE_MAX
    }

    /// A new total, when the quota's `room` allows at least one chunk more than was granted, or
    /// one chunk to an author that has too little left for any.
    pub(super) fn raise(&mut self, room: u64) -> Option<u64> {
        let chunk = ADVANCE_FRAME_SIZE_MAX;
        let stored = if planted::is("wrong-credit") { 0 } else { self.stored };
        let total = stored.saturating_add(room.max(chunk).min(self.window));
        let is_chunk_more = total >= self.total.saturating_add(chunk);
        let (covered, would_cover) = (self.total - self.used, total.saturating_sub(self.used));
        let ends_a_wait = covered < chunk && would_cover >= chunk && !planted::is("credit-stalls");
        // Without room nothing is granted; the last chunk that room allows may pass the quota.
        if room == 0 || !(is_chunk_more || ends_a_wait) {
            return None;
        }
        self.total = total;
        Some(total)
    }
}

/// What the author may still send.
#[derive(Debug, Default)]
pub(super) struct Allowance {
    total: u64,
    used: u64,
}

impl Allowance {
    /// Takes a new total in.
    pub(super) fn raise(&mut self, total: u64) -> Result<(), Misbehaviour> {
        if total < self.total {
            return Err(Misbehaviour::Numbers(Kind::Credit));
        }
        self.total = total;
        Ok(())
    }

    /// Whether the largest chunk may be sent.
    pub(super) const fn covers_a_chunk(&self) -> bool {
        self.total.saturating_sub(self.used) >= ADVANCE_FRAME_SIZE_MAX
    }

    /// Counts a chunk that was sent.
    pub(super) fn use_up(&mut self, size: usize) {
        self.used = self.used.saturating_add(u64::try_from(size).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_side_grants_the_other_may_use_and_no_more() {
        let (mut granted, mut allowance) = (Granted::sharing(1), Allowance::default());
        assert!(!allowance.covers_a_chunk());
        allowance.raise(granted.raise(u64::MAX).unwrap()).unwrap();
        let (mut sent, mut sent_size) = (0, 0);
        while allowance.covers_a_chunk() {
            allowance.use_up(100_000);
            granted.use_up(100_000).unwrap();
            sent += 100_000;
            sent_size += 100_000;
        }
        assert!(sent > CREDIT_WINDOW_SIZE - ADVANCE_FRAME_SIZE_MAX);
        assert_eq!(granted.raise(u64::MAX), None, "nothing is stored yet");
        granted.release(sent_size);
        allowance.raise(granted.raise(u64::MAX).unwrap()).unwrap();
        assert!(allowance.covers_a_chunk());
        let whole_window = usize::try_from(CREDIT_WINDOW_SIZE).unwrap() + 1;
        assert!(matches!(granted.use_up(whole_window), Err(Misbehaviour::OverCredit { .. })));
    }

    #[test]
    fn a_full_quota_grants_nothing_and_a_nearly_full_one_a_chunk() {
        let mut granted = Granted::sharing(1);
        assert_eq!(granted.raise(0), None);
        assert_eq!(granted.raise(1), Some(ADVANCE_FRAME_SIZE_MAX));
    }

    #[test]
    fn all_logs_of_a_session_share_one_window_but_each_gets_a_chunk() {
        let all = |count: usize| -> u64 {
            (0..count).map(|_| Granted::sharing(count).raise(u64::MAX).unwrap()).sum()
        };
        assert_eq!(all(1), CREDIT_WINDOW_SIZE);
        assert!((2..=7).all(|count| all(count) <= CREDIT_WINDOW_SIZE));
        assert_eq!(all(16), 16 * ADVANCE_FRAME_SIZE_MAX);
    }

    #[test]
    fn a_quota_of_less_than_a_chunk_lets_one_small_chunk_after_another_through() {
        let (mut granted, mut allowance) = (Granted::sharing(1), Allowance::default());
        for _ in 0..1_000 {
            allowance.raise(granted.raise(100).unwrap()).unwrap();
            assert!(allowance.covers_a_chunk());
            assert_eq!(granted.raise(100), None, "one chunk is covered");
            allowance.use_up(300);
            granted.use_up(300).unwrap();
            assert!(!allowance.covers_a_chunk());
            assert_eq!(granted.raise(100), None, "it is not stored yet");
            granted.release(300);
        }
    }

    #[test]
    fn a_total_never_shrinks() {
        let mut allowance = Allowance::default();
        allowance.raise(u64::MAX).unwrap();
        assert_eq!(allowance.raise(5), Err(Misbehaviour::Numbers(Kind::Credit)));
    }
}
