//! Places: which life of a log, which entry of the log, which entry between two nodes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which life of a log: a Unix second, or one more than the newest epoch known. u64.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Epoch(pub u64);

/// An entry's place in its author's log, from 0. u64.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Index(pub u64);

/// An entry's place among its author's entries to one recipient, from 0 and without gaps. u64.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Seq(pub u64);

macro_rules! display_as_number {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

display_as_number!(Epoch, Index, Seq);
