//! The file `key`: the node's seed, plain or under a passphrase.
//!
//! ```text
//! magic "peermqk1" 8 | kind 1 | id 32 | kind 0: seed 32                        | checksum 32
//!                                     | kind 1: memory KiB 4 | passes 4 | lanes 4
//!                                     |         salt 16 | nonce 24 | sealed 48 |
//! ```
//!
//! The checksum is the BLAKE3 of all before. Argon2id with the memory, passes, lanes and salt makes
//! a key of the passphrase; `sealed` is the seed by XChaCha20-Poly1305 under that key, with all that
//! stands before it in the file as associated data.
//!
//! Written to a draft, synced, then linked to its name: a link, unlike a renamed file, replaces
//! nothing, so that of several first calls one wins and all read its key. The draft goes last: a
//! key with a second name may not have been synced with its directory.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use zeroize::Zeroizing;

use super::DirectoryError;
use super::passphrase::{AskPassphrase, Passphrase, Work, open, seal};
use crate::crypto::Identity;
use crate::node::files;
use crate::types::Id;

const MAGIC: &[u8; 8] = b"peermqk1";
const KIND_PLAIN: u8 = 0;
const KIND_SEALED: u8 = 1;
/// Magic, kind, id, checksum.
const FRAME_SIZE: usize = 8 + 1 + 32 + 32;
const PLAIN_SIZE: usize = FRAME_SIZE + 32;
const SEALED_SIZE: usize = FRAME_SIZE + 3 * 4 + 16 + 24 + 48;

/// A new seed and what a seal needs, drawn by the caller.
pub(super) struct SealRandom {
    pub(super) salt: [u8; 16],
    pub(super) nonce: [u8; 24],
}

/// Reads the key, after making it from `seed` when there is none. Durable on return.
pub(super) fn open_or_create(
    path: &Path,
    seed: impl FnOnce() -> [u8; 32],
    ask: Option<&AskPassphrase>,
) -> Result<Identity, DirectoryError> {
    let seed = read_or_create(path, seed)?.into_seed(path, ask)?;
    Ok(Identity::from_seed(&seed))
}

/// Whose key it is, after making it from `seed` when there is none; wants no passphrase.
pub(super) fn id(path: &Path, seed: impl FnOnce() -> [u8; 32]) -> Result<Id, DirectoryError> {
    match read_or_create(path, seed)? {
        Key::Plain(seed) => Ok(Identity::from_seed(&seed).id()),
        Key::Sealed(sealed) => {
            Id::from_bytes(sealed.id).map_err(|_| DirectoryError::KeyDamaged { path: path.into() })
        }
    }
}

/// Puts the key under another passphrase, or under none, in one durable step.
pub(super) fn change(
    path: &Path,
    ask: Option<&AskPassphrase>,
    new: Option<(&Passphrase, &SealRandom)>,
) -> Result<(), DirectoryError> {
    let missing = || DirectoryError::at(path)(ErrorKind::NotFound.into());
    let seed = read(path)?.ok_or_else(missing)?.into_seed(path, ask)?;
    let bytes = match new {
        None => encode_plain(&seed),
        Some((passphrase, random)) => {
            encode_sealed(&seed, passphrase, random, Work::RECOMMENDED)
                .ok_or_else(|| DirectoryError::at(path)(ErrorKind::OutOfMemory.into()))?
        }
    };
    files::replace(path, &bytes).map_err(DirectoryError::at(path))
}

/// Bytes of the file that begins so: 9 bytes tell.
pub(in crate::node) fn size_of(begin: &[u8]) -> Option<usize> {
    match *begin.strip_prefix(MAGIC)?.first()? {
        KIND_PLAIN => Some(PLAIN_SIZE),
        KIND_SEALED => Some(SEALED_SIZE),
        _ => None,
    }
}

/// What the file holds.
enum Key {
    Plain(Zeroizing<[u8; 32]>),
    Sealed(Box<SealedKey>),
}

struct SealedKey {
    id: [u8; 32],
    header: Vec<u8>,
    work: Work,
    salt: [u8; 16],
    nonce: [u8; 24],
    sealed: [u8; 48],
}

impl Key {
    fn into_seed(
        self,
        path: &Path,
        ask: Option<&AskPassphrase>,
    ) -> Result<Zeroizing<[u8; 32]>, DirectoryError> {
        let sealed = match self {
            Self::Plain(seed) => return Ok(seed),
            Self::Sealed(sealed) => sealed,
        };
        let path = || path.to_owned();
        let ask = ask.ok_or_else(|| DirectoryError::PassphraseMissing { path: path() })?;
        let passphrase = ask
            .ask()
            .map_err(|source| DirectoryError::PassphraseUnread { path: path(), source })?;
        let SealedKey { id, header, work, salt, nonce, sealed } = &*sealed;
        open(sealed, &passphrase, *work, salt, nonce, header)
            .filter(|seed| Identity::from_seed(seed).id().as_bytes() == id)
            .ok_or_else(|| DirectoryError::PassphraseWrong { path: path() })
    }
}

fn read_or_create(path: &Path, seed: impl FnOnce() -> [u8; 32]) -> Result<Key, DirectoryError> {
    if let Some(key) = read(path)? {
        return Ok(key);
    }
    create(path, &Zeroizing::new(seed()))?;
    read(path)?.ok_or_else(|| DirectoryError::at(path)(ErrorKind::NotFound.into()))
}

fn create(path: &Path, seed: &[u8; 32]) -> Result<(), DirectoryError> {
    let draft = path.with_extension(Identity::from_seed(seed).id().to_string());
    files::write_new(&draft, &encode_plain(seed)).map_err(DirectoryError::at(path))?;
    match fs::hard_link(&draft, path) {
        // Another's key was there first, and its holder may have swept the draft.
        Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => {}
        other => other.map_err(DirectoryError::at(path))?,
    }
    files::sync_folder_of(path).map_err(DirectoryError::at(path))?;
    files::remove_if_there(&draft).map_err(DirectoryError::at(&draft))
}

/// Removes what a kill left of keys in the making, so that nothing plain lies beside a sealed key.
/// The directory's holder does so.
pub(super) fn sweep_drafts(path: &Path) -> Result<(), DirectoryError> {
    let swept = || -> io::Result<()> {
        let folder = path.parent().filter(|_| path.exists());
        let Some(folder) = folder else { return Ok(()) };
        let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name()));
        let names = names.collect::<io::Result<Vec<_>>>()?;
        let drafts: Vec<_> = names.iter().filter(|name| is_draft(name)).collect();
        if drafts.is_empty() {
            return Ok(());
        }
        // The draft may be the one name of the key that lasts.
        files::sync_folder_of(path)?;
        drafts.into_iter().try_for_each(|name| files::remove_if_there(&folder.join(name)))?;
        files::sync_folder_of(path)
    };
    swept().map_err(DirectoryError::at(path))
}

/// `key.new`, or `key.` and an id.
fn is_draft(name: &OsStr) -> bool {
    let ending = name.to_str().and_then(|name| name.strip_prefix("key."));
    ending.is_some_and(|ending| {
        ending == "new"
            || (ending.len() == 64 && ending.bytes().all(|byte| byte.is_ascii_hexdigit()))
    })
}

fn read(path: &Path) -> Result<Option<Key>, DirectoryError> {
    let file = match files::open_regular(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.map_err(DirectoryError::at(path))?,
    };
    let metadata = file.metadata().map_err(DirectoryError::at(path))?;
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(DirectoryError::KeyExposed { path: path.to_owned(), mode });
    }
    let key = decode(&read_all(file).map_err(DirectoryError::at(path))?, path)?;
    if metadata.nlink() > 1 {
        files::sync_folder_of(path).map_err(DirectoryError::at(path))?;
    }
    Ok(Some(key))
}

/// The file's bytes, one more than a key has at most. The buffer does not grow: a buffer left
/// behind would not be wiped.
fn read_all(file: File) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * SEALED_SIZE));
    file.take(u64::try_from(SEALED_SIZE + 1).expect("it is small")).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn encode_plain(seed: &[u8; 32]) -> Zeroizing<Vec<u8>> {
    let mut bytes = begin(KIND_PLAIN, seed);
    bytes.extend_from_slice(seed);
    end(bytes)
}

fn encode_sealed(
    seed: &[u8; 32],
    passphrase: &Passphrase,
    random: &SealRandom,
    work: Work,
) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = begin(KIND_SEALED, seed);
    for number in [work.memory_kib, work.passes, work.lanes] {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    bytes.extend_from_slice(&random.salt);
    bytes.extend_from_slice(&random.nonce);
    let sealed = seal(seed, passphrase, work, &random.salt, &random.nonce, &bytes)?;
    bytes.extend_from_slice(&sealed);
    Some(end(bytes))
}

fn begin(kind: u8, seed: &[u8; 32]) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(SEALED_SIZE));
    bytes.extend_from_slice(MAGIC);
    bytes.push(kind);
    bytes.extend_from_slice(Identity::from_seed(seed).id().as_bytes());
    bytes
}

fn end(mut bytes: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
    let checksum = blake3::hash(&bytes);
    bytes.extend_from_slice(checksum.as_bytes());
    bytes
}

fn decode(bytes: &[u8], path: &Path) -> Result<Key, DirectoryError> {
    let path = || path.to_owned();
    let got = bytes.len();
    let not_key = |expected| move || DirectoryError::NotKey { path: path(), expected, got };
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(not_key(PLAIN_SIZE))?;
    let expected = match *rest.first().ok_or_else(not_key(PLAIN_SIZE))? {
        KIND_PLAIN => PLAIN_SIZE,
        KIND_SEALED => SEALED_SIZE,
        kind => return Err(DirectoryError::KeyKind { path: path(), kind }),
    };
    if got != expected {
        return Err(not_key(expected)());
    }
    let damaged = || DirectoryError::KeyDamaged { path: path() };
    let (summed, checksum) = bytes.split_last_chunk::<32>().ok_or_else(damaged)?;
    if blake3::hash(summed) != *checksum {
        return Err(damaged());
    }
    let (header, id, secret) = split(summed).ok_or_else(damaged)?;
    if expected == SEALED_SIZE {
        return sealed_key(header, id, secret).ok_or_else(damaged);
    }
    let seed = secret.try_into().map(Zeroizing::new).map_err(|_| damaged())?;
    let fits = Identity::from_seed(&seed).id().as_bytes() == id;
    fits.then_some(Key::Plain(seed)).ok_or_else(damaged)
}

/// All before the seal, the id, and what follows the id.
fn split(summed: &[u8]) -> Option<(&[u8], &[u8; 32], &[u8])> {
    let (id, secret) = summed.split_at_checked(9)?.1.split_first_chunk::<32>()?;
    let (header, _) = summed.split_at_checked(summed.len().checked_sub(48)?)?;
    Some((header, id, secret))
}

fn sealed_key(header: &[u8], id: &[u8; 32], secret: &[u8]) -> Option<Key> {
    let (memory, rest) = secret.split_first_chunk()?;
    let (passes, rest) = rest.split_first_chunk()?;
    let (lanes, rest) = rest.split_first_chunk()?;
    let (salt, rest) = rest.split_first_chunk()?;
    let (nonce, sealed) = rest.split_first_chunk()?;
    let [memory_kib, passes, lanes] = [memory, passes, lanes].map(|n| u32::from_be_bytes(*n));
    let work = Work { memory_kib, passes, lanes };
    let sealed = sealed.try_into().ok()?;
    let header = header.to_vec();
    let (id, salt, nonce) = (*id, *salt, *nonce);
    Some(Key::Sealed(Box::new(SealedKey { id, header, work, salt, nonce, sealed })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_key_is_what_it_always_was() {
        let passphrase = Passphrase::new(b"golden".to_vec()).unwrap();
        let random = SealRandom { salt: [1; 16], nonce: [2; 24] };
        let work = Work { memory_kib: 64, passes: 1, lanes: 1 };
        let bytes = encode_sealed(&[7; 32], &passphrase, &random, work).unwrap();
        let golden = include_str!("../../../tests/golden/sealed-key.txt");
        assert_eq!(hex::encode(&*bytes), golden.trim_end());
    }
}
