//! Places as people write them: `<id>@<seq>`, or `<id>@<epoch>.<seq>` for a later life.

use std::fmt;

use peermq::gateway::schema::PlaceRange;
use peermq::types::{Epoch, Id, Seq};

use crate::error::CliError;

/// One message's place. Without an epoch the first life that this node saw of the author is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) from: Id,
    pub(crate) epoch: Option<Epoch>,
    pub(crate) seq: Seq,
}

impl Place {
    /// Reads a place.
    pub(crate) fn parse(text: &str) -> Result<Self, CliError> {
        let expected = || {
            CliError::Failed(format!(
                "expected a message as FROM@SEQ, an id and a number, got {text:?}"
            ))
        };
        let (from, number) = text.split_once('@').ok_or_else(expected)?;
        let (epoch, seq) = match number.split_once('.') {
            Some((epoch, seq)) => (Some(epoch), seq),
            None => (None, number),
        };
        let epoch = epoch.map(str::parse).transpose().map_err(|_| expected())?.map(Epoch);
        let seq = seq.parse().map_err(|_| expected())?;
        Ok(Self { from: id(from)?, epoch, seq: Seq(seq) })
    }

    /// This one message as a range.
    pub(crate) const fn range(&self) -> PlaceRange {
        PlaceRange { from: self.from, epoch: self.epoch, first: self.seq, last: self.seq }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.epoch {
            None => write!(f, "{}@{}", self.from, self.seq),
            Some(epoch) => write!(f, "{}@{epoch}.{}", self.from, self.seq),
        }
    }
}

/// One life of an author's log, or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life {
    pub(crate) author: Id,
    pub(crate) epoch: Option<Epoch>,
}

impl Life {
    /// Reads `AUTHOR[.EPOCH]`.
    pub(crate) fn parse(text: &str) -> Result<Self, CliError> {
        let Some((author, epoch)) = text.split_once('.') else {
            return Ok(Self { author: id(text)?, epoch: None });
        };
        let epoch = epoch.parse().map_err(|_| {
            CliError::Failed(format!(
                "expected a life of a log as AUTHOR.EPOCH, an id and a number, got {text:?}"
            ))
        })?;
        Ok(Self { author: id(author)?, epoch: Some(Epoch(epoch)) })
    }
}

/// Reads an id.
pub(crate) fn id(text: &str) -> Result<Id, CliError> {
    text.parse().map_err(|error: peermq::types::IdError| CliError::Failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032 §7.1, test 1.
    const ID: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

    #[test]
    fn places_are_written_as_they_are_read() {
        for text in [format!("{ID}@0"), format!("{ID}@1732000000.17")] {
            assert_eq!(Place::parse(&text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_life_has_an_epoch_or_means_all() {
        let life = |text: &str| Life::parse(text).map(|life| (life.author.to_string(), life.epoch));
        assert_eq!(life(ID).unwrap(), (ID.to_owned(), None));
        assert_eq!(life(&format!("{ID}.17")).unwrap(), (ID.to_owned(), Some(Epoch(17))));
        for text in ["", ".17", "abc", &format!("{ID}."), &format!("{ID}.x")] {
            life(text).unwrap_err();
        }
    }

    #[test]
    fn what_is_no_place_is_named() {
        let error = Place::parse("abc").unwrap_err();
        let expected = "expected a message as FROM@SEQ, an id and a number, got \"abc\"";
        assert_eq!(error.to_string(), expected);
        let error = Place::parse("abc@1").unwrap_err();
        assert_eq!(error.to_string(), "expected an id of 64 hex digits, got 3 digits");
        for text in ["@", "x@", "@1.", "@.1", "@-1", "@1.2.3", "@18446744073709551616"] {
            Place::parse(&format!("{ID}{text}")).unwrap_err();
        }
    }
}
