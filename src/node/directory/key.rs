//! The file `key`: the node's seed.
//!
//! ```text
//! magic "peermqk1" 8 | kind 1 (0 = plain) | id 32 | seed 32 | BLAKE3 of all before 32
//! ```
//!
//! Written to a draft, synced, then linked to its name: a link, unlike a renamed file, replaces
//! nothing, so that of several first calls one wins and all read its key. The draft goes last: a
//! key with a second name may not have been synced with its directory.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use zeroize::Zeroizing;

use super::DirectoryError;
use crate::crypto::Identity;
use crate::node::files;

const MAGIC: &[u8; 8] = b"peermqk1";
const KIND_PLAIN: u8 = 0;
const SIZE: usize = 8 + 1 + 32 + 32 + 32;

/// Reads the key, after making it from `seed` when there is none. Durable on return.
pub(super) fn open_or_create(
    path: &Path,
    seed: impl FnOnce() -> [u8; 32],
) -> Result<Identity, DirectoryError> {
    if let Some(identity) = read(path)? {
        return Ok(identity);
    }
    create(path, &Zeroizing::new(seed()))?;
    read(path)?.ok_or_else(|| DirectoryError::at(path)(io::ErrorKind::NotFound.into()))
}

fn create(path: &Path, seed: &[u8; 32]) -> Result<(), DirectoryError> {
    let identity = Identity::from_seed(seed);
    let draft = path.with_extension(identity.id().to_string());
    files::write_new(&draft, &encode(&identity, seed)).map_err(DirectoryError::at(path))?;
    match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => other.map_err(DirectoryError::at(path))?,
    }
    files::sync_folder_of(path).map_err(DirectoryError::at(path))?;
    fs::remove_file(&draft).map_err(DirectoryError::at(&draft))
}

fn read(path: &Path) -> Result<Option<Identity>, DirectoryError> {
    let file = match files::open_regular(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(DirectoryError::at(path))?,
    };
    let metadata = file.metadata().map_err(DirectoryError::at(path))?;
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(DirectoryError::KeyExposed { path: path.to_owned(), mode });
    }
    let identity = decode(&read_all(file).map_err(DirectoryError::at(path))?, path)?;
    if metadata.nlink() > 1 {
        files::sync_folder_of(path).map_err(DirectoryError::at(path))?;
    }
    Ok(Some(identity))
}

/// The file's bytes, one more than a key has at most. The buffer does not grow: a buffer left
/// behind would not be wiped.
fn read_all(file: File) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * SIZE));
    file.take(u64::try_from(SIZE + 1).expect("it is small")).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn encode(identity: &Identity, seed: &[u8; 32]) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(SIZE));
    bytes.extend_from_slice(MAGIC);
    bytes.push(KIND_PLAIN);
    bytes.extend_from_slice(identity.id().as_bytes());
    bytes.extend_from_slice(seed);
    let checksum = blake3::hash(&bytes);
    bytes.extend_from_slice(checksum.as_bytes());
    bytes
}

fn decode(bytes: &[u8], path: &Path) -> Result<Identity, DirectoryError> {
    let path = || path.to_owned();
    let not_key = || DirectoryError::NotKey { path: path(), expected: SIZE, got: bytes.len() };
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(not_key)?;
    let (&kind, rest) = rest.split_first().ok_or_else(not_key)?;
    if kind != KIND_PLAIN {
        return Err(DirectoryError::KeyKind { path: path(), kind });
    }
    let (id, rest) = rest.split_first_chunk::<32>().ok_or_else(not_key)?;
    let (seed, rest) = rest.split_first_chunk::<32>().ok_or_else(not_key)?;
    let checksum = <[u8; 32]>::try_from(rest).map_err(|_| not_key())?;
    let (summed, _) = bytes.split_last_chunk::<32>().ok_or_else(not_key)?;
    let identity = Identity::from_seed(seed);
    if blake3::hash(summed) != checksum || identity.id().as_bytes() != id {
        return Err(DirectoryError::KeyDamaged { path: path() });
    }
    Ok(identity)
}
