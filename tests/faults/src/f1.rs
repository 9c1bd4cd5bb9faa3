//! F1: a disk that refuses the n-th sync or the n-th write to a file, for every n.
//!
//! A sender or a receiver meets the fault. It may go on where no answer hangs on that file, else it
//! must end by itself, with an error and without a panic; what it has confirmed is there afterwards,
//! and all goes on.

use peermq_storage::Kind;

use crate::harness::{Options, Outcome};
use crate::report::Report;
use crate::sweep;
use crate::trace::Harm;

/// Fails every sync and every write, or one in `--count`.
///
/// # Errors
/// When there is no program.
pub(crate) fn run(store: Kind, options: &Options, report: &mut Report) -> Outcome {
    sweep::run(store, options, Harm::FailSync, report)?;
    sweep::run(store, options, Harm::FailWrite, report)
}
