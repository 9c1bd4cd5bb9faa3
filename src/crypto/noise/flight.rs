//! The two flights: what is common to who sends and who reads them.

use snow::{Builder, HandshakeState};

use super::Network;
use super::resolver::Resolver;
use crate::crypto::{CryptoError, hash};
use crate::limits::FLIGHT_1_SIZE;
use crate::types::Id;

/// What both flights carry: version 1, then what is not used yet.
pub(super) const GREETING: [u8; 16] = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// A proof of knowing the responder's id, 16 bytes.
pub(super) type Mac1 = [u8; 16];

/// The key of the responder's mac1.
pub(super) fn mac1_key(responder: &Id) -> [u8; 32] {
    hash::derive(hash::MAC1, responder.as_bytes())
}

/// The mac1 of a Noise message.
pub(super) fn mac1(key: &[u8; 32], message: &[u8]) -> Mac1 {
    let hash = blake3::keyed_hash(key, message);
    *hash.as_bytes().first_chunk().expect("a hash is longer than a mac1")
}

/// Room for flight 1's Noise message and its mac1.
pub(super) fn split_mut(flight: &mut [u8; FLIGHT_1_SIZE]) -> (&mut [u8], &mut Mac1) {
    flight.split_last_chunk_mut().expect("a flight is longer than its mac1")
}

/// Flight 1's Noise message and its mac1.
pub(super) fn split(flight: &[u8; FLIGHT_1_SIZE]) -> (&[u8], &Mac1) {
    flight.split_last_chunk().expect("a flight is longer than its mac1")
}

/// Reads a flight's Noise message and checks its greeting.
pub(super) fn read(
    noise: &mut HandshakeState,
    message: &[u8],
    number: u8,
) -> Result<(), CryptoError> {
    let refused = CryptoError::Flight { number };
    let mut greeting = [0; GREETING.len()];
    let size = noise.read_message(message, &mut greeting).map_err(|_| refused)?;
    let same_version = greeting.first() == GREETING.first();
    if size == GREETING.len() && same_version { Ok(()) } else { Err(refused) }
}

/// A handshake about to begin. snow wants some private key; the resolver has it already.
pub(super) fn builder(resolver: Resolver, prologue: &[u8]) -> Result<Builder<'_>, snow::Error> {
    let builder = Builder::with_resolver(PATTERN.parse()?, Box::new(resolver));
    builder.local_private_key(&[])?.prologue(prologue)
}

/// What both ends must agree on before the first byte.
pub(super) fn prologue(network: &Network, responder: &Id) -> [u8; PROLOGUE_SIZE] {
    let fields = hash::Fields::<PROLOGUE_SIZE>::new().raw(PROTOCOL).raw(&network.0);
    let fields = fields.raw(responder.as_bytes());
    fields.as_bytes().try_into().expect("the capacity is the size of the fields")
}

/// Bytes of the prologue.
pub(super) const PROLOGUE_SIZE: usize = PROTOCOL.len() + 32 + Id::SIZE;
const PROTOCOL: &[u8; 9] = b"peermq/1\0";
const PATTERN: &str = "Noise_IK_25519_ChaChaPoly_BLAKE2s";
