//! The formats, byte by byte.
//!
//! | chapter | what |
//! |---|---|
//! | [`hashes`] | every hash, key and signature: its context and what it covers |
//! | [`disk`] | every key and value in a store |
//! | [`backup`] | every byte of a backup |
//! | [`wire`] | every byte between two nodes |
//! | [`proofs`] | files that convince anyone |
//! | [`guarantees`] | what a node promises, and how |
//!
//! Numbers are big-endian and of fixed size unless said to be varints: those are postcard's, seven
//! bits a byte, lowest first, the top bit set when more follow. Sizes are bytes. In the drawings a
//! row is 8 bytes.
//!
//! The files under `tests/golden/` hold an example of each structure; their lines never change.

pub mod backup;
pub mod disk;
pub mod guarantees;
pub mod hashes;
pub mod proofs;
pub mod wire;
