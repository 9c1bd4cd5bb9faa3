//! Processes of this same program, whose lines are shown and waited for.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::context::Context;
use crate::error::CliError;
use crate::output::Output;

/// Where the processes run and their lines are shown.
#[derive(Debug)]
pub(super) struct Stage {
    program: PathBuf,
    folder: PathBuf,
    output: Output,
}

impl Stage {
    pub(super) fn new(context: &Context, folder: &Path) -> Result<Self, CliError> {
        let program = std::env::current_exe().map_err(|error| {
            CliError::Failed(format!("expected to find this program's file, got: {error}"))
        })?;
        Ok(Self { program, folder: folder.to_owned(), output: context.output })
    }

    /// Prints a line of the demonstration's own.
    pub(super) async fn say(&self, text: &str) -> Result<(), CliError> {
        self.output.write(format!("{text}\n").into_bytes()).await
    }

    /// Runs a command to its end, and gives the last line of its results.
    pub(super) async fn run(&self, side: &'static str, words: &[&str]) -> Result<String, CliError> {
        let mut running = self.start(side, words).await?;
        let mut last = String::new();
        while let Some(line) = running.stdout.read(self, "the end of the command").await? {
            last = line;
        }
        while running.stderr.read(self, "the end of the command").await?.is_some() {}
        running.end().await?;
        Ok(last)
    }

    /// Starts a command that goes on.
    pub(super) async fn start(
        &self,
        side: &'static str,
        words: &[&str],
    ) -> Result<Running, CliError> {
        let directory = self.folder.join(side);
        let command = format!("$ peermq -d {} {}", directory.display(), words.join(" "));
        self.say(&self.output.emphasised(&command)).await?;
        let mut child = Command::new(&self.program)
            .arg("-d")
            .arg(directory)
            .args(words)
            .env_remove("PEERMQ_DATADIR")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(words, &error.to_string()))?;
        let stdout = Stream::new(side, child.stdout.take().expect("it is piped"));
        let stderr = Stream::new(side, child.stderr.take().expect("it is piped"));
        let command = words.join(" ");
        Ok(Running { command, child, stdout, stderr })
    }
}

/// A command that was started.
pub(super) struct Running {
    command: String,
    child: Child,
    pub(super) stdout: Stream,
    pub(super) stderr: Stream,
}

impl Running {
    /// Presses Ctrl-C, and waits for a clean end.
    pub(super) async fn interrupt(mut self) -> Result<(), CliError> {
        let id = self.child.id().map(|id| id.to_string()).unwrap_or_default();
        let sent = Command::new("sh").args(["-c", "kill -INT \"$0\"", &id]).status().await;
        sent.map_err(|error| failed(&[&self.command], &error.to_string()))?;
        self.end().await
    }

    async fn end(&mut self) -> Result<(), CliError> {
        let ended = timeout(PATIENCE, self.child.wait()).await;
        let got = match ended {
            Ok(Ok(status)) if status.success() => return Ok(()),
            Ok(Ok(status)) => status.to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("none within {} s", PATIENCE.as_secs()),
        };
        Err(failed(&[&self.command], &got))
    }
}

/// The lines of one stream of a process. They are shown as they are read.
pub(super) struct Stream {
    side: &'static str,
    lines: Lines<BufReader<Box<dyn AsyncRead + Send + Unpin>>>,
}

impl Stream {
    fn new(side: &'static str, stream: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let stream: Box<dyn AsyncRead + Send + Unpin> = Box::new(stream);
        Self { side, lines: BufReader::new(stream).lines() }
    }

    /// The next line, which must come.
    pub(super) async fn next(&mut self, stage: &Stage, awaited: &str) -> Result<String, CliError> {
        let line = self.read(stage, awaited).await?;
        line.ok_or_else(|| missing(awaited, "the end of the command"))
    }

    /// Reads up to a line that ends so.
    pub(super) async fn find(&mut self, stage: &Stage, end: &str) -> Result<(), CliError> {
        while !self.next(stage, end).await?.ends_with(end) {}
        Ok(())
    }

    /// The next line; `None` after the last one.
    async fn read(&mut self, stage: &Stage, awaited: &str) -> Result<Option<String>, CliError> {
        let line = match timeout(PATIENCE, self.lines.next_line()).await {
            Ok(Ok(line)) => line,
            Ok(Err(error)) => return Err(missing(awaited, &error.to_string())),
            Err(_) => {
                return Err(missing(awaited, &format!("nothing within {} s", PATIENCE.as_secs())));
            }
        };
        if let Some(line) = &line {
            stage.say(&format!("  {}| {line}", self.side)).await?;
        }
        Ok(line)
    }
}

fn missing(awaited: &str, got: &str) -> CliError {
    CliError::Failed(format!("expected {awaited:?}, got {got}"))
}

fn failed(words: &[&str], got: &str) -> CliError {
    CliError::Failed(format!("expected peermq {} to end well, got {got}", words.join(" ")))
}

/// How long a line may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
