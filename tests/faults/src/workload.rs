//! Numbered batches: what a store must hold after batch n is known from n alone.
//!
//! Batch n sets the key of n, overwrites the key of each older batch that shares its slot, and
//! removes what is `SPAN` batches old, so that the engines turn their files over. Some batches set so
//! many large values that they lie in a file.
//! `tests/faults/power-cut.py` cuts the power meanwhile:
//!
//! ```text
//! power-cut.py --cuts 15 --write 'peermq-faults write sled {dir} {ack}' \
//!     --verify 'peermq-faults verify sled {dir} {acked}'
//! ```

use std::error::Error;
use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use peermq_storage::{
    Batch, Bytes, KEY_SIZE_MAX, Kind, LARGE_KEYS, OpenError, Opened, Store, StoreError, open,
};

use crate::harness::Outcome;

/// Opens the store that lies in a directory beside its poison file.
pub(crate) fn opened(kind: Kind, dir: &Path) -> Result<Opened, OpenError> {
    open(kind, &dir.join("store"), &dir.join("poison"))
}

/// Commits batches 0, 1, … and appends the number of each to `ack` when its commit has returned.
pub(crate) fn write(kind: Kind, dir: &Path, ack: &Path, count: u64) -> Outcome<()> {
    let store = opened(kind, dir)?.store;
    let mut ack = OpenOptions::new().append(true).create(true).open(ack)?;
    for number in 0..count {
        store.commit(batch(number))?;
        writeln!(ack, "{number}")?;
    }
    Ok(())
}

/// Fails unless batches 0 to `acked` are there, whole, and at most one more; tells what was found.
pub(crate) fn verify(kind: Kind, dir: &Path, acked: i64) -> Outcome<String> {
    let Opened { store, health } = opened(kind, dir)?;
    let kept = kept(&*store)?;
    let acked = u64::try_from(acked.saturating_add(1))?;
    if !(acked..=acked.saturating_add(1)).contains(&kept) {
        return Err(format!("expected {acked} batches, or one more, got {kept}").into());
    }
    store.commit(batch(kept))?;
    Ok(format!("{health:?}: {kept} batches, {acked} were acknowledged"))
}

/// Batch `number`.
pub(crate) fn batch(number: u64) -> Batch {
    let mut batch = Batch::new();
    batch.put(key(number), body(number));
    batch.put(slot_key(number % SLOT_COUNT), body(number));
    large(number).for_each(|(key, value)| batch.put(key, value));
    if let Some(old) = number.checked_sub(SPAN) {
        batch.remove(key(old));
        large(old).for_each(|(key, _)| batch.remove(key));
    }
    batch
}

/// How many batches a store holds.
///
/// # Errors
/// Text when what it holds is not what so many batches leave, or what the store said to a read.
pub(crate) fn kept(store: &dyn Store) -> Result<u64, Unkept> {
    let pairs = store.scan(&[]..&[u8::MAX; KEY_SIZE_MAX]).collect::<Result<Vec<_>, _>>()?;
    let under = |first: u8| -> Vec<_> {
        pairs.iter().filter(|(key, _)| key.first() == Some(&first)).cloned().collect()
    };
    let [keys, slots, files] = [KEYS, SLOTS, FILES].map(under);
    let kept = keys.last().map_or(0, |(key, _)| number(key).saturating_add(1));
    let expected = (kept.saturating_sub(SPAN)..kept).map(|n| (key(n), body(n)));
    same(expected, &keys)?;
    let newest = |slot| (kept.saturating_sub(SLOT_COUNT)..kept).find(|n| n % SLOT_COUNT == slot);
    let expected = (0..SLOT_COUNT).filter_map(|slot| Some((slot_key(slot), body(newest(slot)?))));
    same(expected, &slots)?;
    same((kept.saturating_sub(SPAN)..kept).flat_map(large), &files)?;
    if pairs.len() != keys.len() + slots.len() + files.len() {
        return Err(Unkept::Wrong("expected the keys of batches alone".to_owned()));
    }
    for (key, value) in &pairs {
        if store.get(key)?.as_ref() != Some(value) {
            return Err(Unkept::Wrong(format!("expected the scanned value of {key:?} by get")));
        }
    }
    Ok(kept)
}

/// Why a store's content is not that of some number of batches.
#[derive(Debug)]
pub(crate) enum Unkept {
    /// It says itself that it cannot be read.
    Refused(StoreError),
    /// It gave what was never there.
    Wrong(String),
}

impl From<StoreError> for Unkept {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl fmt::Display for Unkept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => error.fmt(f),
            Self::Wrong(what) => f.write_str(what),
        }
    }
}

impl Error for Unkept {}

fn same(
    expected: impl Iterator<Item = (Bytes, Bytes)>,
    found: &[(Bytes, Bytes)],
) -> Result<(), Unkept> {
    let mut found = found.iter();
    for pair in expected {
        if found.next() != Some(&pair) {
            return Err(Unkept::Wrong(format!("expected {:?} with its own value", pair.0)));
        }
    }
    found.next().map_or(Ok(()), |(key, _)| Err(Unkept::Wrong(format!("expected no {key:?}"))))
}

fn key(number: u64) -> Bytes {
    [&[KEYS], &number.to_be_bytes()[..]].concat().into()
}

/// The large values of a batch.
fn large(number: u64) -> impl Iterator<Item = (Bytes, Bytes)> {
    let count = if number % 50 == 40 { LARGE_COUNT } else { 0 };
    (0..count).map(move |nth| {
        let key = [&[FILES], &number.to_be_bytes()[..], &[nth]].concat();
        (key.into(), [nth; LARGE_SIZE].to_vec().into())
    })
}

/// The number in the key of a batch.
fn number(key: &[u8]) -> u64 {
    key.iter().skip(1).fold(0, |number, &byte| (number << 8) | u64::from(byte))
}

fn slot_key(slot: u64) -> Bytes {
    [&[SLOTS], &slot.to_be_bytes()[..]].concat().into()
}

/// Bytes that no other batch has; their number varies from 8 to 60 000.
fn body(number: u64) -> Bytes {
    let size = usize::try_from(8 + number.wrapping_mul(7919) % 59_993).unwrap_or(8);
    number.to_be_bytes().iter().copied().cycle().take(size).collect()
}

const KEYS: u8 = b'k';
const SLOTS: u8 = b's';
const FILES: u8 = *LARGE_KEYS.start();
/// Large values of a batch that has them, and bytes of each.
const LARGE_COUNT: u8 = 9;
const LARGE_SIZE: usize = 32 << 10;
/// Batches whose keys are kept.
const SPAN: u64 = 100;
/// Keys that are overwritten again and again.
const SLOT_COUNT: u64 = 16;

#[cfg(test)]
mod tests {
    use peermq_storage::MemoryStore;

    use super::*;

    #[test]
    fn the_number_of_batches_is_told_from_what_they_leave() {
        let store = MemoryStore::new();
        for number in 0..250 {
            if number % 25 == 0 {
                assert_eq!(kept(&store).unwrap(), number);
            }
            store.commit(batch(number)).unwrap();
        }
    }

    #[test]
    fn a_value_of_another_batch_a_missing_key_and_a_foreign_one_are_found() {
        for harm in [
            |batch: &mut Batch| batch.put(key(7), body(8)),
            |batch: &mut Batch| batch.remove(key(7)),
            |batch: &mut Batch| batch.put("foreign", "value"),
            |batch: &mut Batch| batch.put(slot_key(3), body(3)),
            |batch: &mut Batch| batch.remove(large(40).next().unwrap().0),
            |batch: &mut Batch| batch.put([FILES].to_vec(), "value"),
        ] {
            let store = MemoryStore::new();
            (0..50).for_each(|number| store.commit(batch(number)).unwrap());
            let mut harmful = Batch::new();
            harm(&mut harmful);
            store.commit(harmful).unwrap();
            assert!(matches!(kept(&store), Err(Unkept::Wrong(_))));
        }
    }
}
