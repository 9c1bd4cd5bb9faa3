//! Rows of the store: a version byte of 1, then postcard, then nothing.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A row's bytes.
pub(super) fn encode<T: Serialize>(row: &T) -> Bytes {
    let bytes = postcard::to_stdvec(&(ROW_VERSION, row));
    bytes.expect("a row holds only what postcard encodes").into()
}

/// A row read back; `None` for any other bytes.
pub(super) fn decode<'de, T: Deserialize<'de>>(row: &'de [u8]) -> Option<T> {
    let (version, row) = row.split_first()?;
    let (row, rest) = postcard::take_from_bytes(row).ok()?;
    (*version == ROW_VERSION && rest.is_empty()).then_some(row)
}

const ROW_VERSION: u8 = 1;
