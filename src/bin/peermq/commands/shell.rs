//! `completions` and `man`, for packagers.

use clap::CommandFactory;
use clap_complete::generate;

use crate::args::{Arguments, CompletionsArgs};
use crate::context::Context;
use crate::error::CliError;

pub(super) async fn completions(context: &Context, args: CompletionsArgs) -> Result<(), CliError> {
    let mut script = Vec::new();
    generate(args.shell, &mut Arguments::command(), "peermq", &mut script);
    context.output.write(script).await
}

pub(super) async fn man(context: &Context) -> Result<(), CliError> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Arguments::command())
        .render(&mut page)
        .map_err(|error| CliError::output(&error))?;
    context.output.write(page).await
}
