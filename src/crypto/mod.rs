//! What keeps messages authentic and secret: hashes, signatures, seals, the Noise handshake.
//!
//! *Invariant*: every hash and every signature bears its own context, so no value made for one
//! purpose serves another. Randomness is an argument. Deliberately absent: storage, sockets and
//! any choice of algorithm at run time.

pub mod hash;
