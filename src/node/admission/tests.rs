//! What a stranger sees of the way in.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::*;
use crate::crypto::noise::Initiator;
use crate::limits::{FLIGHT_1_SIZE, FLIGHT_2_SIZE, HANDSHAKE_MS_MAX};
use crate::node::transport::Addr;
use crate::node::transport::fixture::{Ends, Over, identity, pair};

fn flight_1(from: &Arc<Identity>, to: &Identity) -> [u8; FLIGHT_1_SIZE] {
    let ephemeral = Zeroizing::new([7; 32]);
    Initiator::new(from, &pair(from, to), &Network::default(), ephemeral).unwrap().1
}

fn admission(ends: &Ends) -> Arc<Admission> {
    let known = Arc::new(Known::new(Arc::clone(&ends.dialled)));
    known.add(&ends.dialler.id()).unwrap();
    let addresses = std::iter::empty();
    let shares = Shares::of_this_process();
    Arc::new(Admission::new(&ends.dialled, known, &Network::default(), addresses, &shares))
}

#[tokio::test]
async fn who_is_not_let_in_gets_no_byte_until_the_deadline() {
    let mut ends = Ends::new(Over::Tcp).await;
    let admission = admission(&ends);
    let Some(Addr::Socket(addr)) = ends.listener.local_addr() else { panic!("TCP has an address") };
    let of_peer = flight_1(&ends.dialler, &ends.dialled);
    let of_stranger = flight_1(&identity(3), &ends.dialled);
    let flights: [(&[u8], usize); 7] = [
        (&of_stranger, 0),
        (&[0; FLIGHT_1_SIZE], 0),
        (b"GET / HTTP/1.1\r\n\r\n", 0),
        (&[0; 100_000], 0),
        (&of_stranger, 0),
        (&of_peer, FLIGHT_2_SIZE),
        // A replay.
        (&of_peer, 0),
    ];
    for (flight, answer_size) in flights {
        let mut socket = TcpStream::connect(addr).await.unwrap();
        let arrival = admission.begin(ends.listener.accept().await.unwrap());
        tokio::time::pause();
        let began = Instant::now();
        let write = async { socket.write_all(flight).await.unwrap() };
        let (admitted, ()) = tokio::join!(arrival.admit(), write);
        assert!(admitted.is_none());
        assert!(began.elapsed() >= Duration::from_millis(HANDSHAKE_MS_MAX));
        tokio::time::resume();
        let mut received = Vec::new();
        // What was not read makes the close a reset; either way there is no further byte.
        let _ = socket.read_to_end(&mut received).await;
        assert_eq!(received.len(), answer_size);
    }
}
