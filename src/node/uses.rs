//! What a sub-stream is for: its first byte.

use std::io;

/// What a sub-stream is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// 1: the sync session; opened once, by whoever dialled.
    Sync,
    /// 2: one `Want` and its `Body` frames; opened by whoever wants.
    Bodies,
}

impl Use {
    pub(super) const fn byte(self) -> u8 {
        match self {
            Self::Sync => 1,
            Self::Bodies => 2,
        }
    }

    pub(super) fn from_byte(byte: u8) -> io::Result<Self> {
        match byte {
            1 => Ok(Self::Sync),
            2 => Ok(Self::Bodies),
            _ => {
                let text = format!("expected a sub-stream of use 1 or 2, got use {byte}");
                Err(io::Error::new(io::ErrorKind::InvalidData, text))
            }
        }
    }
}
