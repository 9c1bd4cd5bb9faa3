//! `completions` and `man`, for packagers.

use std::fs;
use std::io;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_complete::generate;
use clap_mangen::Man;

use crate::args::{Arguments, CompletionsArgs, ManArgs};
use crate::context::Context;
use crate::error::CliError;

pub(super) async fn completions(context: &Context, args: CompletionsArgs) -> Result<(), CliError> {
    let mut script = Vec::new();
    generate(args.shell, &mut Arguments::command(), "peermq", &mut script);
    context.output.write(script).await
}

pub(super) async fn man(context: &Context, args: ManArgs) -> Result<(), CliError> {
    if let Some(folder) = &args.out {
        return write_pages(folder).map_err(|error| {
            CliError::Failed(format!("expected to write pages to {folder:?}, got: {error}"))
        });
    }
    let mut program = Arguments::command();
    // A page then names its command in full.
    program.build();
    let mut page = Vec::new();
    let command = find(&program, &args.command)?.clone();
    Man::new(command).render(&mut page).map_err(|error| CliError::output(&error))?;
    context.output.write(page).await
}

/// The page of the program, and one of each command that its help shows.
fn write_pages(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Arguments::command(), folder)
}

/// The command that these words name; the program itself without any.
fn find<'a>(program: &'a Command, words: &[String]) -> Result<&'a Command, CliError> {
    words.iter().try_fold(program, |command, word| {
        command.find_subcommand(word).ok_or_else(|| {
            CliError::Failed(format!("expected a command of {}, got {word:?}", command.get_name()))
        })
    })
}
