//! One session per peer, and it comes back.

use peermq::node::{Mode, Set};

use crate::fixture::{Net, read, within};

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

    async fn a_shut_down_node_refuses_and_does_not_hang(net: Net) {
        let (a, b) = (net.host().await, net.host().await);
        let mut unread = a.node.stream(Set::Unread, Mode::Live);
        let handle = a.node.clone();
        within(a.node.shutdown()).await.unwrap();
        within(handle.send(b.node.id(), "late")).await.unwrap_err();
        within(unread.next_message()).await.unwrap_err();
    }
}
