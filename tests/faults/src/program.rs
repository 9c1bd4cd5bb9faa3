//! The program under test, and the data directories that it is run on.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use peermq_storage::Kind;

use crate::harness::Outcome;
use crate::running::{Ended, Running};

/// A `peermq` and the store that it makes directories with.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) store: Kind,
}

impl Program {
    /// The program at `path`, or the one that was built beside this one.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn find(path: Option<&Path>, store: Kind) -> Outcome<Self> {
        Ok(Self { path: peermq_program::find(path)?, store })
    }
}

/// A data directory and the commands on it.
#[derive(Debug)]
pub(crate) struct Node {
    program: Program,
    pub(crate) directory: PathBuf,
    /// Where nodes of one machine find each other.
    runtime: PathBuf,
}

impl Node {
    pub(crate) fn new(program: &Program, directory: PathBuf, runtime: &Path) -> Outcome<Self> {
        std::fs::create_dir_all(runtime)?;
        Ok(Self { program: program.clone(), directory, runtime: runtime.to_owned() })
    }

    /// The command, not yet started.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program.path);
        command
            .arg("-d")
            .arg(&self.directory)
            .args(["--store", self.program.store.name()])
            .args(words)
            .env("XDG_RUNTIME_DIR", &self.runtime)
            .env("PEERMQ_LOG", std::env::var_os("PEERMQ_LOG").unwrap_or_else(|| "error".into()))
            .env_remove("PEERMQ_DATADIR")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts a command.
    pub(crate) fn start(&self, words: &[&str]) -> Outcome<Running> {
        Running::start(self.command(words))
    }

    /// Starts a command with bytes on its standard input, which then ends.
    pub(crate) fn start_with(&self, words: &[&str], input: Vec<u8>) -> Outcome<Running> {
        let mut command = self.command(words);
        command.stdin(Stdio::piped());
        let mut running = Running::start(command)?;
        let stdin = running.child.stdin.take();
        std::thread::spawn(move || {
            // A command that is killed reads no further.
            drop(stdin.map(|mut stdin| stdin.write_all(&input)));
        });
        Ok(running)
    }

    /// Runs a command to its end, which must be a good one, and gives its results.
    pub(crate) fn results(&self, words: &[&str]) -> Outcome<Vec<String>> {
        self.results_with(words, Vec::new())
    }

    /// The same with bytes on its standard input.
    pub(crate) fn results_with(&self, words: &[&str], input: Vec<u8>) -> Outcome<Vec<String>> {
        let Ended { status, stdout, stderr } = self.start_with(words, input)?.finish()?;
        if status != Some(0) {
            let said = stderr.join("; ");
            return Err(format!("{}: {status:?}: {said}", words.join(" ")).into());
        }
        Ok(stdout)
    }

    /// The node's id, which the first call makes.
    pub(crate) fn id(&self) -> Outcome<String> {
        self.results(&["id"])?.pop().ok_or_else(|| "expected an id".into())
    }
}

/// An id that nobody has.
pub(crate) const PEER: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
