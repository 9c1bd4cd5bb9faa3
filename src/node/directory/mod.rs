//! The data directory: what a node keeps on disk, each thing in its place.
//!
//! | name | holds |
//! |---|---|
//! | `key` | the node's seed, mode 0600, if the user wants under a passphrase |
//! | `lock` | the process id of the directory's node, who holds a lock on it |
//! | `format` | the directory's version and its store's name |
//! | `store/` | the store |
//! | `aside/` | what a repair has taken out |
//! | `store.salvaged/`, `store.scratch/` | a repair at work on a store that does not open |
//! | `restoring` | nothing; a restore takes it away as its last step |
//! | `head-mark` | how far the log had come, apart from the store |
//! | `poison` | which boot saw a sync fail |
//! | `port` | the port that was listened on last |
//! | `api.sock` | the local API's socket |
//!
//! *Invariant*: the directory is of mode 0700 from its first moment, its key is read by its owner
//! alone, and an identity that was returned is on disk. Deliberately absent: where it lies by
//! default, which is the program's to know, and what is in the store.

mod error;
mod format;
mod head_mark;
mod key;
mod lock;
mod passphrase;
mod socket;

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use peermq_storage::Kind;

pub use self::error::DirectoryError;
pub(super) use self::head_mark::{HeadMark, Source};
pub(super) use self::key::size_of as key_size;
pub use self::lock::Lock;
pub use self::passphrase::{AskPassphrase, Passphrase};
pub use self::socket::SocketPath;
use crate::crypto::Identity;
use crate::node::files;
use crate::types::Id;

/// A node's data directory. Opening it takes no lock and no store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    /// Opens a directory, after making it, and all that lead to it, with mode 0700. An empty one
    /// that this user made beforehand is given that mode.
    ///
    /// # Errors
    /// [`DirectoryError::Denied`], [`DirectoryError::ReadOnly`], [`DirectoryError::NotDirectory`],
    /// [`DirectoryError::WritableByOthers`] or [`DirectoryError::Io`].
    pub fn open_or_create(path: &Path) -> Result<Self, DirectoryError> {
        let path = std::path::absolute(path).map_err(DirectoryError::at(path))?;
        let mode = create(&path).map_err(DirectoryError::at(&path))?;
        if mode & 0o022 != 0 {
            return Err(DirectoryError::WritableByOthers { path, mode });
        }
        Ok(Self { path })
    }

    /// Opens a directory that a node was made in before.
    ///
    /// # Errors
    /// [`DirectoryError::NoKey`], and as [`Directory::open_or_create`].
    pub fn open(path: &Path) -> Result<Self, DirectoryError> {
        if !path.join("key").exists() {
            return Err(DirectoryError::NoKey { path: path.to_owned() });
        }
        Self::open_or_create(path)
    }

    /// Where it lies; absolute.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The node's identity, made from `seed` on first use and on disk when this returns. First
    /// calls at the same time, also of several processes, agree on one.
    ///
    /// # Errors
    /// [`DirectoryError::KeyExposed`], [`DirectoryError::NotFile`], [`DirectoryError::NotKey`],
    /// [`DirectoryError::KeyKind`], [`DirectoryError::KeyDamaged`],
    /// [`DirectoryError::PassphraseMissing`] when the key is under a passphrase, or what the file
    /// system says.
    pub fn identity(&self, seed: impl FnOnce() -> [u8; 32]) -> Result<Identity, DirectoryError> {
        key::open_or_create(&self.key(), seed, None)
    }

    /// As [`Directory::identity`], and gets the passphrase if the key is under one.
    ///
    /// # Errors
    /// As [`Directory::identity`]; [`DirectoryError::PassphraseUnread`] and
    /// [`DirectoryError::PassphraseWrong`].
    pub fn identity_under(
        &self,
        ask: &AskPassphrase,
        seed: impl FnOnce() -> [u8; 32],
    ) -> Result<Identity, DirectoryError> {
        key::open_or_create(&self.key(), seed, Some(ask))
    }

    /// The node's id, made as [`Directory::identity`] makes it; a key under a passphrase tells its
    /// id without.
    ///
    /// # Errors
    /// As [`Directory::identity`], but for passphrases.
    pub fn id(&self, seed: impl FnOnce() -> [u8; 32]) -> Result<Id, DirectoryError> {
        key::id(&self.key(), seed)
    }

    /// Puts the key under a passphrase, in one durable step; `random` is drawn for it. A disk may
    /// keep the bytes that the file had before.
    ///
    /// # Errors
    /// As [`Directory::identity`]; not found when there is no key yet.
    pub fn set_passphrase(
        &self,
        _: &Lock,
        old: Option<&AskPassphrase>,
        new: &Passphrase,
        random: [u8; 40],
    ) -> Result<(), DirectoryError> {
        let (mut salt, mut nonce) = ([0; 16], [0; 24]);
        let (salt_from, nonce_from) = random.split_at(salt.len());
        salt.copy_from_slice(salt_from);
        nonce.copy_from_slice(nonce_from);
        key::change(&self.key(), old, Some((new, &key::SealRandom { salt, nonce })))
    }

    /// Keeps the key plain from now on, in one durable step.
    ///
    /// # Errors
    /// As [`Directory::set_passphrase`].
    pub fn remove_passphrase(
        &self,
        _: &Lock,
        old: Option<&AskPassphrase>,
    ) -> Result<(), DirectoryError> {
        key::change(&self.key(), old, None)
    }

    fn key(&self) -> PathBuf {
        self.path.join("key")
    }

    /// Becomes the one process that is this directory's node.
    ///
    /// # Errors
    /// [`DirectoryError::Held`] when another is, or what the file system says.
    pub fn lock(&self) -> Result<Lock, DirectoryError> {
        let lock = Lock::acquire(&self.path.join("lock"), &self.path)?;
        key::sweep_drafts(&self.key())?;
        self.settle_store()?;
        Ok(lock)
    }

    /// The store that this directory was made with; on first use that is `wanted`, else the
    /// default, and `format` remembers it.
    ///
    /// # Errors
    /// [`DirectoryError::OtherStore`], [`DirectoryError::FormatNewer`],
    /// [`DirectoryError::FormatOlder`], [`DirectoryError::FormatUnreadable`],
    /// [`DirectoryError::FormatMissing`], [`DirectoryError::StoreNotBuilt`],
    /// [`DirectoryError::NoStoreBuilt`], or what the file system says.
    pub fn store_kind(&self, _: &Lock, wanted: Option<Kind>) -> Result<Kind, DirectoryError> {
        format::store_kind(&self.path, wanted)
    }

    /// Holds the directory to a store: on first use `format` remembers it, later it must be the one
    /// that is there. Opens no store, and works beside a running node.
    ///
    /// # Errors
    /// As [`Directory::store_kind`]; [`DirectoryError::Held`] when another process is making the
    /// directory's first node at this moment.
    pub fn expect_store(&self, wanted: Kind) -> Result<(), DirectoryError> {
        if format::made_with(&self.path, Some(wanted))?.is_none() {
            self.store_kind(&self.lock()?, Some(wanted))?;
        }
        Ok(())
    }

    /// Where the store lies.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.path.join("store")
    }

    /// Where what can be read of a store that does not open is gathered.
    pub(super) fn salvaged_store(&self) -> PathBuf {
        self.path.join("store.salvaged")
    }

    /// Gives a salvaged store its name, once the one that did not open is set aside. Whoever was to do
    /// so may have been cut off.
    pub(super) fn settle_store(&self) -> Result<(), DirectoryError> {
        let (store, salvaged) = (self.store(), self.salvaged_store());
        if store.exists() || !salvaged.exists() {
            return Ok(());
        }
        let settled = fs::rename(&salvaged, &store).and_then(|()| files::sync_folder_of(&store));
        settled.map_err(DirectoryError::at(&store))
    }

    /// The head mark, made on first use.
    pub(super) fn head_mark(&self, _: &Lock) -> Result<HeadMark, DirectoryError> {
        HeadMark::open_or_create(&self.path.join("head-mark"))
    }

    /// Where a failed sync leaves its mark.
    #[must_use]
    pub fn poison(&self) -> PathBuf {
        self.path.join("poison")
    }

    /// Where the local API's socket is bound and dialled.
    ///
    /// # Errors
    /// [`DirectoryError::SocketPath`] when it is too long for this system, or what the file system
    /// says.
    pub fn socket_path(&self) -> Result<SocketPath, DirectoryError> {
        SocketPath::new(&self.path, "api.sock")
    }

    /// The port that was listened on last; `None` when none is known, or what is there is no port.
    ///
    /// # Errors
    /// What the file system says.
    pub fn port(&self) -> Result<Option<u16>, DirectoryError> {
        let path = self.path.join("port");
        let text = files::read_start(&path, PORT_SIZE_MAX).map_err(DirectoryError::at(&path))?;
        let text = text.and_then(|bytes| String::from_utf8(bytes).ok());
        Ok(text.and_then(|text| text.trim_end().parse().ok()))
    }

    /// Remembers the port that is listened on.
    ///
    /// # Errors
    /// What the file system says.
    pub fn remember_port(&self, _: &Lock, port: u16) -> Result<(), DirectoryError> {
        let path = self.path.join("port");
        files::replace(&path, format!("{port}\n").as_bytes()).map_err(DirectoryError::at(&path))
    }
}

/// Makes the directory if need be; its mode.
fn create(path: &Path) -> io::Result<u32> {
    files::create_folders(path)?;
    let is_empty = fs::read_dir(path)?.next().is_none();
    let mode = fs::metadata(path)?.mode() & 0o7777;
    // A sticky folder is meant for everyone: it is nobody's to take over.
    if is_empty && mode & 0o1000 == 0 {
        fs::set_permissions(path, Permissions::from_mode(0o700))?;
        return Ok(0o700);
    }
    Ok(mode)
}

/// Bytes of the file `port`: five digits and a line feed.
const PORT_SIZE_MAX: u64 = 6;

#[cfg(test)]
mod tests;
