//! Two nodes with fixed keys, a store in memory and no clock: whatever they do, they do the same
//! work each time. [`work`] is what is counted, `benches/micro.rs` what is timed.

mod node;
mod pair;
pub mod work;

use std::error::Error;

pub use node::Node;
pub use pair::Pair;

/// What a work ends with.
pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// Bytes of every text.
pub const TEXT_SIZE: usize = 100;
/// Messages that become durable in one step: a full block.
pub const GROUP_COUNT: usize = 256;
