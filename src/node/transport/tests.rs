//! What holds over every transport, and what a stranger sees of it.

use std::io::ErrorKind;
use std::time::Duration;

use futures::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::fixture::{Ends, Over, identity, over_every_transport, pair};
use super::*;
use crate::crypto::CryptoError;
use crate::crypto::noise::{Network, RECORD_TEXT_SIZE_MAX};
use crate::limits::FLIGHT_1_SIZE;

over_every_transport!(
    both_ends_prove_their_ids,
    bytes_arrive_whole_in_both_directions,
    a_flush_sends_what_was_written,
    an_orderly_end_is_seen_as_the_end,
    a_cut_inside_a_record_is_no_end,
    an_abort_ends_both_directions_at_once,
    a_slow_reader_is_waited_for,
);

async fn both_ends_prove_their_ids(over: Over) {
    let mut ends = Ends::new(over).await;
    let (ours, theirs) = ends.secure().await;
    assert_eq!((ours.peer, theirs.peer), (ends.dialled.id(), ends.dialler.id()));
    assert_eq!(ours.handshake_hash, theirs.handshake_hash);
    let (again, _) = ends.secure().await;
    assert_ne!(again.handshake_hash, ours.handshake_hash);
}

async fn bytes_arrive_whole_in_both_directions(over: Over) {
    let (ours, theirs) = Ends::new(over).await.secure().await;
    let (a, b) = (ours.stream.split(), theirs.stream.split());
    let there = pass(a.1, b.0, text(3 * RECORD_TEXT_SIZE_MAX + 7));
    let back = pass(b.1, a.0, text(1_000_000));
    tokio::join!(there, back);
}

async fn a_flush_sends_what_was_written(over: Over) {
    let (ours, theirs) = Ends::new(over).await.secure().await;
    let (mut ours, mut theirs) = (ours.stream, theirs.stream);
    for size in [1, 100, 4_094, 4_096, 65_519, 65_520] {
        let sent = text(size);
        let mut received = vec![0; size];
        let send = async {
            ours.write_all(&sent).await.unwrap();
            ours.flush().await.unwrap();
        };
        let ((), read) = tokio::join!(send, theirs.read_exact(&mut received));
        read.unwrap();
        assert_eq!(received, sent);
    }
}

async fn an_orderly_end_is_seen_as_the_end(over: Over) {
    let (ours, theirs) = Ends::new(over).await.secure().await;
    let (mut ours, mut theirs) = (ours.stream, theirs.stream);
    ours.write_all(b"last words").await.unwrap();
    ours.close().await.unwrap();
    let mut received = Vec::new();
    theirs.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, b"last words");
}

async fn a_cut_inside_a_record_is_no_end(over: Over) {
    let (ours, mut theirs) = Ends::new(over).await.connect().await;
    let mut stream = a_noise_stream(ours);
    // A header that promises 100 bytes, and 10 of them.
    theirs.write_all(&[0, 100]).await.unwrap();
    theirs.write_all(&[1; 10]).await.unwrap();
    theirs.shutdown().await.unwrap();
    let cut = stream.read(&mut [0; 10]).await.unwrap_err();
    assert_eq!(cut.kind(), ErrorKind::UnexpectedEof);
}

async fn an_abort_ends_both_directions_at_once(over: Over) {
    let (ours, theirs) = Ends::new(over).await.secure().await;
    let (mut ours, mut theirs) = (ours, theirs);
    let aborter = ours.aborter.clone();
    let mut buffer = [0; 10];
    let read = ours.stream.read(&mut buffer);
    let abort = async { aborter.abort() };
    let (read, ()) = tokio::join!(read, abort);
    assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionAborted);
    ours.stream.write_all(b"not sent").await.unwrap();
    assert_eq!(ours.stream.flush().await.unwrap_err().kind(), ErrorKind::ConnectionAborted);
    // The other end sees a reset or an end, and no text.
    assert!(!matches!(theirs.stream.read(&mut [0; 10]).await, Ok(1..)));
    drop(ours);
    assert!(aborter.is_spent());
    aborter.abort();
}

async fn a_slow_reader_is_waited_for(over: Over) {
    let (ours, theirs) = Ends::new(over).await.secure().await;
    let (mut ours, mut theirs) = (ours.stream, theirs.stream);
    let chunk = text(100_000);
    // Nobody reads: the writer comes to a halt, holding no more than two records.
    let mut written = 0;
    while let Ok(taken) = timeout(Duration::from_millis(100), ours.write(&chunk)).await {
        written += taken.unwrap();
    }
    assert!(written < 32 << 20, "{written} bytes were taken");
    // From then on what is read makes room again.
    let write = async { ours.write_all(&chunk).await.unwrap() };
    let read = async { theirs.read_exact(&mut vec![0; written]).await.unwrap() };
    tokio::join!(write, read);
}

#[tokio::test]
async fn an_abort_takes_back_what_waits_in_the_kernel() {
    let (mut ours, mut theirs) = Ends::new(Over::Tcp).await.connect().await;
    let chunk = text(100_000);
    let mut written = 0;
    while let Ok(taken) = timeout(Duration::from_millis(100), ours.write(&chunk)).await {
        written += taken.unwrap();
    }
    ours.aborter().abort();
    // What had arrived before may be read, and what had not never comes.
    let mut received = Vec::new();
    let cut = theirs.read_to_end(&mut received).await.unwrap_err();
    assert_eq!(cut.kind(), ErrorKind::ConnectionReset);
    assert!(received.len() < written, "all {written} bytes came");
}

#[tokio::test(start_paused = true)]
async fn who_is_not_answered_gives_up_at_the_deadline() {
    let mut ends = Ends::new(Over::Memory).await;
    let (ours, theirs) = ends.connect().await;
    let pair = pair(&ends.dialler, &ends.dialled);
    let refused = initiate(ours, &ends.dialler, &pair, &Network::default()).await.unwrap_err();
    assert!(matches!(refused, TransportError::Late));
    drop(theirs);
}

#[tokio::test]
async fn another_node_at_the_address_is_found_out() {
    let mut ends = Ends::new(Over::Memory).await;
    let (ours, mut theirs) = ends.connect().await;
    let pair = pair(&ends.dialler, &identity(3));
    let network = Network::default();
    let impostor = async {
        let mut flight = [0; FLIGHT_1_SIZE];
        AsyncReadExt::read_exact(&mut theirs, &mut flight).await.unwrap();
        AsyncWriteExt::write_all(&mut theirs, &[1; 64]).await.unwrap();
    };
    let (refused, ()) = tokio::join!(initiate(ours, &ends.dialler, &pair, &network), impostor);
    let Err(TransportError::Crypto(refused)) = refused else { panic!("got {refused:?}") };
    assert_eq!(refused, CryptoError::Flight { number: 2 });
}

#[tokio::test]
async fn a_network_in_memory_can_be_cut_and_healed() {
    let mut ends = Ends::new(Over::Memory).await;
    let (mut ours, theirs) = ends.secure().await;
    let (a, b) = (ends.dialler.id(), ends.dialled.id());
    ends.network.cut(&b, &a);
    ours.stream.read(&mut [0; 1]).await.unwrap_err();
    assert!(!theirs.aborter.is_spent());
    let refused = ends.transport.dial(&b, &[]).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    ends.network.heal(&a, &b);
    ends.secure().await;
}

#[tokio::test]
async fn one_node_listens_once_in_memory_and_nobody_is_dialled_who_does_not() {
    let ends = Ends::new(Over::Memory).await;
    let id = ends.dialled.id();
    let place = ends.network.transport(id);
    let at = ListenAt::Anywhere { port: None };
    assert_eq!(place.listen(&at).await.unwrap_err().kind(), ErrorKind::AddrInUse);
    drop(ends.listener);
    let refused = ends.transport.dial(&id, &[]).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    place.listen(&at).await.unwrap();
}

#[tokio::test]
async fn a_port_is_taken_again_when_it_is_free() {
    let port = |listener: &dyn Listener| listener.local_addr().unwrap().port();
    let any = TcpTransport.listen(&ListenAt::Anywhere { port: None }).await.unwrap();
    let first = port(&*any);
    let at = ListenAt::Anywhere { port: Some(first) };
    let other = TcpTransport.listen(&at).await.unwrap();
    assert_ne!(port(&*other), first);
    drop(any);
    let again = TcpTransport.listen(&at).await.unwrap();
    assert_eq!(port(&*again), first);
}

#[tokio::test]
async fn the_first_address_that_answers_is_taken() {
    let ends = Ends::new(Over::Tcp).await;
    let id = ends.dialled.id();
    let good = ends.hints();
    // A name for the good address, between two where nobody listens.
    let free = TcpTransport.listen(&ListenAt::Anywhere { port: None }).await.unwrap();
    let nobody = Addr::Host("localhost".into(), free.local_addr().unwrap().port());
    drop(free);
    let hints = [nobody.clone(), good[0].clone(), nobody.clone()];
    ends.transport.dial(&id, &hints).await.unwrap();
    let refused = ends.transport.dial(&id, &[nobody]).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let none = ends.transport.dial(&id, &[]).await.unwrap_err();
    assert_eq!(none.kind(), ErrorKind::AddrNotAvailable);
}

fn text(size: usize) -> Vec<u8> {
    (0..size).map(|i| u8::try_from(i % 251).unwrap()).collect()
}

/// Writes a text in pieces of many sizes to one end and reads it at the other.
async fn pass(
    mut into: impl futures::io::AsyncWrite + Unpin,
    mut from: impl futures::io::AsyncRead + Unpin,
    text: Vec<u8>,
) {
    let mut received = vec![0; text.len()];
    let write = async {
        let (mut rest, mut size) = (&text[..], 1);
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(size.min(rest.len()));
            into.write_all(piece).await.unwrap();
            (rest, size) = (after, size * 3 % 200_001);
        }
        into.flush().await.unwrap();
    };
    let ((), read) = tokio::join!(write, from.read_exact(&mut received));
    read.unwrap();
    assert!(received == text, "the bytes arrive in order");
}

fn a_noise_stream(connection: Box<dyn Connection>) -> NoiseStream {
    let session = crate::crypto::noise::tests::ends().sessions().0;
    NoiseStream::new(connection, session.send, session.receive)
}
