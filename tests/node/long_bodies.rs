//! Bodies that do not fit a block travel in chunks, and hold up only what must wait for them.

use std::path::Path;

use futures::StreamExt;
use peermq::node::{Mode, NodeError, SendOptions, Set, Text};
use peermq::queue::QueueError;
use tokio::io::AsyncWriteExt;

use crate::fixture::{Net, text, within};

/// The chunks of sent bodies in the store of a node that is shut down: the next opening would sweep
/// those that belong to nothing.
fn chunk_count(directory: &Path) -> usize {
    let [store, poison] = ["store", "poison"].map(|name| directory.join(name));
    let kind = peermq_storage::Kind::available()[0];
    let store = peermq_storage::open(kind, &store, &poison).unwrap().store;
    store.scan(&[0x80]..&[0x81]).count()
}

over_each_transport! {
    async fn a_long_body_keeps_its_place_in_the_order(net: Net) {
        let (a, b) = (net.host().await, net.host().await);
        a.node.add_peer(b.node.id()).await.unwrap();
        let long = "long ".repeat(1_000_000);
        b.node.send(a.node.id(), "first").await.unwrap();
        b.node.send(a.node.id(), long.clone()).await.unwrap();
        b.node.send(a.node.id(), "last").await.unwrap();
        let listening = a.listen().await;
        let _connection = b.connect(&a, &listening).await;
        let mut unread = a.node.stream(Set::Unread, Mode::Live);
        for expected in ["0 first".to_owned(), format!("1 {long}"), "2 last".to_owned()] {
            let message = within(unread.next_message()).await.unwrap().unwrap();
            assert!(text(&message) == expected, "message {}", message.seq);
            a.node.archive(&message).await.unwrap();
        }
    }

    async fn what_was_sent_of_a_text_that_breaks_off_goes_again(net: Net) {
        let a = net.host().await;
        let peer = net.host().await;
        let begun = tokio::io::AsyncReadExt::take(tokio::io::repeat(b'x'), 20 << 20);
        let broken = [Err::<bytes::Bytes, _>(std::io::Error::other("broken off"))];
        let broken = tokio_util::io::StreamReader::new(futures::stream::iter(broken));
        let text = tokio::io::AsyncReadExt::chain(begun, broken);
        let sent = a.node.send_stream(peer.node.id(), text, SendOptions::default()).await;
        assert!(matches!(sent, Err(NodeError::Input(_))));
        a.node.send(peer.node.id(), "y".repeat(100_000)).await.unwrap();
        a.restart_after(|path| assert_eq!(chunk_count(path), 4, "those of the second text")).await;
    }

    async fn nothing_is_kept_of_a_text_whose_recipient_was_removed(net: Net) {
        let (a, b, c) = (net.host().await, net.host().await, net.host().await);
        let to = b.node.id();
        let (mut text, end) = tokio::io::duplex(1 << 16);
        let sending = a.node.send_stream(to, end, SendOptions::default());
        let removing = async {
            text.write_all(&vec![b'x'; 9 << 20]).await.unwrap();
            a.node.remove_peer(to).await.unwrap();
            text.write_all(b"the end").await.unwrap();
            drop(text);
        };
        let (sent, ()) = within(async { tokio::join!(sending, removing) }).await;
        let short = a.node.send(to, "x".repeat(9_000)).await;
        for sent in [sent, short] {
            let refused = matches!(sent, Err(NodeError::Queue(QueueError::Removed(_))));
            assert!(refused, "{sent:?}");
        }
        a.node.send(c.node.id(), "y".repeat(100_000)).await.unwrap();
        a.restart_after(|path| assert_eq!(chunk_count(path), 4, "those of the last text")).await;
    }

    async fn a_body_over_16_mib_is_offered_at_once_and_fetched_by_its_reader(net: Net) {
        let (a, b) = (net.host().await, net.host().await);
        a.node.add_peer(b.node.id()).await.unwrap();
        let size = 17 << 20;
        let source = tokio::io::AsyncReadExt::take(tokio::io::repeat(b'x'), size);
        b.node.send_stream(a.node.id(), source, SendOptions::default()).await.unwrap();
        let listening = a.listen().await;
        let _connection = b.connect(&a, &listening).await;
        let mut unread = a.node.stream(Set::Unread, Mode::Live);
        let message = within(unread.next_message()).await.unwrap().unwrap();
        assert_eq!(message.text, Text::Long);
        a.node.archive(&message).await.expect_err("its body would be lost");
        let body = within(a.node.read(message.from, None, message.seq)).await.unwrap();
        assert_eq!(body.size(), size);
        let mut read = 0;
        let mut bytes = body.into_stream();
        while let Some(piece) = within(bytes.next()).await {
            let piece = piece.unwrap();
            assert!(piece.iter().all(|byte| *byte == b'x'));
            read += u64::try_from(piece.len()).unwrap();
        }
        assert_eq!(read, size);
        a.node.archive(&message).await.unwrap();
    }
}
