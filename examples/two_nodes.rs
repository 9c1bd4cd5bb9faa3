//! Two nodes in one process: one sends, the other reads and archives, and the sender is told.
//!
//! `cargo run --example two_nodes`

use std::error::Error;

use peermq::node::{AckLevel, Mode, Options, Set};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (a, b) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let alice = Options::new(a.path()).open().await?;
    let bob = Options::new(b.path()).open().await?;

    // Bob writes while Alice is away: each Ok means that the message is fsynced.
    for text in ["wow", "cool", "hiiiiiiii"] {
        bob.send(alice.id(), text).await?;
    }

    // Alice lets Bob in and opens a port; Bob finds her by her id alone.
    alice.add_peer(bob.id()).await?;
    let _listening = alice.listen(None).await?;
    let mut connection = bob.connect(alice.id(), None).await?;

    let mut unread = alice.stream(Set::Unread, Mode::Live);
    for _ in 0..3 {
        let Some(message) = unread.next_message().await? else { break };
        let text = String::from_utf8_lossy(message.text().map_or(&[][..], |text| text));
        println!("MESSAGE {}@{} {text}", message.from, message.seq);
        alice.archive(&message).await?;
    }

    loop {
        let ack = connection.next_ack().await?;
        println!("ACK {}@{}-{} {}", ack.to, ack.first, ack.last, ack.level);
        if ack.level == AckLevel::Archived && ack.last.0 == 2 {
            break;
        }
    }
    alice.shutdown().await?;
    bob.shutdown().await?;
    Ok(())
}
