//! This program again, as a process of its own: what it takes of memory is one node's, and no more.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use peermq_storage::Kind;

use crate::Outcome;

/// The first argument of such a process.
pub(crate) const ROLE: &str = "child";

/// A process that answers each line with one line, and ends with its input.
pub(crate) struct Child {
    process: std::process::Child,
    /// None once it was told that nothing more comes.
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// Memory of a process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    /// What is resident now.
    pub(crate) now_kib: f64,
    /// The most that ever was.
    pub(crate) peak_kib: f64,
}

impl Child {
    /// A process with `count` nodes in directories of their own below `dir`; 0 have only a runtime.
    pub(crate) fn with_nodes(store: Kind, dir: &Path, count: usize) -> Outcome<Self> {
        // As many descriptors as it may have: a thousand sessions take more than the usual 1 024.
        let mut process = Command::new("sh")
            .args(["-c", "ulimit -n \"$(ulimit -Hn)\"; exec \"$0\" \"$@\""])
            .arg(std::env::current_exe()?)
            .args([ROLE, store.name()])
            .arg(dir)
            .arg(count.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let requests = process.stdin.take().ok_or("expected a piped standard input")?;
        let answers = process.stdout.take().ok_or("expected a piped standard output")?;
        Ok(Self { process, requests: Some(requests), answers: BufReader::new(answers) })
    }

    /// Has it do something; gives what it answers when that is done.
    pub(crate) fn ask(&mut self, request: &str) -> Outcome<String> {
        let requests = self.requests.as_mut().ok_or("expected a process that is asked")?;
        writeln!(requests, "{request}")?;
        let mut answer = String::new();
        if self.answers.read_line(&mut answer)? == 0 {
            return Err(format!("expected an answer to {request:?}, got the end").into());
        }
        Ok(answer.trim_end().to_owned())
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn memory(&mut self) -> Outcome<Memory> {
        let answer = self.ask("memory")?;
        let mut sizes = answer.split(' ').map(str::parse);
        let (Some(now), Some(peak)) = (sizes.next(), sizes.next()) else {
            return Err(format!("expected two sizes, got {answer:?}").into());
        };
        Ok(Memory { now_kib: now?, peak_kib: peak? })
    }

    /// Ends it, and waits until its stores are closed.
    pub(crate) fn end(mut self) -> Outcome<()> {
        drop(self.requests.take());
        let status = self.process.wait()?;
        if status.success() { Ok(()) } else { Err(format!("a node's process: {status}").into()) }
    }
}

impl Drop for Child {
    /// One that fails to connect waits for ever, and does not look whether its requests have ended.
    fn drop(&mut self) {
        // It has ended already when it was waited for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
