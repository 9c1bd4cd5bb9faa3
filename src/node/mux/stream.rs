//! One stream of a connection.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::Shared;
use super::ends::StreamEnd;

/// One stream of a connection: bytes in order, both ways. Dropped before both sides have shut it
/// down, it is reset.
pub(in crate::node) struct MuxStream {
    stream: Compat<yamux::Stream>,
    end: StreamEnd,
    /// The end of the connection, for who reads and who writes: when a connection is closed, yamux
    /// wakes neither.
    ended: [Pin<Box<WaitForCancellationFutureOwned>>; 2],
    /// Given back when the stream is gone.
    _room: OwnedSemaphorePermit,
}

impl MuxStream {
    pub(super) fn new(
        stream: yamux::Stream,
        room: OwnedSemaphorePermit,
        connection: &Shared,
    ) -> Self {
        let ended = [(); 2].map(|()| Box::pin(connection.ended.clone().cancelled_owned()));
        let end = connection.ends.of(stream.id());
        Self { stream: stream.compat(), end, ended, _room: room }
    }

    fn poll_write_half<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut Compat<yamux::Stream>>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let polled = poll(Pin::new(&mut self.stream), cx);
        let [_, ended] = &mut self.ended;
        if polled.is_pending() && ended.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(cut_off()));
        }
        polled
    }
}

impl AsyncRead for MuxStream {
    /// The end of the stream is where the other side shut it down; anything else is an error.
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.remaining();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer)?;
        let [ended, _] = &mut self.ended;
        if polled.is_pending() && ended.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(cut_off()));
        }
        let at_end = polled.is_ready() && before > 0 && buffer.remaining() == before;
        if at_end && !self.end.is_seen() {
            return Poll::Ready(Err(cut_off()));
        }
        polled.map(Ok)
    }
}

impl AsyncWrite for MuxStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_half(cx, |stream, cx| stream.poll_write(cx, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_write_half(cx, AsyncWrite::poll_flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_write_half(cx, AsyncWrite::poll_shutdown)
    }
}

impl fmt::Debug for MuxStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MuxStream").field("stream", self.stream.get_ref()).finish_non_exhaustive()
    }
}

fn cut_off() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "expected the stream's end, but it was cut off")
}
