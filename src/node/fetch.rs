//! Long bodies on their way in: wanted on sub-streams of their own, written in durable batches,
//! held only when the whole hash is right.
//!
//! Bodies up to 16 MiB are fetched as soon as their entries are stored, four at a time; longer ones
//! one at a time, when a reader asks.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::io::{AsyncRead, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};

use super::error::NodeError;
use super::mux::Opener;
use super::news::News;
use super::session_task::{SessionEnd, read_owed_frame};
use super::storage_thread::Storage;
use super::uses::Use;
use crate::limits::{BODY_BATCH_SIZE_MAX, BODY_CHUNK_SIZE, EAGER_BODY_COUNT_MAX};
use crate::queue::{QueueError, Wanted};
use crate::sync::body::{BodyCheck, BodyChunk, Progress, Want};
use crate::sync::{Message, Misbehaviour, SyncError};
use crate::types::{Epoch, Id, Recipient, Seq};

/// A reader's wish for one body, and where the answer goes.
#[derive(Debug)]
pub(super) struct Pull {
    pub(super) epoch: Epoch,
    pub(super) seq: Seq,
    pub(super) done: oneshot::Sender<()>,
}

impl Pull {
    const fn place(&self) -> (Epoch, Seq) {
        (self.epoch, self.seq)
    }
}

/// Fetches one peer's long bodies for as long as the session lasts.
pub(super) struct Fetcher {
    pub(super) me: Id,
    pub(super) peer: Id,
    pub(super) storage: Storage,
    pub(super) opener: Opener,
    pub(super) news: Arc<News>,
}

impl Fetcher {
    /// Runs until the connection or the store ends, or the peer sends another body than it signed.
    pub(super) async fn run(
        self,
        wanted: Arc<tokio::sync::Notify>,
        mut pulls: mpsc::Receiver<Pull>,
    ) -> SessionEnd {
        // Boxed: each collection holds the size of one future from its beginning, 5 KiB, and most
        // sessions fetch nothing.
        let mut eager = FuturesUnordered::<BoxFuture<'_, _>>::new();
        let mut under_way = BTreeSet::new();
        let mut pulled = FuturesUnordered::<BoxFuture<'_, _>>::new();
        // A body that is being fetched is not fetched a second time, but waited for.
        let mut waiting = None::<Pull>;
        let mut look = true;
        loop {
            if look && eager.len() < EAGER_BODY_COUNT_MAX {
                look = false;
                let peer = self.peer;
                match self.storage.read(move |queue| queue.wanted(&peer)).await {
                    Ok(Ok(bodies)) => {
                        let free = EAGER_BODY_COUNT_MAX - eager.len();
                        let next = bodies.into_iter().filter(|body| under_way.insert(body.place()));
                        eager.extend(next.take(free).map(|body| self.fetch(body).boxed()));
                    }
                    Ok(Err(error)) => return SessionEnd::Node(error.into()),
                    Err(error) => return error.into(),
                }
            }
            tokio::select! {
                () = wanted.notified() => look = true,
                Some(fetched) = eager.next() => match fetched {
                    Ok(place) => {
                        under_way.remove(&place);
                        look = true;
                        let next = waiting.take_if(|pull| pull.place() == place);
                        pulled.extend(next.map(|pull| self.pull(pull).boxed()));
                    }
                    Err(end) => return end,
                },
                Some(pull) = pulls.recv(), if pulled.is_empty() && waiting.is_none() => {
                    if under_way.insert(pull.place()) {
                        pulled.push(self.pull(pull).boxed());
                    } else {
                        waiting = Some(pull);
                    }
                }
                Some(fetched) = pulled.next() => match fetched {
                    Ok(place) => {
                        under_way.remove(&place);
                        look = true;
                    }
                    Err(end) => return end,
                },
            }
        }
    }

    async fn pull(&self, pull: Pull) -> Result<(Epoch, Seq), SessionEnd> {
        let (peer, place) = (self.peer, pull.place());
        let Pull { epoch, seq, done } = pull;
        let missing = self.storage.read(move |queue| queue.missing_body(&peer, epoch, seq)).await?;
        if let Some(body) = missing.map_err(NodeError::from)? {
            self.fetch(body).await?;
        }
        // The reader may have gone.
        let _ = done.send(());
        Ok(place)
    }

    /// Fetches one body from the first chunk that is not held yet.
    async fn fetch(&self, body: Wanted) -> Result<(Epoch, Seq), SessionEnd> {
        let mut check = self.take_up(&body).await?;
        let mut stream = self.opener.open().await?;
        let want = Message::Want(Want {
            author: *self.peer.as_bytes(),
            epoch: body.epoch,
            recipient: Recipient::Peer(*self.me.as_bytes()),
            seq: body.seq,
            first_chunk: body.first_chunk,
        });
        let frame = want.encode();
        stream.write_all(&[Use::Bodies.byte()]).await?;
        stream.write_all(&frame.header()).await?;
        stream.write_all(&frame.payload).await?;
        stream.flush().await?;
        let mut received = Received::next(&mut stream, &mut check).await?;
        loop {
            received = match received {
                Received::More(batch) => {
                    // While one batch is made durable the next is received.
                    let next = Received::next(&mut stream, &mut check);
                    let (written, next) =
                        futures::join!(self.write(&body, batch, Progress::More), next);
                    written?;
                    next?
                }
                Received::Whole(batch) => {
                    self.write(&body, batch, Progress::Whole).await?;
                    return Ok(body.place());
                }
                Received::Gone => {
                    self.give_up(&body).await?;
                    return Ok(body.place());
                }
                Received::Wrong(wrong) => {
                    self.forget(&body).await?;
                    return Err(misbehaved(wrong));
                }
            }
        }
    }

    /// A check that has seen the chunks that are held already.
    async fn take_up(&self, body: &Wanted) -> Result<BodyCheck, SessionEnd> {
        let mut check = BodyCheck::new(body.seq, body.len, body.hash);
        for number in 0..body.first_chunk {
            let (peer, epoch, seq) = (self.peer, body.epoch, body.seq);
            let read =
                move |queue: &mut crate::queue::Queue| queue.held_chunk(&peer, epoch, seq, number);
            let held = self.storage.read(read).await?.map_err(NodeError::from)?;
            let sealed = held.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
            check.take(&BodyChunk { number, sealed }).map_err(misbehaved)?;
        }
        Ok(check)
    }

    async fn write(
        &self,
        body: &Wanted,
        batch: Batch,
        progress: Progress,
    ) -> Result<(), SessionEnd> {
        let Batch { first, chunks } = batch;
        let (peer, epoch, seq) = (self.peer, body.epoch, body.seq);
        let mut standing = self.news.standing();
        loop {
            let chunks = chunks.clone();
            let hold = move |queue: &mut crate::queue::Queue| {
                queue.hold_chunks(&peer, epoch, seq, first, chunks, progress)
            };
            match self.storage.write(hold).await {
                // The author waits too; if it hangs up, the next session goes on from here.
                Err(NodeError::Queue(QueueError::DiskFull(_))) => {
                    standing.changed().await.map_err(|_| NodeError::Stopped)?;
                }
                other => return Ok(other?),
            }
        }
    }

    /// What came is not what the author signed: the next try begins anew.
    async fn forget(&self, body: &Wanted) -> Result<(), SessionEnd> {
        let (peer, epoch, seq) = (self.peer, body.epoch, body.seq);
        self.storage.write(move |queue| queue.drop_chunks(&peer, epoch, seq)).await?;
        Ok(())
    }

    /// The author has the body no more: nothing waits for it any longer.
    async fn give_up(&self, body: &Wanted) -> Result<(), SessionEnd> {
        let (peer, epoch, seq) = (self.peer, body.epoch, body.seq);
        self.storage.write(move |queue| queue.mark_gone(&peer, epoch, seq)).await?;
        Ok(())
    }
}

/// Chunks of one body that came one after the other.
struct Batch {
    first: u32,
    chunks: Vec<Bytes>,
}

/// What came next of a body.
enum Received {
    /// As much as is written at once, and more is to come.
    More(Batch),
    /// The end of it, and its hash is right.
    Whole(Batch),
    /// No chunk: its author has it no more.
    Gone,
    /// Another than was signed.
    Wrong(Misbehaviour),
}

impl Received {
    async fn next(
        stream: &mut (impl AsyncRead + Unpin),
        check: &mut BodyCheck,
    ) -> Result<Self, SessionEnd> {
        let mut batch = Batch { first: 0, chunks: Vec::new() };
        loop {
            let chunk = match Message::decode(&read_owed_frame(stream).await?) {
                Ok(Message::Body(chunk)) => chunk,
                Ok(other) => {
                    let (expected, got) = ("a Body", other.kind());
                    return Err(misbehaved(Misbehaviour::OutOfTurn { expected, got }));
                }
                Err(malformed) => return Err(SyncError::from(malformed).into()),
            };
            if chunk.sealed.is_empty() {
                return Ok(Self::Gone);
            }
            let progress = match check.take(&chunk) {
                Ok(progress) => progress,
                Err(wrong) => return Ok(Self::Wrong(wrong)),
            };
            if batch.chunks.is_empty() {
                batch.first = chunk.number;
            }
            batch.chunks.push(chunk.sealed);
            if progress == Progress::Whole {
                return Ok(Self::Whole(batch));
            }
            if batch.chunks.len() * BODY_CHUNK_SIZE >= BODY_BATCH_SIZE_MAX {
                return Ok(Self::More(batch));
            }
        }
    }
}

fn misbehaved(what: Misbehaviour) -> SessionEnd {
    SyncError::from(what).into()
}
