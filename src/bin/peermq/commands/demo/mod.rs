//! `demo`: two nodes in a temporary directory, each command a process of its own, as in two
//! terminals. It fails when a line that must come does not.

mod folder;
mod process;

use self::folder::Folder;
use self::process::{Running, Stage};
use crate::context::{Context, Interrupt};
use crate::error::CliError;

pub(super) async fn run(context: &Context) -> Result<(), CliError> {
    let mut interrupt = Interrupt::new()?;
    let folder = Folder::create()?;
    let stage = Stage::new(context, folder.path())?;
    interrupt.or(play(&stage)).await.ok_or(CliError::Unfinished)?
}

async fn play(stage: &Stage) -> Result<(), CliError> {
    stage.say("Two nodes, a and b. Each has an id:").await?;
    let a = stage.run("a", &["id"]).await?;
    let b = stage.run("b", &["id"]).await?;

    stage.say("\na lets b's messages in:").await?;
    stage.run("a", &["add-peer", &b]).await?;

    stage
        .say("\nb sends, though a is not there. When a command is back, its message is durable:")
        .await?;
    send(stage, &a, &["wow", "cool", "hiiiiiiii"]).await?;

    stage.say("\nThe two meet; nobody told them an address:").await?;
    let mut listener = stage.start("a", &["listen"]).await?;
    let mut connection = stage.start("b", &["connect", &a]).await?;
    arrive(stage, &mut listener, &b, 0, &["wow", "cool", "hiiiiiiii"]).await?;
    connection.stderr.find(stage, "2 archived").await?;

    stage.say("\nb hangs up, and sends more:").await?;
    connection.interrupt().await?;
    send(stage, &a, &["beep", "boop"]).await?;

    stage.say("\nb comes back. The listener is the same as before:").await?;
    let mut connection = stage.start("b", &["connect", &a]).await?;
    arrive(stage, &mut listener, &b, 3, &["beep", "boop"]).await?;
    connection.stderr.find(stage, "4 archived").await?;
    connection.interrupt().await?;
    listener.interrupt().await?;

    stage.say("\nEach message arrived once and in order, and b knows that a is done with it.").await
}

async fn send(stage: &Stage, to: &str, texts: &[&str]) -> Result<(), CliError> {
    for text in texts {
        stage.run("b", &["send", "--to", to, "--message", text]).await?;
    }
    Ok(())
}

/// Waits for messages in order, and for nothing between them.
async fn arrive(
    stage: &Stage,
    listener: &mut Running,
    from: &str,
    first: u64,
    texts: &[&str],
) -> Result<(), CliError> {
    for (seq, text) in (first..).zip(texts) {
        let expected = format!("MESSAGE {from}@{seq} {text}");
        let got = listener.stdout.next(stage, &expected).await?;
        if got != expected {
            return Err(CliError::Failed(format!("expected {expected:?}, got {got:?}")));
        }
    }
    Ok(())
}
