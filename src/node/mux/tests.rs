//! Streams over every transport, and peers that do not play along.

use std::io::ErrorKind;
use std::time::Duration;

use futures::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::*;
use crate::node::transport::fixture::{Ends, Over, over_every_transport};

over_every_transport!(
    streams_carry_bytes_both_ways_at_once,
    each_side_opens_as_many_as_it_may,
    a_stream_too_many_is_reset_and_nothing_else,
    a_dropped_stream_is_cut_and_a_shut_one_ends,
    a_close_sends_what_was_written_and_wakes_everyone,
    a_lost_connection_ends_all_streams_with_an_error,
    a_reader_that_stops_holds_its_stream_only,
    two_sides_that_only_write_do_not_wait_for_ever,
);

async fn muxes(over: Over) -> (Mux, Mux) {
    let (ours, theirs) = Ends::new(over).await.secure().await;
    (Mux::new(ours.stream, Side::Dialler), Mux::new(theirs.stream, Side::Dialled))
}

async fn open(from: &Mux, to: &mut Mux) -> (MuxStream, MuxStream) {
    let mut ours = from.opener().open().await.unwrap();
    ours.write_all(b"!").await.unwrap();
    let mut theirs = to.accept().await.unwrap();
    assert_eq!(theirs.read_u8().await.unwrap(), b'!');
    (ours, theirs)
}

fn text(size: usize) -> Vec<u8> {
    (0..size).map(|i| u8::try_from(i % 251).unwrap()).collect()
}

async fn streams_carry_bytes_both_ways_at_once(over: Over) {
    let (mut a, mut b) = muxes(over).await;
    let mut streams = Vec::new();
    for _ in 0..4 {
        streams.push(open(&a, &mut b).await);
        let (theirs, ours) = open(&b, &mut a).await;
        streams.push((ours, theirs));
    }
    let passes = streams.into_iter().map(|(ours, theirs)| async {
        let sent = text(1_000_000);
        let (mut ours, mut theirs) = (tokio::io::split(ours), tokio::io::split(theirs));
        let (mut there, mut back) = (Vec::new(), Vec::new());
        let write = async {
            ours.1.write_all(&sent).await.unwrap();
            ours.1.shutdown().await.unwrap();
        };
        let answer = async {
            theirs.1.write_all(&sent).await.unwrap();
            theirs.1.shutdown().await.unwrap();
        };
        let reads = async {
            tokio::try_join!(theirs.0.read_to_end(&mut there), ours.0.read_to_end(&mut back))
        };
        let ((), (), read) = tokio::join!(write, answer, reads);
        read.unwrap();
        assert!(there == sent && back == sent);
    });
    futures::future::join_all(passes).await;
}

async fn each_side_opens_as_many_as_it_may(over: Over) {
    let (mut a, mut b) = muxes(over).await;
    let mut streams = Vec::new();
    for _ in 0..STREAM_COUNT_MAX {
        streams.push(open(&a, &mut b).await);
        streams.push(open(&b, &mut a).await);
    }
    let opener = a.opener();
    let one_more = opener.open();
    tokio::pin!(one_more);
    timeout(Duration::from_millis(20), &mut one_more).await.unwrap_err();
    streams.clear();
    one_more.await.unwrap();
}

async fn a_stream_too_many_is_reset_and_nothing_else(over: Over) {
    let (a, mut b) = muxes(over).await;
    let mut streams = Vec::new();
    for _ in 0..STREAM_COUNT_MAX {
        streams.push(open(&a, &mut b).await);
    }
    // A side that does not count: it opens one more than it may.
    a.opener.room.add_permits(1);
    let mut one_more = a.opener().open().await.unwrap();
    one_more.write_all(b"!").await.unwrap();
    let cut = one_more.read_u8().await.unwrap_err();
    assert_eq!(cut.kind(), ErrorKind::ConnectionReset);
    let (ours, theirs) = &mut streams[0];
    ours.write_all(b"?").await.unwrap();
    assert_eq!(theirs.read_u8().await.unwrap(), b'?');
}

async fn a_dropped_stream_is_cut_and_a_shut_one_ends(over: Over) {
    let (a, mut b) = muxes(over).await;
    let (mut ours, mut theirs) = open(&a, &mut b).await;
    ours.write_all(b"all").await.unwrap();
    ours.shutdown().await.unwrap();
    let mut all = String::new();
    theirs.read_to_string(&mut all).await.unwrap();
    assert_eq!(all, "all");
    let (mut ours, mut theirs) = open(&a, &mut b).await;
    ours.write_all(b"some").await.unwrap();
    drop(ours);
    let mut some = String::new();
    let cut = theirs.read_to_string(&mut some).await.unwrap_err();
    assert_eq!(cut.kind(), ErrorKind::ConnectionReset);
}

async fn a_close_sends_what_was_written_and_wakes_everyone(over: Over) {
    let (a, mut b) = muxes(over).await;
    let (ours, mut theirs) = open(&a, &mut b).await;
    let (mut reader, mut writer) = tokio::io::split(ours);
    writer.write_all(&text(100_000)).await.unwrap();
    writer.shutdown().await.unwrap();
    let opener = a.opener();
    let mut received = Vec::new();
    let (closed, local, remote) =
        tokio::join!(a.close(), reader.read_u8(), theirs.read_to_end(&mut received),);
    closed.unwrap();
    local.unwrap_err();
    remote.unwrap();
    assert!(received == text(100_000));
    assert!(b.accept().await.is_none());
    b.close().await.unwrap();
    assert!(matches!(opener.open().await, Err(MuxError::Closed)));
}

async fn a_lost_connection_ends_all_streams_with_an_error(over: Over) {
    let (ours, theirs) = Ends::new(over).await.secure().await;
    let aborter = theirs.aborter.clone();
    let (a, mut b) = (Mux::new(ours.stream, Side::Dialler), Mux::new(theirs.stream, Side::Dialled));
    let (mut ours, mut theirs) = open(&a, &mut b).await;
    aborter.abort();
    ours.read_u8().await.unwrap_err();
    theirs.read_u8().await.unwrap_err();
    assert!(b.accept().await.is_none());
    assert!(matches!(b.close().await, Err(MuxError::Lost(_))));
}

async fn a_reader_that_stops_holds_its_stream_only(over: Over) {
    let (a, mut b) = muxes(over).await;
    let (mut stuck, unread) = open(&a, &mut b).await;
    let chunk = text(100_000);
    let mut written = 0;
    while let Ok(taken) = timeout(Duration::from_millis(50), stuck.write(&chunk)).await {
        written += taken.unwrap();
    }
    assert!(written <= 1 << 20, "{written} bytes were taken");
    let (mut ours, mut theirs) = open(&a, &mut b).await;
    let mut received = vec![0; chunk.len()];
    let (write, read) = tokio::join!(ours.write_all(&chunk), theirs.read_exact(&mut received));
    write.unwrap();
    read.unwrap();
    drop(unread);
}

async fn two_sides_that_only_write_do_not_wait_for_ever(over: Over) {
    let (ours, theirs) = Ends::new(over).await.secure().await;
    let mux = Mux::new(ours.stream, Side::Dialler);
    let mut theirs = theirs.stream;
    // This side writes until nothing more is taken, for the other reads nothing.
    let mut stuck = mux.opener().open().await.unwrap();
    let chunk = text(100_000);
    while let Ok(taken) = timeout(Duration::from_millis(50), stuck.write(&chunk)).await {
        taken.unwrap();
    }
    // The other side asks for a pong, which cannot be sent now, and only writes, too.
    let ping = [&[0, 2, 0, 1, 0, 0, 0, 0][..], &7u32.to_be_bytes()].concat();
    let size = 200_000_u32;
    let data = [&[0, 0, 0, 1, 0, 0, 0, 2][..], &size.to_be_bytes(), &text(200_000)].concat();
    let write = async {
        for bytes in [ping, data] {
            theirs.write_all(&bytes).await?;
            theirs.flush().await?;
        }
        Ok::<_, std::io::Error>(())
    };
    timeout(Duration::from_secs(10), write).await.expect("its bytes are read").unwrap();
    let (mut received, mut pong) = (vec![0; 1 << 20], None);
    while pong.is_none() {
        let count = theirs.read(&mut received).await.unwrap();
        let answer = [&[0, 2, 0, 2, 0, 0, 0, 0][..], &7u32.to_be_bytes()].concat();
        pong = received[..count].windows(12).position(|bytes| bytes == answer);
    }
}
