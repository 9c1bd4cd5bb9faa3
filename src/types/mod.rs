//! The words of the domain as types: ids, places in a log, recipients, time, ranges of places.
//!
//! *Invariant*: a value of one of these types is already checked; raw bytes become an [`Id`] or
//! [`Ranges`] once, where they enter, and are never checked again. Deliberately absent: I/O, the
//! clock, and anything that hashes or signs.

pub(crate) mod bounded;
mod id;
mod place;
mod ranges;
mod recipient;
mod time;

pub use id::{Id, IdError};
pub use place::{Epoch, Index, Seq};
pub use ranges::{Ranges, RangesError};
pub use recipient::Recipient;
pub use time::{Instant, UnixMs};
