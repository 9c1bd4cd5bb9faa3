//! What a damaged store says of itself, asked in a process of its own: it may die or hang.

use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use peermq_storage::{Health, Kind, OpenError, Opened, StoreError};

use crate::harness::Outcome;
use crate::report::Report;
use crate::workload::{Unkept, batch, kept, opened};

/// What became of a damaged store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It opened as if nothing had happened, with so many batches.
    Clean(u64),
    /// It opened with a word that its last holder ended early, with so many batches.
    Recovered(u64),
    /// It said that it cannot be opened or read.
    Refused(String),
    /// It gave what was never there, died or hung.
    Wrong(String),
}

impl Verdict {
    /// Counts the verdict on a store that held `written` batches before the harm, all durable.
    pub(crate) fn report(self, written: u64, harm: &str, report: &mut Report) {
        report.count("faults");
        match self {
            Self::Clean(kept) | Self::Recovered(kept) if kept == written => report.count("intact"),
            Self::Recovered(kept) if kept < written => report.count("rolled back"),
            Self::Refused(_) => report.count("refused"),
            verdict => report.find(format!("{harm}: of {written} batches, {verdict:?}")),
        }
    }

    fn parse(line: &str) -> Option<Self> {
        let (word, rest) = line.split_once(' ')?;
        match word {
            "clean" => rest.parse().ok().map(Self::Clean),
            "recovered" => rest.parse().ok().map(Self::Recovered),
            "refused" => Some(Self::Refused(rest.to_owned())),
            "wrong" => Some(Self::Wrong(rest.to_owned())),
            _ => None,
        }
    }

    fn line(&self) -> String {
        match self {
            Self::Clean(kept) => format!("clean {kept}"),
            Self::Recovered(kept) => format!("recovered {kept}"),
            Self::Refused(why) => format!("refused {}", why.replace('\n', " ")),
            Self::Wrong(what) => format!("wrong {}", what.replace('\n', " ")),
        }
    }
}

/// The judging process.
#[derive(Debug)]
pub(crate) struct Judge {
    kind: Kind,
    process: Process,
}

impl Judge {
    /// Starts a judge of stores of a kind.
    ///
    /// # Errors
    /// What kept the process from starting.
    pub(crate) fn new(kind: Kind) -> io::Result<Self> {
        Ok(Self { kind, process: Process::start(kind)? })
    }

    /// Judges the store in a directory; its files may be other ones afterwards.
    ///
    /// # Errors
    /// What kept a new process from starting after the old one had died.
    pub(crate) fn judge(&mut self, dir: &Path) -> io::Result<Verdict> {
        let end = match self.process.ask(dir) {
            Ok(verdict) => return Ok(verdict),
            Err(end) => end,
        };
        self.process = Process::start(self.kind)?;
        Ok(Verdict::Wrong(end))
    }
}

#[derive(Debug)]
struct Process {
    child: Child,
    questions: ChildStdin,
    answers: Receiver<String>,
}

impl Process {
    fn start(kind: Kind) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["judge", kind.name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let questions = child.stdin.take().expect("it is piped");
        let stdout = child.stdout.take().expect("it is piped");
        let (sender, answers) = mpsc::sync_channel(1);
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { child, questions, answers })
    }

    /// The verdict, or how the process ended instead.
    fn ask(&mut self, dir: &Path) -> Result<Verdict, String> {
        // What a process that is gone does not take, it does not answer either.
        let _ = writeln!(self.questions, "{}", dir.display());
        match self.answers.recv_timeout(PATIENCE) {
            Ok(line) => Verdict::parse(&line).ok_or(line),
            Err(RecvTimeoutError::Timeout) => Err(format!("hung for {} s", PATIENCE.as_secs())),
            Err(RecvTimeoutError::Disconnected) => {
                Err(self.child.wait().map_or_else(|error| error.to_string(), |end| end.to_string()))
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Answers on stdout, a line each, for the directories that come in on stdin.
///
/// # Errors
/// What stdin or stdout refused.
pub(crate) fn serve(kind: Kind) -> Outcome<()> {
    for dir in io::stdin().lines() {
        let verdict = verdict(kind, &PathBuf::from(dir?));
        writeln!(io::stdout(), "{}", verdict.line())?;
    }
    Ok(())
}

/// Opens a store, counts its batches, commits one more, and looks whether all hold after a close.
fn verdict(kind: Kind, dir: &Path) -> Verdict {
    let (health, found) = match content(kind, dir) {
        Ok(content) => content,
        Err(verdict) => return verdict,
    };
    match content(kind, dir) {
        Ok((_, later)) if later == found + 1 => {}
        Ok((_, later)) => return Verdict::Wrong(format!("{found} batches, one more, {later}")),
        Err(Verdict::Refused(why)) => return Verdict::Wrong(format!("then refused: {why}")),
        Err(verdict) => return verdict,
    }
    if health == Health::Clean { Verdict::Clean(found) } else { Verdict::Recovered(found) }
}

/// How a store was found, and its number of batches before one more was committed.
fn content(kind: Kind, dir: &Path) -> Result<(Health, u64), Verdict> {
    let Opened { store, health } = opened(kind, dir).map_err(refusal)?;
    let kept = kept(&*store)?;
    store.commit(batch(kept)).map_err(Unkept::from)?;
    Ok((health, kept))
}

/// An open may find damage, and no more: no other error is an answer to it.
fn refusal(error: OpenError) -> Verdict {
    match error {
        OpenError::Corrupt(what) => Verdict::Refused(what),
        error => Verdict::Wrong(format!("{error:?}")),
    }
}

impl From<Unkept> for Verdict {
    fn from(unkept: Unkept) -> Self {
        match unkept {
            Unkept::Refused(StoreError::Corrupt(what)) => Self::Refused(what),
            unkept => Self::Wrong(format!("{unkept:?}")),
        }
    }
}

/// How long a judge may be silent before it hangs.
const PATIENCE: Duration = Duration::from_secs(30);
