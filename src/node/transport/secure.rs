//! The handshake over a connection, with a deadline that nothing a peer does can move.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use super::{Aborter, Connection, NoiseStream};
use crate::crypto::noise::{Initiator, Network, Responder, Session};
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
    let mut connection = connection;
    let (initiator, flight_1) = Initiator::new(identity, pair, network, ephemeral()?)?;
    let exchange = async {
        connection.write_all(&flight_1).await?;
        connection.flush().await?;
        let (initiator, auth) = initiator.read(&read::<FLIGHT_2_SIZE>(&mut connection).await?)?;
        connection.write_all(&auth).await?;
        connection.flush().await?;
        Ok::<_, TransportError>(initiator.verify(&read::<AUTH_SIZE>(&mut connection).await?)?)
    };
    let session = timeout_at(deadline(), exchange).await.map_err(|_| TransportError::Late)??;
    Ok(Secured::new(connection, session))
}

/// Has whoever made this connection prove its id, if it is one that `responder` knows. To anyone
/// else not a byte is sent, and the connection stays open, unanswered, until the deadline: when it
/// ends tells nothing about why.
///
/// # Errors
/// [`TransportError`]; the connection is closed then.
pub async fn respond(
    connection: Box<dyn Connection>,
    responder: &Responder,
) -> Result<Secured, TransportError> {
    let (mut connection, deadline) = (connection, deadline());
    let exchange = timeout_at(deadline, answer(&mut connection, responder)).await;
    match exchange.map_err(|_| TransportError::Late)? {
        Ok(session) => Ok(Secured::new(connection, session)),
        Err(TransportError::Crypto(error)) => {
            // Ends with the connection or the deadline, whichever comes first.
            let _ = timeout_at(deadline, drain(&mut connection)).await;
            Err(error.into())
        }
        Err(error) => Err(error),
    }
}

impl Secured {
    fn new(connection: Box<dyn Connection>, session: Session) -> Self {
        let Session { peer, send, receive, handshake_hash } = session;
        let aborter = connection.aborter();
        let stream = NoiseStream::new(connection, send, receive);
        Self { peer, handshake_hash, stream, aborter }
    }
}

async fn answer(
    connection: &mut Box<dyn Connection>,
    responder: &Responder,
) -> Result<Session, TransportError> {
    let flight_1 = read::<FLIGHT_1_SIZE>(connection).await?;
    let (responder, flight_2) = responder.read(&flight_1, ephemeral()?)?.accept()?;
    connection.write_all(&flight_2).await?;
    connection.flush().await?;
    let (session, auth) = responder.verify(&read::<AUTH_SIZE>(connection).await?)?;
    connection.write_all(&auth).await?;
    connection.flush().await?;
    Ok(session)
}

async fn read<const SIZE: usize>(connection: &mut Box<dyn Connection>) -> io::Result<[u8; SIZE]> {
    let mut flight = [0; SIZE];
    connection.read_exact(&mut flight).await?;
    Ok(flight)
}

async fn drain(connection: &mut Box<dyn Connection>) -> io::Result<()> {
    let mut dropped = [0; 512];
    while connection.read(&mut dropped).await? > 0 {}
    Ok(())
}

fn ephemeral() -> io::Result<Zeroizing<[u8; 32]>> {
    let mut scalar = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *scalar).map_err(io::Error::other)?;
    Ok(scalar)
}

fn deadline() -> Instant {
    Instant::now() + Duration::from_millis(HANDSHAKE_MS_MAX)
}
