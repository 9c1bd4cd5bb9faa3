//! An entry's header: what the author signs of an entry, and all that others see of it.
//!
//! The header is hashed into a leaf as the bytes that were received, never encoded again: its
//! varints could be written in more than one way.

use thiserror::Error;

use crate::crypto::hash::{Hash, LEAF};
use crate::crypto::{Salt, Suite};
use crate::limits::{BODY_SIZE_MAX, HEADER_SIZE_MAX, INLINE_BODY_SIZE_MAX};
use crate::types::{Epoch, Id, Index, Recipient, Seq, UnixMs};

/// The header version that this code writes.
pub const HEADER_VERSION: u8 = 1;

/// The header of one entry, version 1.
///
/// Its [bytes](crate::manual::disk#entry-header) are postcard's, coded by hand for speed. Version,
/// recipient and seq keep their place in all versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// To whom.
    pub recipient: Recipient,
    /// The place among the author's entries to that recipient.
    pub seq: Seq,
    /// How the body is sealed.
    pub suite: Suite,
    /// Makes the leaf unguessable and the body's key unique.
    pub salt: Salt,
    /// When the author wrote it, by its clock.
    pub time: UnixMs,
    /// From when on nobody should read it; absent: never.
    pub not_after: Option<UnixMs>,
    /// Bytes of the sealed body.
    pub body_len: u64,
    /// BLAKE3 of the sealed body.
    pub body_hash: Hash,
}

/// A header as bytes, with its length: at most 124.
#[derive(Debug, Clone)]
pub struct HeaderBytes {
    bytes: [u8; ENCODED_SIZE_MAX],
    len: usize,
}

/// What a header's bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoded {
    /// An entry of this version, of a known suite.
    Header(Header),
    /// An entry of a later version or an unknown suite: it keeps its place and is shown as
    /// unsupported.
    Unsupported {
        /// To whom.
        recipient: Recipient,
        /// The place among the author's entries to that recipient.
        seq: Seq,
    },
}

/// Why bytes are no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// It is too long for any version.
    #[error("expected a header of at most {HEADER_SIZE_MAX} bytes, got {0}")]
    Size(usize),
    /// A field is cut short or holds no value of its type.
    #[error("expected the fields of a header, got other bytes")]
    Fields,
    /// Something follows the last field.
    #[error("expected a header to end with its body hash, got {0} bytes more")]
    Trailing(usize),
    /// The body would be longer than any may be.
    #[error("expected a body of at most {BODY_SIZE_MAX} bytes, got {0}")]
    BodySize(u64),
}

impl Header {
    /// The bytes that are hashed, stored and sent.
    #[must_use]
    pub fn encode(&self) -> HeaderBytes {
        let mut bytes = HeaderBytes { bytes: [0; ENCODED_SIZE_MAX], len: 0 };
        bytes.put(&[HEADER_VERSION, self.recipient.tag()]);
        if let Recipient::Peer(id) | Recipient::Channel(id) = &self.recipient {
            bytes.put(id);
        }
        bytes.put_varint(self.seq.0);
        bytes.put(&[self.suite.0]);
        bytes.put(&self.salt.0);
        bytes.put_varint(self.time.0);
        bytes.put(&[self.not_after.is_some().into()]);
        if let Some(not_after) = self.not_after {
            bytes.put_varint(not_after.0);
        }
        bytes.put_varint(self.body_len);
        bytes.put(&self.body_hash.0);
        bytes
    }

    /// Reads a header of any version.
    ///
    /// # Errors
    /// [`HeaderError`] when the bytes are no header.
    pub fn decode(bytes: &[u8]) -> Result<Decoded, HeaderError> {
        if bytes.len() > HEADER_SIZE_MAX {
            return Err(HeaderError::Size(bytes.len()));
        }
        let mut reader = Reader(bytes);
        let decoded = reader.header().ok_or(HeaderError::Fields)?;
        if let Decoded::Header(header) = decoded {
            if !reader.0.is_empty() {
                return Err(HeaderError::Trailing(reader.0.len()));
            }
            if header.body_len > BODY_SIZE_MAX {
                return Err(HeaderError::BodySize(header.body_len));
            }
        }
        Ok(decoded)
    }

    /// Whether the body travels and is stored with the header; else it is in chunks.
    #[must_use]
    pub fn is_inline(&self) -> bool {
        usize::try_from(self.body_len).is_ok_and(|len| len <= INLINE_BODY_SIZE_MAX)
    }
}

impl HeaderBytes {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn put(&mut self, field: &[u8]) {
        let end = self.len + field.len();
        let room = self.bytes.get_mut(self.len..end);
        room.expect("the fields' largest forms sum up to the room").copy_from_slice(field);
        self.len = end;
    }

    fn put_varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            let [low, ..] = number.to_le_bytes();
            self.put(&[low | 0x80]);
            number >>= 7;
        }
        let [low, ..] = number.to_le_bytes();
        self.put(&[low]);
    }
}

impl Decoded {
    /// To whom.
    #[must_use]
    pub const fn recipient(&self) -> Recipient {
        match self {
            Self::Header(Header { recipient, .. }) | Self::Unsupported { recipient, .. } => {
                *recipient
            }
        }
    }

    /// The place among the author's entries to that recipient.
    #[must_use]
    pub const fn seq(&self) -> Seq {
        match self {
            Self::Header(Header { seq, .. }) | Self::Unsupported { seq, .. } => *seq,
        }
    }
}

/// The leaf of an entry: the hash of author, epoch, index and the header's bytes as received.
///
/// # Panics
/// When the header exceeds [`HEADER_SIZE_MAX`]: [`Header::decode`] refuses such bytes before.
#[must_use]
pub fn leaf_hash(author: &Id, epoch: Epoch, index: Index, header: &[u8]) -> Hash {
    let len = u64::try_from(header.len()).expect("a length in memory fits u64");
    let numbers = [epoch.0, index.0, len].map(u64::to_be_bytes);
    let mut fields = [0; LEAF_PLACE_SIZE + HEADER_SIZE_MAX];
    let (place, rest) = fields.split_at_mut(LEAF_PLACE_SIZE);
    let (place_author, place_numbers) = place.split_at_mut(Id::SIZE);
    place_author.copy_from_slice(author.as_bytes());
    place_numbers.copy_from_slice(numbers.as_flattened());
    rest.get_mut(..header.len()).expect("no header exceeds 255 bytes").copy_from_slice(header);
    LEAF.hash(fields.get(..LEAF_PLACE_SIZE + header.len()).unwrap_or_default())
}

/// The front of what is left to read.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    /// A header up to its last known field; `None` when a field is wrong.
    fn header(&mut self) -> Option<Decoded> {
        let version = self.byte()?;
        let recipient = match self.byte()? {
            0 => Recipient::Everyone,
            1 => Recipient::Peer(self.array()?),
            2 => Recipient::Channel(self.array()?),
            _ => return None,
        };
        let seq = Seq(self.varint()?);
        if version != HEADER_VERSION {
            return Some(Decoded::Unsupported { recipient, seq });
        }
        let suite = Suite(self.byte()?);
        if suite != Suite::CLEAR && suite != Suite::STATIC_X25519 {
            return Some(Decoded::Unsupported { recipient, seq });
        }
        let (salt, time) = (Salt(self.array()?), UnixMs(self.varint()?));
        let not_after = match self.byte()? {
            0 => None,
            1 => Some(UnixMs(self.varint()?)),
            _ => return None,
        };
        let (body_len, body_hash) = (self.varint()?, Hash(self.array()?));
        let header = Header { recipient, seq, suite, salt, time, not_after, body_len, body_hash };
        Some(Decoded::Header(header))
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    fn array<const SIZE: usize>(&mut self) -> Option<[u8; SIZE]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    /// Seven bits a byte, lowest first; the top bit says that more follow.
    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                return None;
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
}

/// Bytes of a leaf's fields before the header: author, epoch, index, header length.
const LEAF_PLACE_SIZE: usize = Id::SIZE + 3 * 8;
/// Bytes of the longest header of version 1: each varint of a u64 takes up to 10.
const ENCODED_SIZE_MAX: usize = 1 + Recipient::SIZE + 10 + 1 + Salt::SIZE + 10 + 11 + 10 + 32;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers() -> impl Strategy<Value = Header> {
        let recipient = prop_oneof![
            Just(Recipient::Everyone),
            any::<[u8; 32]>().prop_map(Recipient::Peer),
            any::<[u8; 32]>().prop_map(Recipient::Channel),
        ];
        let numbers = (any::<u64>(), any::<u64>(), any::<Option<u64>>(), 0..=BODY_SIZE_MAX);
        (recipient, numbers, any::<([u8; 16], [u8; 32], bool)>()).prop_map(
            |(recipient, (seq, time, not_after, body_len), (salt, body_hash, clear))| Header {
                recipient,
                seq: Seq(seq),
                suite: if clear { Suite::CLEAR } else { Suite::STATIC_X25519 },
                salt: Salt(salt),
                time: UnixMs(time),
                not_after: not_after.map(UnixMs),
                body_len,
                body_hash: Hash(body_hash),
            },
        )
    }

    fn postcard_of(header: &Header) -> Vec<u8> {
        let Header { recipient, seq, suite, salt, time, not_after, body_len, body_hash } = header;
        let fields = (recipient, seq, suite, salt, time, not_after, body_len, body_hash);
        postcard::to_stdvec(&(HEADER_VERSION, fields)).unwrap()
    }

    fn longest() -> Header {
        Header {
            recipient: Recipient::Peer([0xff; 32]),
            seq: Seq(u64::MAX),
            suite: Suite::STATIC_X25519,
            salt: Salt([0xff; 16]),
            time: UnixMs(u64::MAX),
            not_after: Some(UnixMs(u64::MAX)),
            body_len: u64::MAX,
            body_hash: Hash([0xff; 32]),
        }
    }

    proptest! {
        #[test]
        fn a_header_is_read_back_and_nothing_may_follow(header in headers()) {
            let encoded = header.encode();
            prop_assert_eq!(encoded.as_bytes(), &postcard_of(&header)[..]);
            prop_assert_eq!(Header::decode(encoded.as_bytes()), Ok(Decoded::Header(header)));
            let longer = [encoded.as_bytes(), &[0]].concat();
            prop_assert_eq!(Header::decode(&longer), Err(HeaderError::Trailing(1)));
            let cut = encoded.as_bytes().split_last().unwrap().1;
            prop_assert_eq!(Header::decode(cut), Err(HeaderError::Fields));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Header::decode(&bytes);
        }
    }

    #[test]
    fn the_longest_header_fits() {
        assert_eq!(longest().encode().as_bytes().len(), ENCODED_SIZE_MAX);
        assert_eq!(ENCODED_SIZE_MAX, 124);
        let refused = Header::decode(longest().encode().as_bytes());
        assert_eq!(refused, Err(HeaderError::BodySize(u64::MAX)));
    }

    #[test]
    fn what_is_not_known_yet_keeps_its_place() {
        let header = longest();
        let unsupported = Ok(Decoded::Unsupported { recipient: header.recipient, seq: header.seq });
        let mut version_2 = header.encode().as_bytes().to_vec();
        version_2[0] = 2;
        version_2.extend([1, 2, 3]);
        assert_eq!(Header::decode(&version_2), unsupported);
        let first_fields = &version_2[..1 + Recipient::SIZE + 10];
        assert_eq!(Header::decode(first_fields), unsupported);
        let suite_7 = Header { suite: Suite(7), ..header };
        assert_eq!(Header::decode(suite_7.encode().as_bytes()), unsupported);
        let too_long = [&version_2[..], &[0; HEADER_SIZE_MAX]].concat();
        assert_eq!(Header::decode(&too_long), Err(HeaderError::Size(too_long.len())));
    }

    #[test]
    fn a_leaf_is_bound_to_author_epoch_index_and_header() {
        let [ours, theirs] =
            [1, 2].map(|seed| crate::crypto::Identity::from_seed(&[seed; 32]).id());
        let leaves = [
            leaf_hash(&ours, Epoch(1), Index(1), b"header"),
            leaf_hash(&theirs, Epoch(1), Index(1), b"header"),
            leaf_hash(&ours, Epoch(2), Index(1), b"header"),
            leaf_hash(&ours, Epoch(1), Index(2), b"header"),
            leaf_hash(&ours, Epoch(1), Index(1), b"headers"),
        ];
        let distinct: std::collections::BTreeSet<_> = leaves.iter().collect();
        assert_eq!(distinct.len(), leaves.len());
        let fields = [&ours.as_bytes()[..], &1_u64.to_be_bytes(), &1_u64.to_be_bytes()].concat();
        let fields = [&fields[..], &6_u64.to_be_bytes(), b"header"].concat();
        assert_eq!(leaves[0], LEAF.hash(&fields));
    }
}
