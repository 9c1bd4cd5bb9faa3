//! Running the program: nodes, commands that end, commands that go on.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A machine of its own for one test: a folder for everything, and for finding each other.
pub(crate) struct Machine {
    folder: TempDir,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A node's data directory, which need not exist yet.
    pub(crate) fn node(&self, name: &str) -> Node {
        let (directory, runtime) = (self.path(name), self.path("run"));
        Node { directory, runtime }
    }

    /// A path on this machine.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Two nodes that have added each other.
    pub(crate) fn pair(&self) -> (Node, Node) {
        let (a, b) = (self.node("a"), self.node("b"));
        a.succeeds(&["add-peer", &b.id()]);
        b.succeeds(&["add-peer", &a.id()]);
        (a, b)
    }
}

/// A data directory and the commands on it.
pub(crate) struct Node {
    pub(crate) directory: PathBuf,
    runtime: PathBuf,
}

/// What a command that has ended left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Node {
    /// The command, not yet started.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        std::fs::create_dir_all(&self.runtime).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_peermq"));
        command
            .arg("-d")
            .arg(&self.directory)
            .args(words)
            .env("XDG_RUNTIME_DIR", &self.runtime)
            .env_remove("PEERMQ_DATADIR")
            .env_remove("PEERMQ_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Ended {
        Running::start(self.command(words)).finish()
    }

    /// Runs a command to its end, with bytes on its standard input.
    pub(crate) fn run_with(&self, words: &[&str], input: &[u8]) -> Ended {
        let mut running = self.start_piped(words);
        let mut stdin = running.child.stdin.take().unwrap();
        let input = input.to_vec();
        // A command that fails early reads nothing; that is not the writer's concern.
        let writer = thread::spawn(move || drop(stdin.write_all(&input)));
        let ended = running.finish();
        writer.join().unwrap();
        ended
    }

    /// Runs a command that must succeed, and gives what it printed.
    pub(crate) fn succeeds(&self, words: &[&str]) -> String {
        self.run(words).succeeded(words)
    }

    /// Runs a command that must fail with `status`, a single line and no result; gives the line.
    pub(crate) fn fails(&self, status: i32, words: &[&str]) -> String {
        self.run(words).failed(status, words)
    }

    /// Starts a command that goes on.
    pub(crate) fn start(&self, words: &[&str]) -> Running {
        Running::start(self.command(words))
    }

    /// Starts a command whose standard input the test writes.
    pub(crate) fn start_piped(&self, words: &[&str]) -> Running {
        let mut command = self.command(words);
        command.stdin(Stdio::piped());
        Running::start(command)
    }

    /// Starts `listen`, and returns when it listens.
    pub(crate) fn listen(&self) -> Running {
        let listener = self.start(&["listen"]);
        let line = listener.error_line();
        assert!(line.starts_with("listening on "), "{line}");
        listener
    }

    pub(crate) fn id(&self) -> String {
        self.succeeds(&["id"]).trim_end().to_owned()
    }

    pub(crate) fn send(&self, to: &str, text: &str) {
        assert_eq!(self.succeeds(&["send", "--to", to, "--message", text]), "");
    }

    /// The process id in the lock file.
    pub(crate) fn holder(&self) -> u32 {
        let text = std::fs::read_to_string(self.directory.join("lock")).unwrap();
        text.trim().parse().unwrap()
    }
}

impl Ended {
    pub(crate) fn succeeded(self, words: &[&str]) -> String {
        assert_eq!(self.status, Some(0), "peermq {}: {}", words.join(" "), self.stderr);
        String::from_utf8(self.stdout).unwrap()
    }

    pub(crate) fn failed(self, status: i32, words: &[&str]) -> String {
        let said = format!("peermq {}: {self:?}", words.join(" "));
        assert_eq!(self.status, Some(status), "{said}");
        assert_eq!(self.stdout, b"", "{said}");
        assert!(self.stderr.starts_with("peermq: "), "{said}");
        assert_eq!(self.stderr.lines().count(), 1, "{said}");
        self.stderr.trim_end().to_owned()
    }
}

/// A command that runs; killed when dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    stdout: Receiver<Vec<u8>>,
    stderr: Receiver<Vec<u8>>,
    words: String,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
        let words = words.join(" ");
        let mut child = command.spawn().unwrap();
        let stdout = lines(child.stdout.take().unwrap());
        let stderr = lines(child.stderr.take().unwrap());
        Self { child, stdout, stderr, words }
    }

    /// The next line of results, as it is.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self.stdout.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(error) => {
                let stderr: Vec<_> = self.stderr.try_iter().map(text).collect();
                panic!(
                    "{}: expected a line, got {error}; on standard error: {stderr:?}",
                    self.words
                )
            }
        }
    }

    /// The next line of results.
    pub(crate) fn line(&self) -> String {
        text(self.bytes())
    }

    /// The next line of standard error.
    pub(crate) fn error_line(&self) -> String {
        let line = self.stderr.recv_timeout(PATIENCE);
        text(line.unwrap_or_else(|error| panic!("{}: expected a line, got {error}", self.words)))
    }

    /// Reads standard error up to a line that ends so.
    pub(crate) fn error_line_ending(&self, end: &str) {
        while !self.error_line().ends_with(end) {}
    }

    /// The next line of standard error that holds these words.
    pub(crate) fn error_line_with(&self, words: &str) -> String {
        loop {
            let line = self.error_line();
            if line.contains(words) {
                return line;
            }
        }
    }

    /// The next messages are these, from `first` on, and nothing comes between them.
    pub(crate) fn expect(&self, from: &str, first: u64, texts: &[&str]) {
        for (seq, text) in (first..).zip(texts) {
            assert_eq!(self.line(), format!("MESSAGE {from}@{seq} {text}"), "{}", self.words);
        }
    }

    /// Lines that are there already.
    pub(crate) fn lines_at_hand(&self) -> Vec<String> {
        self.stdout.try_iter().map(text).collect()
    }

    /// Kills it (SIGKILL).
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it as Ctrl-C does, and gives what was left.
    pub(crate) fn interrupt(self) -> Ended {
        self.signal("INT");
        self.finish()
    }

    /// Ends it as a service manager does.
    pub(crate) fn terminate(self) -> Ended {
        self.signal("TERM");
        self.finish()
    }

    pub(crate) fn signal(&self, name: &str) {
        let script = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Ended {
        drop(self.child.stdin.take());
        let stdout = rest(&self.stdout, &self.words).concat();
        let stderr = rest(&self.stderr, &self.words).concat();
        // Both of its streams have ended, and so it has, or does at once.
        let status: ExitStatus = self.child.wait().unwrap();
        Ended { status: status.code(), stdout, stderr: text_of(stderr) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two nodes' exchange is over: the sender knows that all up to `last` is archived.
pub(crate) fn archived(connection: &Running, last: u64) {
    connection.error_line_ending(&format!("{last} archived"));
}

/// Copies a stopped node's directory as `cp -a` does.
pub(crate) fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

/// Carries what one node has for another, up to its message `last`.
pub(crate) fn deliver(from: &Node, to: &Node, last: u64) {
    let (listener, connection) = (to.listen(), from.start(&["connect", &to.id()]));
    archived(&connection, last);
    connection.interrupt();
    listener.interrupt();
}

/// `peermq verify` on a machine without any directory for it.
pub(crate) fn verify(words: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_peermq"));
    command.arg("verify").args(words).env_clear();
    command.stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::start(command).finish()
}

/// The lines of a stream, with their ends, as they come.
fn lines(stream: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = sync_channel(1 << 20);
    thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        loop {
            let mut line = Vec::new();
            match stream.read_until(b'\n', &mut line) {
                Ok(1..) if sender.send(line).is_ok() => {}
                _ => return,
            }
        }
    });
    receiver
}

fn rest(lines: &Receiver<Vec<u8>>, words: &str) -> Vec<Vec<u8>> {
    let mut rest = Vec::new();
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) => rest.push(line),
            Err(RecvTimeoutError::Disconnected) => return rest,
            Err(RecvTimeoutError::Timeout) => panic!("{words}: expected its end, got none"),
        }
    }
}

fn text(line: Vec<u8>) -> String {
    let text = text_of(line);
    text.strip_suffix('\n').map_or_else(|| text.clone(), str::to_owned)
}

fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// Writes a file for a test.
pub(crate) fn write(path: &Path, bytes: impl AsRef<[u8]>) -> String {
    std::fs::write(path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}
