//! The name under which an id is announced for a day.

use std::fmt;

use crate::crypto::hash;
use crate::node::clock::UtcDay;
use crate::types::Id;

/// What an id is announced as on one day: 32 bytes that only who knows the id can compute.
///
/// `derive_key("peermq blind v1", id ‖ day as u32 big-endian)`, written in the base32 of RFC 4648
/// §6, lower case and without padding: 52 letters, where a DNS label holds 63.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlindedId([u8; 32]);

impl BlindedId {
    /// The name of `id` on `day`.
    #[must_use]
    pub fn new(id: &Id, day: UtcDay) -> Self {
        let mut material = [0; 36];
        let (of_id, of_day) = material.split_at_mut(Id::SIZE);
        of_id.copy_from_slice(id.as_bytes());
        of_day.copy_from_slice(&day.0.to_be_bytes());
        Self(hash::derive(hash::BLIND, &material))
    }

    /// The names under which `id` may be found around `day`.
    #[must_use]
    pub fn around(id: &Id, day: UtcDay) -> [Self; 3] {
        day.around().map(|day| Self::new(id, day))
    }
}

impl fmt::Display for BlindedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for group in self.0.chunks(5) {
            let mut bits = [0; 8];
            for (slot, byte) in bits.iter_mut().skip(3).zip(group) {
                *slot = *byte;
            }
            let bits = u64::from_be_bytes(bits);
            let letters = (group.len() * 8).div_ceil(5);
            for place in (0..8).rev().take(letters) {
                let letter = usize::try_from(bits >> (place * 5) & 31).expect("below 32");
                f.write_str(ALPHABET.get(letter..=letter).expect("there are 32 letters"))?;
            }
        }
        Ok(())
    }
}

/// RFC 4648 §6, in lower case.
const ALPHABET: &str = "abcdefghijklmnopqrstuvwxyz234567";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_the_standards() {
        let mut bytes = [0; 32];
        bytes[..6].copy_from_slice(b"foobar");
        let text = BlindedId(bytes).to_string();
        // RFC 4648 §10: "foobar" is MZXW6YTBOI======; here zeros follow it.
        assert!(text.starts_with("mzxw6ytboiaaaa"), "{text}");
        assert_eq!(BlindedId([0xff; 32]).to_string(), format!("{}q", "7".repeat(51)));
    }

    #[test]
    fn a_name_is_the_same_everywhere_and_another_each_day() {
        let id = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        let id: Id = id.parse().unwrap();
        let name = BlindedId::new(&id, UtcDay(20_000)).to_string();
        assert_eq!(name, "bq3it3ewthvj4kib6gb5trcr4fhyu72byw4n5hxye3jt6eobu2ua");
        assert_eq!(name.len(), 52);
        let around = BlindedId::around(&id, UtcDay(20_000));
        assert_eq!(around[1].to_string(), name);
        assert!(around[0] != around[1] && around[1] != around[2] && around[0] != around[2]);
    }
}
