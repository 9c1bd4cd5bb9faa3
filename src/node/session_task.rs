//! Drives one sync session: a sub-stream, the storage thread, the clock and the node's news on one
//! side, the machine of [`crate::sync`] on the other.
//!
//! Reading never waits for writing: frames are read by a task of their own, at most
//! [`FRAME_COUNT_MAX`] ahead, and whatever goes out waits in the writer, which the machine keeps
//! within [`UNSENT_SIZE_MAX`](crate::limits::UNSENT_SIZE_MAX).

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use super::clock::Clock;
use super::error::NodeError;
use super::mux::MuxError;
use super::signals::Signals;
use super::storage_thread::Storage;
use crate::limits::{FRAME_COUNT_MAX, SILENCE_MS_MAX};
use crate::queue::{Queue, QueueError};
use crate::sync::{
    Event, Frame, FrameHeader, Input, Load, Loaded, Misbehaviour, Output, Reason, Session, Store,
    Stored, SyncError,
};
use crate::types::{Id, Instant};

/// Why a session is over.
#[derive(Debug, Error)]
pub(super) enum SessionEnd {
    /// The machine ended it.
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// The peer was removed.
    #[error("the peer was removed")]
    Removed,
    /// The connection ended.
    #[error("the connection ended: {0}")]
    Connection(#[from] io::Error),
    /// The connection's streams ended.
    #[error(transparent)]
    Mux(#[from] MuxError),
    /// This node's store ended.
    #[error(transparent)]
    Node(#[from] NodeError),
}

/// One session and what it works with.
pub(super) struct SessionTask<'a> {
    pub(super) peer: Id,
    pub(super) session: Session,
    pub(super) storage: &'a Storage,
    pub(super) clock: &'a Clock,
    pub(super) signals: &'a Signals,
    pub(super) probes: mpsc::Receiver<oneshot::Sender<()>>,
}

/// What the machine asked of the storage thread and waits for.
type Pending = FuturesUnordered<BoxFuture<'static, Result<Input, NodeError>>>;

impl SessionTask<'_> {
    /// Runs until the session is over. `noted` is called with each event.
    pub(super) async fn run(
        mut self,
        reader: impl AsyncRead + Unpin + Send + 'static,
        writer: impl AsyncWrite + Unpin,
        mut noted: impl FnMut(Event),
    ) -> SessionEnd {
        let (frames, mut received) = mpsc::channel(FRAME_COUNT_MAX);
        let _reading = AbortOnDropHandle::new(tokio::spawn(read_frames(reader, frames)));
        let mut writer = FrameWriter::new(writer);
        let mut pending = Pending::new();
        let mut asked: Vec<oneshot::Sender<()>> = Vec::new();
        loop {
            while let Some(output) = self.session.poll_output() {
                match output {
                    Output::Transmit(frame) => writer.push(frame),
                    Output::Load(load) => pending.push(self.load(load)),
                    Output::Store(store) => pending.push(self.store(store)),
                    Output::Event(event) => noted(event),
                    Output::Close(Reason::Failed(error)) => return error.into(),
                    Output::Close(Reason::Removed) => return SessionEnd::Removed,
                }
            }
            let (due, from) = (self.session.poll_timeout(), self.session.receives_from());
            let inputs = tokio::select! {
                frame = next_frame(self.clock, from, &mut received) => match frame {
                    Some(Ok(frame)) => {
                        for answer in asked.drain(..) {
                            let _ = answer.send(());
                        }
                        vec![Input::Received(frame)]
                    }
                    Some(Err(end)) => return end,
                    None => return io::Error::from(io::ErrorKind::UnexpectedEof).into(),
                },
                Some(answer) = pending.next() => match answer {
                    Ok(input) => vec![input],
                    Err(error) => return error.into(),
                },
                written = writer.step(), if writer.has_work() => match written {
                    Ok(size) => vec![Input::Flushed(size)],
                    Err(error) => return error.into(),
                },
                Some(answer) = self.probes.recv() => {
                    asked.push(answer);
                    vec![Input::Probe]
                }
                news = self.signals.next() => news,
                () = sleep_until(self.clock, due) => vec![Input::Timeout],
            };
            for input in inputs {
                // An error comes out as `Output::Close`, and is returned there.
                let _ = self.session.handle(input, self.clock.now());
            }
        }
    }

    fn load(&self, load: Load) -> BoxFuture<'static, Result<Input, NodeError>> {
        let (storage, peer) = (self.storage.clone(), self.peer);
        async move {
            let loaded = match load {
                Load::Opening => Loaded::Opening(storage.read(move |q| q.opening(&peer)).await??),
                Load::Chunk { epoch, from, checkpoints, budget } => {
                    let read =
                        storage.read(move |q| q.chunk(&peer, epoch, from, &checkpoints, budget));
                    Loaded::Chunk { epoch, from, chunk: read.await?? }
                }
                Load::Followed => Loaded::Followed(storage.read(move |q| q.followed(&peer)).await?),
                Load::Receipts { epoch } => {
                    Loaded::Receipts(storage.read(move |q| q.receipts(&peer, epoch)).await??)
                }
            };
            Ok(Input::Loaded(loaded))
        }
        .boxed()
    }

    fn store(&self, store: Store) -> BoxFuture<'static, Result<Input, NodeError>> {
        let (storage, peer) = (self.storage.clone(), self.peer);
        async move {
            let stored = match store {
                Store::Received(received) => {
                    let epoch = received.head.epoch;
                    let stage = move |q: &mut Queue| q.receive(&peer, &received);
                    let written = storage.write_then(stage, move |q, ()| q.receipts(&peer, epoch));
                    written.await.map(|receipts| receipts.map(Stored::Received))
                }
                Store::Returned(returned) => {
                    let written = storage.write(move |q| q.recall(&peer, &returned));
                    written.await.map(|()| Ok(Stored::Returned))
                }
                Store::Receipts(receipts) => {
                    let written = storage.write(move |q| q.acknowledge(&peer, receipts));
                    written.await.map(|_| Ok(Stored::Receipts))
                }
                Store::Heads(heads) => {
                    let written = storage.write(move |q| q.compare_heads(heads));
                    written.await.map(|()| Ok(Stored::Heads))
                }
                Store::Fork(fork) => {
                    let stage = move |q: &mut Queue| {
                        q.add_fork(&fork);
                        Ok::<_, QueueError>(())
                    };
                    storage.write(stage).await.map(|()| Ok(Stored::Fork))
                }
            };
            match stored {
                Ok(stored) => Ok(Input::Stored(stored?)),
                Err(NodeError::Queue(QueueError::Refused(refusal))) => {
                    Ok(Input::Stored(Stored::Refused(refusal)))
                }
                Err(error) => Err(error),
            }
        }
        .boxed()
    }
}

/// The next frame, not before an instant of the clock; loses nothing when it is dropped.
async fn next_frame<T>(clock: &Clock, from: Instant, frames: &mut mpsc::Receiver<T>) -> Option<T> {
    if clock.now() < from {
        sleep_until(clock, Some(from)).await;
    }
    frames.recv().await
}

/// Waits for an instant of the clock; for ever without one.
async fn sleep_until(clock: &Clock, due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(clock.timer(due)).await,
        None => std::future::pending().await,
    }
}

/// Reads frames until the stream ends; each one's length is checked before memory is taken.
async fn read_frames(
    mut stream: impl AsyncRead + Unpin,
    frames: mpsc::Sender<Result<Frame, SessionEnd>>,
) {
    loop {
        let frame = read_frame(&mut stream).await;
        let ended = frame.is_err();
        if frames.send(frame).await.is_err() || ended {
            return;
        }
    }
}

/// Reads one frame, for which a peer that is silent may take as long as it likes.
async fn read_frame(stream: &mut (impl AsyncRead + Unpin)) -> Result<Frame, SessionEnd> {
    let header = read_header(stream).await?;
    read_payload(stream, header).await
}

/// Reads one frame that is owed.
pub(super) async fn read_owed_frame(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Frame, SessionEnd> {
    let header = in_time(read_header(stream)).await?;
    read_payload(stream, header).await
}

async fn read_header(stream: &mut (impl AsyncRead + Unpin)) -> Result<FrameHeader, SessionEnd> {
    let mut header = [0; FrameHeader::SIZE];
    stream.read_exact(&mut header).await?;
    Ok(FrameHeader::parse(header).map_err(SyncError::from)?)
}

/// Reads what a header has promised; a pause in it may not be long.
async fn read_payload(
    stream: &mut (impl AsyncRead + Unpin),
    header: FrameHeader,
) -> Result<Frame, SessionEnd> {
    let FrameHeader { kind, payload_len } = header;
    let mut payload = BytesMut::with_capacity(payload_len);
    while payload.len() < payload_len {
        let missing = payload_len - payload.len();
        let mut room = (&mut payload).limit(missing);
        let read = in_time(async { Ok(stream.read_buf(&mut room).await?) });
        if read.await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
    }
    Ok(Frame { kind, payload: payload.freeze() })
}

/// Gives a peer up that says nothing.
pub(super) async fn in_time<T>(
    reading: impl Future<Output = Result<T, SessionEnd>>,
) -> Result<T, SessionEnd> {
    let bound = Duration::from_millis(SILENCE_MS_MAX);
    let silent = |_| SyncError::from(Misbehaviour::Silent(SILENCE_MS_MAX));
    tokio::time::timeout(bound, reading).await.map_err(silent)?
}

/// Frames on their way out, written piece by piece so that the session can go on in between.
struct FrameWriter<W> {
    stream: W,
    waiting: VecDeque<Bytes>,
    unflushed: bool,
}

impl<W: AsyncWrite + Unpin> FrameWriter<W> {
    const fn new(stream: W) -> Self {
        Self { stream, waiting: VecDeque::new(), unflushed: false }
    }

    fn push(&mut self, frame: Frame) {
        self.waiting.push_back(Bytes::copy_from_slice(&frame.header()));
        self.waiting.push_back(frame.payload);
    }

    fn has_work(&self) -> bool {
        self.unflushed || !self.waiting.is_empty()
    }

    /// Writes what the stream takes at once, or flushes when all is written; gives the bytes
    /// taken. Safe to drop while it waits.
    async fn step(&mut self) -> io::Result<usize> {
        let Some(front) = self.waiting.front_mut() else {
            self.stream.flush().await?;
            self.unflushed = false;
            return Ok(0);
        };
        let size = self.stream.write_buf(front).await?;
        if front.is_empty() {
            self.waiting.pop_front();
        }
        self.unflushed = true;
        Ok(size)
    }
}
