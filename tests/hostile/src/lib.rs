//! Attacks on a running node, over real sockets: what strangers, liars and cut connections cost it,
//! and that they come to nothing.
//!
//! The node is a `peermq listen` of its own process; what it uses is read from `/proc`. Figures mean
//! something on a release build whose node and attacker have cores of their own:
//!
//! ```text
//! cargo build --release
//! taskset -c 1 cargo run --release -p peermq-hostile -- --core 0 n1
//! ```
//!
//! Each command prints one JSON line: what was tried, what came of it, and what it cost.

pub mod author;
pub mod cuts;
pub mod floods;
pub mod liar;
pub mod lies;
pub mod proxy;
pub mod removal;
pub mod report;
pub mod scenes;
pub mod strangers;
pub mod target;

use std::error::Error;

/// What a step came to.
pub type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;
