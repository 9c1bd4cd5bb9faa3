//! The bytes of an `Advance`, written in one buffer and read without copying.

use bytes::Bytes;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::advance::UnverifiedAdvance;
use super::error::Malformed;
use super::frame::{Frame, Kind};
use crate::crypto::Signature;
use crate::crypto::hash::Hash;
use crate::limits::{ADVANCE_ITEM_COUNT_MAX, HEADER_SIZE_MAX, INLINE_BODY_SIZE_MAX};
use crate::log::{Item, SignedHead};
use crate::types::{Epoch, bounded};

/// The chunk as it stands on the wire, its byte strings borrowed from the frame.
#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    author: [u8; 32],
    epoch: Epoch,
    from: u64,
    to: u64,
    number: u64,
    #[serde(borrow, deserialize_with = "bounded::list::<_, ADVANCE_ITEM_COUNT_MAX, _>")]
    items: Vec<WireItem<'a>>,
    root: Hash,
    signature: Signature,
}

/// Tag 0 entry, 1 gone, 2 skip.
#[derive(Serialize, Deserialize)]
enum WireItem<'a> {
    Entry {
        #[serde(borrow)]
        header: Raw<'a>,
        body: Option<Raw<'a>>,
    },
    Gone {
        leaf: Hash,
    },
    Skip {
        level: u8,
        hash: Hash,
    },
}

/// Bytes behind a varint length, written and read in one piece.
#[derive(Clone, Copy)]
struct Raw<'a>(&'a [u8]);

impl UnverifiedAdvance {
    /// The payload of the frame.
    pub(super) fn encode(&self) -> Bytes {
        let items = self.items.iter().map(|item| match item {
            Item::Entry { header, body } => {
                WireItem::Entry { header: Raw(header), body: body.as_deref().map(Raw) }
            }
            Item::Gone { leaf } => WireItem::Gone { leaf: *leaf },
            Item::Skip { level, hash } => WireItem::Skip { level: *level, hash: *hash },
        });
        let wire = Wire {
            author: self.author,
            epoch: self.head.epoch,
            from: self.from,
            to: self.head.length,
            number: self.number,
            items: items.collect(),
            root: self.head.root,
            signature: self.head.signature,
        };
        super::message::encode(&wire)
    }

    /// Reads the payload; headers and bodies are slices of it.
    pub(super) fn decode(frame: &Frame) -> Result<Self, Malformed> {
        let malformed = Malformed::Payload(Kind::Advance);
        let (mut wire, rest) =
            postcard::take_from_bytes::<Wire<'_>>(&frame.payload).map_err(|_| malformed)?;
        if !rest.is_empty() {
            return Err(Malformed::Trailing(Kind::Advance));
        }
        let items = std::mem::take(&mut wire.items)
            .into_iter()
            .map(|item| item.keep(&frame.payload).ok_or(malformed));
        let items = items.collect::<Result<_, _>>()?;
        let Wire { author, epoch, from, to, number, root, signature, .. } = wire;
        let head = SignedHead { epoch, length: to, root, signature };
        Ok(Self { author, from, number, items, head })
    }
}

impl WireItem<'_> {
    /// The item as slices of `payload`; `None` when a byte string passes its bound.
    fn keep(self, payload: &Bytes) -> Option<Item> {
        Some(match self {
            WireItem::Entry { header, body } => {
                let body = match body {
                    Some(body) => Some(body.keep(payload, INLINE_BODY_SIZE_MAX)?),
                    None => None,
                };
                Item::Entry { header: header.keep(payload, HEADER_SIZE_MAX)?, body }
            }
            WireItem::Gone { leaf } => Item::Gone { leaf },
            WireItem::Skip { level, hash } => Item::Skip { level, hash },
        })
    }
}

impl Raw<'_> {
    fn keep(self, payload: &Bytes, max: usize) -> Option<Bytes> {
        (self.0.len() <= max).then(|| payload.slice_ref(self.0))
    }
}

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Raw<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrow;

        impl<'de> Visitor<'de> for Borrow {
            type Value = Raw<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes behind their length")
            }

            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Raw<'de>, E> {
                Ok(Raw(bytes))
            }
        }

        deserializer.deserialize_bytes(Borrow)
    }
}
