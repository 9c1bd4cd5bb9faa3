//! Stores whose files were harmed: they open as they were, or say that they are damaged.

use std::fs;
use std::io;
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use peermq_storage::{
    Batch, Bytes, Health, KEY_SIZE_MAX, Kind, OpenError, Opened, StoreError, open,
};
use tempfile::TempDir;

use crate::choices::Choices;

/// Harms the files of a small store and opens it.
///
/// # Panics
/// When it gives what was never there, or cannot say what is wrong. The engines' own panics are
/// caught on their way, so what is wrong is printed here: a hook that ends the process at each panic
/// must be gone ([`contain_panics`]).
pub fn store(bytes: &[u8]) {
    if let Err(what) = judge(&mut Choices::new(bytes)) {
        eprintln!("{what}");
        panic!("{what}");
    }
}

/// Lets panics be caught: an engine may panic on damaged bytes, and its adapter calls that damage.
pub fn contain_panics() {
    panic::set_hook(Box::new(|_| ()));
}

fn judge(choices: &mut Choices<'_>) -> Result<(), String> {
    let kinds = Kind::available();
    let kind = kinds[choices.below(kinds.len())];
    let ending = [Ending::Closed, Ending::Killed][choices.below(2)];
    let sample = Sample::of(kind, ending);
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    sample.copy_harmed(dir.path(), choices).map_err(|error| error.to_string())?;
    let (health, count) = match content(kind, dir.path())? {
        Content::Refused => return Ok(()),
        Content::Batches(health, count) => (health, count),
    };
    // Only the end of a log whose writer was killed may be taken for a write that was cut short.
    if count != BATCH_COUNT && health == Health::Clean {
        return Err(format!("{kind}, {ending:?}: clean with {count} batches of {BATCH_COUNT}"));
    }
    // What it was once taken for it stays, with the one batch more that was written meanwhile.
    match content(kind, dir.path())? {
        Content::Batches(_, later) if later == count + 1 => Ok(()),
        other => Err(format!("{kind}, {ending:?}: {count} batches, one more, then {other:?}")),
    }
}

/// What an open finds.
#[derive(Debug)]
enum Content {
    /// It says that it is damaged.
    Refused,
    /// So many batches; one more was committed.
    Batches(Health, u64),
}

fn content(kind: Kind, dir: &Path) -> Result<Content, String> {
    let Opened { store, health } = match opened(kind, dir) {
        Ok(opened) => opened,
        Err(OpenError::Corrupt(_)) => return Ok(Content::Refused),
        Err(error) => return Err(format!("{kind}: {error:?} is no answer to damage")),
    };
    let pairs: Result<Vec<_>, _> = store.scan(&[]..&[u8::MAX; KEY_SIZE_MAX]).collect();
    let pairs = match pairs {
        Ok(pairs) => pairs,
        Err(StoreError::Corrupt(_)) => return Ok(Content::Refused),
        Err(error) => return Err(format!("{kind}: {error:?} is no answer to damage")),
    };
    let is_whole = |count: &u64| pairs == rows_after(*count);
    let count = (0..=BATCH_COUNT + 2).find(is_whole);
    let count = count.ok_or_else(|| format!("{kind}: {pairs:?} was never there"))?;
    match store.commit(batch(count)) {
        Ok(()) => Ok(Content::Batches(health, count)),
        Err(StoreError::Corrupt(_)) => Ok(Content::Refused),
        Err(error) => Err(format!("{kind}: {error:?} is no answer to damage")),
    }
}

/// Batch `number`: a key of its own, and one that others overwrite.
fn batch(number: u64) -> Batch {
    let mut batch = Batch::new();
    batch.put(number.to_be_bytes().to_vec(), body(number));
    batch.put((1_000 + number % 3).to_be_bytes().to_vec(), body(number));
    if let Some(old) = number.checked_sub(6) {
        batch.remove(old.to_be_bytes().to_vec());
    }
    batch
}

fn body(number: u64) -> Bytes {
    number.to_be_bytes().repeat(30).into()
}

/// What so many batches leave.
fn rows_after(count: u64) -> Vec<(Bytes, Bytes)> {
    let kept = (count.saturating_sub(6)..count).map(|number| (number, number));
    let newest = |slot: &u64| (0..count).rev().find(|number| number % 3 == *slot);
    let slots = (0..3).filter_map(|slot| Some((1_000 + slot, newest(&slot)?)));
    let rows = kept
        .chain(slots)
        .map(|(key, number)| (Bytes::copy_from_slice(&key.to_be_bytes()), body(number)));
    rows.collect()
}

/// How the last holder of a sample ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Closed,
    Killed,
}

/// The files of a whole store, by their paths below its directory.
#[derive(Debug)]
struct Sample {
    kind: Kind,
    ending: Ending,
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl Sample {
    /// The sample of a kind and an ending; all are made once.
    fn of(kind: Kind, ending: Ending) -> &'static Self {
        static SAMPLES: LazyLock<Vec<Sample>> = LazyLock::new(|| {
            let kinds = Kind::available().iter();
            let endings = [Ending::Closed, Ending::Killed];
            let all = kinds.flat_map(|kind| endings.map(|ending| Sample::make(*kind, ending)));
            all.collect::<io::Result<_>>().expect("there is room for six small stores")
        });
        let mut samples = SAMPLES.iter();
        let wanted = |sample: &&Self| sample.kind == kind && sample.ending == ending;
        samples.find(wanted).expect("there is one of each")
    }

    fn make(kind: Kind, ending: Ending) -> io::Result<Self> {
        let dir: TempDir = tempfile::tempdir()?;
        let store = opened(kind, dir.path()).expect("a new store opens").store;
        for number in 0..BATCH_COUNT {
            store.commit(batch(number)).expect("a new store takes batches");
        }
        let store = (ending == Ending::Killed).then_some(store);
        let mut files = Vec::new();
        read_tree(dir.path(), dir.path(), &mut files)?;
        drop(store);
        files.sort();
        Ok(Self { kind, ending, files })
    }

    /// Writes the files, some of them changed.
    fn copy_harmed(&self, dir: &Path, choices: &mut Choices<'_>) -> io::Result<()> {
        let mut files = self.files.clone();
        for _ in 0..1 + choices.below(4) {
            let at = choices.below(files.len());
            harm(&mut files[at].1, choices);
        }
        for (name, bytes) in files {
            let path = dir.join(name);
            fs::create_dir_all(path.parent().expect("it lies in a directory"))?;
            fs::write(path, bytes)?;
        }
        Ok(())
    }
}

/// Flips bits, cuts the end off, adds to it, or writes zeros.
fn harm(bytes: &mut Vec<u8>, choices: &mut Choices<'_>) {
    match choices.below(5) {
        0 | 1 => {
            choices.harm(bytes);
        }
        2 => bytes.truncate(choices.below(bytes.len() + 1)),
        3 => bytes.extend_from_slice(choices.bytes(255)),
        _ => {
            let start = choices.below(bytes.len() + 1);
            let end = bytes.len().min(start + 1 + choices.below(4_096));
            bytes[start..end].fill(0);
        }
    }
}

fn opened(kind: Kind, dir: &Path) -> Result<Opened, OpenError> {
    open(kind, &dir.join("store"), &dir.join("poison"))
}

fn read_tree(root: &Path, dir: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            read_tree(root, &path, files)?;
        } else {
            let name = path.strip_prefix(root).expect("it was found below").to_owned();
            files.push((name, fs::read(&path)?));
        }
    }
    Ok(())
}

/// Batches of a sample: enough that old rows are removed and overwritten.
const BATCH_COUNT: u64 = 12;
