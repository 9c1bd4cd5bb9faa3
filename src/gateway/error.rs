//! Why the local API's client has no answer.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::limits::ATTACH_MS_MAX;
use crate::node::NodeError;
use crate::node::directory::DirectoryError;

/// Why the local API's client has no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The data directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The node could not be opened here.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// Another process holds the directory and does not answer.
    #[error(
        "expected {holder}, which holds {path:?}, to answer on its socket, got no answer for {} s: \
         end that process, or choose another directory", ATTACH_MS_MAX / 1_000
    )]
    Silent {
        /// The holder, by its process id if that is known.
        holder: String,
        /// The directory.
        path: PathBuf,
    },
    /// The socket could not be bound.
    #[error("expected to serve a socket at {path:?}, got: {source}")]
    Socket {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The node refused.
    #[error("{problem}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Why.
        problem: String,
    },
    /// The answer is not what the API says: a node of another version.
    #[error("expected an answer of this version of peermq, got: {0}")]
    Answer(String),
    /// Reading what is to be sent failed.
    #[error("cannot read what is to be sent: {0}")]
    Input(#[source] io::Error),
    /// A backup did not come to its end.
    #[error("expected the node to stay until the backup was read, got: {0}: take it again")]
    BackupCut(String),
    /// The node ended in the middle of a text that cannot be read again.
    #[error(
        "expected the node to stay until the text was sent, got its end: send the text again, at \
         worst it arrives twice"
    )]
    NotRepeatable,
}
