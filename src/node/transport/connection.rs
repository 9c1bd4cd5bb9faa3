//! A byte stream that someone else can end at once.

use std::fmt::{self, Debug};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A byte stream to another node, not yet secured.
pub trait Connection: AsyncRead + AsyncWrite + Unpin + Send + Debug {
    /// What ends this connection from anywhere.
    fn aborter(&self) -> Aborter;
}

/// Ends a connection at once, from any thread, while another task reads and writes it. Does not
/// keep the connection alive.
#[derive(Clone)]
pub struct Aborter(Weak<dyn Abort>);

impl Aborter {
    /// Ends the connection: when this returns, nothing more is sent, not even what was written
    /// before and still waits in the kernel. Does nothing when it has ended already.
    pub fn abort(&self) {
        if let Some(connection) = self.0.upgrade() {
            connection.abort();
        }
    }

    /// Whether the connection is gone.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.0.strong_count() == 0
    }
}

/// Ends a connection at once when it is dropped.
#[derive(Debug)]
pub(in crate::node) struct AbortOnDrop(Option<Aborter>);

impl AbortOnDrop {
    pub(in crate::node) const fn new(aborter: Aborter) -> Self {
        Self(Some(aborter))
    }

    /// Leaves the connection alone.
    pub(super) fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        if let Some(aborter) = &self.0 {
            aborter.abort();
        }
    }
}

impl Debug for Aborter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aborter").field("is_spent", &self.is_spent()).finish()
    }
}

trait Abort: Send + Sync {
    fn abort(&self);
}

/// A stream behind a lock, so that it can be closed under the hands of the task that uses it. The
/// lock is held for one poll at a time and by nobody else but an [`Aborter`].
pub(super) struct Abortable<S>(Arc<Mutex<State<S>>>);

struct State<S> {
    /// Absent once aborted.
    stream: Option<S>,
    /// What must happen right before the stream is closed.
    before_close: fn(&S),
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Abortable<S> {
    pub(super) fn new(stream: S, before_close: fn(&S)) -> Self {
        let state = State { stream: Some(stream), before_close, reader: None, writer: None };
        Self(Arc::new(Mutex::new(state)))
    }

    fn poll_write_half<T>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let mut state = lock(&self.0);
        let Some(stream) = &mut state.stream else { return Poll::Ready(Err(aborted())) };
        let polled = poll(Pin::new(stream), cx);
        if polled.is_pending() {
            state.writer = Some(cx.waker().clone());
        }
        polled
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Connection for Abortable<S> {
    fn aborter(&self) -> Aborter {
        let state: Arc<dyn Abort> = Arc::<Mutex<State<S>>>::clone(&self.0);
        Aborter(Arc::downgrade(&state))
    }
}

impl<S: Send> Abort for Mutex<State<S>> {
    fn abort(&self) {
        let mut state = lock(self);
        if let Some(stream) = state.stream.take() {
            (state.before_close)(&stream);
        }
        let wakers = [state.reader.take(), state.writer.take()];
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> AsyncRead for Abortable<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = lock(&self.0);
        let Some(stream) = &mut state.stream else { return Poll::Ready(Err(aborted())) };
        let polled = Pin::new(stream).poll_read(cx, buffer);
        if polled.is_pending() {
            state.reader = Some(cx.waker().clone());
        }
        polled
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> AsyncWrite for Abortable<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_half(cx, |stream, cx| stream.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_write_half(cx, AsyncWrite::poll_flush)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_write_half(cx, AsyncWrite::poll_shutdown)
    }
}

impl<S> Debug for Abortable<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let aborted = lock(&self.0).stream.is_none();
        f.debug_struct("Abortable").field("aborted", &aborted).finish_non_exhaustive()
    }
}

/// A panic while a stream was polled leaves nothing here that could be wrong.
fn lock<S>(state: &Mutex<State<S>>) -> MutexGuard<'_, State<S>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn aborted() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "this node ended the connection")
}
