//! Calls that never happen: their number and their answer are changed in the caller's registers, by
//! the names that those of x86-64 have.

use nix::errno::Errno;
use nix::unistd::Pid;

/// At its door: makes a thread's call one that does not exist.
///
/// # Errors
/// What kept it from being changed.
pub(super) fn forget_call(thread: Pid) -> Result<(), Errno> {
    let mut registers = nix::sys::ptrace::getregs(thread)?;
    registers.orig_rax = u64::MAX;
    nix::sys::ptrace::setregs(thread, registers)
}

/// On its way back: a thread is told that its call has failed, and with which error.
///
/// # Errors
/// What kept it from being changed.
pub(super) fn answer(thread: Pid, error: u64) -> Result<(), Errno> {
    let mut registers = nix::sys::ptrace::getregs(thread)?;
    registers.rax = error.wrapping_neg();
    nix::sys::ptrace::setregs(thread, registers)
}
