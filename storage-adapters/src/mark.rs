//! The word that a store's last holder left: 25 bytes, overwritten in place.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 1 | `c` when it closed the store, `o` when it had it open |
//! | 1 | 16 | the seal at the last close: what the engine's files are compared with at open |
//! | 17 | 8 | FNV-1a, 64 bits, of the bytes before, big-endian |
//!
//! Any other bytes, none for one, count as an open store that was never sealed.

use crate::Health;

/// What an engine can tell of its files while it is closed.
pub(crate) type Seal = [u8; SEAL_SIZE];

/// What an engine's files must be for it to open them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Demand {
    /// All that the last holder left, by its word.
    Whole(Mark),
    /// Whatever can be read.
    Readable,
}

#[cfg(feature = "redb")]
impl Demand {
    /// Whether the files must be those of a store that was closed.
    pub(crate) fn is_of_clean(self) -> bool {
        matches!(self, Self::Whole(mark) if mark.health == Health::Clean)
    }
}

/// The word that the last holder left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Whether it closed the store.
    pub(crate) health: Health,
    /// The seal at the last close; none when the store was never closed.
    pub(crate) seal: Option<Seal>,
}

impl Mark {
    /// The mark of a store that is made just now.
    pub(crate) const NEW: Self = Self { health: Health::Clean, seal: None };

    /// The mark of a store of which nothing is known.
    pub(crate) const UNKNOWN: Self = Self { health: Health::Recovered, seal: None };

    /// The bytes of the mark.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![if self.health == Health::Clean { CLOSED } else { OPEN }];
        bytes.extend(self.seal.unwrap_or([0; SEAL_SIZE]));
        bytes.extend(fnv(&bytes).to_be_bytes());
        bytes
    }

    /// The mark that bytes are.
    pub(crate) fn decode(bytes: &[u8]) -> Self {
        Self::parse(bytes).unwrap_or(Self::UNKNOWN)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (word, checksum) = bytes.split_last_chunk()?;
        let (&state, seal) = word.split_first()?;
        let seal = Seal::try_from(seal).ok()?;
        let health = match state {
            CLOSED => Health::Clean,
            OPEN => Health::Recovered,
            _ => return None,
        };
        let seal = Some(seal).filter(|seal| *seal != [0; SEAL_SIZE]);
        (fnv(word) == u64::from_be_bytes(*checksum)).then_some(Self { health, seal })
    }
}

/// FNV-1a, 64 bits: enough against accidents, and nobody else writes here.
/// (Fowler, Noll and Vo, draft-eastlake-fnv, section 2.)
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Bytes of a mark.
pub(crate) const MARK_SIZE: usize = 1 + SEAL_SIZE + 8;
const SEAL_SIZE: usize = 16;
const CLOSED: u8 = b'c';
const OPEN: u8 = b'o';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_comes_back_from_its_bytes() {
        for health in [Health::Clean, Health::Recovered] {
            for seal in [None, Some(*b"0123456789abcdef")] {
                let mark = Mark { health, seal };
                assert_eq!(mark.encode().len(), MARK_SIZE);
                assert_eq!(Mark::decode(&mark.encode()), mark);
            }
        }
    }

    #[test]
    fn its_bytes_are_those_of_the_table() {
        let mark = Mark { health: Health::Clean, seal: Some(*b"0123456789abcdef") };
        let golden = b"c0123456789abcdef\x61\xb3\x5d\x27\x7f\x40\x70\x02";
        assert_eq!(mark.encode(), golden);
        assert_eq!(fnv(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn a_flipped_bit_makes_it_a_mark_of_an_open_store() {
        let bytes = Mark { health: Health::Clean, seal: Some([7; 16]) }.encode();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Mark::decode(&flipped), Mark::UNKNOWN);
        }
        assert_eq!(Mark::decode(b"").seal, None);
    }
}
