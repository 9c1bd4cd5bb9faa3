//! Why a data directory cannot be used.

use std::io;
use std::path::{Path, PathBuf};

use peermq_storage::KindError;
use thiserror::Error;

use crate::limits::SOCKET_PATH_SIZE_MAX;

/// Why a data directory cannot be used: what was expected, what came, and what helps.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// This user may not read or write there.
    #[error(
        "expected a data directory that this user can read and write, got permission denied at \
         {path:?}: choose another directory or change its owner"
    )]
    Denied {
        /// The file or folder.
        path: PathBuf,
    },
    /// The disk takes no writes.
    #[error("expected to write to {path:?}, got a read-only disk: choose another directory")]
    ReadOnly {
        /// The file or folder.
        path: PathBuf,
    },
    /// Something else lies where the directory should be.
    #[error("expected a directory at {path:?}, got something else: choose another directory")]
    NotDirectory {
        /// Where.
        path: PathBuf,
    },
    /// Nothing lies there yet.
    #[error(
        "expected a data directory with a key, got none at {path:?}: name the right one with -d"
    )]
    NoKey {
        /// Where.
        path: PathBuf,
    },
    /// Something lies there already.
    #[error("expected an empty directory or none, got files in {path:?}: choose another one")]
    NotEmpty {
        /// Where.
        path: PathBuf,
    },
    /// Other users could put their own files into the directory.
    #[error(
        "expected a data directory that only its owner can write to, got mode {mode:04o} at \
         {path:?}: run chmod 700 on it"
    )]
    WritableByOthers {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Other users could have read the key.
    #[error(
        "expected a key that only its owner can read, got mode {mode:04o} at {path:?}: run chmod 600 \
         on it if nobody else has read it, or start with a new directory"
    )]
    KeyExposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A symbolic link or a folder lies where a file should be.
    #[error(
        "expected a regular file, got a link or a folder at {path:?}: put the file itself there"
    )]
    NotFile {
        /// The file.
        path: PathBuf,
    },
    /// The file does not begin as a key does, or has another size.
    #[error(
        "expected a key file of {expected} bytes that begins with peermqk1, got {got} other bytes \
         at {path:?}: restore the key from a copy"
    )]
    NotKey {
        /// The key file.
        path: PathBuf,
        /// Bytes of a key file.
        expected: usize,
        /// Bytes that were read; not more than one too many.
        got: usize,
    },
    /// A later version wrote the key in another way.
    #[error(
        "expected a key of kind 0 or 1, got kind {kind} at {path:?}: run the version that wrote it, or a \
         later one"
    )]
    KeyKind {
        /// The key file.
        path: PathBuf,
        /// The kind's byte.
        kind: u8,
    },
    /// The key's bytes changed since they were written.
    #[error(
        "expected a key that matches its checksum, got a damaged one at {path:?}: restore the key \
         from a copy"
    )]
    KeyDamaged {
        /// The key file.
        path: PathBuf,
    },
    /// The key is under a passphrase, and nobody said where to get it.
    #[error("expected a passphrase for the key at {path:?}, got none")]
    PassphraseMissing {
        /// The key file.
        path: PathBuf,
    },
    /// The passphrase could not be read.
    #[error("expected a passphrase for the key at {path:?}, got: {source}")]
    PassphraseUnread {
        /// The key file.
        path: PathBuf,
        /// What asking for it came to.
        source: io::Error,
    },
    /// The key is under another passphrase.
    #[error("expected the passphrase of the key at {path:?}, got another one: try again")]
    PassphraseWrong {
        /// The key file.
        path: PathBuf,
    },
    /// Another process is the node of this directory.
    #[error(
        "expected to hold {path:?} alone, got it held by {holder}: end that process, or choose \
         another directory", holder = holder(*pid)
    )]
    Held {
        /// The directory.
        path: PathBuf,
        /// The holder's process id; absent while the holder is just writing it down.
        pid: Option<u32>,
    },
    /// A later version wrote the directory.
    #[error(
        "expected a data directory of format {known}, got format {got} at {path:?}: run \
         the version that wrote it, or a later one"
    )]
    FormatNewer {
        /// The directory.
        path: PathBuf,
        /// The format that this version reads.
        known: u32,
        /// The directory's format.
        got: u32,
    },
    /// An earlier version wrote the directory, and formats change until 1.0.
    #[error(
        "expected a data directory of format {known}, got format {got} at {path:?}: read what is in \
         it with the version that wrote it, and begin a new one"
    )]
    FormatOlder {
        /// The directory.
        path: PathBuf,
        /// The format that this version reads.
        known: u32,
        /// The directory's format.
        got: u32,
    },
    /// The `format` file does not say what it should.
    #[error(
        "expected a format file that names a version and a store, got {got:?} at {path:?}: restore \
         it from a copy"
    )]
    FormatUnreadable {
        /// The directory.
        path: PathBuf,
        /// How it begins.
        got: String,
    },
    /// There is a store, but not the file that says which kind it is.
    #[error(
        "expected a format file beside the store, got none at {path:?}: restore it from a copy"
    )]
    FormatMissing {
        /// The directory.
        path: PathBuf,
    },
    /// The directory was made with another store.
    #[error(
        "expected the store {got}, with which {path:?} was made, got {wanted}: ask for {got} or for \
         none, or choose another directory"
    )]
    OtherStore {
        /// The directory.
        path: PathBuf,
        /// The store asked for.
        wanted: String,
        /// The store that the directory has.
        got: String,
    },
    /// This program was built without the store that the directory has, or should have.
    #[error("{source} for {path:?}: build the program with that feature, or choose another store")]
    StoreNotBuilt {
        /// The directory.
        path: PathBuf,
        /// Which stores there are, and which it was to be.
        source: KindError,
    },
    /// This program was built without any store.
    #[error(
        "expected a program with a store, got one built without: build it with a store's feature"
    )]
    NoStoreBuilt,
    /// The path of the local API's socket fits no socket address.
    #[error(
        "expected a socket path of at most {SOCKET_PATH_SIZE_MAX} bytes, got {size} at {path:?}: \
         choose a directory with a shorter path"
    )]
    SocketPath {
        /// The socket.
        path: PathBuf,
        /// Bytes of its path.
        size: usize,
    },
    /// Any other answer of the file system.
    #[error("expected to use {path:?}, got: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
}

impl DirectoryError {
    /// Names the file or folder at which the file system gave `source`.
    pub(in crate::node) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            io::ErrorKind::PermissionDenied => Self::Denied { path },
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path },
            io::ErrorKind::InvalidInput => Self::NotFile { path },
            io::ErrorKind::NotADirectory => Self::NotDirectory { path },
            _ => Self::Io { path, source },
        }
    }
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}
