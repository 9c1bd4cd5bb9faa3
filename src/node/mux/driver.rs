//! The one task that polls a connection.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::cork::Cork;
use super::stream::MuxStream;
use crate::limits::{CLOSE_MS_MAX, STREAM_COUNT_MAX};
use crate::node::transport::NoiseStream;

/// Polls a connection until it ends.
pub(super) struct Driver {
    connection: yamux::Connection<Cork<NoiseStream>>,
    requested: mpsc::Receiver<oneshot::Sender<yamux::Stream>>,
    /// The request that waits for yamux.
    next: Option<oneshot::Sender<yamux::Stream>>,
    accept: mpsc::Sender<MuxStream>,
    /// One for each stream that the other side may hold open.
    room: Arc<Semaphore>,
    shared: Shared,
}

impl Driver {
    pub(super) fn new(
        connection: yamux::Connection<Cork<NoiseStream>>,
        requested: mpsc::Receiver<oneshot::Sender<yamux::Stream>>,
        accept: mpsc::Sender<MuxStream>,
        shared: Shared,
    ) -> Self {
        let room = Arc::new(Semaphore::new(STREAM_COUNT_MAX));
        Self { connection, requested, next: None, accept, room, shared }
    }

    /// Carries streams until the connection ends, or is closed because `closing` says so.
    pub(super) async fn run(mut self, closing: CancellationToken) -> yamux::Result<()> {
        let _ended = self.shared.ended.clone().drop_guard();
        tokio::select! {
            ended = poll_fn(|cx| self.poll(cx)) => return ended,
            () = closing.cancelled() => (),
        }
        let close = poll_fn(|cx| self.connection.poll_close(cx));
        // A side that does not read keeps nobody waiting: the connection is dropped then.
        timeout(Duration::from_millis(CLOSE_MS_MAX), close).await.unwrap_or(Ok(()))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<yamux::Result<()>> {
        loop {
            self.poll_requests(cx)?;
            match self.connection.poll_next_inbound(cx)? {
                Poll::Ready(Some(stream)) => self.admit(stream),
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn poll_requests(&mut self, cx: &mut Context<'_>) -> yamux::Result<()> {
        loop {
            if self.next.is_none() {
                let Poll::Ready(Some(request)) = self.requested.poll_recv(cx) else {
                    return Ok(());
                };
                self.next = Some(request);
            }
            let Poll::Ready(stream) = self.connection.poll_new_outbound(cx)? else {
                return Ok(());
            };
            // Who asked may have gone; the stream goes with it.
            let _ = self.next.take().map(|request| request.send(stream));
        }
    }

    /// Takes a stream of the other side, or resets it when there are too many.
    fn admit(&self, stream: yamux::Stream) {
        let Ok(room) = Arc::clone(&self.room).try_acquire_owned() else {
            drop(self.shared.ends.of(stream.id()));
            return;
        };
        // Full it cannot be: it has a place for each stream that there is room for. Nobody may be
        // listening any more; the stream is reset then too.
        let _ = self.accept.try_send(MuxStream::new(stream, room, &self.shared));
    }
}
