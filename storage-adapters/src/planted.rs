//! Bugs planted on purpose, here and in the layers above, to show that a test finds them.
//!
//! They come to life only in a build with `--cfg peermq_planted`, one at a time: the one that the
//! environment variable `PEERMQ_PLANTED` names. In any other build [`is`] is `false` at compile
//! time, and nothing of them is left. `tests/simulation/planted` and `tests/faults/planted` run them
//! all.

/// Whether a bug is alive.
#[cfg(not(peermq_planted))]
#[must_use]
pub const fn is(_bug: &str) -> bool {
    false
}

/// Whether a bug is alive.
#[cfg(peermq_planted)]
#[must_use]
pub fn is(bug: &str) -> bool {
    static ALIVE: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    ALIVE.get_or_init(|| std::env::var("PEERMQ_PLANTED").ok()).as_deref() == Some(bug)
}
