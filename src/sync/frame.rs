//! Frames on a sub-stream: u32 big-endian length, kind byte, payload.
//!
//! The length counts kind and payload. A frame's header is 5 bytes, so a reader knows the kind, and
//! with it the limit, before it takes memory for the payload.

use bytes::Bytes;

use super::error::Malformed;
use crate::limits::{
    ADVANCE_SIZE_MAX, BODY_CHUNK_SIZE, HELLO_SIZE_MAX, RECEIPT_SIZE_MAX, SMALL_MESSAGE_SIZE_MAX,
};

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// 1: versions, features, lives, and what each holds from the other.
    Hello,
    /// 2: are you there?
    Ping,
    /// 3: the answer, with the same number.
    Pong,
    /// 4: from where on a log is wanted.
    Position,
    /// 5: a chunk of a log, with the signed head at its end.
    Advance,
    /// 6: a signed acknowledgement.
    Receipt,
    /// 7: how many bytes of `Advance` may come.
    Credit,
    /// 8: a long body is wanted.
    Want,
    /// 9: a chunk of a long body.
    Body,
    /// 10: logs of others that are followed, and heads of those that both follow.
    Heads,
    /// 11: what proves that an author whom both follow has forked.
    Evidence,
}

impl Kind {
    /// The kind of a byte.
    ///
    /// # Errors
    /// [`Malformed::Kind`].
    pub const fn from_byte(byte: u8) -> Result<Self, Malformed> {
        Ok(match byte {
            1 => Self::Hello,
            2 => Self::Ping,
            3 => Self::Pong,
            4 => Self::Position,
            5 => Self::Advance,
            6 => Self::Receipt,
            7 => Self::Credit,
            8 => Self::Want,
            9 => Self::Body,
            10 => Self::Heads,
            11 => Self::Evidence,
            _ => return Err(Malformed::Kind(byte)),
        })
    }

    /// The byte of a kind.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Hello => 1,
            Self::Ping => 2,
            Self::Pong => 3,
            Self::Position => 4,
            Self::Advance => 5,
            Self::Receipt => 6,
            Self::Credit => 7,
            Self::Want => 8,
            Self::Body => 9,
            Self::Heads => 10,
            Self::Evidence => 11,
        }
    }

    /// Bytes of the longest payload of this kind.
    #[must_use]
    pub const fn payload_size_max(self) -> usize {
        match self {
            Self::Hello => HELLO_SIZE_MAX,
            Self::Advance => ADVANCE_SIZE_MAX,
            Self::Receipt => RECEIPT_SIZE_MAX,
            Self::Body => BODY_CHUNK_SIZE + 16,
            Self::Ping
            | Self::Pong
            | Self::Position
            | Self::Credit
            | Self::Want
            | Self::Heads
            | Self::Evidence => SMALL_MESSAGE_SIZE_MAX,
        }
    }
}

/// The first 5 bytes of a frame, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// What the frame holds.
    pub kind: Kind,
    /// Bytes of payload that follow; within the kind's limit.
    pub payload_len: usize,
}

impl FrameHeader {
    /// Bytes of a frame before its payload.
    pub const SIZE: usize = 5;

    /// Reads and checks the first bytes of a frame.
    ///
    /// # Errors
    /// [`Malformed::Kind`] or [`Malformed::TooLong`].
    pub fn parse(bytes: [u8; Self::SIZE]) -> Result<Self, Malformed> {
        let [a, b, c, d, kind] = bytes;
        let kind = Kind::from_byte(kind)?;
        let len = u32::from_be_bytes([a, b, c, d]);
        let max = kind.payload_size_max();
        match usize::try_from(len).ok().and_then(|len| len.checked_sub(1)) {
            Some(payload_len) if payload_len <= max => Ok(Self { kind, payload_len }),
            _ => Err(Malformed::TooLong { kind, len, max }),
        }
    }
}

/// A whole frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it holds.
    pub kind: Kind,
    /// The postcard encoding of that.
    pub payload: Bytes,
}

impl Frame {
    /// Bytes of this frame on the wire.
    #[must_use]
    pub const fn size(&self) -> usize {
        FrameHeader::SIZE + self.payload.len()
    }

    /// The frame's first bytes on the wire; the payload follows.
    ///
    /// # Panics
    /// Never for a frame made here: payloads are far below 4 GiB.
    #[must_use]
    pub fn header(&self) -> [u8; FrameHeader::SIZE] {
        let len = u32::try_from(self.payload.len() + 1).expect("a payload is bounded by its kind");
        let [a, b, c, d] = len.to_be_bytes();
        [a, b, c, d, self.kind.byte()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_and_its_byte_stand_for_each_other() {
        for byte in 0..=255 {
            if let Ok(kind) = Kind::from_byte(byte) {
                assert_eq!(kind.byte(), byte);
            }
        }
    }

    #[test]
    fn a_length_is_held_against_its_kind_before_memory_is_taken() {
        let header = FrameHeader::parse([0, 4, 0, 1, 5]).unwrap();
        assert_eq!((header.kind, header.payload_len), (Kind::Advance, ADVANCE_SIZE_MAX));
        for bytes in [[0, 4, 0, 2, 5], [255; 5], [0, 0, 0, 0, 5], [0, 1, 0, 0, 2], [0, 0, 0, 9, 0]]
        {
            FrameHeader::parse(bytes).unwrap_err();
        }
    }
}
