//! Who was removed gets nothing in and nothing out.

use peermq::node::{Mode, NodeError, Set};

use crate::fixture::{Net, read, within};

over_each_transport! {
    async fn a_removed_peers_messages_never_arrive(net: Net) {
        let (a, b) = (net.host().await, net.host().await);
        a.node.add_peer(b.node.id()).await.unwrap();
        a.node.remove_peer(b.node.id()).await.unwrap();
        let listening = a.listen().await;
        for text in ["one", "two", "three"] {
            b.node.send(a.node.id(), text).await.unwrap();
        }
        let connection = b.connect(&a, &listening).await;
        // A third node that is added after b dialled is served: the listener has had its chance.
        let c = net.host().await;
        a.node.add_peer(c.node.id()).await.unwrap();
        c.node.send(a.node.id(), "hello").await.unwrap();
        let _c = c.connect(&a, &listening).await;
        let mut unread = a.node.stream(Set::Unread, Mode::Live);
        assert_eq!(read(&a.node, &mut unread, 1).await, ["0 hello"]);
        assert!(!connection.is_live());

        a.node.add_peer(b.node.id()).await.unwrap();
        assert_eq!(read(&a.node, &mut unread, 3).await, ["0 one", "1 two", "2 three"]);
    }

    async fn removal_ends_a_live_session_and_keeps_what_was_stored(net: Net) {
        let (a, b) = (net.host().await, net.host().await);
        a.node.add_peer(b.node.id()).await.unwrap();
        let listening = a.listen().await;
        let mut connection = b.connect(&a, &listening).await;
        b.node.send(a.node.id(), "before").await.unwrap();
        within(connection.next_ack()).await.unwrap();
        a.node.remove_peer(b.node.id()).await.unwrap();
        assert!(a.node.status().await.unwrap().sessions.is_empty());
        b.node.send(a.node.id(), "after").await.unwrap();
        let mut unread = a.node.stream(Set::Unread, Mode::Live);
        assert_eq!(read(&a.node, &mut unread, 1).await, ["0 before"]);
    }

    async fn connecting_and_sending_to_a_removed_peer_fails(net: Net) {
        let (a, b) = (net.host().await, net.host().await);
        let listening = a.listen().await;
        let mut connection = b.connect(&a, &listening).await;
        b.node.remove_peer(a.node.id()).await.unwrap();
        let ended = within(connection.next_ack()).await.unwrap_err();
        assert!(matches!(ended, NodeError::Removed(id) if id == a.node.id()));
        b.node.send(a.node.id(), "no").await.unwrap_err();
        b.node.connect(a.node.id(), None).await.unwrap_err();
        b.node.add_peer(a.node.id()).await.unwrap();
        b.node.send(a.node.id(), "yes").await.unwrap();
    }
}
