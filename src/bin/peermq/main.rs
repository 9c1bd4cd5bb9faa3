//! The `peermq` program: a thin shell over the local API.
//!
//! `args` is the command line as it is written, `commands` what it means, `output` what it prints.

mod args;
mod commands;
mod context;
mod error;
mod escape;
mod notices;
mod output;
mod passphrase;
mod place;
mod progress;
mod proof;
mod quantity;
mod source;
mod time;
mod usage;

use std::io::{self, Write};
use std::panic;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::args::Arguments;
use crate::error::CliError;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage::refuse(&error),
    };
    start_log();
    quiet_engines();
    let done = commands::run(arguments);
    passphrase::restore_terminal();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            error.exit_code()
        }
    }
}

/// Writes the error's line, if it has one, to standard error.
fn complain(error: &CliError) {
    if let Some(line) = error.line() {
        // There is nowhere left to say that standard error is closed.
        let _ = writeln!(io::stderr(), "{line}");
    }
}

/// Shows what a node does, on standard error, when `PEERMQ_LOG` asks for it.
fn start_log() {
    if let Ok(filter) = EnvFilter::try_from_env("PEERMQ_LOG") {
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    }
}

/// A store's engine may panic on a damaged file or a failing disk. That is caught and told as an error,
/// which is enough.
fn quiet_engines() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if !peermq_storage::is_contained() {
            report(panic);
        }
    }));
}
