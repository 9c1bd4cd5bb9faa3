//! Where a passphrase comes from: the file that `PEERMQ_PASSPHRASE_FILE` names, or the terminal.

use std::env;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use peermq::limits::PASSPHRASE_SIZE_MAX;
use peermq::node::directory::{AskPassphrase, Passphrase};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

const VARIABLE: &str = "PEERMQ_PASSPHRASE_FILE";
/// The terminal as it was before a passphrase was asked for.
static TERMINAL: Mutex<Option<(File, Termios)>> = Mutex::new(None);

/// The one that the key is under.
pub(crate) fn current() -> AskPassphrase {
    AskPassphrase::new(|| match env::var_os(VARIABLE) {
        Some(path) => read(Path::new(&path)),
        None => prompt("passphrase: "),
    })
}

/// A new one, typed twice.
pub(crate) fn new() -> io::Result<Passphrase> {
    let typed = prompt("new passphrase: ")?;
    if prompt("the same again: ")? == typed {
        Ok(typed)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "two different passphrases"))
    }
}

/// The first line of a file, without its end.
pub(crate) fn read(path: &Path) -> io::Result<Passphrase> {
    let most = PASSPHRASE_SIZE_MAX + 2;
    // It does not grow, so that no copy is left behind.
    let mut bytes = Vec::with_capacity(most + 1);
    let in_file = |error: io::Error| io::Error::new(error.kind(), format!("{path:?}: {error}"));
    let limit = u64::try_from(most).expect("it is small");
    File::open(path).map_err(in_file)?.take(limit).read_to_end(&mut bytes).map_err(in_file)?;
    let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
    bytes.truncate(end.unwrap_or(bytes.len()));
    Passphrase::new(bytes).map_err(in_file)
}

fn prompt(text: &str) -> io::Result<Passphrase> {
    if !io::stderr().is_terminal() {
        let text = format!("no terminal to ask at: name a file in {VARIABLE}");
        return Err(io::Error::new(io::ErrorKind::NotConnected, text));
    }
    remember_terminal();
    Passphrase::new(rpassword::prompt_password(text)?.into_bytes())
}

fn remember_terminal() {
    let terminal = File::open("/dev/tty").and_then(|file| {
        let state = tcgetattr(&file)?;
        Ok((file, state))
    });
    let mut first = TERMINAL.lock().unwrap_or_else(PoisonError::into_inner);
    if first.is_none() {
        *first = terminal.ok();
    }
}

/// Makes the terminal show again what is typed: a program that ends while it asks, because it is
/// interrupted, leaves nobody else to do so.
pub(crate) fn restore_terminal() {
    if let Some((file, state)) = TERMINAL.lock().unwrap_or_else(PoisonError::into_inner).take() {
        // A terminal that has gone shows nothing anyway.
        let _ = tcsetattr(&file, OptionalActions::Now, &state);
    }
}
