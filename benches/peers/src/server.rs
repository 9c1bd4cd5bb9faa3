//! A server process of its own, in a directory of its own.

use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Outcome;

/// Runs as long as this value, and no longer than this program, however that ends. Nothing of it
/// stays, on the disk neither.
pub struct Server {
    /// A shell beside the server. It waits for the end of its input, which is the end of this value
    /// or of this program, then kills the server and deletes its directory.
    keeper: Child,
}

impl Server {
    /// Starts a server, in an empty directory below `dir`, that is told to listen on a free port of
    /// loopback, and waits until it does.
    pub fn start(
        dir: &Path,
        command: impl FnOnce(&Path, u16) -> Outcome<Command>,
    ) -> Outcome<(Self, u16)> {
        let port = free_port()?;
        let own_dir = tempfile::Builder::new().prefix("peer-").tempdir_in(dir)?;
        let command = command(own_dir.path(), port)?;
        let server = Self { keeper: keep(&command, own_dir.path())? };
        let own_dir = own_dir.keep();
        server.wait_for(port, &own_dir.join(OUTPUT))?;
        Ok((server, port))
    }

    fn wait_for(&self, port: u16, output: &Path) -> Outcome<()> {
        let deadline = Instant::now() + START_MAX;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > deadline {
                let said = std::fs::read_to_string(output).unwrap_or_default();
                return Err(
                    format!("no connections taken in {START_MAX:?}; it said: {said}").into()
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // Nobody is left to tell when even waiting fails.
        let _ = self.keeper.wait();
    }
}

/// Starts `command` under a keeper, which is in a process group of its own: Ctrl-C reaches all of
/// the terminal's.
fn keep(command: &Command, dir: &Path) -> Outcome<Child> {
    let mut keeper = Command::new("sh");
    keeper.args(["-c", KEEPER, "keeper"]).arg(dir).arg(OUTPUT);
    keeper.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => keeper.env(name, value),
            None => keeper.env_remove(name),
        };
    }
    Ok(keeper.stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0).spawn()?)
}

/// A port that was free a moment ago.
pub fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Where the path has a program.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
}

const KEEPER: &str = r#"
dir=$1 output=$2
shift 2
"$@" </dev/null >"$dir/$output" 2>&1 &
read -r _
kill -KILL $!
wait
rm -rf "$dir"
"#;
/// A server's own words, in its directory.
const OUTPUT: &str = "output";
/// RabbitMQ takes 10 s on two idle cores.
const START_MAX: Duration = Duration::from_secs(120);
