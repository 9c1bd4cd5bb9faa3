//! The sender learns what is stored and what is archived.

use peermq::node::{AckLevel, Mode, Set};

use crate::fixture::{Net, read, within};

over_each_transport! {
    async fn stored_and_archived_are_told_apart(net: Net) {
        let (a, b) = (net.host().await, net.host().await);
        a.node.add_peer(b.node.id()).await.unwrap();
        let listening = a.listen().await;
        let mut connection = b.connect(&a, &listening).await;
        b.node.send(a.node.id(), "one").await.unwrap();
        let ack = within(connection.next_ack()).await.unwrap();
        assert_eq!((ack.to, ack.first.0, ack.last.0), (a.node.id(), 0, 0));
        assert_eq!(ack.level, AckLevel::Stored);
        let mut unread = a.node.stream(Set::Unread, Mode::Live);
        read(&a.node, &mut unread, 1).await;
        let ack = within(connection.next_ack()).await.unwrap();
        assert_eq!((ack.first.0, ack.last.0, ack.level), (0, 0, AckLevel::Archived));
    }

    async fn what_was_archived_while_the_sender_was_away_is_told_when_it_is_back(net: Net) {
        let (a, b) = (net.host().await, net.host().await);
        a.node.add_peer(b.node.id()).await.unwrap();
        let listening = a.listen().await;
        b.node.send(a.node.id(), "one").await.unwrap();
        let mut connection = b.connect(&a, &listening).await;
        within(connection.next_ack()).await.unwrap();
        within(connection.close()).await;
        let mut unread = a.node.stream(Set::Unread, Mode::Live);
        read(&a.node, &mut unread, 1).await;
        let b = b.restart().await;
        let mut connection = b.connect(&a, &listening).await;
        let ack = within(connection.next_ack()).await.unwrap();
        assert_eq!(ack.level, AckLevel::Archived);
    }
}
