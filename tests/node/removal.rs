//! Who was removed gets nothing in and nothing out.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::{FutureExt, StreamExt};
use peermq::crypto::noise::{Initiator, Network};
use peermq::crypto::{Identity, PairSecret};
use peermq::node::transport::Addr;
use peermq::node::{Connection, Listening, Mode, NodeError, Set};
use peermq::types::Id;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use zeroize::Zeroizing;

use crate::fixture::{Host, Net, read, text, within};

/// Someone who speaks the handshake by hand.
struct ByHand {
    identity: Arc<Identity>,
}

impl ByHand {
    fn new() -> Self {
        Self { identity: Arc::new(Identity::from_seed(&[9; 32])) }
    }

    fn dial(&self, to: Id) -> (Initiator, [u8; 128]) {
        let pair = Arc::new(PairSecret::new(&self.identity, &to).unwrap());
        let ephemeral = Zeroizing::new([3; 32]);
        Initiator::new(&self.identity, &pair, &Network::default(), ephemeral).unwrap()
    }
}

/// Two nodes with a live session: `a` has stored a first message of `b`, who dialled.
struct Met {
    a: Host,
    b: Host,
    listening: Listening,
    connection: Connection,
}

impl Met {
    async fn over(net: &Net) -> Self {
        let (a, b) = (net.host().await, net.host().await);
        a.node.add_peer(b.node.id()).await.unwrap();
        let listening = a.listen().await;
        let mut connection = b.connect(&a, &listening).await;
        b.node.send(a.node.id(), "before").await.unwrap();
        within(connection.next_ack()).await.unwrap();
        Self { a, b, listening, connection }
    }
}

/// All that still comes; a reset ends it like an end does.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    let _ = within(stream.read_to_end(&mut rest)).await;
    rest
}

#[tokio::test]
async fn a_peer_removed_in_the_midst_of_its_handshake_gets_no_further_byte() {
    let (a, peer) = (Net::Tcp.host().await, ByHand::new());
    a.node.add_peer(peer.identity.id()).await.unwrap();
    let listening = a.listen().await;
    let mut stream = TcpStream::connect(listening.address().unwrap()).await.unwrap();
    let (initiator, flight_1) = peer.dial(a.node.id());
    stream.write_all(&flight_1).await.unwrap();
    let mut flight_2 = [0; 64];
    within(stream.read_exact(&mut flight_2)).await.unwrap();
    a.node.remove_peer(peer.identity.id()).await.unwrap();
    let (_, auth) = initiator.read(&flight_2).unwrap();
    // Where nobody reads any more this may fail.
    let _ = stream.write_all(&auth).await;
    assert_eq!(rest(&mut stream).await, b"");
}

#[tokio::test]
async fn a_peer_removed_while_it_is_dialled_gets_no_further_byte() {
    let (a, peer) = (Net::Tcp.host().await, ByHand::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = Addr::Socket(listener.local_addr().unwrap());
    let mut connection = a.node.connect(peer.identity.id(), Some(at)).await.unwrap();
    let (mut stream, _) = within(listener.accept()).await.unwrap();
    within(stream.read_exact(&mut [0; 128])).await.unwrap();
    a.node.remove_peer(peer.identity.id()).await.unwrap();
    assert_eq!(rest(&mut stream).await, b"");
    assert!(matches!(within(connection.next_ack()).await, Err(NodeError::Removed(_))));
}

#[tokio::test]
async fn a_first_flight_that_is_replayed_gets_no_answer() {
    let (a, peer) = (Net::Tcp.host().await, ByHand::new());
    a.node.add_peer(peer.identity.id()).await.unwrap();
    let listening = a.listen().await;
    let (_, flight_1) = peer.dial(a.node.id());
    let mut answers = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(listening.address().unwrap()).await.unwrap();
        stream.write_all(&flight_1).await.unwrap();
        stream.shutdown().await.unwrap();
        answers.push(rest(&mut stream).await.len());
    }
    assert_eq!(answers, [64, 0]);
}

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
        let Met { a, b, listening, connection: _live } = Met::over(&net).await;
        a.node.remove_peer(b.node.id()).await.unwrap();
        assert!(a.node.status().await.unwrap().sessions.is_empty());
        b.node.send(a.node.id(), "after").await.unwrap();
        // Once a third node, which dials later, is served, the listener has had its chance.
        let c = net.host().await;
        a.node.add_peer(c.node.id()).await.unwrap();
        c.node.send(a.node.id(), "of another").await.unwrap();
        let mut acks = c.connect(&a, &listening).await;
        within(acks.next_ack()).await.unwrap();
        let unread = a.node.stream(Set::Unread, Mode::Drain).into_stream();
        let unread: Vec<_> = unread.map(|message| text(&message.unwrap())).collect().await;
        assert_eq!(BTreeSet::from_iter(unread), ["0 before", "0 of another"].map(str::to_owned).into());
    }

    async fn a_removal_is_done_whole_also_when_nobody_waits_for_it(net: Net) {
        let Met { a, b, listening: _port, connection: _live } = Met::over(&net).await;
        // It is under way, and who asked for it goes.
        let _ = a.node.remove_peer(b.node.id()).now_or_never();
        let is_gone = async {
            while !a.node.status().await.unwrap().sessions.is_empty() {
                tokio::task::yield_now().await;
            }
        };
        within(is_gone).await;
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
