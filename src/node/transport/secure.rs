//! The handshake over a connection, with a deadline that nothing a peer does can move.
//!
//! Who dials does it in one go, [`initiate`]. Who is dialled goes from stage to stage, so that
//! admission can choose at each: [`Knock`] → [`Claim`] → [`Secured`], or [`Unanswered`].

use std::io;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use super::connection::AbortOnDrop;
use super::{Aborter, Connection, NoiseStream};
use crate::crypto::noise::{
    AddressedFlight, Initiator, Network, Responder, Session, UnverifiedInitiator,
};
use crate::crypto::{CryptoError, Identity, PairSecret};
use crate::limits::{AUTH_SIZE, FLIGHT_1_SIZE, FLIGHT_2_SIZE, HANDSHAKE_MS_MAX};
use crate::types::Id;

/// A connection whose other end has proved its id.
#[derive(Debug)]
pub struct Secured {
    /// Who is at the other end.
    pub peer: Id,
    /// What both ends have in common and no other session has: 32 bytes.
    pub handshake_hash: [u8; 32],
    /// The bytes between the two.
    pub stream: NoiseStream,
    /// What ends the connection from anywhere.
    pub aborter: Aborter,
}

/// Why a connection was not secured.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The connection failed, or the other end closed it.
    #[error("the connection failed during the handshake: {0}")]
    Io(#[from] io::Error),
    /// The other end did not prove to be who it should be.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// The handshake was not done in time.
    #[error("expected the handshake to end within {HANDSHAKE_MS_MAX} ms")]
    Late,
}

/// Proves this node's id to `pair.peer()`, and has that node prove its own.
///
/// # Errors
/// [`TransportError`]; the connection is closed then. A node to which this one is a stranger keeps
/// silent: that is [`TransportError::Late`], or `Io` when it closes first.
pub async fn initiate(
    connection: Box<dyn Connection>,
    identity: &Arc<Identity>,
    pair: &Arc<PairSecret>,
    network: &Network,
) -> Result<Secured, TransportError> {
    let mut under_way = UnderWay::new(connection);
    let (initiator, flight_1) = Initiator::new(identity, pair, network, ephemeral()?)?;
    under_way.write(&flight_1).await?;
    let (initiator, auth) = initiator.read(&under_way.read::<FLIGHT_2_SIZE>().await?)?;
    under_way.write(&auth).await?;
    let session = initiator.verify(&under_way.read::<AUTH_SIZE>().await?)?;
    Ok(under_way.finish(session))
}

/// A connection whose first flight came whole, from someone who knows this node's id.
#[derive(Debug)]
pub struct Knock {
    under_way: UnderWay,
    flight: AddressedFlight,
}

impl Knock {
    /// Waits for the first flight, until the deadline.
    ///
    /// # Errors
    /// [`Unanswered`] when it does not come, or is not meant for `responder`.
    pub async fn hear(
        connection: Box<dyn Connection>,
        responder: &Responder,
    ) -> Result<Self, Unanswered> {
        let mut under_way = UnderWay::new(connection);
        let flight = match under_way.read::<FLIGHT_1_SIZE>().await {
            Ok(flight) => responder.check(flight).map_err(TransportError::from),
            Err(error) => Err(error),
        };
        match flight {
            Ok(flight) => Ok(Self { under_way, flight }),
            Err(error) => Err(Unanswered { under_way, error }),
        }
    }

    /// The sender's ephemeral key, by which a replay is known.
    #[must_use]
    pub fn ephemeral(&self) -> &[u8; 32] {
        self.flight.ephemeral()
    }

    /// Reads the flight: two X25519.
    ///
    /// # Errors
    /// [`Unanswered`] when nobody is named whom `responder` knows.
    pub fn read(self, responder: &Responder) -> Result<Claim, Unanswered> {
        let Self { under_way, flight } = self;
        let read = ephemeral()
            .map_err(TransportError::from)
            .and_then(|ephemeral| Ok(responder.read(&flight, ephemeral)?));
        match read {
            Ok(unverified) => Ok(Claim { under_way, unverified }),
            Err(error) => Err(Unanswered { under_way, error }),
        }
    }

    /// Gives no answer.
    #[must_use]
    pub fn refuse(self, why: CryptoError) -> Unanswered {
        Unanswered { under_way: self.under_way, error: why.into() }
    }
}

/// A connection whose first flight names a peer; it may be a replay of that peer's.
#[derive(Debug)]
pub struct Claim {
    under_way: UnderWay,
    unverified: UnverifiedInitiator,
}

impl Claim {
    /// Whom the flight names. Nothing may follow from it but the choice to answer.
    #[must_use]
    pub fn claimed(&self) -> Id {
        self.unverified.claimed()
    }

    /// Answers, and has the peer prove its id.
    ///
    /// # Errors
    /// [`TransportError`]; the connection is closed then.
    pub async fn answer(self) -> Result<Secured, TransportError> {
        let Self { mut under_way, unverified } = self;
        let (responder, flight_2) = unverified.accept()?;
        under_way.write(&flight_2).await?;
        let (session, auth) = responder.verify(&under_way.read::<AUTH_SIZE>().await?)?;
        under_way.write(&auth).await?;
        Ok(under_way.finish(session))
    }

    /// Gives no answer.
    #[must_use]
    pub fn refuse(self, why: CryptoError) -> Unanswered {
        Unanswered { under_way: self.under_way, error: why.into() }
    }
}

/// A connection that gets no answer.
#[derive(Debug)]
pub struct Unanswered {
    under_way: UnderWay,
    error: TransportError,
}

impl Unanswered {
    /// Keeps the connection open, and drops what comes, until the deadline or the other end's; then
    /// tells why.
    pub async fn wait(self) -> TransportError {
        let Self { mut under_way, error } = self;
        let mut dropped = [0; 512];
        let drained = async {
            while under_way.connection.read(&mut dropped).await.is_ok_and(|size| size > 0) {}
        };
        // Ends with the connection or the deadline, whichever comes first.
        let _ = timeout_at(under_way.deadline, drained).await;
        error
    }
}

/// A handshake under way. Given up, it takes back what the kernel has not sent.
#[derive(Debug)]
struct UnderWay {
    /// Dropped before the connection, which it would not find any more.
    abort: AbortOnDrop,
    connection: Box<dyn Connection>,
    deadline: Instant,
}

impl UnderWay {
    fn new(connection: Box<dyn Connection>) -> Self {
        let abort = AbortOnDrop::new(connection.aborter());
        let deadline = Instant::now() + Duration::from_millis(HANDSHAKE_MS_MAX);
        Self { abort, connection, deadline }
    }

    async fn read<const SIZE: usize>(&mut self) -> Result<[u8; SIZE], TransportError> {
        let mut flight = [0; SIZE];
        let read = self.connection.read_exact(&mut flight);
        timeout_at(self.deadline, read).await.map_err(|_| TransportError::Late)??;
        Ok(flight)
    }

    async fn write(&mut self, flight: &[u8]) -> Result<(), TransportError> {
        let connection = &mut self.connection;
        let write = async {
            connection.write_all(flight).await?;
            connection.flush().await
        };
        Ok(timeout_at(self.deadline, write).await.map_err(|_| TransportError::Late)??)
    }

    fn finish(self, session: Session) -> Secured {
        let Self { abort, connection, .. } = self;
        abort.disarm();
        let Session { peer, send, receive, handshake_hash } = session;
        let aborter = connection.aborter();
        let stream = NoiseStream::new(connection, send, receive);
        Secured { peer, handshake_hash, stream, aborter }
    }
}

fn ephemeral() -> io::Result<Zeroizing<[u8; 32]>> {
    let mut scalar = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *scalar).map_err(io::Error::other)?;
    Ok(scalar)
}
