//! Many streams over one secured connection: yamux behind a type of our own.
//!
//! yamux (<https://github.com/hashicorp/yamux/blob/master/spec.md>) moves nothing unless its
//! connection is polled, and ends it when too many streams are open. So one task polls it all the
//! time, each side counts the streams it holds open, and a stream too many is reset.
//!
//! *Invariant*: no honest peer can make yamux end the connection, and none can make this node hold
//! more than its windows. Deliberately absent: what streams are for, pings (the sync session's).

mod cork;
mod driver;
mod ends;
mod stream;

use std::sync::Arc;

use thiserror::Error;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::cork::Cork;
use self::driver::Driver;
use self::ends::{Ends, Tap};
pub(super) use self::stream::MuxStream;
use super::transport::NoiseStream;
use crate::limits::{CONNECTION_WINDOW_SIZE, STREAM_COUNT_FATAL, STREAM_COUNT_MAX};

/// Which side of a connection this node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// It dialled.
    Dialler,
    /// It was dialled.
    Dialled,
}

/// One end of a connection that carries many streams. Dropped, it closes the connection.
#[derive(Debug)]
pub(super) struct Mux {
    opener: Opener,
    accepted: mpsc::Receiver<MuxStream>,
    driver: JoinHandle<Result<(), yamux::ConnectionError>>,
    closing: DropGuard,
}

/// Opens streams on a [`Mux`]; may be cloned and given away.
#[derive(Debug, Clone)]
pub(super) struct Opener {
    requests: mpsc::Sender<oneshot::Sender<yamux::Stream>>,
    /// One for each stream that this side may hold open.
    room: Arc<Semaphore>,
    shared: Shared,
}

/// What the streams of a connection know of it.
#[derive(Debug, Clone, Default)]
struct Shared {
    /// Cancelled when the connection has ended.
    ended: CancellationToken,
    ends: Ends,
}

/// Why there is no stream.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(super) enum MuxError {
    /// One of the two sides closed the connection.
    #[error("the connection is closed")]
    Closed,
    /// The connection failed, or the other side broke its rules.
    #[error("the connection was lost: {0}")]
    Lost(#[source] yamux::ConnectionError),
}

impl Mux {
    /// Begins to carry streams; a task of the current runtime does so until the connection ends.
    #[must_use]
    pub(super) fn new(stream: NoiseStream, side: Side) -> Self {
        let mode = match side {
            Side::Dialler => yamux::Mode::Client,
            Side::Dialled => yamux::Mode::Server,
        };
        let shared = Shared::default();
        let cork = Cork::new(stream, Tap::new(shared.ends.clone()));
        let connection = yamux::Connection::new(cork, config(), mode);
        let (requests, requested) = mpsc::channel(STREAM_COUNT_MAX);
        let (accept, accepted) = mpsc::channel(STREAM_COUNT_MAX);
        let closing = CancellationToken::new();
        let driver = Driver::new(connection, requested, accept, shared.clone());
        let driver = tokio::spawn(driver.run(closing.clone()));
        let room = Arc::new(Semaphore::new(STREAM_COUNT_MAX));
        let opener = Opener { requests, room, shared };
        Self { opener, accepted, driver, closing: closing.drop_guard() }
    }

    /// What opens streams on this connection.
    #[must_use]
    pub(super) fn opener(&self) -> Opener {
        self.opener.clone()
    }

    /// The next stream that the other side opened; `None` when the connection has ended. See
    /// [`Mux::close`] for why.
    pub(super) async fn accept(&mut self) -> Option<MuxStream> {
        self.accepted.recv().await
    }

    /// Sends what streams were given, as far as the other side takes it in time, and closes the
    /// connection.
    ///
    /// # Errors
    /// [`MuxError::Lost`] when the connection had failed.
    pub(super) async fn close(self) -> Result<(), MuxError> {
        drop(self.closing);
        // A panic of the driver was printed; the connection is gone with it.
        self.driver.await.unwrap_or(Ok(())).map_err(MuxError::Lost)
    }
}

impl Opener {
    /// Opens a stream; waits while this side has [`STREAM_COUNT_MAX`] open. The other side learns
    /// of it with the first byte.
    ///
    /// # Errors
    /// [`MuxError::Closed`].
    pub(super) async fn open(&self) -> Result<MuxStream, MuxError> {
        let room = Arc::clone(&self.room).acquire_owned().await.map_err(|_| MuxError::Closed)?;
        let (answer, opened) = oneshot::channel();
        self.requests.send(answer).await.map_err(|_| MuxError::Closed)?;
        let stream = opened.await.map_err(|_| MuxError::Closed)?;
        Ok(MuxStream::new(stream, room, &self.shared))
    }
}

fn config() -> yamux::Config {
    let mut config = yamux::Config::default();
    // In this order: yamux panics when the window is set for more streams than it has room for.
    config.set_max_num_streams(STREAM_COUNT_FATAL);
    config.set_max_connection_receive_window(Some(CONNECTION_WINDOW_SIZE));
    config
}

#[cfg(test)]
mod tests;
