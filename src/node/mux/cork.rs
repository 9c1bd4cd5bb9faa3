//! What yamux writes, held together; what it does not read, read for it.
//!
//! yamux flushes after every frame, and would make a record and a packet of each. A flush is
//! therefore put off until yamux has read all there is, and waits. And yamux stops reading while
//! an answer to a ping waits to be written: two sides that write much would wait for each other
//! for ever (<https://github.com/libp2p/rust-yamux/issues/227>), so bytes are read ahead while the
//! other side takes none.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::io::{AsyncRead, AsyncWrite};

use super::ends::Tap;
use crate::limits::{NOISE_RECORD_SIZE_MAX, READ_AHEAD_SIZE_MAX};

/// A stream whose flushes are put off, and which is read while it cannot be written.
#[derive(Debug)]
pub(super) struct Cork<S> {
    stream: S,
    /// Bytes read since a flush was put off; absent when none was.
    unflushed: Option<usize>,
    ahead: VecDeque<u8>,
    tap: Tap,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Cork<S> {
    pub(super) const fn new(stream: S, tap: Tap) -> Self {
        Self { stream, unflushed: None, ahead: VecDeque::new(), tap }
    }

    /// Makes good on a flush that was put off, as far as the stream takes it now.
    fn flush(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.unflushed.is_some() && Pin::new(&mut self.stream).poll_flush(cx)?.is_ready() {
            self.unflushed = None;
        }
        Ok(())
    }

    fn poll_stream(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer)?;
        let Poll::Ready(count) = polled else {
            self.flush(cx)?;
            return Poll::Pending;
        };
        // Without a pause in what comes, what goes must not wait for one.
        if let Some(read) = &mut self.unflushed {
            *read += count;
            if *read >= NOISE_RECORD_SIZE_MAX {
                self.flush(cx)?;
            }
        }
        Poll::Ready(Ok(count))
    }

    fn take_ahead(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.ahead.read(buffer)?;
        if self.ahead.is_empty() {
            self.ahead = VecDeque::new();
        }
        Ok(count)
    }

    fn read_ahead(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let mut buffer = [0; 4_096];
        while self.ahead.len() < READ_AHEAD_SIZE_MAX {
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer)? {
                // The end of the stream is found again when yamux reads.
                Poll::Pending | Poll::Ready(0) => break,
                Poll::Ready(count) => self.ahead.extend(buffer.iter().take(count)),
            }
        }
        Ok(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Cork<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let polled = if self.ahead.is_empty() {
            self.poll_stream(cx, buffer)?
        } else {
            Poll::Ready(self.take_ahead(buffer)?)
        };
        if let Poll::Ready(count) = polled {
            self.tap.pass(buffer.get(..count).unwrap_or_default());
        }
        polled.map(Ok)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Cork<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes)?;
        if polled.is_pending() {
            self.read_ahead(cx)?;
        }
        polled.map(Ok)
    }

    fn poll_flush(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.unflushed.get_or_insert(0);
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_close(cx))?;
        // What was sent last is lost if the connection goes while bytes of the other side wait
        // unread (RFC 1122 §4.2.2.13), so its end is awaited.
        let mut dropped = [0; 512];
        while ready!(Pin::new(&mut self.stream).poll_read(cx, &mut dropped))? > 0 {}
        Poll::Ready(Ok(()))
    }
}
