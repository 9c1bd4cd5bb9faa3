//! Where the harnesses find the `peermq` program that they run.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program at `path`, or the one that was built beside this one.
///
/// # Errors
/// When there is none.
pub fn find(path: Option<&Path>) -> io::Result<PathBuf> {
    let path = match path {
        Some(path) => path.to_owned(),
        None => std::env::current_exe()?.with_file_name(NAME),
    };
    if !path.is_file() {
        let path = path.display();
        let what = format!("expected the program at {path}: build it, or say --peermq");
        return Err(io::Error::new(io::ErrorKind::NotFound, what));
    }
    path.canonicalize()
}

/// The program beside a harness, for the harness's tests: a build of the workspace has put it there,
/// and a test of one package alone has it built.
///
/// # Errors
/// When it cannot be built.
pub fn beside(harness: &str) -> io::Result<PathBuf> {
    let path = Path::new(harness).with_file_name(NAME);
    if !path.is_file() {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--locked", "--package", NAME, "--bin", NAME]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        if !build.status()?.success() {
            return Err(io::Error::other("expected the program to build"));
        }
    }
    Ok(path)
}

const NAME: &str = "peermq";
