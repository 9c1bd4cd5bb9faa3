//! Bugs planted on purpose, to show that a test finds them.
//!
//! They come to life only in a build with `RUSTFLAGS="--cfg peermq_planted"`, one at a time: the
//! one that the environment variable `PEERMQ_PLANTED` names. In any other build [`is`] is `false`
//! at compile time, and nothing of them is left. `tests/simulation/planted` runs them all.

/// Whether a bug is alive.
#[cfg(not(peermq_planted))]
pub(crate) const fn is(_bug: &str) -> bool {
    false
}

/// Whether a bug is alive.
#[cfg(peermq_planted)]
pub(crate) fn is(bug: &str) -> bool {
    static ALIVE: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    ALIVE.get_or_init(|| std::env::var("PEERMQ_PLANTED").ok()).as_deref() == Some(bug)
}
