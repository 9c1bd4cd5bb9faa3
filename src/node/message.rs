//! Messages as a reader sees them.

use bytes::Bytes;

use crate::queue::Place;
use crate::types::{Epoch, Id, Seq, UnixMs};

/// A message to this node, opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// Who wrote it: proven by the signature over its log.
    pub from: Id,
    /// Which life of the sender's log.
    pub epoch: Epoch,
    /// Its place among the sender's messages to this node, from 0 and without gaps.
    pub seq: Seq,
    /// Whether `epoch` is the first that this node saw of the sender, which `<from>@<seq>` means.
    pub is_first_life: bool,
    /// When the sender wrote it, by the sender's clock.
    pub time: UnixMs,
    /// Bytes of the text; of the sealed body when the message is unsupported.
    pub size: u64,
    /// The text.
    pub text: Text,
}

/// The text of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Text {
    /// All of it.
    Here(Bytes),
    /// It is over 16 MiB: read it with [`Node::read`](super::Node::read).
    Long,
    /// It is of a version or kind that this node cannot read.
    Unsupported,
}

impl Message {
    /// Where the message stands: what `archive` and `clear` take.
    ///
    /// ```
    #[doc = include_str!("doc/pair.md")]
    /// bob.send(alice.id(), "hello").await?;
    /// let mut unread = alice.stream(Set::Unread, Mode::Live);
    /// let message = unread.next_message().await?.expect("a live stream never ends");
    /// alice.archive(message.place()).await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub const fn place(&self) -> Place {
        Place { from: self.from, epoch: self.epoch, seqs: self.seq.0..=self.seq.0 }
    }

    /// The text, when it is at hand.
    ///
    /// ```
    #[doc = include_str!("doc/pair.md")]
    /// bob.send(alice.id(), "hello").await?;
    /// let mut unread = alice.stream(Set::Unread, Mode::Live);
    /// let message = unread.next_message().await?.expect("a live stream never ends");
    /// assert_eq!(message.text().map(|text| text.as_ref()), Some(&b"hello"[..]));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub const fn text(&self) -> Option<&Bytes> {
        match &self.text {
            Text::Here(text) => Some(text),
            Text::Long | Text::Unsupported => None,
        }
    }
}

/// Places of many messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places(Vec<Place>);

impl Places {
    /// The places, neighbours joined.
    pub(super) fn into_vec(self) -> Vec<Place> {
        self.0
    }

    fn push(&mut self, place: Place) {
        if let Some(last) = self.0.last_mut()
            && (last.from, last.epoch) == (place.from, place.epoch)
            && last.seqs.end().checked_add(1) == Some(*place.seqs.start())
        {
            last.seqs = *last.seqs.start()..=*place.seqs.end();
        } else {
            self.0.push(place);
        }
    }
}

impl From<Place> for Places {
    fn from(place: Place) -> Self {
        Self(vec![place])
    }
}

impl From<&Message> for Places {
    fn from(message: &Message) -> Self {
        message.place().into()
    }
}

impl From<&[Message]> for Places {
    fn from(messages: &[Message]) -> Self {
        messages.iter().map(Message::place).collect()
    }
}

impl From<&Vec<Message>> for Places {
    fn from(messages: &Vec<Message>) -> Self {
        messages.as_slice().into()
    }
}

impl FromIterator<Place> for Places {
    fn from_iter<I: IntoIterator<Item = Place>>(places: I) -> Self {
        let mut joined = Self::default();
        for place in places {
            joined.push(place);
        }
        joined
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_become_one_place() {
        let id = Id::from_trusted([1; 32]);
        let place = |epoch, seq| Place { from: id, epoch: Epoch(epoch), seqs: seq..=seq };
        let places: Places =
            [place(1, 4), place(1, 5), place(1, 7), place(2, 8)].into_iter().collect();
        let ranges: Vec<_> = places.into_vec().into_iter().map(|place| place.seqs).collect();
        assert_eq!(ranges, [4..=5, 7..=7, 8..=8]);
    }
}
