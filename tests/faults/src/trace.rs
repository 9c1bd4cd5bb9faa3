//! A process that is killed at its n-th call that writes.
//!
//! `strace -e inject=…:signal=SIGKILL:when=N` counts the calls of each thread for itself. The stores
//! write from several threads, so that most calls are the n-th of none. Here the calls of the whole
//! process are counted, and so each has its turn. The thread that makes the n-th call is stopped at
//! its door for a moment, as by a slow disk, while the others go on: what was told to anyone too
//! early is then told, and lost.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::harness::Outcome;
use crate::running::{Ended, Printed, words};

/// A command whose calls are counted.
#[derive(Debug)]
pub(crate) struct Traced {
    pid: Pid,
    words: String,
    pub(crate) stdout: Printed,
    pub(crate) stderr: Printed,
    tracer: JoinHandle<Result<Calls, Errno>>,
}

/// What became of a traced command.
#[derive(Debug)]
pub(crate) struct Calls {
    /// Calls that write, up to the kill or the end.
    pub(crate) count: u64,
    /// Nothing when it was killed.
    status: Option<i32>,
}

impl Traced {
    /// Starts a command that is killed at its call number `at`, from 1 on.
    pub(crate) fn start(command: Command, at: u64) -> Outcome<Self> {
        let words = words(&command);
        let (started, start) = channel();
        // Only the thread that traces a process may wait for it.
        let tracer = thread::spawn(move || trace(command, at, &started));
        let (mut child, pid) = start.recv()?;
        let stdout = Printed::new(child.stdout.take().ok_or("expected a piped standard output")?);
        let stderr = Printed::new(child.stderr.take().ok_or("expected a piped standard error")?);
        Ok(Self { pid, words, stdout, stderr, tracer })
    }

    /// Whether it has ended, or was killed.
    pub(crate) fn is_over(&self) -> bool {
        self.tracer.is_finished()
    }

    /// Asks it to end, as a service manager does.
    pub(crate) fn terminate(&self) -> Outcome {
        match kill(self.pid, Signal::SIGTERM) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits for its end; tells what it had still printed, and how many calls it made.
    pub(crate) fn finish(self) -> Outcome<(Ended, u64)> {
        let (stdout, stderr) = (self.stdout.rest(&self.words)?, self.stderr.rest(&self.words)?);
        let Calls { count, status } = self.tracer.join().expect("a tracer does not panic")?;
        Ok((Ended { status, stdout, stderr }, count))
    }
}

/// The tracer's thread: starts the command, and counts its calls to the end.
fn trace(command: Command, at: u64, started: &Sender<(Child, Pid)>) -> Result<Calls, Errno> {
    let child = stopped(command).map_err(|error| from_io(&error))?;
    let pid = Pid::from_raw(i32::try_from(child.id()).map_err(|_| Errno::ERANGE)?);
    waitpid(pid, Some(WaitPidFlag::WUNTRACED))?;
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_EXITKILL;
    ptrace::seize(pid, options)?;
    kill(pid, Signal::SIGCONT)?;
    // Nobody waits for the start but the one who asked for it.
    let _ = started.send((child, pid));
    Tracer { pid, at, count: 0, is_program: false, inside: BTreeSet::new(), killer: None }.run()
}

/// The command behind a shell that stops itself first, so that nothing is missed.
fn stopped(command: Command) -> std::io::Result<Child> {
    let mut shell = Command::new("sh");
    shell.args(["-c", "kill -STOP $$; exec \"$0\" \"$@\""]);
    shell.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
}

/// One process under trace.
struct Tracer {
    pid: Pid,
    at: u64,
    count: u64,
    /// Whether the shell has become the program.
    is_program: bool,
    /// Threads that are inside a call.
    inside: BTreeSet<Pid>,
    killer: Option<JoinHandle<()>>,
}

impl Tracer {
    fn run(mut self) -> Result<Calls, Errno> {
        loop {
            match waitpid(None, Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD))? {
                WaitStatus::PtraceSyscall(thread) => self.on_call(thread)?,
                WaitStatus::PtraceEvent(thread, _, event) => {
                    self.is_program |= event == libc::PTRACE_EVENT_EXEC;
                    resume(thread, None)?;
                }
                WaitStatus::Stopped(thread, signal) => resume(thread, Some(signal))?,
                WaitStatus::Exited(pid, status) if pid == self.pid => {
                    return Ok(self.end(Some(status)));
                }
                WaitStatus::Signaled(pid, ..) if pid == self.pid => return Ok(self.end(None)),
                _ => {}
            }
        }
    }

    fn on_call(&mut self, thread: Pid) -> Result<(), Errno> {
        let enters = self.inside.insert(thread);
        if !enters {
            self.inside.remove(&thread);
        }
        if enters && self.is_program && self.killer.is_none() && writes(thread) {
            self.count += 1;
            if self.count == self.at {
                let pid = self.pid;
                self.killer = Some(thread::spawn(move || {
                    thread::sleep(HELD);
                    // The others may have brought it to its end meanwhile.
                    let _ = kill(pid, Signal::SIGKILL);
                }));
                return Ok(());
            }
        }
        resume(thread, None)
    }

    fn end(self, status: Option<i32>) -> Calls {
        drop(self.killer.map(JoinHandle::join));
        Calls { count: self.count, status }
    }
}

/// Lets a thread go on to its next call, unless it was killed meanwhile.
fn resume(thread: Pid, signal: Option<Signal>) -> Result<(), Errno> {
    match ptrace::syscall(thread, signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether the call that a thread is about to make leaves something behind outside its process.
fn writes(thread: Pid) -> bool {
    let Ok(line) = fs::read_to_string(format!("/proc/{thread}/syscall")) else { return false };
    let mut words = line.split(' ');
    let Some(Ok(number)) = words.next().map(str::parse) else { return false };
    let arguments: Vec<_> =
        words.map_while(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok()).collect();
    let argument = |place: usize| arguments.get(place).copied().unwrap_or_default();
    if number == libc::SYS_openat {
        let flags = libc::O_CREAT | libc::O_TRUNC;
        return u64::try_from(flags).is_ok_and(|flags| argument(2) & flags != 0);
    }
    PATH_CALLS.contains(&number) || FILE_CALLS.contains(&number) && !is_inward(thread, argument(0))
}

/// Whether a descriptor only wakes the process itself.
fn is_inward(thread: Pid, descriptor: u64) -> bool {
    fs::read_link(format!("/proc/{thread}/fd/{descriptor}"))
        .is_ok_and(|target| target.to_string_lossy().starts_with("anon_inode:"))
}

fn from_io(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

/// Calls that change directories.
const PATH_CALLS: [libc::c_long; 12] = [
    libc::SYS_open,
    libc::SYS_creat,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_unlink,
    libc::SYS_unlinkat,
    libc::SYS_mkdir,
    libc::SYS_mkdirat,
    libc::SYS_rmdir,
    libc::SYS_link,
    libc::SYS_linkat,
];

/// Calls that write to what their first argument describes, or make it durable.
const FILE_CALLS: [libc::c_long; 12] = [
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_pwritev2,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_sync_file_range,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
];

/// How long a thread waits at the door of the call that is its last.
const HELD: Duration = Duration::from_millis(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_killed_at_each_of_its_calls_that_write() {
        let script = "echo one; echo two; echo three";
        for (at, lines) in [(1, 0), (2, 1), (3, 2), (4, 3)] {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            let traced = Traced::start(command, at).unwrap();
            let (ended, count) = traced.finish().unwrap();
            assert_eq!(ended.stdout.len(), lines);
            assert_eq!(ended.status, (at == 4).then_some(0));
            assert_eq!(count, at.min(3));
        }
    }
}
