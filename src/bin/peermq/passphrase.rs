//! Where a passphrase comes from: the file that `PEERMQ_PASSPHRASE_FILE` names, or the terminal.

use std::env;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::Path;

use peermq::limits::PASSPHRASE_SIZE_MAX;
use peermq::node::directory::{AskPassphrase, Passphrase};

const VARIABLE: &str = "PEERMQ_PASSPHRASE_FILE";

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
    Passphrase::new(rpassword::prompt_password(text)?.into_bytes())
}
