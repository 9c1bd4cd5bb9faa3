//! C4: a data directory is opened twice.
//!
//! One process holds the directory, or several want it at once. Through the library a second opener
//! is refused, with the holder's process id; so are commands that need the store for themselves.
//! Other commands are served by the holder, and none is lost when it is killed meanwhile.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::Args;
use peermq::node::directory::DirectoryError;
use peermq::node::{NodeError, Options as NodeOptions};
use peermq_storage::Kind;

use crate::harness::{Options, Outcome};
use crate::ledger::Ledger;
use crate::program::{Node, PEER, Program};
use crate::report::Report;
use crate::rng::Rng;
use crate::running::Running;

/// Opens directories twice, 50 times unless told otherwise.
///
/// # Errors
/// When there is no program.
pub(crate) fn run(store: Kind, options: &Options, report: &mut Report) -> Outcome {
    let program = Program::find(options.peermq.as_deref(), store)?;
    let folder = tempfile::tempdir()?;
    let node = Node::new(&program, folder.path().join("node"), &folder.path().join("run"))?;
    node.id()?;
    let mut rng = Rng::new(options.seed);
    let mut work = Work { node, store, ledger: Ledger::new("node") };
    for number in 0..options.count.unwrap_or(ROUND_COUNT) {
        if let Err(error) = work.round(&mut rng, report) {
            report.find(format!("round {number}: {error}"));
        }
        for found in work.ledger.take_findings() {
            report.find(format!("round {number}: {found}"));
        }
    }
    report.add("confirmed sends", work.ledger.confirmed_count());
    Ok(())
}

/// One directory that many want.
#[derive(Debug)]
struct Work {
    node: Node,
    store: Kind,
    ledger: Ledger,
}

impl Work {
    fn round(&mut self, rng: &mut Rng, report: &mut Report) -> Outcome {
        self.library(None, report)?;
        let holder = self.node.start(&["listen", "--addr", "127.0.0.1:0"])?;
        // It says so once it holds the directory.
        let line = holder.stderr.next(crate::running::PATIENCE);
        if !matches!(&line, Ok(Some(line)) if line.starts_with("listening on ")) {
            return Err(format!("expected a holder, got {line:?}").into());
        }
        let pid = holder.child.id();
        self.library(Some(pid), report)?;
        self.refused_command("check", pid, report)?;
        let sends = self.start_sends(1 + rng.below(4))?;
        if rng.once_in(2) {
            holder.kill()?;
            report.count("kills");
        }
        self.finish(sends, report)?;
        // Nobody holds it any more, or the listener does: whoever comes first is served by nobody.
        let sends = self.start_sends(1 + rng.below(4))?;
        self.finish(sends, report)?;
        let lines = self.node.results(&["messages", "--json", "--set", "sent"])?;
        let count = self.ledger.sender_lists(&lines);
        if count != self.ledger.confirmed_count() {
            let confirmed = self.ledger.confirmed_count();
            report.find(format!("{confirmed} sends were confirmed, and {count} are listed"));
        }
        Ok(())
    }

    /// Opens through the library; refused, with the holder's id, or twice in one process.
    fn library(&self, holder: Option<u32>, report: &mut Report) -> Outcome {
        let ended = Running::start(self.open_command()?)?.finish()?;
        let said = ended.stdout.concat();
        let expected = holder.map_or_else(|| OPENED.to_owned(), |pid| format!("{HELD} {pid}"));
        if said != expected {
            let errors = ended.stderr.join("; ");
            report.find(format!(
                "through the library: expected {expected:?}, got {said:?}: {errors}"
            ));
        }
        report.count(if holder.is_some() { "refused openers" } else { "openers" });
        Ok(())
    }

    fn open_command(&self) -> Outcome<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["open", "--store", self.store.name()]).arg(&self.node.directory);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command)
    }

    /// A command that needs the store for itself names the holder.
    fn refused_command(&self, word: &str, pid: u32, report: &mut Report) -> Outcome {
        let ended = self.node.start(&[word])?.finish()?;
        let said = ended.stderr.join("; ");
        if ended.status != Some(1) || !said.contains(&format!("process {pid}")) {
            report
                .find(format!("{word}: expected {pid} to hold it, got {:?}: {said}", ended.status));
        }
        report.count("refused openers");
        Ok(())
    }

    fn start_sends(&mut self, count: u64) -> Outcome<Vec<(u64, Running)>> {
        let start = |_| {
            let (attempt, texts) = self.ledger.attempt(1);
            let words = ["send", "--to", PEER, "--json"];
            Ok((attempt, self.node.start_with(&words, texts.concat().into_bytes())?))
        };
        (0..count).map(start).collect()
    }

    fn finish(&mut self, sends: Vec<(u64, Running)>, report: &mut Report) -> Outcome {
        for (attempt, send) in sends {
            let ended = send.finish()?;
            if ended.status != Some(0) {
                let said = ended.stderr.join("; ");
                report.find(format!("a send ended with {:?}: {said}", ended.status));
            }
            for line in &ended.stdout {
                self.ledger.confirm_line(attempt, line);
            }
            report.count("served commands");
        }
        Ok(())
    }
}

/// An opener through the library, in a process of its own.
#[derive(Debug, Args)]
pub(crate) struct Opener {
    /// The kind of the store.
    #[arg(long)]
    store: Kind,
    /// The data directory.
    dir: PathBuf,
}

impl Opener {
    /// Opens the directory, and says what came of it; what it holds it opens once more.
    ///
    /// # Errors
    /// What is no answer to the question who holds it.
    pub(crate) fn open(&self) -> Outcome<String> {
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(async {
            let open = || NodeOptions::new(&self.dir).store(self.store).open();
            let node = match open().await {
                Ok(node) => node,
                Err(NodeError::Directory(DirectoryError::Held { pid: Some(pid), .. })) => {
                    return Ok(format!("{HELD} {pid}"));
                }
                Err(error) => return Err(error.into()),
            };
            let second = open().await.map(drop);
            node.shutdown().await?;
            let me = std::process::id();
            match second {
                Err(NodeError::Directory(DirectoryError::Held { pid: Some(pid), .. }))
                    if pid == me =>
                {
                    Ok(OPENED.to_owned())
                }
                second => Err(format!("expected the lock of process {me}, got {second:?}").into()),
            }
        })
    }
}

const HELD: &str = "held by";
const OPENED: &str = "opened";
/// Rounds of a run that is not told how many.
const ROUND_COUNT: u64 = 50;
