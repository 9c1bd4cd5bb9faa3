//! What takes an authorised peer more than one session, or more than the sync sub-stream.

use std::sync::Arc;

use futures::io::{AsyncReadExt, AsyncWriteExt};
use peermq::crypto::Identity;
use peermq::limits::{ADVANCE_FRAME_SIZE_MAX, INLINE_BODY_SIZE_MAX, SILENCE_MS_MAX};
use peermq::sync::body::{BodyChunk, Want};
use peermq::sync::{Kind, Life, Message};
use peermq::types::{Recipient, Seq};

use crate::Outcome;
use crate::author::Author;
use crate::liar::{Session, bytes_of, read_frame};
use crate::target::Target;

/// A long body is not what its header says: it is not held, and the session ends.
///
/// # Errors
/// When the node thinks otherwise.
pub async fn a_false_body(peer: &Arc<Identity>, target: &mut Target) -> Outcome {
    let (mut session, mut wanted) = want_of_a_body(peer, target).await?;
    let body = BodyChunk { number: 0, sealed: vec![2; LONG_SIZE].into() };
    wanted.write_all(&bytes_of(&Message::Body(body))).await?;
    wanted.flush().await?;
    session.ended().await?;
    expect_end(peer, target, "expected the body that the header of seq 0 names").await
}

/// A long body that was announced is never sent: the peer is given up. Takes half a minute.
///
/// # Errors
/// When it is not.
pub async fn a_body_withheld(peer: &Arc<Identity>, target: &mut Target) -> Outcome {
    let (mut session, _wanted) = want_of_a_body(peer, target).await?;
    session.ended().await?;
    expect_end(peer, target, &format!("expected an answer within {SILENCE_MS_MAX} ms")).await
}

/// Other entries at places that the node knows, after a session in which it was told the first ones.
///
/// # Errors
/// When they are taken in.
pub async fn another_history(peer: &Arc<Identity>, target: &mut Target) -> Outcome {
    let mut author = Author::new(Arc::clone(peer), target.id);
    let mut session = Session::open(peer, target, 0).await?;
    store(&mut session, &mut author, 1).await?;
    drop(session);

    let mut other = Author::new(Arc::clone(peer), target.id);
    other.advance(vec![other.entry(target.id, 0, b"another text")])?;
    let mut session = Session::open(peer, target, 0).await?;
    session.greet(Life { epoch: other.epoch, length: 2 }).await?;
    session.send(&Message::Advance(other.advance(other.entries(1, 1))?)).await?;
    session.ended().await?;
    expect_end(peer, target, "expected items that fold to the signed root at length 2").await?;
    expect_stored(peer, target, 1).await
}

/// A log that begins again where the node has more of it already, as one put back from a backup.
///
/// # Errors
/// When the node forgets what it has, or takes it in twice.
pub async fn a_log_begun_again(peer: &Arc<Identity>, target: &mut Target) -> Outcome {
    let mut author = Author::new(Arc::clone(peer), target.id);
    let mut session = Session::open(peer, target, 0).await?;
    store(&mut session, &mut author, 2).await?;
    drop(session);

    let mut again = Author::new(Arc::clone(peer), target.id);
    let mut session = Session::open(peer, target, 0).await?;
    session.greet(Life { epoch: again.epoch, length: 0 }).await?;
    session.send(&Message::Advance(again.advance(again.entries(0, 1))?)).await?;
    session.ended().await?;
    expect_end(peer, target, "expected a chunk from 2, got one from 0").await?;
    expect_stored(peer, target, 2).await
}

/// More than the quota: one chunk may pass it, and no further one is granted.
///
/// # Errors
/// When the node takes more.
pub async fn over_quota(peer: &Arc<Identity>, target: &mut Target) -> Outcome {
    target.run(&["add-peer", &peer.id().to_string(), "--quota", "1KiB,2"]).await?;
    let mut author = Author::new(Arc::clone(peer), target.id);
    let mut session = Session::open(peer, target, 0).await?;
    session.greet(Life { epoch: author.epoch, length: 120 }).await?;
    let body = vec![7; INLINE_BODY_SIZE_MAX];
    for first in [0, 60] {
        let seqs = first..first + 60;
        let items = seqs.map(|seq| author.entry(target.id, seq, &body)).collect();
        // The node may hang up meanwhile.
        let _ = session.send(&Message::Advance(author.advance(items)?)).await;
    }
    session.ended().await?;
    let granted = format!("expected at most {ADVANCE_FRAME_SIZE_MAX} bytes of chunks");
    expect_end(peer, target, &granted).await
}

/// A second session of the same peer: the newer one stays, and works.
///
/// # Errors
/// When it does not.
pub async fn two_sessions(peer: &Arc<Identity>, target: &mut Target) -> Outcome {
    let mut author = Author::new(Arc::clone(peer), target.id);
    let mut older = Session::open(peer, target, 0).await?;
    older.greet(Life { epoch: author.epoch, length: 0 }).await?;
    let mut newer = Session::open(peer, target, 0).await?;
    store(&mut newer, &mut author, 1).await?;
    older.ended().await?;
    expect_stored(peer, target, 1).await
}

/// A body of somebody else is wanted, and one that there is not: both get the same answer.
///
/// # Errors
/// When they do not.
pub async fn bodies_of_others(peer: &Arc<Identity>, target: &mut Target) -> Outcome {
    let mut session = Session::open(peer, target, 2).await?;
    let author = Author::new(Arc::clone(peer), target.id);
    let greeting = session.greet(Life { epoch: author.epoch, length: 0 }).await?;
    let epoch = greeting.lives.first().ok_or("expected a life")?.epoch;
    let mut answers = Vec::new();
    for (recipient, seq) in [([9; 32], 0), (*peer.id().as_bytes(), u64::MAX)] {
        let mut stream = session.others.pop().ok_or("expected a sub-stream")?;
        let (author, first_chunk) = (*target.id.as_bytes(), 0);
        let recipient = Recipient::Peer(recipient);
        let want = Want { author, epoch, recipient, seq: Seq(seq), first_chunk };
        stream.write_all(&[&[2][..], &bytes_of(&Message::Want(want))].concat()).await?;
        stream.flush().await?;
        answers.push(read_frame(&mut stream).await?);
    }
    let nothing = Message::Body(BodyChunk { number: 0, sealed: Vec::new().into() }).encode();
    if answers.iter().all(|answer| *answer == nothing) {
        return Ok(());
    }
    Err(format!("expected no body twice, got {answers:?}").into())
}

/// Announces a long body, and gives the sub-stream on which the node wants it.
async fn want_of_a_body(
    peer: &Arc<Identity>,
    target: &Target,
) -> Outcome<(Session, yamux::Stream)> {
    let mut author = Author::new(Arc::clone(peer), target.id);
    let mut session = Session::open(peer, target, 0).await?;
    session.greet(Life { epoch: author.epoch, length: 1 }).await?;
    let entry = author.entry(target.id, 0, &[1; LONG_SIZE]);
    session.send(&Message::Advance(author.advance(vec![entry])?)).await?;
    let mut wanted = session.incoming.recv().await.ok_or("expected a sub-stream for the body")?;
    wanted.read_exact(&mut [0]).await?;
    read_frame(&mut wanted).await?;
    Ok((session, wanted))
}

/// Greets, sends so many entries, and waits until the node has them.
async fn store(session: &mut Session, author: &mut Author, count: u64) -> Outcome {
    session.greet(Life { epoch: author.epoch, length: count }).await?;
    session.send(&Message::Advance(author.advance(author.entries(0, count))?)).await?;
    session.until(Kind::Receipt).await.map(drop)
}

async fn expect_end(peer: &Identity, target: &mut Target, outcome: &str) -> Outcome {
    // Earlier sessions of the peer may have ended otherwise.
    target.log_line(outcome).await?;
    let said = target.how_it_ended(peer.id()).await?;
    if said.contains(outcome) { Ok(()) } else { Err(format!("{outcome:?}: {said}").into()) }
}

async fn expect_stored(peer: &Identity, target: &Target, count: u64) -> Outcome {
    let stored = target.stored_of(peer.id()).await?;
    if stored == count { Ok(()) } else { Err(format!("{stored} entries are stored").into()) }
}

/// Bytes of a body that is no longer inline.
const LONG_SIZE: usize = 10_000;
