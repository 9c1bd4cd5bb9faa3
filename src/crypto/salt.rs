//! Salts: what makes each body's key and each leaf's hash its own.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Identity;
use super::hash::{self, Fields};
use crate::types::Recipient;

/// 16 bytes in an entry's header that keep its leaf from being guessed and its body's key from
/// being used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Salt(pub [u8; 16]);

impl Salt {
    /// Size of a salt in bytes.
    pub const SIZE: usize = 16;
}

/// Makes salts. Its key comes from the node's seed, so that a machine that was rolled back and
/// draws the same random bytes again still repeats a salt only for the same text at the same
/// nanosecond. Wiped when dropped.
#[derive(Clone)]
pub struct Salter(Zeroizing<[u8; 32]>);

impl Salter {
    /// The salter of a node.
    #[must_use]
    pub fn new(identity: &Identity) -> Self {
        Self(Zeroizing::new(hash::derive(hash::SALT, identity.seed())))
    }

    /// A salt from 32 fresh random bytes, the time in nanoseconds since the Unix epoch, the
    /// recipient and, for a body of one chunk, its text (envelope and payload).
    #[must_use]
    pub fn salt(
        &self,
        random: &[u8; 32],
        now_ns: u64,
        recipient: &Recipient,
        text: Option<&[u8]>,
    ) -> Salt {
        let fields = Fields::<FIELDS_SIZE>::new().raw(random).number(now_ns);
        // The text is the last field, behind a tag: nothing else can be read out of it.
        let fields = fields.raw(&recipient.to_bytes()).tag(u8::from(text.is_some()));
        // Few pieces: each costs a hasher as much as a quarter of a block.
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(fields.as_bytes()).update(text.unwrap_or_default());
        let hash = hasher.finalize();
        Salt(*hash.as_bytes().first_chunk().expect("a hash is longer than a salt"))
    }
}

/// Bytes of what is hashed before the text: random bytes, the time, the recipient, a tag.
const FIELDS_SIZE: usize = 32 + 8 + 33 + 1;

impl fmt::Debug for Salter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salter(..)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_input_changes_the_salt() {
        let salter = Salter::new(&Identity::from_seed(&[1; 32]));
        let (peer, other) = (Recipient::Peer([2; 32]), Recipient::Peer([3; 32]));
        let salts = BTreeSet::from([
            salter.salt(&[0; 32], 7, &peer, None),
            salter.salt(&[1; 32], 7, &peer, None),
            salter.salt(&[0; 32], 8, &peer, None),
            salter.salt(&[0; 32], 7, &other, None),
            salter.salt(&[0; 32], 7, &peer, Some(b"")),
            salter.salt(&[0; 32], 7, &peer, Some(b"text")),
            Salter::new(&Identity::from_seed(&[2; 32])).salt(&[0; 32], 7, &peer, None),
        ]);
        assert_eq!(salts.len(), 7);
    }
}
