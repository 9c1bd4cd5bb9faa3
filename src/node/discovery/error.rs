//! Why a way to be found is not open.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a way to be found is not open on this machine.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DiscoveryError {
    /// The rendezvous folder could be another user's trap.
    #[error(
        "expected a folder of user {uid} with mode 0700, got one of user {owner} with mode \
         {mode:04o} at {path:?}: remove it"
    )]
    NotPrivate {
        /// The folder.
        path: PathBuf,
        /// This process's user.
        uid: u32,
        /// The folder's owner.
        owner: u32,
        /// Its permission bits.
        mode: u32,
    },
    /// A link or a file lies where the rendezvous folder should be.
    #[error("expected a folder, got a link or a file at {path:?}: remove it")]
    NotFolder {
        /// Where.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("expected to use {path:?}, got: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// The local network could not be used.
    #[cfg(feature = "mdns")]
    #[error("expected to announce on the local network, got: {0}")]
    Mdns(#[from] mdns_sd::Error),
}
