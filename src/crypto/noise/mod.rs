//! The handshake: `Noise_IK_25519_ChaChaPoly_BLAKE2s`, then a signature from each end.
//!
//! Noise Protocol Framework rev 34 (<https://noiseprotocol.org/noise.html>), pattern IK: who dials
//! knows the other's key, so the responder can stay silent to strangers. X25519 keys are the
//! images of ids; the signatures bind the ids themselves to the handshake.
//!
//! ```text
//! initiator                                                                        responder
//!   flight 1, 128 bytes:  e 32 | s sealed 48 | greeting sealed 32 | mac1 16   ->
//!                                    mac1 compared, flight opened, the key's id looked up
//!                       <-   flight 2, 64 bytes:  e 32 | greeting sealed 32
//!   Auth, 80 bytes:       signature sealed 80                                 ->
//!                       <-   Auth, 80 bytes
//!
//! greeting = version u8 (1) | 15 bytes that are 0 when sent and not looked at
//! mac1     = first 16 bytes of BLAKE3, keyed with derive_key("peermq mac1 v1", responder's id),
//!            of the 112 bytes before it
//! prologue = "peermq/1" | 0 | network 32 | responder's id 32
//! Auth     signs "peermq session v1" | 0 | role (0 initiator, 1 responder) | handshake hash 32 |
//!          own id 32 | peer's id 32
//! ```
//!
//! *Invariant*: a [`Session`] exists only when the other end's signature was verified. Flight 1 can
//! be replayed, so it has no effect but flight 2. No step can be tried twice: each consumes its
//! state. Deliberately absent: deadlines and sockets, who may connect, rekeying (Noise counts
//! 2^64 - 1 records; then the session ends).

mod auth;
mod flight;
mod initiator;
mod record;
mod resolver;
mod responder;

use std::sync::Arc;

pub use self::initiator::{Initiator, InitiatorAwaitingAuth};
pub use self::record::{
    RECORD_HEADER_SIZE, RECORD_TEXT_SIZE_MAX, RecordOpener, RecordSealer, record_size,
};
pub use self::responder::{AddressedFlight, Responder, ResponderAwaitingAuth, UnverifiedInitiator};
use super::PairSecret;
use crate::types::Id;

/// Which network a node is in: 32 bytes, all zero unless set. Nodes of two networks cannot speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Network(pub [u8; 32]);

/// The ids that a node answers, by their X25519 keys, each with the secret shared with it.
///
/// Asked several times in a handshake, so it must answer from memory.
pub trait KnownPairs: Send + Sync {
    /// The pair of this node and the id whose X25519 key is `image`; `None` for strangers.
    fn pair(&self, image: &[u8; 32]) -> Option<Arc<PairSecret>>;
}

/// One end's view of a finished handshake: who is there, and a key for each direction.
#[derive(Debug)]
pub struct Session {
    /// Who proved to be at the other end.
    pub peer: Id,
    /// Seals what goes out.
    pub send: RecordSealer,
    /// Opens what comes in.
    pub receive: RecordOpener,
    /// What both ends have in common and no other session has: 32 bytes.
    pub handshake_hash: [u8; 32],
}

impl KnownPairs for Arc<PairSecret> {
    /// A node that knows one other.
    fn pair(&self, image: &[u8; 32]) -> Option<Self> {
        (self.image() == image).then(|| Self::clone(self))
    }
}

#[cfg(test)]
pub(crate) mod tests;
