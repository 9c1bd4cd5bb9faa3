//! Lists of stored messages, page by page. They change nothing and hold nothing up.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::offer::OfferBody;
use crate::limits::{PAGE_COUNT_MAX, PAGE_SIZE_MAX};
use crate::log::Decoded;
use crate::types::{Epoch, Id, Seq, UnixMs};

/// Which messages a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListSet {
    /// To this node, and neither archived nor cleared.
    Unread,
    /// To this node, archived and not cleared.
    Archived,
    /// From this node.
    Sent,
}

/// A page of a list, in order of peer, epoch and seq.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The messages.
    pub items: Vec<Listed>,
    /// Where the next page begins; none after the last.
    pub next: Option<Cursor>,
}

/// A stored message in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Who wrote it, or to whom it was sent.
    pub peer: Id,
    /// Which life of its author's log.
    pub epoch: Epoch,
    /// Its place between the two.
    pub seq: Seq,
    /// Whether `epoch` is what a place without an epoch means.
    pub is_first_life: bool,
    /// What became of it.
    pub state: ListState,
    /// Bytes of the text, and of the envelope's fields when it is not plain.
    pub size: u64,
    /// When its author wrote it, by the author's clock.
    pub time: UnixMs,
    /// What its header says.
    pub header: Decoded,
    /// Where its sealed body is.
    pub body: OfferBody,
}

/// What became of a listed message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListState {
    /// It waits for a reader here.
    Unread,
    /// It was sent and is not acknowledged.
    Sent,
    /// Its recipient has stored it.
    Stored,
    /// It is archived: here, or by its recipient.
    Archived,
    /// Its recipient cannot use it.
    Rejected,
}

/// Where a page of a list ended: the place of its last message.
///
/// As text: id, epoch and seq with dots between.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// Who wrote the message, or to whom it was sent.
    pub peer: Id,
    /// Which life of its author's log.
    pub epoch: Epoch,
    /// Its place between the two.
    pub seq: Seq,
}

/// Text that is no [`Cursor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("expected a cursor as a page of this node gave it, got other text")]
pub struct CursorError;

impl Page {
    /// Adds a message, unless the page is full: then the next one begins after the last.
    pub(super) fn push(&mut self, size: &mut usize, item: Listed) -> Fill {
        let inline = match &item.body {
            OfferBody::Inline(body) => body.len(),
            OfferBody::Held | OfferBody::Long => 0,
        };
        if self.items.len() >= PAGE_COUNT_MAX || *size >= PAGE_SIZE_MAX {
            self.next = self.items.last().map(Listed::cursor);
            return Fill::Full;
        }
        *size += inline;
        self.items.push(item);
        Fill::Room
    }
}

/// Whether a page takes more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    Room,
    Full,
}

impl Listed {
    /// Where it stands in the list.
    #[must_use]
    pub const fn cursor(&self) -> Cursor {
        Cursor { peer: self.peer, epoch: self.epoch, seq: self.seq }
    }
}

impl fmt::Display for ListState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unread => "unread",
            Self::Sent => "sent",
            Self::Stored => "stored",
            Self::Archived => "archived",
            Self::Rejected => "rejected",
        })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.peer, self.epoch, self.seq)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let mut parts = text.splitn(3, '.');
        let mut next = || parts.next().ok_or(CursorError);
        let peer = next()?.parse().map_err(|_| CursorError)?;
        let epoch = Epoch(next()?.parse().map_err(|_| CursorError)?);
        let seq = Seq(next()?.parse().map_err(|_| CursorError)?);
        Ok(Self { peer, epoch, seq })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_is_written() {
        let peer = crate::crypto::Identity::from_seed(&[1; 32]).id();
        let cursor = Cursor { peer, epoch: Epoch(7), seq: Seq(9) };
        assert_eq!(cursor.to_string(), format!("{peer}.7.9"));
        assert_eq!(cursor.to_string().parse(), Ok(cursor.clone()));
        for text in
            ["", "7.9", &format!("{peer}.7"), &format!("{cursor}.1"), &format!("{peer}.7.-1")]
        {
            assert_eq!(text.parse::<Cursor>(), Err(CursorError));
        }
    }
}
