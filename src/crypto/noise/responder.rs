//! The end that is dialled.

use std::fmt;
use std::sync::Arc;

use snow::{Builder, HandshakeState};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::auth::{Role, Unproven};
use super::resolver::Resolver;
use super::{KnownPairs, Network, Session, flight};
use crate::crypto::{CryptoError, Identity, PairSecret};
use crate::limits::{AUTH_SIZE, FLIGHT_1_SIZE, FLIGHT_2_SIZE};
use crate::types::Id;

/// Answers handshakes; one for all connections of a node.
pub struct Responder {
    identity: Arc<Identity>,
    known: Arc<dyn KnownPairs>,
    mac1_key: [u8; 32],
    prologue: [u8; flight::PROLOGUE_SIZE],
}

impl Responder {
    /// A responder that answers whom `known` knows.
    #[must_use]
    pub fn new(identity: &Arc<Identity>, known: Arc<dyn KnownPairs>, network: &Network) -> Self {
        let id = identity.id();
        let (mac1_key, prologue) = (flight::mac1_key(&id), flight::prologue(network, &id));
        Self { identity: Arc::clone(identity), known, mac1_key, prologue }
    }

    /// Whether flight 1 is meant for this node: a sender that does not know its id costs one hash.
    ///
    /// # Errors
    /// [`CryptoError::Flight`]. Nothing may be answered.
    pub fn check(&self, flight: [u8; FLIGHT_1_SIZE]) -> Result<AddressedFlight, CryptoError> {
        let (message, mac1) = flight::split(&flight);
        let is_addressed = flight::mac1(&self.mac1_key, message).ct_eq(mac1);
        if bool::from(is_addressed) {
            Ok(AddressedFlight(flight))
        } else {
            Err(CryptoError::Flight { number: 1 })
        }
    }

    /// Takes flight 1. `ephemeral` is 32 random bytes, never used before. It costs at most two
    /// X25519.
    ///
    /// # Errors
    /// [`CryptoError::Flight`], or [`CryptoError::Stranger`]. Either way nothing may be answered.
    pub fn read(
        &self,
        flight: &AddressedFlight,
        ephemeral: Zeroizing<[u8; 32]>,
    ) -> Result<UnverifiedInitiator, CryptoError> {
        let refused = CryptoError::Flight { number: 1 };
        let (message, _) = flight::split(&flight.0);
        let identity = Arc::clone(&self.identity);
        let resolver =
            Resolver { identity: Arc::clone(&identity), known: Arc::clone(&self.known), ephemeral };
        let mut noise = flight::builder(resolver, &self.prologue)
            .and_then(Builder::build_responder)
            .map_err(|_| refused)?;
        flight::read(&mut noise, message, 1)?;
        let image = noise.get_remote_static().and_then(<[u8]>::first_chunk).ok_or(refused)?;
        let pair = self.known.pair(image).ok_or(CryptoError::Stranger)?;
        Ok(UnverifiedInitiator { noise, identity, pair })
    }
}

/// A first flight whose sender knows this node's id, and may be anyone for all else.
#[derive(Debug)]
pub struct AddressedFlight([u8; FLIGHT_1_SIZE]);

impl AddressedFlight {
    /// The sender's ephemeral key: no two flights of honest senders share it.
    ///
    /// # Panics
    /// Never: a flight is longer than its first field.
    #[must_use]
    pub fn ephemeral(&self) -> &[u8; 32] {
        self.0.first_chunk().expect("a flight is longer than its first field")
    }
}

/// Someone who dialled and named a known id, perhaps by replaying a flight of that id.
#[derive(Debug)]
pub struct UnverifiedInitiator {
    noise: HandshakeState,
    identity: Arc<Identity>,
    pair: Arc<PairSecret>,
}

impl UnverifiedInitiator {
    /// Whom the flight names. Nothing may follow from it but the choice to answer.
    #[must_use]
    pub fn claimed(&self) -> Id {
        self.pair.peer()
    }

    /// Answers: flight 2.
    ///
    /// # Errors
    /// [`CryptoError::Flight`] when the initiator's ephemeral key is weak.
    pub fn accept(mut self) -> Result<(ResponderAwaitingAuth, [u8; FLIGHT_2_SIZE]), CryptoError> {
        let mut flight = [0; FLIGHT_2_SIZE];
        self.noise
            .write_message(&flight::GREETING, &mut flight)
            .map_err(|_| CryptoError::Flight { number: 1 })?;
        let unproven = Unproven::split(self.noise, self.identity, self.pair, Role::Responder);
        Ok((ResponderAwaitingAuth(unproven), flight))
    }
}

/// Who was dialled, waiting for the initiator's Auth.
#[derive(Debug)]
pub struct ResponderAwaitingAuth(Unproven);

impl ResponderAwaitingAuth {
    /// Takes the initiator's Auth and gives this end's to send: the session is authenticated.
    ///
    /// # Errors
    /// [`CryptoError::Record`] or [`CryptoError::Signature`].
    pub fn verify(
        mut self,
        auth: &[u8; AUTH_SIZE],
    ) -> Result<(Session, [u8; AUTH_SIZE]), CryptoError> {
        self.0.verify(auth)?;
        let ours = self.0.sign()?;
        Ok((self.0.into_session(), ours))
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder").field("identity", &self.identity).finish_non_exhaustive()
    }
}
