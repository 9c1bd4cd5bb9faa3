//! `forks`: who has signed two versions of its log, and the proof of it.

use peermq::gateway::schema::Fork;

use crate::args::ForksArgs;
use crate::context::Context;
use crate::error::CliError;
use crate::output::Lines;
use crate::place::Life;
use crate::proof;

pub(super) async fn run(context: &Context, args: ForksArgs) -> Result<(), CliError> {
    match (args.ack, args.export) {
        (Some(life), _) => acknowledge(context, &life).await,
        (None, Some(life)) => export(context, &life, args.out.as_deref()).await,
        (None, None) => list(context).await,
    }
}

async fn list(context: &Context) -> Result<(), CliError> {
    context
        .with_client(async |client| {
            let mut lines = Lines::new(context.output);
            for fork in client.forks().await? {
                lines.push_result(&text(&fork), &fork);
            }
            context.output.write(lines.bytes).await
        })
        .await
}

async fn acknowledge(context: &Context, life: &str) -> Result<(), CliError> {
    let Life { author, epoch } = Life::parse(life)?;
    context.with_client(async |client| Ok(client.acknowledge_fork(author, epoch).await?)).await
}

async fn export(
    context: &Context,
    life: &str,
    file: Option<&std::path::Path>,
) -> Result<(), CliError> {
    let Life { author, epoch } = Life::parse(life)?;
    proof::check_target(context.output, file)?;
    context
        .with_client(async |client| {
            let bytes = client.fork_proof(author, epoch).await?;
            proof::deliver(context.output, file, &bytes).await
        })
        .await
}

/// A fork in words.
pub(super) fn text(fork: &Fork) -> String {
    let Fork { author, epoch, first, second, acknowledged } = fork;
    let known = if *acknowledged { "acknowledged" } else { "not acknowledged" };
    format!(
        "{author}.{epoch} two versions are signed, at {} and {} entries, {known}",
        first.length, second.length
    )
}
