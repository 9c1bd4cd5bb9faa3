//! One session per peer, and it comes back.

use futures::{FutureExt, StreamExt};
use peermq::node::{AckLevel, Listening, Mode, NodeError, Set};

use crate::fixture::{Host, Net, read, within};

/// Someone who dials the port gets a message to its node.
async fn reaches(other: &Host, host: &Host, port: &Listening) {
    host.node.add_peer(other.node.id()).await.unwrap();
    let sent = other.node.send(host.node.id(), "hello").await.unwrap();
    let connection = other.connect(host, port).await;
    within(other.node.wait(&sent, AckLevel::Stored)).await.unwrap();
    within(connection.close()).await;
}

over_each_transport! {
    async fn two_nodes_that_dial_each_other_keep_one_session(net: Net) {
        let (a, b) = (net.host().await, net.host().await);
        a.node.add_peer(b.node.id()).await.unwrap();
        b.node.add_peer(a.node.id()).await.unwrap();
        let (at_a, at_b) = (a.listen().await, b.listen().await);
        let _connections = tokio::join!(a.connect(&b, &at_b), b.connect(&a, &at_a));
        let (mut in_a, mut in_b) =
            (a.node.stream(Set::Unread, Mode::Live), b.node.stream(Set::Unread, Mode::Live));
        for n in 0..20 {
            b.node.send(a.node.id(), n.to_string()).await.unwrap();
            a.node.send(b.node.id(), n.to_string()).await.unwrap();
            assert_eq!(read(&a.node, &mut in_a, 1).await, [format!("{n} {n}")]);
            assert_eq!(read(&b.node, &mut in_b, 1).await, [format!("{n} {n}")]);
        }
        assert_eq!(a.node.status().await.unwrap().sessions.len(), 1);
    }

    async fn a_lost_peer_is_dialled_again(net: Net) {
        let (a, b) = (net.host().await, net.host().await);
        a.node.add_peer(b.node.id()).await.unwrap();
        let listening = a.listen().await;
        let _connection = b.connect(&a, &listening).await;
        b.node.send(a.node.id(), "one").await.unwrap();
        let mut unread = a.node.stream(Set::Unread, Mode::Live);
        assert_eq!(read(&a.node, &mut unread, 1).await, ["0 one"]);
        // The listener cuts the session: to the dialler the network is gone.
        a.node.remove_peer(b.node.id()).await.unwrap();
        a.node.add_peer(b.node.id()).await.unwrap();
        b.node.send(a.node.id(), "two").await.unwrap();
        assert_eq!(read(&a.node, &mut unread, 1).await, ["1 two"]);
    }

    async fn an_address_that_was_let_go_can_be_listened_on_at_once(net: Net) {
        let (host, other) = (net.host().await, net.host().await);
        let mut port = host.node.listen(net.quiet_address()).await.unwrap();
        let address = port.address();
        for _ in 0..20 {
            port.close();
            port = within(host.node.listen(address)).await.unwrap();
            assert_eq!(port.address(), address);
            reaches(&other, &host, &port).await;
        }
    }

    async fn who_listen_at_the_same_moment_share_one_port(net: Net) {
        let (host, other) = (net.host().await, net.host().await);
        for _ in 0..20 {
            let (one, two) = within(async { tokio::join!(host.listen(), host.listen()) }).await;
            assert_eq!(one.address(), two.address());
            one.close();
            assert_eq!(host.node.address(), two.address(), "who is left still listens");
            reaches(&other, &host, &two).await;
        }
    }

    async fn who_waits_when_a_node_is_shut_down_hears_of_it(net: Net) {
        let (a, b) = (net.host().await, net.host().await);
        let listening = b.listen().await;
        let sent = a.node.send(b.node.id(), "never read").await.unwrap();
        let mut unread = a.node.stream(Set::Unread, Mode::Live);
        let mut archived = a.node.stream(Set::Archived, Mode::Live);
        let mut connection = a.connect(&b, &listening).await;
        let mut notices = a.node.notices();
        let (unread, archived, ack, stored, notice, closed) = within(async {
            tokio::join!(
                unread.next_message(),
                archived.next_message(),
                connection.next_ack(),
                a.node.wait(&sent, AckLevel::Stored),
                notices.next(),
                a.node.clone().shutdown(),
            )
        })
        .await;
        closed.unwrap();
        assert!(matches!(unread, Err(NodeError::Stopped)), "{unread:?}");
        assert!(matches!(archived, Err(NodeError::Stopped)), "{archived:?}");
        assert!(matches!(ack, Err(NodeError::Stopped)), "{ack:?}");
        assert!(matches!(stored, Err(NodeError::Stopped)), "{stored:?}");
        assert!(matches!(notice, Some(Err(NodeError::Stopped))), "{notice:?}");
    }

    async fn a_directory_is_free_once_the_store_of_a_dropped_node_is_closed(net: Net) {
        let a = net.host().await;
        let to = net.host().await.node.id();
        let _ = a.node.send(to, "on its way").now_or_never();
        let a = a.drop_and_open().await;
        assert_eq!(a.node.send(to, "again").await.unwrap().seq.0, 1);
    }

    async fn a_shut_down_node_refuses_and_does_not_hang(net: Net) {
        let (a, b) = (net.host().await, net.host().await);
        let mut unread = a.node.stream(Set::Unread, Mode::Live);
        let handle = a.node.clone();
        within(a.node.shutdown()).await.unwrap();
        within(handle.send(b.node.id(), "late")).await.unwrap_err();
        within(unread.next_message()).await.unwrap_err();
    }
}
