//! `passphrase`: under what the key is kept. No node may run on the directory meanwhile.

use std::path::Path;

use peermq::node::directory::{Directory, DirectoryError};

use crate::args::{PassphraseArgs, PassphraseChange};
use crate::context::{Context, blocking};
use crate::error::CliError;
use crate::passphrase;

pub(super) async fn run(context: &Context, args: PassphraseArgs) -> Result<(), CliError> {
    let path = context.directory()?;
    blocking(move || change(&path, args.change)).await
}

fn change(path: &Path, change: PassphraseChange) -> Result<(), CliError> {
    let failed = |error: DirectoryError| CliError::Failed(error.to_string());
    let mut seed = [0; 32];
    let mut random = [0; 40];
    let filled = getrandom::fill(&mut seed).and_then(|()| getrandom::fill(&mut random));
    filled.map_err(|error| CliError::Failed(format!("expected random bytes, got: {error}")))?;
    let directory = Directory::open_or_create(path).map_err(failed)?;
    let lock = directory.lock().map_err(failed)?;
    directory.id(|| seed).map_err(failed)?;
    let current = passphrase::current();
    let changed = match change {
        PassphraseChange::Remove => directory.remove_passphrase(&lock, Some(&current)),
        PassphraseChange::Set { file } => {
            let new = match file {
                Some(path) => passphrase::read(&path),
                None => passphrase::new(),
            };
            let new = new.map_err(|error| {
                CliError::Failed(format!("expected a new passphrase, got: {error}"))
            })?;
            directory.set_passphrase(&lock, Some(&current), &new, random)
        }
    };
    changed.map_err(failed)
}
