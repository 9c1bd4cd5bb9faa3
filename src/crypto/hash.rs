//! Hashes with a context each, over tuples that read one way only.
//!
//! BLAKE3 (<https://github.com/BLAKE3-team/BLAKE3-specs>). A context's key is
//! `derive_key(context, "")`, computed once; a hash is `keyed_hash(key, fields)`: one short call
//! per entry, where `derive_key` per entry would cost two.

use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// A BLAKE3 hash, 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hash(pub [u8; 32]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// What a hash is for.
#[derive(Debug)]
pub struct Context(LazyLock<[u8; 32]>);

macro_rules! contexts {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {$(
        $(#[$doc])*
        pub static $name: Context = Context(LazyLock::new(|| blake3::derive_key($text, b"")));
    )*};
}

contexts! {
    /// An entry of a log: author, epoch, index, header.
    LEAF = "peermq leaf v1";
    /// Two subtrees of a log.
    NODE = "peermq node v1";
    /// A log at a length: length, peaks.
    ROOT = "peermq root v1";
    /// Two subtrees of the leaf hashes between two nodes.
    INBOX_NODE = "peermq inbox node v1";
    /// The entries between two nodes at a seq: seq, peaks.
    INBOX_ROOT = "peermq inbox root v1";
    /// A log that a node follows, in one session: session hash, author; its first 16 bytes are kept.
    FOLLOWED = "peermq followed v1";
    /// An idempotency key at its recipient; its first 16 bytes are kept.
    IDEMPOTENCY = "peermq idempotency v1";
    /// An id that was checked before it was written down; its first 8 bytes are kept.
    CHECKED_ID = "peermq checked id v1";
}

/// The context string of the first flight's mac1 key, for [`derive()`].
pub const MAC1: &str = "peermq mac1 v1";
/// The context string of a body's key, for [`derive()`].
pub const SEAL: &str = "peermq seal v1";
/// The context string of the key that salts are made with, for [`derive()`].
pub const SALT: &str = "peermq salt v1";
/// The context string of the ids that discovery announces, for [`derive()`].
pub const BLIND: &str = "peermq blind v1";

impl Context {
    /// Hashes `bytes`, which must already read one way only: see [`Fields`].
    #[must_use]
    pub fn hash(&self, bytes: &[u8]) -> Hash {
        Hash(*blake3::keyed_hash(&self.0, bytes).as_bytes())
    }
}

/// A key for one purpose, from secret or public `material`.
#[must_use]
pub fn derive(context: &str, material: &[u8]) -> [u8; 32] {
    blake3::derive_key(context, material)
}

/// The plain BLAKE3 hash of a sealed body.
#[must_use]
pub fn body_hash(sealed: &[u8]) -> Hash {
    Hash(*blake3::hash(sealed).as_bytes())
}

/// Fields in order, on the stack: ids, hashes and salts as they are, numbers u64 big-endian, tags
/// one byte, variable bytes after their u64 length.
#[derive(Debug, Clone)]
pub struct Fields<const CAPACITY: usize> {
    bytes: [u8; CAPACITY],
    len: usize,
}

impl<const CAPACITY: usize> Fields<CAPACITY> {
    /// No fields yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; CAPACITY], len: 0 }
    }

    /// Adds an id, a hash, a salt or a fixed string as it is.
    ///
    /// # Panics
    /// When the fields exceed the capacity that the caller chose for them.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        let end = self.len + bytes.len();
        let room = self.bytes.get_mut(self.len..end).expect("the caller sized it for its fields");
        room.copy_from_slice(bytes);
        self.len = end;
        self
    }

    /// Adds a tag.
    #[must_use]
    pub fn tag(self, tag: u8) -> Self {
        self.raw(&[tag])
    }

    /// Adds a number.
    #[must_use]
    pub fn number(self, number: u64) -> Self {
        self.raw(&number.to_be_bytes())
    }

    /// Adds variable bytes behind their length.
    #[must_use]
    pub fn variable(self, bytes: &[u8]) -> Self {
        let len = u64::try_from(bytes.len()).expect("a length in memory fits u64");
        self.number(len).raw(bytes)
    }

    /// All of it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl<const CAPACITY: usize> Default for Fields<CAPACITY> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_context_has_its_own_hash() {
        let contexts = [&LEAF, &NODE, &ROOT, &INBOX_NODE, &INBOX_ROOT, &FOLLOWED, &IDEMPOTENCY];
        let hashes: std::collections::BTreeSet<_> =
            contexts.iter().map(|context| context.hash(b"same")).collect();
        assert_eq!(hashes.len(), contexts.len());
        assert!(!hashes.contains(&body_hash(b"same")));
    }

    #[test]
    fn a_contexts_key_is_derived_from_its_string() {
        let key = blake3::derive_key("peermq leaf v1", b"");
        assert_eq!(LEAF.hash(b"x").0, *blake3::keyed_hash(&key, b"x").as_bytes());
    }

    #[test]
    fn fields_read_one_way() {
        let fields = Fields::<64>::new().tag(1).number(2).variable(b"ab").raw(&[9; 3]);
        let expected =
            [&[1][..], &[0, 0, 0, 0, 0, 0, 0, 2], &[0, 0, 0, 0, 0, 0, 0, 2], b"ab", &[9; 3]];
        assert_eq!(fields.as_bytes(), expected.concat());
    }
}
