//! An inbox in an app: what is unread, live, while the app goes on; read messages stay in the
//! archive, also after a restart with their sender away.
//!
//! `cargo run --example live_inbox`

use std::error::Error;

use futures::StreamExt;
use peermq::node::{Mode, Options, Set};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (a, b) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let friend = Options::new(a.path()).open().await?;
    let app = Options::new(b.path()).open().await?;
    app.add_peer(friend.id()).await?;
    let _listening = app.listen(None).await?;
    let _connection = friend.connect(app.id(), None).await?;

    // The app's view: a task that lives as long as its window.
    let view = {
        let app = app.clone();
        tokio::spawn(async move {
            let mut inbox = app.stream(Set::Unread, Mode::Live).into_stream();
            for _ in 0..2 {
                let Some(Ok(message)) = inbox.next().await else { break };
                println!("new: {:?}", message.text());
                app.archive(&message).await?;
            }
            Ok::<_, peermq::node::NodeError>(())
        })
    };
    friend.send(app.id(), "are you there?").await?;
    friend.send(app.id(), "see you at eight").await?;
    view.await??;
    friend.shutdown().await?;

    app.shutdown().await?;
    let app = Options::new(b.path()).open().await?;
    let mut archive = app.stream(Set::Archived, Mode::Drain);
    while let Some(message) = archive.next_message().await? {
        println!("kept: {:?}", message.text());
    }
    app.shutdown().await?;
    Ok(())
}
