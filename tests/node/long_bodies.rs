//! Bodies that do not fit a block travel in chunks, and hold up only what must wait for them.

use futures::StreamExt;
use peermq::node::{Mode, SendOptions, Set, Text};

use crate::fixture::{Net, text, within};

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
