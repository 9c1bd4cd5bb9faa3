//! Whom an entry is addressed to.

use serde::{Deserialize, Serialize};

/// Whom an entry is addressed to. On disk, on the wire and under hashes: a tag byte, then 32 bytes
/// (none for [`Recipient::Everyone`] in postcard; see [`Recipient::to_bytes`] for keys).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Recipient {
    /// Tag 0: whoever follows the log; an author's own announcements.
    Everyone,
    /// Tag 1: the peer with this id. Raw bytes: what a log holds need not be a valid id.
    Peer([u8; 32]),
    /// Tag 2: the channel with this id.
    Channel([u8; 32]),
}

impl Recipient {
    /// Size of the fixed form in bytes: tag, then id or zeros.
    pub const SIZE: usize = 33;

    /// The tag byte: 0 everyone, 1 peer, 2 channel.
    #[must_use]
    pub const fn tag(&self) -> u8 {
        match self {
            Self::Everyone => 0,
            Self::Peer(_) => 1,
            Self::Channel(_) => 2,
        }
    }

    /// The fixed form: tag, then 32 bytes (zeros for everyone).
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        let (tag, id) = bytes.split_at_mut(1);
        tag.copy_from_slice(&[self.tag()]);
        if let Self::Peer(from) | Self::Channel(from) = self {
            id.copy_from_slice(from);
        }
        bytes
    }

    /// Reads the fixed form; `None` when the tag is unknown or everyone bears an id.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::SIZE]) -> Option<Self> {
        let (tag, id) = bytes.split_first()?;
        let id: [u8; 32] = id.try_into().ok()?;
        match tag {
            0 if id == [0; 32] => Some(Self::Everyone),
            1 => Some(Self::Peer(id)),
            2 => Some(Self::Channel(id)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fixed_form_is_read_back_and_nothing_else_is_read() {
        for recipient in
            [Recipient::Everyone, Recipient::Peer([7; 32]), Recipient::Channel([9; 32])]
        {
            assert_eq!(Recipient::from_bytes(&recipient.to_bytes()), Some(recipient));
        }
        assert_eq!(Recipient::from_bytes(&[3; 33]), None);
        let mut everyone_with_id = [1; 33];
        everyone_with_id[0] = 0;
        assert_eq!(Recipient::from_bytes(&everyone_with_id), None);
    }
}
