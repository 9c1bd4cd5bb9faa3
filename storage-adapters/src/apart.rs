//! Large values in files of their own, beside an engine that keeps all the rest.
//!
//! An engine writes a value several times before it lies still, and holds whole pages of them in
//! memory. What a batch has of large values is written once instead, when it is much: one after the
//! other into a new file, which is synced before the engine commits where they are. (Lu and others,
//! "WiscKey: Separating Keys from Values in SSD-conscious Storage", FAST 2016; here each file is of
//! one batch, so that none is written twice.)
//!
//! ```text
//! <the engine's directory>/apart/N     the large values of one batch
//! ```
//!
//! | key in the engine | value |
//! |---|---|
//! | begins with one of [`LARGE_KEYS`] | 0, then the value |
//! | | 1, then number of its file 8, place in it 4, length 4, CRC-32 (IEEE 802.3) 4 |
//! | `ff`, number of a file 8 | how many values of it are in use, 4 |
//!
//! *Invariant*: what a row points to is synced; a file goes after the commit that took its last row
//! away, or at the next open; a damaged one stays, as `N.damaged`. Deliberately absent: files
//! written anew for what is still in use of them, because all of a long body goes together.

mod files;
mod row;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use self::files::Files;
use self::row::{Place, Row};
use crate::mark::Demand;
use crate::{Batch, Bytes, HIDDEN_KEYS, Keys, LARGE_KEYS, OpenError, Scan, Store, StoreError};

/// An engine, and the files of its large values.
#[derive(Debug)]
pub(crate) struct Apart {
    engine: Box<dyn Store>,
    files: Files,
    uses: Mutex<Uses>,
}

/// How many values of each file are in use.
type Uses = BTreeMap<u64, u32>;

impl Apart {
    /// Joins an engine with the files in its directory `path`. Those of which it knows nothing go,
    /// unless it is damaged and only read.
    pub(crate) fn open(
        engine: Box<dyn Store>,
        path: &Path,
        demand: Demand,
    ) -> Result<Self, OpenError> {
        let mut uses = Uses::new();
        let files = Files::open(path)?;
        if demand != Demand::Readable {
            for row in engine.scan(&[HIDDEN_KEYS]..&[HIDDEN_KEYS; USES_KEY_SIZE + 1]) {
                let (key, value) = row?;
                uses.extend([uses_of(&key, &value)?]);
            }
            files.retain(|number| uses.contains_key(&number))?;
        }
        Ok(Self { engine, files, uses: Mutex::new(uses) })
    }

    fn uses(&self) -> MutexGuard<'_, Uses> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value that a row stands for. When its file has gone, the row may have gone too.
    fn value(&self, key: &[u8], mut row: Option<Bytes>) -> Result<Option<Bytes>, StoreError> {
        let mut missed = None;
        while let Some(found) = row {
            let place = match Row::parse(found)? {
                Row::Value(value) => return Ok(Some(value)),
                Row::Place(place) => place,
            };
            if let Some(value) = self.files.read(place)? {
                return Ok(Some(value));
            }
            if missed.replace(place) == Some(place) {
                let what = format!("expected the file {} of large values, got none", place.file);
                return Err(StoreError::Corrupt(what));
            }
            row = self.engine.get(key)?;
        }
        Ok(None)
    }

    /// Where a large value lies now, when that is in a file.
    fn place(&self, key: &[u8]) -> Result<Option<Place>, StoreError> {
        let row = self.engine.get(key)?.map(Row::parse).transpose()?;
        Ok(row.and_then(|row| if let Row::Place(place) = row { Some(place) } else { None }))
    }

    /// Adds what the engine is to hold of large values to its batch. Returns how many values are
    /// then in use of each file of which that changes.
    fn put_large(
        &self,
        batch: &mut Batch,
        large: BTreeMap<Bytes, Option<Bytes>>,
        uses: &Uses,
    ) -> Result<Uses, StoreError> {
        let mut changed = self.without(large.keys(), uses)?;
        let size: usize = large.values().flatten().map(Bytes::len).sum();
        let mut places = Vec::new();
        if size >= FILE_SIZE_MIN {
            places = self.files.write(large.values().flatten())?;
        }
        for Place { file, .. } in &places {
            let count = changed.entry(*file).or_default();
            *count = count.saturating_add(1);
        }
        let mut places = places.into_iter();
        for (key, value) in large {
            match value {
                Some(value) => batch.put(key, Row::new(value, places.next()).to_bytes()),
                None => batch.remove(key),
            }
        }
        for (file, count) in &changed {
            match count {
                0 => batch.remove(uses_key(*file)),
                count => batch.put(uses_key(*file), count.to_be_bytes().to_vec()),
            }
        }
        Ok(changed)
    }

    /// How many values are in use of each file that has some of these keys, without those.
    fn without<'a>(
        &self,
        keys: impl Iterator<Item = &'a Bytes>,
        uses: &Uses,
    ) -> Result<Uses, StoreError> {
        let mut changed = Uses::new();
        for key in keys {
            if let Some(Place { file, .. }) = self.place(key)? {
                let known = || uses.get(&file).copied().unwrap_or_default();
                let count = changed.entry(file).or_insert_with(known);
                *count = count.saturating_sub(1);
            }
        }
        Ok(changed)
    }
}

impl Store for Apart {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let row = self.engine.get(key)?;
        if is_large(key) { self.value(key, row) } else { Ok(row) }
    }

    fn scan(&self, range: Range<&[u8]>) -> Scan<'_> {
        let Some(range) = shown(range) else { return Box::new(std::iter::empty()) };
        Box::new(self.engine.scan(range).filter_map(|pair| match pair {
            Ok((key, row)) if is_large(&key) => {
                let value = self.value(&key, Some(row)).transpose()?;
                Some(value.map(|value| (key, value)))
            }
            pair => Some(pair),
        }))
    }

    fn keys(&self, range: Range<&[u8]>) -> Keys<'_> {
        let Some(range) = shown(range) else { return Box::new(std::iter::empty()) };
        self.engine.keys(range)
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        if !batch.steps().any(|(key, _)| is_large(key)) {
            return self.engine.commit(batch);
        }
        let mut uses = self.uses();
        let mut others = Batch::new();
        let mut large = BTreeMap::new();
        for (key, value) in batch.into_steps() {
            match value {
                value if is_large(&key) => drop(large.insert(key, value)),
                Some(value) => others.put(key, value),
                None => others.remove(key),
            }
        }
        let changed = self.put_large(&mut others, large, &uses)?;
        self.engine.commit(others)?;
        for (file, count) in changed {
            if count == 0 {
                uses.remove(&file);
                self.files.remove(file);
            } else {
                uses.insert(file, count);
            }
        }
        Ok(())
    }
}

/// A range without what is hidden in it.
fn shown(range: Range<&[u8]>) -> Option<Range<&[u8]>> {
    let end = range.end.min(&[HIDDEN_KEYS]);
    (range.start < end).then_some(range.start..end)
}

fn is_large(key: &[u8]) -> bool {
    key.first().is_some_and(|first| LARGE_KEYS.contains(first))
}

fn uses_key(file: u64) -> Vec<u8> {
    [&[HIDDEN_KEYS][..], &file.to_be_bytes()].concat()
}

/// A file and how many values of it are in use.
fn uses_of(key: &[u8], value: &[u8]) -> Result<(u64, u32), OpenError> {
    let file = key.split_first().and_then(|(_, number)| number.try_into().ok());
    file.zip(value.try_into().ok())
        .map(|(file, count)| (u64::from_be_bytes(file), u32::from_be_bytes(count)))
        .ok_or_else(|| {
            let what = "expected how many values of a file are in use, got something else";
            OpenError::Corrupt(what.to_owned())
        })
}

const USES_KEY_SIZE: usize = 1 + 8;
/// Bytes of large values in a batch from which they get a file: less is not worth two more syncs.
const FILE_SIZE_MIN: usize = 256 << 10;

#[cfg(test)]
mod tests;
