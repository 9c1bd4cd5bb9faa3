//! A second flush for one that waits too long.
//!
//! When a write of one of sled's own threads fails, sled notes the error and does not wake who waits
//! for that write in `flush` (`pagecache/logger.rs`, `exit_reservation`): it would wait for ever.
//! Another flush meets the error, returns it and wakes them all. On a disk that is merely slow it
//! waits beside the first.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A thread that looks now and then whether a flush has come any further; ended by a drop.
#[derive(Debug)]
pub(super) struct Watchdog {
    state: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Looks every `interval`, and calls `flush` when it finds the watched flush that it found the
    /// last time.
    pub(super) fn start(
        interval: Duration,
        flush: impl Fn() + Send + 'static,
    ) -> std::io::Result<Self> {
        let state = Arc::new(AtomicU64::new(IDLE));
        let watched = Arc::clone(&state);
        let thread = thread::Builder::new().name("sled-watchdog".to_owned()).spawn(move || {
            let mut before = IDLE;
            loop {
                thread::park_timeout(interval);
                let now = watched.load(Ordering::Acquire);
                match look(before, now) {
                    Sight::End => return,
                    Sight::Stuck => flush(),
                    Sight::Well => before = now,
                }
            }
        })?;
        Ok(Self { state, thread: Some(thread) })
    }

    /// Runs a flush under watch; there is one at a time.
    pub(super) fn watch<T>(&self, flush: impl FnOnce() -> T) -> T {
        self.state.fetch_add(1, Ordering::Release);
        let flushed = flush();
        self.state.fetch_add(1, Ordering::Release);
        flushed
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.state.store(ENDED, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It holds a handle of the store until it has ended.
            let _ = thread.join();
        }
    }
}

/// What a look shows.
#[derive(Debug, PartialEq, Eq)]
enum Sight {
    /// The store is closed.
    End,
    /// One flush is under way since the last look.
    Stuck,
    /// None is, or it is another one.
    Well,
}

const fn look(before: u64, now: u64) -> Sight {
    match now {
        ENDED => Sight::End,
        _ if now == before && now % 2 == UNDER_WAY => Sight::Stuck,
        _ => Sight::Well,
    }
}

/// The state counts beginnings and ends, so it is odd while a flush is under way.
const IDLE: u64 = 0;
const UNDER_WAY: u64 = 1;
const ENDED: u64 = u64::MAX - 1;

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_flush_that_waits_is_helped_by_another() {
        let (help, helped) = channel();
        let help = move || help.send(()).expect("the test still listens");
        let watchdog = Watchdog::start(Duration::from_millis(1), help).unwrap();
        watchdog.watch(|| helped.recv().unwrap());
        watchdog.watch(|| helped.recv().unwrap());
        drop(watchdog);
        while helped.try_recv().is_ok() {}
        assert!(helped.recv().is_err(), "its thread has ended");
    }

    #[test]
    fn only_a_flush_that_was_under_way_at_the_last_look_is_stuck() {
        assert_eq!(look(IDLE, IDLE), Sight::Well);
        assert_eq!(look(IDLE, IDLE + UNDER_WAY), Sight::Well);
        assert_eq!(look(7, 7), Sight::Stuck);
        assert_eq!(look(7, 8), Sight::Well);
        assert_eq!(look(7, 9), Sight::Well);
        assert_eq!(look(8, 8), Sight::Well);
        assert_eq!(look(7, ENDED), Sight::End);
    }
}
