//! K2: SIGKILL at every call that writes, of a sender and of a receiver, and again while they recover.
//!
//! After each kill a command that only looks is killed as well, at one of its own calls, the next one
//! each time.

use peermq_storage::Kind;

use crate::harness::{Options, Outcome};
use crate::report::Report;
use crate::sweep;
use crate::trace::Harm;

/// Kills at every call, or at one in `--count`.
///
/// # Errors
/// When there is no program.
pub(crate) fn run(store: Kind, options: &Options, report: &mut Report) -> Outcome {
    sweep::run(store, options, Harm::Kill, report)
}
