//! Long bodies on their way into the log, and out of it: chunks stored before the entry that they
//! belong to, and after it.
//!
//! A mark stands beside the chunks until the entry's commit takes it away, and again from the commit
//! that drops the entry's body. So an open finds what a crash left behind by the marks alone, however
//! many bodies there are.

use bytes::Bytes;
use peermq_storage::{Batch, Store};

use super::block::Content;
use super::error::LogError;
use super::{Decoded, Header, blocks, layout};
use crate::crypto::Salt;
use crate::limits::{BODY_BATCH_SIZE_MAX, BODY_CHUNK_SIZE};
use crate::planted;

/// A long body whose entry is there no more: its chunks are to be removed, the last ones first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abandoned {
    salt: Salt,
    size: u64,
    chunks: u32,
}

impl Abandoned {
    /// A body of which chunks below `chunks` may be in the store, when it still belongs to no entry.
    ///
    /// # Errors
    /// [`LogError::Store`].
    pub fn unsettled(
        store: &dyn Store,
        salt: &Salt,
        chunks: u32,
    ) -> Result<Option<Self>, LogError> {
        let is_staged = store.get(&layout::staging(salt))?.is_some();
        let chunk_size = u64::try_from(BODY_CHUNK_SIZE).expect("a chunk's size fits u64");
        let size = chunk_size.saturating_mul(chunks.into());
        Ok(is_staged.then_some(Self { salt: *salt, size, chunks }))
    }

    /// The body of an entry; none when it is in the block.
    pub(super) fn of(content: &Content<Bytes>) -> Option<Self> {
        let Content::Long { header, body_len } = content else { return None };
        let Ok(Decoded::Header(header)) = Header::decode(header) else { return None };
        let chunk_size = u32::try_from(BODY_CHUNK_SIZE).expect("a chunk's size fits u32");
        let chunks = body_len.div_ceil(chunk_size);
        Some(Self { salt: header.salt, size: u64::from(*body_len), chunks })
    }

    /// Those of the entries of a block that is to go, by its row; none of one that cannot be read.
    #[must_use]
    pub fn all_of(key: &[u8], block: Bytes) -> Vec<Self> {
        let Ok(block) = blocks::parse(key, block) else { return Vec::new() };
        block.entries().filter_map(|entry| Self::of(&entry.content())).collect()
    }

    /// Bytes of the sealed body.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The keys of the chunks.
    pub fn keys(&self) -> impl Iterator<Item = Bytes> {
        let salt = self.salt;
        (0..self.chunks).map(move |number| layout::own_chunk(&salt, number))
    }

    /// Notes that the chunks belong to no entry.
    pub(super) fn mark(&self, batch: &mut Batch) {
        batch.put(layout::staging(&self.salt), Bytes::new());
    }

    /// Removes chunks while the batch stays below `size_max`, and with the last one the mark. Returns
    /// whether all are removed.
    pub fn remove(&mut self, batch: &mut Batch, size_max: usize) -> bool {
        while let Some(last) = self.chunks.checked_sub(1) {
            if batch.size() >= size_max {
                return false;
            }
            batch.remove(layout::own_chunk(&self.salt, last));
            self.chunks = last;
        }
        settle(batch, &self.salt);
        true
    }
}

/// Stores one sealed chunk of a body whose entry will bear `salt`; the first chunk goes first.
pub fn stage(batch: &mut Batch, salt: &Salt, number: u32, sealed: impl Into<Bytes>) {
    if number == 0 {
        batch.put(layout::staging(salt), Bytes::new());
    }
    batch.put(layout::own_chunk(salt, number), sealed);
}

/// Ties the staged chunks to the entry whose commit this is.
pub(super) fn settle(batch: &mut Batch, salt: &Salt) {
    if !planted::is("staging-never-ends") {
        batch.remove(layout::staging(salt));
    }
}

/// A chunk of a long body; `None` when it is not held, or there is none of that number.
///
/// # Errors
/// [`LogError::Store`].
pub fn staged_chunk(
    store: &dyn Store,
    salt: &Salt,
    number: u32,
) -> Result<Option<Bytes>, LogError> {
    Ok(store.get(&layout::own_chunk(salt, number))?)
}

/// The long bodies of which there is a chunk, those among them that belong to no entry yet or no more
/// aside. Reads none.
///
/// # Errors
/// [`LogError::Store`].
pub fn settled_bodies(store: &dyn Store) -> Result<Vec<Salt>, LogError> {
    let mut bodies = Vec::new();
    let mut from = Some(Salt([0; 16]));
    while let Some(least) = from {
        let keys = layout::own_bodies_from(&least);
        let Some(key) = store.keys(keys.as_range()).next().transpose()? else { break };
        let Some(salt) = layout::own_body_of(&key) else { break };
        if store.get(&layout::staging(&salt))?.is_none() {
            bodies.push(salt);
        }
        let next = u128::from_be_bytes(salt.0).checked_add(1);
        from = next.map(|next| Salt(next.to_be_bytes()));
    }
    Ok(bodies)
}

/// Removes the chunks that belong to no entry, durably; returns how many. For the store's opening:
/// nothing may be staged meanwhile.
///
/// # Errors
/// [`LogError::Store`].
pub fn sweep_staged(store: &dyn Store) -> Result<u64, LogError> {
    let mut swept = 0;
    for mark in store.keys(layout::stagings().as_range()) {
        let mark = mark?;
        let Some(salt) = mark.last_chunk().map(|salt| Salt(*salt)) else { continue };
        let mut batch = Batch::new();
        for chunk in store.keys(layout::own_chunks(&salt).as_range()) {
            batch.remove(chunk?);
            swept += 1;
            if batch.size() >= BODY_BATCH_SIZE_MAX {
                store.commit(std::mem::take(&mut batch))?;
            }
        }
        batch.remove(mark);
        store.commit(batch)?;
    }
    Ok(swept)
}
