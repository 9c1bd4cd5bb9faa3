//! Which engine keeps a store, by its name.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// An engine that keeps a store on disk. Which of them a build can open, its features decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// sled 0.34: the default.
    Sled,
    /// redb 4: one file, copy on write.
    Redb,
    /// fjall 3: a log-structured merge tree, the fastest writer.
    Fjall,
}

impl Kind {
    /// The kinds that this build can open; the first is the one to take when nobody chose.
    #[must_use]
    pub const fn available() -> &'static [Self] {
        &[
            #[cfg(feature = "sled")]
            Self::Sled,
            #[cfg(feature = "redb")]
            Self::Redb,
            #[cfg(feature = "fjall")]
            Self::Fjall,
        ]
    }

    /// Every kind, whether this build has it or not.
    const ALL: [Self; 3] = [Self::Sled, Self::Redb, Self::Fjall];

    /// The kind of a name, whether this build has it or not.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The name that stands in flags and in a data directory's `format` file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sled => "sled",
            Self::Redb => "redb",
            Self::Fjall => "fjall",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Kind {
    type Err = KindError;

    fn from_str(name: &str) -> Result<Self, KindError> {
        Self::named(name)
            .filter(|kind| Self::available().contains(kind))
            .ok_or_else(|| KindError { name: name.to_owned() })
    }
}

/// A name that no engine of this build has.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected the name of a store that this build has ({}), got {name:?}", available_names())]
pub struct KindError {
    name: String,
}

/// The names of the kinds of this build, for error texts.
pub(crate) fn available_names() -> String {
    let names: Vec<_> = Kind::available().iter().map(|kind| kind.name()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_available_kind_is_found_by_its_name() {
        for kind in Kind::available() {
            assert_eq!(kind.name().parse(), Ok(*kind));
            assert_eq!(kind.to_string(), kind.name());
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = "leveldb".parse::<Kind>().unwrap_err().to_string();
        assert!(error.ends_with("got \"leveldb\""), "{error}");
        for kind in Kind::available() {
            assert!(error.contains(kind.name()), "{error}");
        }
    }
}
