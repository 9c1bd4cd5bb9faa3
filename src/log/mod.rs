//! A node's signed log: entries in a Merkle tree, packed into blocks, one per commit.
//!
//! *Invariant*: what is hashed or verified is the bytes as received; nothing is encoded again.
//! Numbers from outside go through checked arithmetic. Deliberately absent: clock, randomness and
//! sockets; the store is an argument.

mod chunk;
mod entry;
mod envelope;
mod head;
pub mod layout;
mod tree;

pub use chunk::{Chunk, FoldError, Folded, Item, Shown, fold};
pub use entry::{Decoded, HEADER_VERSION, Header, HeaderBytes, HeaderError, leaf_hash};
pub use envelope::{Envelope, EnvelopeError, ReplyTo, TraceContext};
pub use head::{Head, SignedHead};
pub use tree::{InboxTree, LogTree, Misaligned, Peaks, Subtree, Tree, cover, node_hash};
