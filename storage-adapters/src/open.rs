//! Opening a directory as a store, whatever bytes lie in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::apart::Apart;
use crate::directory::Directory;
use crate::guard::{Guarded, contained};
use crate::kind::available_names;
use crate::mark::{Demand, Mark, Seal};
use crate::poison::Poison;
use crate::{Kind, Store, StoreError, rewrite};

/// A store and how it was found.
#[derive(Debug)]
pub struct Opened {
    /// The store; its directory is held until this is dropped.
    pub store: Box<dyn Store>,
    /// How the last holder left it.
    pub health: Health,
}

/// How a store was found at open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Health {
    /// New, or as a holder closed it.
    Clean,
    /// Its last holder ended without closing it, or after a failed write. Every acknowledged batch
    /// is there.
    Recovered,
}

/// Why a directory could not be opened as a store.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another handle, in this process or another, has the directory.
    #[error("the store is held by another process")]
    Held,
    /// What lies there is not what a store wrote. It is left as it is.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    /// This build has no such engine.
    #[error("expected a store that this build has ({names}), got {0}", names = available_names())]
    Unavailable(Kind),
    /// The directory holds a store of another kind.
    #[error("expected a store of kind {expected}, got one of kind {found}")]
    Kind {
        /// The kind that was asked for.
        expected: Kind,
        /// The kind that lies there.
        found: Kind,
    },
    /// The directory cannot be written to.
    #[error("the store cannot be written to: {0}")]
    ReadOnly(#[source] io::Error),
    /// There is no space left.
    #[error("no space left to open the store: {0}")]
    Full(#[source] io::Error),
    /// The disk refused.
    #[error("the store could not be opened: {0}")]
    Io(#[source] io::Error),
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                Self::ReadOnly(error)
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(error),
            _ => Self::Io(error),
        }
    }
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Read(error)
            | StoreError::Write(error)
            | StoreError::Sync(error)
            | StoreError::Full(error) => error.into(),
            error => Self::Corrupt(error.to_string()),
        }
    }
}

/// Opens the store of a kind in the directory `dir`, which is created when absent.
///
/// `poison` is the path of a file outside `dir` that remembers, for as long as the machine stays
/// up, that an fsync of this store has failed; it is created when absent. After such a failure what
/// reads show may never have reached the disk, so the next open in the same boot writes the whole
/// store anew (twice its space is needed for that time).
///
/// # Errors
/// [`OpenError::Held`] while another handle lives, [`OpenError::Unavailable`] and
/// [`OpenError::Kind`] when this build or this directory has no store of that kind,
/// [`OpenError::Corrupt`] for bytes that no store wrote, [`OpenError::ReadOnly`],
/// [`OpenError::Full`] and [`OpenError::Io`] from the disk.
pub fn open(kind: Kind, dir: &Path, poison: &Path) -> Result<Opened, OpenError> {
    if !Kind::available().contains(&kind) {
        return Err(OpenError::Unavailable(kind));
    }
    let mut directory = Directory::hold(kind, dir)?;
    let poison = Poison::open(poison)?;
    let mark = directory.mark();
    directory.begin()?;
    match open_marked(kind, &mut directory, poison, mark) {
        Ok((engine, path, poison, health)) => {
            Ok(Opened { store: Box::new(Guarded::new(engine, path, directory, poison)), health })
        }
        Err(error) => {
            if matches!(error, OpenError::Corrupt(_)) {
                // The next open must look as closely as this one.
                directory.restore(mark.health)?;
            }
            Err(error)
        }
    }
}

/// The engine of a held directory and where it lies, after what its last holder's word and the
/// poison file ask for.
fn open_marked(
    kind: Kind,
    directory: &mut Directory,
    mut poison: Poison,
    mut mark: Mark,
) -> Result<(Box<dyn Store>, PathBuf, Poison, Health), OpenError> {
    let engine_dir = match directory.engine_dir()? {
        None => {
            mark = Mark::NEW;
            directory.replace(None, |fresh| {
                with_engine(kind, fresh, Demand::Whole(Mark::NEW), |_| Ok(()))
            })?
        }
        Some(lost) if fs::read_dir(&lost)?.next().is_none() => {
            let what = format!("expected the files of a store in {}, got none", lost.display());
            return Err(OpenError::Corrupt(what));
        }
        Some(old) if poison.is_fresh() => {
            let copy = |fresh: &Path| rewrite::copy(kind, &old, mark, fresh);
            let copied = directory.replace(Some(&old), copy)?;
            mark = Mark::NEW;
            copied
        }
        Some(whole) => whole,
    };
    let health = if poison.is_set() { Health::Recovered } else { mark.health };
    poison.clear()?;
    let engine = engine(kind, &engine_dir, Demand::Whole(mark))?;
    Ok((engine, engine_dir, poison, health))
}

/// The engine in a directory of its own, made when the directory is empty.
pub(crate) fn engine(kind: Kind, path: &Path, demand: Demand) -> Result<Box<dyn Store>, OpenError> {
    let opened = contained(|| Apart::open(bare_engine(kind, path, demand)?, path, demand));
    let whole = opened.unwrap_or_else(|panic| Err(OpenError::Corrupt(panic)))?;
    Ok(Box::new(whole))
}

/// Opens an engine for `work` and closes it, whatever came of that.
pub(crate) fn with_engine<T>(
    kind: Kind,
    path: &Path,
    demand: Demand,
    work: impl FnOnce(&dyn Store) -> Result<T, OpenError>,
) -> Result<T, OpenError> {
    let engine = engine(kind, path, demand)?;
    let done = work(&*engine);
    let closed = close(engine);
    done.and_then(|done| closed.map(|()| done))
}

/// Closes an engine: an error of the disk at its last write is no reason to panic.
pub(crate) fn close(engine: Box<dyn Store>) -> Result<(), OpenError> {
    contained(|| drop(engine)).map_err(|panic| OpenError::Io(io::Error::other(panic)))
}

/// The seal of an engine that was closed just now, if its kind has one.
#[cfg_attr(
    not(any(feature = "sled", feature = "fjall")),
    expect(unused_variables, reason = "a build without these engines seals nothing")
)]
pub(crate) fn seal(kind: Kind, path: &Path) -> Result<Option<Seal>, OpenError> {
    match kind {
        #[cfg(feature = "sled")]
        Kind::Sled => crate::sled::seal(path).map(Some),
        #[cfg(feature = "fjall")]
        Kind::Fjall => crate::fjall::seal(path).map(Some),
        _ => Ok(None),
    }
}

#[cfg_attr(
    not(any(feature = "sled", feature = "redb", feature = "fjall")),
    expect(unused_variables, reason = "a build without engines opens no path")
)]
fn bare_engine(kind: Kind, path: &Path, demand: Demand) -> Result<Box<dyn Store>, OpenError> {
    match kind {
        #[cfg(feature = "sled")]
        Kind::Sled => Ok(Box::new(crate::sled::SledStore::open(path, demand)?)),
        #[cfg(feature = "redb")]
        Kind::Redb => Ok(Box::new(crate::redb::RedbStore::open(path, demand)?)),
        #[cfg(feature = "fjall")]
        Kind::Fjall => Ok(Box::new(crate::fjall::FjallStore::open(path, demand)?)),
        #[cfg(not(all(feature = "sled", feature = "redb", feature = "fjall")))]
        absent => Err(OpenError::Unavailable(absent)),
    }
}
