//! One connection to one peer, from the dial or the accept to its end.
//!
//! ```text
//! transport → Noise (who is it?) → a seat among the sessions → yamux
//!                                    ├─ the sync session, one sub-stream
//!                                    └─ long bodies, a sub-stream each
//! ```

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::admission::Held;
use super::fetch::{Fetcher, Pull};
use super::inner::Inner;
use super::mux::{Mux, MuxError, MuxStream, Side};
use super::notices::Notice;
use super::serve::serve_body;
use super::session_task::{SessionEnd, SessionTask, in_time};
use super::sessions::Seat;
use super::signals::Signals;
use super::status::EndedSession;
use super::transport::{AbortOnDrop, Addr, NoiseStream, Secured, TransportError, initiate};
use super::uses::Use;
use crate::crypto::CryptoError;
use crate::limits::{PROBE_COUNT_MAX, PULL_COUNT_MAX, SERVED_BODY_COUNT_MAX};
use crate::sync::{Event, Grant, Session, SessionConfig};
use crate::types::Id;

/// A connection whose other end has proved its id.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) secured: Secured,
    pub(super) dialled_by: Id,
    pub(super) address: Option<SocketAddr>,
}

/// Why a peer was not reached.
#[derive(Debug, Error)]
pub(super) enum LinkError {
    /// Nobody answered there.
    #[error("nobody answers: {0}")]
    Dial(#[from] io::Error),
    /// Whoever answered did not prove to be the peer.
    #[error(transparent)]
    Handshake(#[from] TransportError),
    /// The two ids share no secret.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl Link {
    /// Dials a peer at an address, or wherever the transport finds it by its id alone.
    pub(super) async fn dial(node: &Inner, to: Id, at: Option<Addr>) -> Result<Self, LinkError> {
        let pair = node.sealing.pairs().secret(&to)?;
        let connection = node.transport.dial(&to, at.as_slice()).await?;
        let secured = initiate(connection, &node.identity, &pair, &node.network).await?;
        Ok(Self { secured, dialled_by: node.id(), address: at.and_then(socket) })
    }

    /// Takes a connection that a peer made.
    pub(super) fn accepted(secured: Secured, from: Option<Addr>) -> Self {
        Self { dialled_by: secured.peer, secured, address: from.and_then(socket) }
    }
}

impl Inner {
    /// Runs a session over a link until it ends, if it is the one that stays. An accepted link
    /// keeps its place among those who come in until it is seated.
    pub(super) async fn run_link(self: &Arc<Self>, link: Link, place: Option<Held<Id>>) {
        let Link { secured, dialled_by, address } = link;
        let Secured { peer, stream, aborter, handshake_hash, .. } = secured;
        let (probes, probed) = mpsc::channel(PROBE_COUNT_MAX);
        let (pulls, pulled) = mpsc::channel(PULL_COUNT_MAX);
        let seat = Seat {
            dialled_by,
            address,
            since: self.clock.unix_ms(),
            signals: Arc::new(Signals::default()),
            cut: self.stopping.child_token(),
            ended: CancellationToken::new(),
            probes,
            pulls,
        };
        let entered = self.sessions.enter(peer, seat.clone());
        let entered = match &place {
            Some(place) => place.run(entered).await.flatten(),
            None => entered.await,
        };
        let Some(seated) = entered else { return aborter.abort() };
        drop(place);
        // Dropped before the seat is free: who waits for that waits for the last byte.
        let abort = AbortOnDrop::new(aborter);
        let run = Run {
            node: self,
            peer,
            seat: &seat,
            dialled: dialled_by == self.id(),
            session_hash: handshake_hash,
        };
        let ended = seat.cut.run_until_cancelled(run.session(stream, probed, pulled)).await;
        match ended {
            Some(end) => {
                tracing::info!(%peer, %end, "session ended");
                let (at, why) = (self.clock.unix_ms(), end.to_string());
                self.sessions.on_ended(EndedSession { peer, at, why });
            }
            None => tracing::info!(%peer, "session cut"),
        }
        drop(abort);
        drop(seated);
    }
}

/// An address that discovery and people can use again.
pub(super) fn socket(at: Addr) -> Option<SocketAddr> {
    match at {
        Addr::Socket(address) => Some(address),
        _ => None,
    }
}

/// One session at work.
struct Run<'a> {
    node: &'a Arc<Inner>,
    peer: Id,
    seat: &'a Seat,
    dialled: bool,
    session_hash: [u8; 32],
}

impl Run<'_> {
    async fn session(
        &self,
        stream: NoiseStream,
        probes: mpsc::Receiver<oneshot::Sender<()>>,
        pulls: mpsc::Receiver<Pull>,
    ) -> SessionEnd {
        let (node, peer) = (self.node, self.peer);
        // Asked after the seat is taken: who was removed before then is seen here, before a byte is
        // written, and who is removed later is cut.
        let grant = match node.storage.read(move |queue| queue.grant(&peer)).await {
            Ok(Some(grant)) => grant,
            Ok(None) => return SessionEnd::Removed,
            Err(error) => return error.into(),
        };
        let mut mux = Mux::new(stream, if self.dialled { Side::Dialler } else { Side::Dialled });
        let sync = match in_time(self.open_sync(&mut mux)).await {
            Ok(stream) => stream,
            Err(end) => return end,
        };
        let (storage, opener) = (node.storage.clone(), mux.opener());
        let news = Arc::clone(&node.news);
        let fetcher = Fetcher { me: node.id(), peer, storage, opener, news };
        let end = tokio::select! {
            end = self.sync(sync, grant, probes) => end,
            end = fetcher.run(self.seat.signals.wanted(), pulls) => end,
            end = self.serve(&mut mux) => end,
        };
        // What was said before the end may still arrive.
        match (end, mux.close().await) {
            (SessionEnd::Connection(_) | SessionEnd::Mux(_), Err(lost)) => lost.into(),
            (end, _) => end,
        }
    }

    /// The sub-stream of the sync session, which whoever dialled opens.
    async fn open_sync(&self, mux: &mut Mux) -> Result<MuxStream, SessionEnd> {
        if self.dialled {
            let mut stream = mux.opener().open().await?;
            stream.write_all(&[Use::Sync.byte()]).await?;
            stream.flush().await?;
            return Ok(stream);
        }
        let mut stream = mux.accept().await.ok_or(MuxError::Closed)?;
        match Use::from_byte(stream.read_u8().await?)? {
            Use::Sync => Ok(stream),
            Use::Bodies => Err(io::Error::other("expected the sync sub-stream first").into()),
        }
    }

    async fn sync(
        &self,
        stream: MuxStream,
        grant: Grant,
        probes: mpsc::Receiver<oneshot::Sender<()>>,
    ) -> SessionEnd {
        let (node, peer) = (self.node, self.peer);
        let (identity, session_hash) = (Arc::clone(&node.identity), self.session_hash);
        let config = SessionConfig { identity, peer, grant, session_hash };
        let task = SessionTask {
            peer,
            session: Session::new(config, node.clock.now()),
            storage: &node.storage,
            clock: &node.clock,
            signals: &self.seat.signals,
            probes,
        };
        let (reader, writer) = tokio::io::split(stream);
        let noted = |event| {
            tracing::info!(%peer, ?event, "session");
            if let Event::Unproven { peer: author, epoch, length } = event {
                node.news.on_passing(Notice::Unproven { author, epoch, length });
            }
        };
        task.run(reader, writer, noted).await
    }

    /// Serves the long bodies that the peer wants, each in a task of its own that ends with the
    /// connection. An honest peer wants no more than fit; others wait until one is served.
    async fn serve(&self, mux: &mut Mux) -> SessionEnd {
        let room = Arc::new(Semaphore::new(SERVED_BODY_COUNT_MAX));
        loop {
            let Some(mut stream) = mux.accept().await else { return MuxError::Closed.into() };
            let (storage, me, peer) = (self.node.storage.clone(), self.node.id(), self.peer);
            let (cut, room) = (self.seat.ended.clone(), Arc::clone(&room));
            self.node.tasks.spawn(async move {
                let serving = async {
                    let _place = room.acquire_owned().await.map_err(io::Error::other)?;
                    match Use::from_byte(stream.read_u8().await?)? {
                        Use::Bodies => serve_body(stream, &storage, me, peer).await,
                        Use::Sync => Ok(()),
                    }
                };
                if let Some(Err(error)) = cut.run_until_cancelled(serving).await {
                    tracing::debug!(%peer, %error, "a body was not served");
                }
            });
        }
    }
}
