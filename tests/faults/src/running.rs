//! A process and what it prints, read as it comes.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use crate::harness::Outcome;

/// A command that runs; killed when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) words: String,
    pub(crate) stdout: Printed,
    pub(crate) stderr: Printed,
}

/// What a command that has ended left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Nothing when a signal ended it.
    pub(crate) status: Option<i32>,
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: Vec<String>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Outcome<Self> {
        let words = words(&command);
        let mut child = command.spawn()?;
        let stdout = Printed::new(child.stdout.take().ok_or("expected a piped standard output")?);
        let stderr = Printed::new(child.stderr.take().ok_or("expected a piped standard error")?);
        Ok(Self { child, words, stdout, stderr })
    }

    /// Kills it (SIGKILL), and gives what it had still printed.
    pub(crate) fn kill(mut self) -> Outcome<Ended> {
        self.child.kill()?;
        self.finish()
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Outcome<Ended> {
        let (stdout, stderr) = (self.stdout.rest(&self.words)?, self.stderr.rest(&self.words)?);
        // Both of its streams have ended, and so it has, or does at once.
        Ok(Ended { status: self.child.wait()?.code(), stdout, stderr })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The words of a command, without those on where it runs.
pub(crate) fn words(command: &Command) -> String {
    let words = command.get_args().map(|word| word.to_string_lossy());
    words.skip_while(|word| *word != "--store").skip(2).collect::<Vec<_>>().join(" ")
}

/// The lines of a stream, in the order in which they come. One without an end is not given: its
/// writer was killed in the midst of it.
#[derive(Debug)]
pub(crate) struct Printed(Receiver<String>);

impl Printed {
    pub(crate) fn new(stream: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = sync_channel(LINE_COUNT_MAX);
        thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while stream.read_until(b'\n', &mut line).is_ok_and(|size| size > 0) {
                if line.pop() != Some(b'\n') {
                    return;
                }
                let text = String::from_utf8_lossy(&line).into_owned();
                if sender.send(text).is_err() {
                    return;
                }
                line.clear();
            }
        });
        Self(receiver)
    }

    /// The next line, unless none comes in time; an error when the stream has ended.
    pub(crate) fn next(&self, patience: Duration) -> Result<Option<String>, StreamEnded> {
        match self.0.recv_timeout(patience) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(StreamEnded),
        }
    }

    /// The lines that are there already.
    pub(crate) fn at_hand(&self) -> Vec<String> {
        self.0.try_iter().collect()
    }

    /// All lines up to the stream's end.
    pub(crate) fn rest(&self, words: &str) -> Outcome<Vec<String>> {
        let mut lines = Vec::new();
        loop {
            match self.next(PATIENCE) {
                Ok(Some(line)) => lines.push(line),
                Ok(None) => return Err(format!("{words}: it hangs").into()),
                Err(StreamEnded) => return Ok(lines),
            }
        }
    }
}

/// A process has closed its stream, mostly because it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StreamEnded;

/// How long anything may take on a busy machine: longer than a command that waits says it will
/// ([`WAIT`]), so that it is the command that tells what did not come. Only a run that fails waits
/// for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);
/// What a `send` that waits for its receipt is given as `--timeout`.
pub(crate) const WAIT: &str = "300s";
/// Lines that wait for the harness to read them.
const LINE_COUNT_MAX: usize = 1 << 20;
