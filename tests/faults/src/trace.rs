//! A process that is killed at its n-th call that writes, or whose n-th sync or write of a file fails.
//!
//! `strace -e inject=…:signal=SIGKILL:when=N` counts the calls of each thread for itself. The stores
//! write from several threads, so that most calls are the n-th of none. Here the calls of the whole
//! process are counted, and so each has its turn. The thread that makes the n-th call is stopped at
//! its door for a moment, as by a slow disk, while the others go on: what was told to anyone too
//! early is then told, and lost.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};
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

mod call;
mod registers;

use call::{Call, Effect};

/// What is done to a process at one of its calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Harm {
    /// It is killed at a call that leaves something behind outside of it.
    Kill,
    /// A sync of a file fails.
    FailSync,
    /// A write to a file fails.
    FailWrite,
}

/// A command whose calls are counted.
#[derive(Debug)]
pub(crate) struct Traced {
    pid: Pid,
    harmed: Arc<OnceLock<String>>,
    words: String,
    pub(crate) stdout: Printed,
    pub(crate) stderr: Printed,
    /// None once its end was waited for.
    tracer: Option<JoinHandle<Result<Calls, Errno>>>,
}

/// What became of a traced command.
#[derive(Debug)]
pub(crate) struct Calls {
    /// Calls of the kind that is harmed, up to the kill or the end.
    pub(crate) count: u64,
    /// The file whose call failed.
    pub(crate) harmed: Option<String>,
    /// Whether it has written to its standard output after that.
    pub(crate) is_told: bool,
    /// Nothing when it was killed.
    status: Option<i32>,
}

impl Traced {
    /// Starts a command that is harmed at its call number `at`, from 1 on.
    pub(crate) fn start(command: Command, harm: Harm, at: u64) -> Outcome<Self> {
        let words = words(&command);
        let (started, start) = channel();
        let harmed = Arc::new(OnceLock::new());
        let told = Arc::clone(&harmed);
        // Only the thread that traces a process may wait for it.
        let tracer = thread::spawn(move || trace(command, (harm, at), told, &started));
        let (mut child, pid) = start.recv()?;
        let stdout = Printed::new(child.stdout.take().ok_or("expected a piped standard output")?);
        let stderr = Printed::new(child.stderr.take().ok_or("expected a piped standard error")?);
        Ok(Self { pid, harmed, words, stdout, stderr, tracer: Some(tracer) })
    }

    /// The file whose call has failed.
    pub(crate) fn harmed(&self) -> Option<String> {
        self.harmed.get().cloned()
    }

    /// Asks it to end, as a service manager does.
    pub(crate) fn terminate(&self) -> Outcome {
        match kill(self.pid, Signal::SIGTERM) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits for its end; tells what it had still printed, and how many calls it made.
    pub(crate) fn finish(mut self) -> Outcome<(Ended, Calls)> {
        let (stdout, stderr) = (self.stdout.rest(&self.words)?, self.stderr.rest(&self.words)?);
        let tracer = self.tracer.take().expect("it is waited for once");
        let calls = tracer.join().expect("a tracer does not panic")?;
        Ok((Ended { status: calls.status, stdout, stderr }, calls))
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        if let Some(tracer) = self.tracer.take() {
            if !tracer.is_finished() {
                // It may end by itself meanwhile.
                let _ = kill(self.pid, Signal::SIGKILL);
            }
            drop(tracer.join());
        }
    }
}

/// The tracer's thread: starts the command, and counts its calls to the end.
fn trace(
    command: Command,
    (harm, at): (Harm, u64),
    harmed: Arc<OnceLock<String>>,
    started: &Sender<(Child, Pid)>,
) -> Result<Calls, Errno> {
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
    let (inside, failing, synced) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    Tracer {
        pid,
        harm,
        at,
        count: 0,
        is_program: false,
        inside,
        failing,
        synced,
        harmed,
        is_told: false,
        killer: None,
    }
    .run()
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
    harm: Harm,
    at: u64,
    count: u64,
    /// Whether the shell has become the program.
    is_program: bool,
    /// Threads that are inside a call.
    inside: BTreeSet<Pid>,
    /// Threads whose call is to fail.
    failing: BTreeSet<Pid>,
    /// Files to which nothing was written since they were synced.
    synced: BTreeSet<String>,
    /// The file whose call has failed.
    harmed: Arc<OnceLock<String>>,
    is_told: bool,
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
        if !self.inside.insert(thread) {
            self.inside.remove(&thread);
            if self.failing.remove(&thread) {
                registers::answer(thread, EIO)?;
            }
        } else if self.is_program && self.killer.is_none() {
            let Some(call) = Call::of(thread) else { return resume(thread, None) };
            self.is_told |= self.harmed.get().is_some() && call.is_told();
            if !self.is_idle(&call) && call.is_harmed_by(self.harm) {
                self.count += 1;
                if self.count == self.at {
                    return self.do_harm(&call);
                }
            }
        }
        resume(thread, None)
    }

    /// Whether a call syncs a file to which nothing was written since it was synced: nothing is lost
    /// when that fails, so it is no fault.
    fn is_idle(&mut self, call: &Call) -> bool {
        if self.harm != Harm::FailSync {
            return false;
        }
        match call.effect() {
            Effect::Synced => !self.synced.insert(call.file()),
            Effect::Written => {
                self.synced.remove(&call.file());
                false
            }
            Effect::Other => false,
        }
    }

    fn do_harm(&mut self, call: &Call) -> Result<(), Errno> {
        if self.harm != Harm::Kill {
            // It is another call, which there is not, and is told later what became of it.
            registers::forget_call(call.thread)?;
            self.failing.insert(call.thread);
            let _ = self.harmed.set(call.file());
            return resume(call.thread, None);
        }
        let pid = self.pid;
        self.killer = Some(thread::spawn(move || {
            thread::sleep(HELD);
            // The others may have brought it to its end meanwhile.
            let _ = kill(pid, Signal::SIGKILL);
        }));
        Ok(())
    }

    fn end(mut self, status: Option<i32>) -> Calls {
        if let Some(killer) = self.killer.take() {
            drop(killer.join());
        }
        let Self { count, harmed, is_told, .. } = self;
        Calls { count, harmed: harmed.get().cloned(), is_told, status }
    }
}

/// Lets a thread go on to its next call, unless it was killed meanwhile.
fn resume(thread: Pid, signal: Option<Signal>) -> Result<(), Errno> {
    match ptrace::syscall(thread, signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error),
    }
}

fn from_io(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

/// An error of the disk itself (errno(3), Linux).
const EIO: u64 = 5;

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
            let traced = Traced::start(command, Harm::Kill, at).unwrap();
            let (ended, calls) = traced.finish().unwrap();
            assert_eq!(ended.stdout.len(), lines);
            assert_eq!(ended.status, (at == 4).then_some(0));
            assert_eq!(calls.count, at.min(3));
        }
    }

    #[test]
    fn one_write_to_a_file_fails_and_what_is_told_after_it_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap().join("file");
        let mut command = Command::new("sh");
        command.args(["-c", "for n in 1 2 3; do echo $n >> $0; done; echo done"]).arg(&path);
        let traced = Traced::start(command, Harm::FailWrite, 2).unwrap();
        let (_, calls) = traced.finish().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "1\n3\n");
        assert_eq!((calls.count, calls.is_told), (3, true));
        assert_eq!(calls.harmed.as_deref(), path.to_str());
    }
}
