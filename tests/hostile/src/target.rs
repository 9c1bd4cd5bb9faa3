//! The node under attack: a process of its own, and what it costs.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use peermq::types::Id;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::Outcome;

/// The program, and the core that it is held to.
#[derive(Debug, Clone)]
pub struct Program {
    /// Where it is.
    pub path: PathBuf,
    /// The core's number; any without one.
    pub core: Option<usize>,
}

/// A node that listens on loopback, with the log of its sessions.
#[derive(Debug)]
pub struct Target {
    program: Program,
    folder: TempDir,
    listener: Child,
    /// What it prints: messages, as JSON.
    pub printed: mpsc::UnboundedReceiver<String>,
    log: mpsc::UnboundedReceiver<String>,
    /// Who it is.
    pub id: Id,
    /// Where it listens.
    pub address: SocketAddr,
}

/// What a process has used.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Time on a processor.
    pub cpu: Duration,
    /// KiB of memory that are resident.
    pub resident_kib: u64,
    /// KiB that went to the disk.
    pub written_kib: u64,
}

impl Program {
    /// The program at `path`, or the one that was built beside this one.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(path: Option<&Path>, core: Option<usize>) -> Outcome<Self> {
        Ok(Self { path: peermq_program::find(path)?, core })
    }

    fn command(&self, folder: &Path, words: &[&str]) -> Command {
        let mut command = match self.core {
            Some(core) => {
                let mut command = Command::new("taskset");
                command.args(["-c", &core.to_string()]).arg(&self.path);
                command
            }
            None => Command::new(&self.path),
        };
        command
            .arg("-d")
            .arg(folder.join("node"))
            .args(words)
            .env("XDG_RUNTIME_DIR", folder)
            .env("PEERMQ_LOG", "peermq=info")
            .env("NO_COLOR", "1")
            .env_remove("PEERMQ_DATADIR")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}

impl Target {
    /// Starts a node that has added `peers`.
    ///
    /// # Errors
    /// When it does not come to listen.
    pub async fn start(program: &Program, peers: &[Id]) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let id = run(program.command(folder.path(), &["id"])).await?.trim_end().parse::<Id>()?;
        if !peers.is_empty() {
            let ids: Vec<_> = peers.iter().map(ToString::to_string).collect();
            let words: Vec<_> =
                ["add-peer"].into_iter().chain(ids.iter().map(|id| &**id)).collect();
            run(program.command(folder.path(), &words)).await?;
        }
        let listen = ["--json", "listen", "--addr", "127.0.0.1:0"];
        let mut listener = program.command(folder.path(), &listen).spawn()?;
        let printed = lines(listener.stdout.take().ok_or("expected a piped standard output")?);
        let mut log = lines(listener.stderr.take().ok_or("expected a piped standard error")?);
        let line = line_with(&mut log, "listening on ").await?;
        let address = line.trim_start_matches("listening on ").parse()?;
        Ok(Self { program: program.clone(), folder, listener, printed, log, id, address })
    }

    /// Runs a command on the node's directory to its good end, and gives what it printed.
    ///
    /// # Errors
    /// When it fails.
    pub async fn run(&self, words: &[&str]) -> Outcome<String> {
        run(self.program.command(self.folder.path(), words)).await
    }

    /// Has the node send so many messages of 1 000 bytes to a peer.
    ///
    /// # Errors
    /// When it fails.
    pub async fn send_many(&self, to: Id, count: usize) -> Outcome {
        let file = self.folder.path().join("lines");
        fs::write(&file, ["x".repeat(1_000), "\n".to_owned()].concat().repeat(count))?;
        let path = file.to_str().ok_or("expected a path in UTF-8")?;
        self.run(&["send", "--to", &to.to_string(), "--lines", path]).await.map(drop)
    }

    /// The log's next line that holds `text`.
    ///
    /// # Errors
    /// When none comes.
    pub async fn log_line(&mut self, text: &str) -> Outcome<String> {
        line_with(&mut self.log, text).await
    }

    /// The text of the next message that it prints.
    ///
    /// # Errors
    /// When none comes.
    pub async fn next_text(&mut self) -> Outcome<String> {
        let line = line_with(&mut self.printed, "\"from\"").await?;
        let message: Value = serde_json::from_str(&line)?;
        Ok(message.get("text").and_then(Value::as_str).unwrap_or_default().to_owned())
    }

    /// What `status` says.
    ///
    /// # Errors
    /// When it fails.
    pub async fn status(&self) -> Outcome<Value> {
        Ok(serde_json::from_str(&self.run(&["--json", "status"]).await?)?)
    }

    /// How many entries of a peer's log it has stored.
    ///
    /// # Errors
    /// When `status` fails.
    pub async fn stored_of(&self, peer: Id) -> Outcome<u64> {
        let status = self.status().await?;
        let peers = status.pointer("/peers").and_then(Value::as_array).ok_or("expected peers")?;
        let of_peer = peers.iter().find(|row| row["id"] == peer.to_string());
        let positions = of_peer.and_then(|row| row["positions"].as_array());
        let lengths = positions.into_iter().flatten().filter_map(|at| at["length"].as_u64());
        Ok(lengths.sum())
    }

    /// What `status` says of how the last session with a peer ended.
    ///
    /// # Errors
    /// When it says nothing.
    pub async fn how_it_ended(&self, peer: Id) -> Outcome<String> {
        let status = self.status().await?;
        let ended = status.pointer("/ended").and_then(Value::as_array).ok_or("expected ends")?;
        let of_peer = ended.iter().find(|row| row["peer"] == peer.to_string());
        let why = of_peer.and_then(|row| row["why"].as_str());
        Ok(why.ok_or_else(|| format!("expected an end, got {status}"))?.to_owned())
    }

    /// What its process has used.
    ///
    /// # Errors
    /// When `/proc` does not tell.
    pub fn usage(&self) -> Outcome<Usage> {
        let pid = self.listener.id().ok_or("expected the node to run")?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name, in parentheses, may hold anything; 14 and 15 are the times (proc(5)).
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks: u64 =
            fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.and_then(|size| size.split_whitespace().next());
        let resident_kib = resident.ok_or("expected VmRSS")?.parse()?;
        let io = fs::read_to_string(format!("/proc/{pid}/io"))?;
        let written = io.lines().find_map(|line| line.strip_prefix("write_bytes:"));
        let written: u64 = written.ok_or("expected write_bytes")?.trim().parse()?;
        let (cpu, written_kib) = (Duration::from_millis(ticks * MS_PER_TICK), written / 1_024);
        Ok(Usage { cpu, resident_kib, written_kib })
    }
}

async fn run(mut command: Command) -> Outcome<String> {
    let ended = timeout(PATIENCE, command.output()).await??;
    if !ended.status.success() {
        return Err(String::from_utf8_lossy(&ended.stderr).into_owned().into());
    }
    Ok(String::from_utf8(ended.stdout)?)
}

fn lines(stream: impl AsyncRead + Unpin + Send + 'static) -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

async fn line_with(lines: &mut mpsc::UnboundedReceiver<String>, text: &str) -> Outcome<String> {
    let mut others = Vec::new();
    loop {
        match timeout(PATIENCE, lines.recv()).await {
            Ok(Some(line)) if line.contains(text) => return Ok(line),
            Ok(Some(line)) => others.push(line),
            Ok(None) | Err(_) => {
                return Err(format!("expected a line with {text:?}, got {others:#?}").into());
            }
        }
    }
}

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// A clock tick is 1/100 s on every Linux (proc(5), `sysconf(_SC_CLK_TCK)`).
const MS_PER_TICK: u64 = 10;
