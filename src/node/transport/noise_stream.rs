//! Bytes over a connection as Noise records.
//!
//! Writes are gathered until a record is full or a flush asks for it; a record is sealed where it
//! was gathered, and opened where it was received. An idle stream holds no buffers.

use std::fmt;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use futures::io::{AsyncRead, AsyncWrite};
use tokio::io::{AsyncReadExt, AsyncWrite as _};

use super::Connection;
use crate::crypto::noise::{
    RECORD_HEADER_SIZE, RECORD_TEXT_SIZE_MAX, RecordOpener, RecordSealer, record_size,
};
use crate::limits::{IDLE_BUFFER_SIZE_MAX, SEAL_TAG_SIZE};

/// A connection whose other end is known, and whose bytes nobody else reads or changes. For one
/// task: its two directions share wakers.
pub struct NoiseStream {
    connection: Box<dyn Connection>,
    incoming: Incoming,
    outgoing: Outgoing,
}

/// Received bytes: first those not opened, then those not read.
struct Incoming {
    opener: RecordOpener,
    sealed: BytesMut,
    text: BytesMut,
}

/// Written bytes: a sealed record on its way, and the next one as it is gathered. So at most two
/// records are held, however slow the other end reads.
struct Outgoing {
    sealer: RecordSealer,
    sealed: Vec<u8>,
    /// How much of `sealed` the connection has taken.
    sent: usize,
    /// Room for a record's header, then text; or nothing.
    gathered: Vec<u8>,
}

impl NoiseStream {
    pub(super) fn new(
        connection: Box<dyn Connection>,
        sealer: RecordSealer,
        opener: RecordOpener,
    ) -> Self {
        Self {
            connection,
            incoming: Incoming { opener, sealed: BytesMut::new(), text: BytesMut::new() },
            outgoing: Outgoing { sealer, sealed: Vec::new(), sent: 0, gathered: Vec::new() },
        }
    }

    /// Hands the sealed record to the connection.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Outgoing { sealed, sent, .. } = &mut self.outgoing;
        while let Some(rest) = sealed.get(*sent..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.connection).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                taken => *sent += taken,
            }
        }
        *sent = 0;
        clear(sealed);
        Poll::Ready(Ok(()))
    }

    /// Seals what was gathered, once the record before it is gone, and begins to send it.
    fn poll_seal(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        let Outgoing { sealer, sealed, gathered, .. } = &mut self.outgoing;
        sealer.seal(gathered, 0).map_err(io::Error::other)?;
        std::mem::swap(sealed, gathered);
        // What does not fit now goes with the next write or flush.
        let _ = self.poll_send(cx)?;
        Poll::Ready(Ok(()))
    }

    fn poll_flush_records(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.outgoing.gathered.is_empty() {
            ready!(self.poll_seal(cx))?;
        }
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.connection).poll_flush(cx)
    }

    /// Receives bytes until a record is complete, and opens it.
    fn poll_record(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Received>> {
        loop {
            let missing = match self.incoming.next_record()? {
                Next::Opened => return Poll::Ready(Ok(Received::Text)),
                Next::Missing(missing) => missing,
            };
            let Incoming { sealed, text, .. } = &mut self.incoming;
            // Lets go of the record before, so that its room is used again.
            *text = BytesMut::new();
            sealed.reserve(missing.max(IDLE_BUFFER_SIZE_MAX));
            let received = pin!(self.connection.read_buf(sealed)).poll(cx);
            if received.is_pending() && sealed.is_empty() {
                *sealed = BytesMut::new();
            }
            if ready!(received)? == 0 {
                let cut = !sealed.is_empty();
                let end = || Ok(Received::End);
                return Poll::Ready(if cut { Err(cut_off()) } else { end() });
            }
        }
    }
}

enum Received {
    Text,
    End,
}

enum Next {
    Opened,
    /// Bytes that are missing, at least.
    Missing(usize),
}

impl Incoming {
    fn next_record(&mut self) -> io::Result<Next> {
        let Some(header) = self.sealed.first_chunk::<RECORD_HEADER_SIZE>() else {
            return Ok(Next::Missing(RECORD_HEADER_SIZE - self.sealed.len()));
        };
        let size = record_size(*header).map_err(invalid)?;
        let whole = RECORD_HEADER_SIZE + size;
        if let Some(missing) = whole.checked_sub(self.sealed.len()).filter(|&missing| missing > 0) {
            return Ok(Next::Missing(missing));
        }
        let mut record = self.sealed.split_to(whole).split_off(RECORD_HEADER_SIZE);
        let text_size = self.opener.open(&mut record).map_err(invalid)?.len();
        record.truncate(text_size);
        self.text = record;
        Ok(Next::Opened)
    }
}

impl AsyncRead for NoiseStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let empty = self.incoming.text.is_empty();
        if empty && matches!(ready!(self.poll_record(cx))?, Received::End) {
            return Poll::Ready(Ok(0));
        }
        let text = &mut self.incoming.text;
        let taken = text.len().min(buffer.len());
        if let Some((room, _)) = buffer.split_at_mut_checked(taken) {
            text.copy_to_slice(room);
        }
        Poll::Ready(Ok(taken))
    }
}

impl AsyncWrite for NoiseStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.outgoing.gathered.len() == GATHERED_SIZE_MAX {
            ready!(self.poll_seal(cx))?;
        }
        Poll::Ready(Ok(gather(&mut self.outgoing.gathered, bytes)))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush_records(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_flush_records(cx))?;
        Pin::new(&mut self.connection).poll_shutdown(cx)
    }
}

impl fmt::Debug for NoiseStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NoiseStream").field("connection", &self.connection).finish_non_exhaustive()
    }
}

/// Adds what fits to a record, and says how much that was. A buffer has one of two sizes.
fn gather(record: &mut Vec<u8>, bytes: &[u8]) -> usize {
    if record.is_empty() {
        record.reserve_exact(IDLE_BUFFER_SIZE_MAX);
        record.extend_from_slice(&[0; RECORD_HEADER_SIZE]);
    }
    let taken = bytes.len().min(GATHERED_SIZE_MAX - record.len());
    if record.len() + taken + SEAL_TAG_SIZE > record.capacity() {
        record.reserve_exact(GATHERED_SIZE_MAX + SEAL_TAG_SIZE - record.len());
    }
    record.extend_from_slice(bytes.get(..taken).unwrap_or_default());
    taken
}

/// Empties a buffer, and gives a large one back.
fn clear(buffer: &mut Vec<u8>) {
    buffer.clear();
    if buffer.capacity() > IDLE_BUFFER_SIZE_MAX {
        *buffer = Vec::new();
    }
}

fn invalid(error: crate::crypto::CryptoError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

fn cut_off() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "expected the rest of a record, got the end")
}

const GATHERED_SIZE_MAX: usize = RECORD_HEADER_SIZE + RECORD_TEXT_SIZE_MAX;
