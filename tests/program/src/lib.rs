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
/// and a test of one package alone has it built when there is none, or one of older sources.
///
/// # Errors
/// When it cannot be built.
pub fn beside(harness: &str) -> io::Result<PathBuf> {
    let path = Path::new(harness).with_file_name(NAME);
    if !is_fresh(&path).unwrap_or(false) {
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

/// Whether no source of the program is newer than it is. To ask cargo itself would have it build again
/// with other features than the workspace's tests have.
fn is_fresh(program: &Path) -> io::Result<bool> {
    let made = program.metadata()?.modified()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut folders = vec![root.join("src"), root.join("storage-adapters/src")];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir()? {
            let (path, metadata) = entry.and_then(|it| Ok((it.path(), it.metadata()?)))?;
            if path.file_stem().is_some_and(|stem| stem == "tests") {
                continue;
            }
            if metadata.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") && metadata.modified()? > made
            {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

const NAME: &str = "peermq";
