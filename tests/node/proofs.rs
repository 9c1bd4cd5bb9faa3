//! What a node can prove to others.

use peermq::node::{Mode, Proof, Proven, Set};
use peermq::sync::Standing;
use peermq::types::Seq;

use crate::fixture::{Net, read, within};

over_each_transport! {
    async fn each_acknowledged_message_can_be_proven_delivered_and_no_other(net: Net) {
        let (a, b) = (net.host().await, net.host().await);
        let (a_id, b_id) = (a.node.id(), b.node.id());
        a.node.add_peer(b_id).await.unwrap();
        for number in 0..5 {
            b.node.send(a_id, number.to_string()).await.unwrap();
        }
        let early = b.node.receipt(a_id, None, Seq(0)).await.unwrap_err().to_string();
        assert!(early.contains("has acknowledged, got"), "{early}");
        let listening = a.listen().await;
        let mut connection = b.connect(&a, &listening).await;
        within(connection.next_ack()).await.unwrap();
        let mut unread = a.node.stream(Set::Unread, Mode::Live);
        read(&a.node, &mut unread, 5).await;
        b.node.wait_all(a_id, b.node.epoch(), 0..=4, peermq::node::AckLevel::Archived).await.unwrap();
        let b = b.restart().await;
        for seq in (0..5).map(Seq) {
            let proof = b.node.receipt(a_id, Some(b.node.epoch()), seq).await.unwrap();
            let Proven::Delivery(proven) = Proof::decode(&proof.encode()).unwrap().verify().unwrap()
            else { panic!("expected a delivery") };
            assert_eq!((proven.receiver, proven.author, proven.seq), (a_id, b_id, seq));
            assert_eq!((proven.epoch, proven.standing), (b.node.epoch(), Standing::Archived));
        }
        let never = b.node.receipt(a_id, None, Seq(5)).await.unwrap_err().to_string();
        assert!(never.ends_with(".5, which was never sent"), "{never}");
    }
}
