//! What keeps messages authentic and secret: hashes, signatures, seals, the Noise handshake.
//!
//! *Invariant*: every hash and every signature bears its own context, so no value made for one
//! purpose serves another. Randomness is an argument. Deliberately absent: storage, sockets and
//! any choice of algorithm at run time.

mod error;
#[cfg(test)]
mod golden;
pub mod hash;
mod identity;
pub mod noise;
mod pair;
mod salt;
mod seal;
mod sign;

pub use error::CryptoError;
pub use identity::Identity;
pub use pair::{PairSecret, same_image, x25519_image};
pub use salt::{Salt, Salter};
pub use seal::{BodyKey, Opener, SealContext, Sealer, Suite, sealed_size};
pub use sign::{Domain, Signature, Statement, Verifier};
