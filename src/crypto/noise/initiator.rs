//! The end that dials.

use std::sync::Arc;

use snow::HandshakeState;
use zeroize::Zeroizing;

use super::auth::{Role, Unproven};
use super::resolver::Resolver;
use super::{Network, Session, flight};
use crate::crypto::{CryptoError, Identity, PairSecret};
use crate::limits::{AUTH_SIZE, FLIGHT_1_SIZE, FLIGHT_2_SIZE};

/// Who dialled, waiting for flight 2.
#[derive(Debug)]
pub struct Initiator {
    noise: HandshakeState,
    identity: Arc<Identity>,
    pair: Arc<PairSecret>,
}

impl Initiator {
    /// Begins a handshake with `pair.peer()`. `ephemeral` is 32 random bytes, never used before.
    ///
    /// # Errors
    /// [`CryptoError::WeakKey`], which no id can cause.
    pub fn new(
        identity: &Arc<Identity>,
        pair: &Arc<PairSecret>,
        network: &Network,
        ephemeral: Zeroizing<[u8; 32]>,
    ) -> Result<(Self, [u8; FLIGHT_1_SIZE]), CryptoError> {
        let (identity, pair) = (Arc::clone(identity), Arc::clone(pair));
        let prologue = flight::prologue(network, &pair.peer());
        let resolver = Resolver {
            identity: Arc::clone(&identity),
            known: Arc::new(Arc::clone(&pair)),
            ephemeral,
        };
        let mut noise = flight::builder(resolver, &prologue)
            .and_then(|builder| builder.remote_public_key(pair.image())?.build_initiator())
            .map_err(|_| CryptoError::WeakKey)?;
        let mut flight = [0; FLIGHT_1_SIZE];
        let (message, mac1) = flight::split_mut(&mut flight);
        noise.write_message(&flight::GREETING, message).map_err(|_| CryptoError::WeakKey)?;
        *mac1 = flight::mac1(&flight::mac1_key(&pair.peer()), message);
        Ok((Self { noise, identity, pair }, flight))
    }

    /// Takes flight 2 and gives this end's Auth to send.
    ///
    /// # Errors
    /// [`CryptoError::Flight`].
    pub fn read(
        mut self,
        flight: &[u8; FLIGHT_2_SIZE],
    ) -> Result<(InitiatorAwaitingAuth, [u8; AUTH_SIZE]), CryptoError> {
        flight::read(&mut self.noise, flight, 2)?;
        let mut unproven = Unproven::split(self.noise, self.identity, self.pair, Role::Initiator);
        let auth = unproven.sign()?;
        Ok((InitiatorAwaitingAuth(unproven), auth))
    }
}

/// Who dialled, waiting for the responder's Auth.
#[derive(Debug)]
pub struct InitiatorAwaitingAuth(Unproven);

impl InitiatorAwaitingAuth {
    /// Takes the responder's Auth: the session is authenticated.
    ///
    /// # Errors
    /// [`CryptoError::Record`] or [`CryptoError::Signature`].
    pub fn verify(mut self, auth: &[u8; AUTH_SIZE]) -> Result<Session, CryptoError> {
        self.0.verify(auth)?;
        Ok(self.0.into_session())
    }
}
