//! The session as a whole, and the bytes of its messages.

mod forks;
mod messages;
mod paces;
mod pair;
mod proofs;
mod sessions;
