//! The words that choose: sets, modes and levels, in queries and in JSON alike.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which messages a stream offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamSet {
    /// Those that wait to be read.
    Unread,
    /// Those that were archived.
    Archived,
}

/// What a stream does when it has offered everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamMode {
    /// It waits for more.
    Live,
    /// It ends.
    Drain,
}

/// Which messages are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListSet {
    /// Received, waiting to be read.
    Unread,
    /// Received and archived.
    Archived,
    /// Sent.
    Sent,
}

/// Until when sent messages are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// Until their recipients have archived, cleared or rejected them.
    #[default]
    Archived,
    /// Until their recipients have stored them.
    Stored,
}

/// How far a sent message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// On the recipient's disk.
    Stored,
    /// Archived or cleared by the recipient.
    Archived,
    /// The recipient could not read it, and will not.
    Rejected,
}

macro_rules! display_as_in_json {
    ($($name:ident { $($variant:ident => $word:literal),* })*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $word,)*
                })
            }
        }
    )*};
}

display_as_in_json! {
    StreamSet { Unread => "unread", Archived => "archived" }
    StreamMode { Live => "live", Drain => "drain" }
    ListSet { Unread => "unread", Archived => "archived", Sent => "sent" }
    Keep { Archived => "archived", Stored => "stored" }
    Level { Stored => "stored", Archived => "archived", Rejected => "rejected" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_shown_as_it_is_in_json() {
        let words = [ListSet::Unread, ListSet::Archived, ListSet::Sent];
        for word in words {
            assert_eq!(serde_json::to_value(word).unwrap(), word.to_string());
        }
        for word in [Level::Stored, Level::Archived, Level::Rejected] {
            assert_eq!(serde_json::to_value(word).unwrap(), word.to_string());
        }
        for word in [Keep::Archived, Keep::Stored] {
            assert_eq!(serde_json::to_value(word).unwrap(), word.to_string());
        }
        for word in [StreamMode::Live, StreamMode::Drain] {
            assert_eq!(serde_json::to_value(word).unwrap(), word.to_string());
        }
        for word in [StreamSet::Unread, StreamSet::Archived] {
            assert_eq!(serde_json::to_value(word).unwrap(), word.to_string());
        }
    }
}
