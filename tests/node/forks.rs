//! Readers of an author that has two versions of its log, on real stores and transports.
//!
//! The author's key is in two data directories that were both first used in the same second, so that
//! each begins the same life of the log by itself: what a copied directory comes to.

use futures::{FutureExt, StreamExt};
use peermq::node::{Fork, Mode, Node, Notice, Proof, Proven, Set};

use crate::fixture::{Host, Net, read, text, within};

/// Two nodes with one key whose logs are of one life.
async fn forked_author(net: &Net) -> [Host; 2] {
    loop {
        let one = net.host().await;
        let other = net.host_with_key_of(&one).await;
        if one.node.epoch() == other.node.epoch() {
            return [one, other];
        }
    }
}

/// A version of the author sends so many messages to a reader, which takes them in.
async fn deliver(author: &Host, reader: &Host, count: usize) {
    reader.node.add_peer(author.node.id()).await.unwrap();
    let listening = reader.listen().await;
    let connection = author.connect(reader, &listening).await;
    for number in 0..count {
        author.node.send(reader.node.id(), number.to_string()).await.unwrap();
    }
    let mut unread = reader.node.stream(Set::Unread, Mode::Live);
    read(&reader.node, &mut unread, count).await;
    within(connection.close()).await;
}

async fn next_fork(node: &Node) -> Fork {
    match within(node.notices().next()).await.unwrap().unwrap() {
        Notice::Fork(fork) => fork,
        other => panic!("expected a fork, got {other:?}"),
    }
}

/// What a node can show of an author's fork to anyone.
async fn proven(node: &Node, author: &Host) -> [u64; 2] {
    let proof = node.fork_proof(author.node.id(), None).await.unwrap();
    let read = Proof::decode(&proof.encode()).unwrap().verify().unwrap();
    let Proven::Fork(fork) = read else { panic!("expected a fork") };
    assert_eq!(fork.first().author, author.node.id());
    [fork.first().length, fork.second().length]
}

over_each_transport! {
    async fn two_readers_find_the_fork_when_they_meet_and_are_told_until_they_know(net: Net) {
        let [a, other_a] = forked_author(&net).await;
        let (b, c) = (net.host().await, net.host().await);
        deliver(&a, &b, 1).await;
        deliver(&other_a, &c, 1).await;
        b.node.add_peer(c.node.id()).await.unwrap();
        c.node.add_peer(b.node.id()).await.unwrap();
        let listening = b.listen().await;
        let connection = c.connect(&b, &listening).await;
        for node in [&b.node, &c.node] {
            let fork = next_fork(node).await;
            assert_eq!((fork.author(), fork.epoch()), (a.node.id(), a.node.epoch()));
            assert_eq!(proven(node, &a).await, [1, 1]);
        }
        drop((connection, listening));
        // It is told again after a restart, until the user knows.
        let b = b.restart().await;
        next_fork(&b.node).await;
        assert!(b.node.acknowledge_fork(c.node.id(), None).await.is_err());
        b.node.acknowledge_fork(a.node.id(), None).await.unwrap();
        let b = b.restart().await;
        assert!(b.node.forks().await.unwrap()[0].is_acknowledged);
        let mut notices = b.node.notices();
        // This asks the store; by the time that it has told its status, it has answered.
        assert!(notices.next().now_or_never().is_none());
        b.node.status().await.unwrap();
        assert!(notices.next().now_or_never().is_none());
        let mut archived = b.node.stream(Set::Archived, Mode::Drain);
        let stored = within(archived.next_message()).await.unwrap().unwrap();
        assert_eq!(text(&stored), "0 0", "what is stored stays readable");
    }

    async fn readers_whose_lengths_never_agree_find_the_fork(net: Net) {
        let [a, other_a] = forked_author(&net).await;
        let (b, c) = (net.host().await, net.host().await);
        deliver(&a, &b, 1).await;
        deliver(&other_a, &c, 3).await;
        b.node.add_peer(c.node.id()).await.unwrap();
        c.node.add_peer(b.node.id()).await.unwrap();
        let [at_b, at_c] = [b.listen().await, c.listen().await];
        let _between = c.connect(&b, &at_b).await;
        let mut to_b = a.connect(&b, &at_b).await;
        let _to_c = other_a.connect(&c, &at_c).await;
        let mut notices = b.node.notices();
        let fork = loop {
            a.node.send(b.node.id(), "one more").await.unwrap();
            other_a.node.send(c.node.id(), "one more").await.unwrap();
            tokio::select! {
                notice = within(notices.next()) => match notice.unwrap().unwrap() {
                    Notice::Fork(fork) => break fork,
                    other => panic!("expected a fork, got {other:?}"),
                },
                ack = within(to_b.next_ack()) => drop(ack.unwrap()),
            }
        };
        let known = next_fork(&c.node).await;
        assert_eq!((known.author(), known.epoch()), (fork.author(), fork.epoch()));
        proven(&c.node, &a).await;
    }
}
