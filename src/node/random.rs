//! Random bytes of the operating system, drawn in advance: a system call for many sends.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use zeroize::Zeroize;

use super::error::NodeError;

/// Bytes of the system's generator, each given once and wiped.
///
/// A machine that is set back to an earlier moment gives the same bytes again, as its generator
/// may: salts, for which these are, do not rest on them alone.
pub(super) struct Random(Mutex<Pool>);

struct Pool {
    bytes: [u8; POOL_SIZE],
    used: usize,
}

impl Random {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Pool { bytes: [0; POOL_SIZE], used: POOL_SIZE }))
    }

    /// The next 32 bytes.
    ///
    /// # Errors
    /// [`NodeError::Random`] when the system gives none.
    pub(super) fn draw(&self) -> Result<[u8; 32], NodeError> {
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Pool { bytes, used } = &mut *pool;
        if *used == POOL_SIZE {
            getrandom::fill(bytes).map_err(NodeError::Random)?;
            *used = 0;
        }
        let rest = bytes.get_mut(*used..).unwrap_or_default();
        let next = rest.first_chunk_mut().expect("the pool is a multiple of what is drawn");
        let drawn = *next;
        next.zeroize();
        *used += drawn.len();
        Ok(drawn)
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random(..)")
    }
}

/// Bytes drawn at once: for 32 sends.
const POOL_SIZE: usize = 32 * 32;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_bytes_are_given_twice_and_none_are_kept() {
        let random = Random::new();
        let drawn: BTreeSet<_> = (0..100).map(|_| random.draw().unwrap()).collect();
        assert_eq!(drawn.len(), 100);
        let pool = random.0.lock().unwrap();
        assert_eq!(pool.used, 4 * 32);
        assert_eq!(pool.bytes[..4 * 32], [0; 4 * 32]);
    }
}
