//! What each verb means: one file per verb, or per few that are alike.

mod backup;
mod check;
mod connect;
mod demo;
mod forks;
mod gc;
mod id;
mod listen;
mod marks;
mod messages;
mod passphrase;
mod peers;
mod receipt;
mod recover;
mod send;
mod shell;
mod show;
mod status;
mod verify;

use tokio::runtime::Runtime;

use crate::args::{Arguments, Verb};
use crate::context::Context;
use crate::error::CliError;

/// Does what the command line says.
pub(crate) fn run(arguments: Arguments) -> Result<(), CliError> {
    let runtime = Runtime::new()
        .map_err(|error| CliError::Failed(format!("expected to start threads, got: {error}")))?;
    let done = runtime.block_on(dispatch(arguments));
    // A thread may wait for standard input for ever; nobody waits for it.
    runtime.shutdown_background();
    done
}

async fn dispatch(arguments: Arguments) -> Result<(), CliError> {
    let context = Context::new(arguments.global);
    match arguments.verb {
        Verb::Id => id::run(&context).await,
        Verb::AddPeer(args) => peers::add(&context, args).await,
        Verb::RemovePeer(args) => peers::remove(&context, args).await,
        Verb::Peers => peers::list(&context).await,
        Verb::Send(args) => send::run(&context, args).await,
        Verb::Listen(args) => listen::run(&context, args).await,
        Verb::Connect(args) => connect::run(&context, args).await,
        Verb::Messages(args) => messages::run(&context, args).await,
        Verb::Show(args) => show::run(&context, args).await,
        Verb::Archive(args) => marks::archive(&context, args).await,
        Verb::Clear(args) => marks::clear(&context, args).await,
        Verb::Receipt(args) => receipt::run(&context, args).await,
        Verb::Verify(args) => verify::run(&context, args).await,
        Verb::Forks(args) => forks::run(&context, args).await,
        Verb::Passphrase(args) => passphrase::run(&context, args).await,
        Verb::Status => status::run(&context).await,
        Verb::Gc(args) => gc::run(&context, args).await,
        Verb::Backup(args) => backup::run(&context, args).await,
        Verb::Restore(args) => backup::restore(&context, args).await,
        Verb::Check => check::run(&context).await,
        Verb::Repair => check::repair(&context).await,
        Verb::Recover(args) => recover::run(&context, args).await,
        Verb::Demo => demo::run(&context).await,
        Verb::Completions(args) => shell::completions(&context, args).await,
        Verb::Man(args) => shell::man(&context, args).await,
    }
}
