//! The session as a whole, and the bytes of its messages.

mod messages;
mod pair;
mod proofs;
mod sessions;
