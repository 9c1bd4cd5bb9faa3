//! What the engine holds of a large value: itself, or where it lies.

use crate::{Bytes, StoreError};

/// What the engine holds of a large value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Row {
    /// The value itself.
    Value(Bytes),
    /// Where it lies.
    Place(Place),
}

/// A value in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The number that is the file's name.
    pub(super) file: u64,
    /// The place of its first byte.
    pub(super) offset: u32,
    /// Bytes of it.
    pub(super) size: u32,
    /// CRC-32 of them.
    pub(super) checksum: u32,
}

impl Row {
    /// The row of a value that lies at a place, or nowhere but here.
    pub(super) fn new(value: Bytes, place: Option<Place>) -> Self {
        place.map_or(Self::Value(value), Self::Place)
    }

    pub(super) fn parse(mut row: Bytes) -> Result<Self, StoreError> {
        let parsed = match row.split_first() {
            Some((&HERE, _)) => Some(Self::Value(row.split_off(1))),
            Some((&APART, place)) => Place::parse(place).map(Self::Place),
            _ => None,
        };
        parsed.ok_or_else(|| StoreError::Corrupt("expected a large value or its place".to_owned()))
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Value(value) => [&[HERE][..], value].concat(),
            Self::Place(place) => [&[APART][..], &place.to_bytes()].concat(),
        }
    }
}

impl Place {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (file, rest) = bytes.split_first_chunk()?;
        let (offset, rest) = rest.split_first_chunk()?;
        let (size, rest) = rest.split_first_chunk()?;
        let [offset, size, checksum] =
            [*offset, *size, rest.try_into().ok()?].map(u32::from_be_bytes);
        Some(Self { file: u64::from_be_bytes(*file), offset, size, checksum })
    }

    fn to_bytes(self) -> Vec<u8> {
        let numbers = [self.offset, self.size, self.checksum].map(u32::to_be_bytes);
        [&self.file.to_be_bytes()[..], &numbers.concat()].concat()
    }
}

const HERE: u8 = 0;
const APART: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_the_bytes_of_the_table_and_come_back_from_them() {
        let place = Place { file: 7, offset: 0x8000, size: 0x1234, checksum: 0xdead_beef };
        let rows: [(Row, &[u8]); 2] = [
            (Row::Value("text".into()), b"\0text"),
            (Row::Place(place), b"\x01\0\0\0\0\0\0\0\x07\0\0\x80\0\0\0\x12\x34\xde\xad\xbe\xef"),
        ];
        for (row, bytes) in rows {
            assert_eq!(row.to_bytes(), bytes);
            assert_eq!(Row::parse(Bytes::copy_from_slice(bytes)).unwrap(), row);
        }
    }

    #[test]
    fn other_bytes_are_no_row() {
        for bytes in [&b""[..], b"\x02", b"\x01", &[1; 20], &[1; 22]] {
            assert!(matches!(Row::parse(bytes.into()), Err(StoreError::Corrupt(_))), "{bytes:?}");
        }
    }
}
