//! Messages arrive, each once, in their sender's order.

use futures::FutureExt;
use peermq::node::{AckLevel, Mode, Set};

use crate::fixture::{Net, read, text, within};

over_each_transport! {
    async fn what_was_sent_before_the_peers_met_arrives_in_order(net: Net) {
        let (a, b) = (net.host().await, net.host().await);
        a.node.add_peer(b.node.id()).await.unwrap();
        for (seq, text) in (0..).zip(["one", "two", "three"]) {
            assert_eq!(b.node.send(a.node.id(), text).await.unwrap().seq.0, seq);
        }
        let listening = a.listen().await;
        let _connection = b.connect(&a, &listening).await;
        let mut unread = a.node.stream(Set::Unread, Mode::Live);
        assert_eq!(read(&a.node, &mut unread, 3).await, ["0 one", "1 two", "2 three"]);

        drop(unread);
        let mut archived = a.node.stream(Set::Archived, Mode::Drain);
        for expected in ["0 one", "1 two", "2 three"] {
            let message = within(archived.next_message()).await.unwrap().unwrap();
            assert_eq!(text(&message), expected);
            assert_eq!(message.from, b.node.id());
        }
        assert_eq!(within(archived.next_message()).await.unwrap(), None);
        let mut unread = a.node.stream(Set::Unread, Mode::Drain);
        assert_eq!(within(unread.next_message()).await.unwrap(), None);
    }

    async fn a_live_stream_that_has_caught_up_still_delivers(net: Net) {
        let (a, b) = (net.host().await, net.host().await);
        a.node.add_peer(b.node.id()).await.unwrap();
        let listening = a.listen().await;
        let connection = b.connect(&a, &listening).await;
        let mut unread = a.node.stream(Set::Unread, Mode::Live);
        b.node.send(a.node.id(), "wow").await.unwrap();
        assert_eq!(read(&a.node, &mut unread, 1).await, ["0 wow"]);
        within(connection.close()).await;
        b.node.send(a.node.id(), "beep").await.unwrap();
        b.node.send(a.node.id(), "boop").await.unwrap();
        let _connection = b.connect(&a, &listening).await;
        assert_eq!(read(&a.node, &mut unread, 2).await, ["1 beep", "2 boop"]);
    }

    async fn what_a_stream_was_asked_for_and_not_waited_for_comes_the_next_time(net: Net) {
        let (a, b) = (net.host().await, net.host().await);
        a.node.add_peer(b.node.id()).await.unwrap();
        let listening = a.listen().await;
        let _connection = b.connect(&a, &listening).await;
        let sent = b.node.send(a.node.id(), "one").await.unwrap();
        within(b.node.wait(&sent, AckLevel::Stored)).await.unwrap();
        for set in [Set::Unread, Set::Archived] {
            let mut stream = a.node.stream(set, Mode::Live);
            // The first call is given up while its answer is on its way, which is there by the end of
            // the second: jobs are done in order.
            let first = stream.next_message().now_or_never();
            a.node.status().await.unwrap();
            let message = match first {
                Some(message) => message,
                None => within(stream.next_message()).await,
            };
            let message = message.unwrap().unwrap();
            assert_eq!(text(&message), "0 one", "{set:?}");
            a.node.archive(&message).await.unwrap();
        }
    }

    async fn both_directions_run_at_once_over_one_connection(net: Net) {
        let (a, b) = (net.host().await, net.host().await);
        a.node.add_peer(b.node.id()).await.unwrap();
        b.node.add_peer(a.node.id()).await.unwrap();
        let listening = a.listen().await;
        let _connection = b.connect(&a, &listening).await;
        let (mut at_a, mut at_b) =
            (a.node.stream(Set::Unread, Mode::Live), b.node.stream(Set::Unread, Mode::Live));
        let expected: Vec<_> = (0..50).map(|n| format!("{n} {n}")).collect();
        for n in 0..50 {
            let (to_a, to_b) = (n.to_string(), n.to_string());
            let sends = (b.node.send(a.node.id(), to_a), a.node.send(b.node.id(), to_b));
            let (first, second) = tokio::join!(sends.0, sends.1);
            first.unwrap();
            second.unwrap();
        }
        let reads = (read(&a.node, &mut at_a, 50), read(&b.node, &mut at_b, 50));
        let (from_b, from_a) = tokio::join!(reads.0, reads.1);
        assert_eq!(from_b, expected);
        assert_eq!(from_a, expected);
    }

    async fn senders_of_unequal_backlog_are_all_heard(net: Net) {
        let reader = net.host().await;
        let listening = reader.listen().await;
        let mut senders = Vec::new();
        for count in [1, 40, 700] {
            let sender = net.host().await;
            reader.node.add_peer(sender.node.id()).await.unwrap();
            let texts = (0..count).map(|n: i32| (n.to_string().into(), Default::default()));
            sender.node.send_all(reader.node.id(), texts).await.unwrap();
            let connection = sender.connect(&reader, &listening).await;
            senders.push((sender, connection, count, 0));
        }
        let mut unread = reader.node.stream(Set::Unread, Mode::Live);
        for _ in 0..741 {
            let message = within(unread.next_message()).await.unwrap().unwrap();
            let sender = senders.iter_mut().find(|s| s.0.node.id() == message.from).unwrap();
            assert_eq!(text(&message), format!("{0} {0}", sender.3), "in its sender's order");
            sender.3 += 1;
            reader.node.archive(&message).await.unwrap();
        }
        assert!(senders.iter().all(|sender| sender.2 == sender.3));
    }

    async fn stored_messages_are_read_after_a_restart_without_their_sender(net: Net) {
        let (a, b) = (net.host().await, net.host().await);
        a.node.add_peer(b.node.id()).await.unwrap();
        for text in ["one", "two", "three"] {
            b.node.send(a.node.id(), text).await.unwrap();
        }
        let listening = a.listen().await;
        let mut connection = b.connect(&a, &listening).await;
        while within(connection.next_ack()).await.unwrap().last.0 < 2 {}
        drop(connection);
        within(b.node.shutdown()).await.unwrap();
        let mut unread = a.node.stream(Set::Unread, Mode::Live);
        assert_eq!(read(&a.node, &mut unread, 1).await, ["0 one"]);
        drop((unread, listening));

        let a = a.restart().await;
        let mut unread = a.node.stream(Set::Unread, Mode::Drain);
        let mut texts = Vec::new();
        while let Some(message) = within(unread.next_message()).await.unwrap() {
            texts.push(text(&message));
        }
        assert_eq!(texts, ["1 two", "2 three"]);
        let mut archived = a.node.stream(Set::Archived, Mode::Drain);
        assert_eq!(text(&within(archived.next_message()).await.unwrap().unwrap()), "0 one");
    }

    async fn empty_and_large_texts_arrive_as_they_are(net: Net) {
        let (a, b) = (net.host().await, net.host().await);
        a.node.add_peer(b.node.id()).await.unwrap();
        let listening = a.listen().await;
        let _connection = b.connect(&a, &listening).await;
        let mut unread = a.node.stream(Set::Unread, Mode::Live);
        for size in [0, 1, 4_079, 4_080, 32_750, 32_751, 32_752, 1 << 20] {
            let sent = vec![b'x'; size];
            b.node.send(a.node.id(), sent.clone()).await.unwrap();
            let message = within(unread.next_message()).await.unwrap().unwrap();
            assert_eq!(message.text().unwrap().len(), size);
            assert_eq!(message.text().unwrap()[..], sent);
            a.node.archive(&message).await.unwrap();
        }
    }
}
