//! A text that does not fit one chunk, on its way into the store: read, sealed, gathered into batches.

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::error::NodeError;
use super::storage_thread::Storage;
use crate::crypto::hash::Hash;
use crate::crypto::{Salt, Sealer, sealed_size};
use crate::limits::{
    BODY_BATCH_SIZE_MAX, BODY_CHUNK_SIZE, BODY_CHUNK_TEXT_SIZE, BODY_TEXT_SIZE_MAX,
};
use crate::queue::Queue;

/// A long text on its way: read, sealed, and gathered into batches.
pub(super) struct LongText<R> {
    text: R,
    /// What was read last, not sealed before it is known whether more follows.
    chunk: Vec<u8>,
    /// Used up by the last chunk.
    sealer: Option<Sealer>,
    staged: Staged,
}

impl<R: AsyncRead + Unpin> LongText<R> {
    /// A text of which a first chunk was read, `envelope_size` bytes of it the envelope.
    pub(super) fn new(
        (text, chunk): (R, Vec<u8>),
        envelope_size: usize,
        sealer: Sealer,
        salt: Salt,
    ) -> Result<Self, NodeError> {
        let staged = Staged::new(salt, envelope_size)?;
        Ok(Self { text, chunk, sealer: Some(sealer), staged })
    }

    /// The next chunks, and whether more follow.
    pub(super) async fn next_batch(&mut self) -> Result<(StagedBatch, Filled), NodeError> {
        loop {
            let mut next = Vec::with_capacity(BODY_CHUNK_SIZE);
            let filled = fill(&mut self.text, &mut next).await?;
            if !next.is_empty() {
                let sealer = self.sealer.as_mut().expect("nothing is read after the last chunk");
                self.staged.push(sealer.seal(std::mem::replace(&mut self.chunk, next))?)?;
            }
            if filled == Filled::ToTheEnd {
                let sealer = self.sealer.take().expect("there is one last chunk");
                self.staged.push(sealer.seal_last(std::mem::take(&mut self.chunk))?)?;
                return Ok((self.staged.take(), filled));
            }
            if self.staged.is_full() {
                return Ok((self.staged.take(), filled));
            }
        }
    }

    /// Hash and size of all that was sealed.
    pub(super) fn sealed(&self) -> (Hash, u64) {
        (Hash(*self.staged.hasher.finalize().as_bytes()), self.staged.len)
    }
}

/// Whether a read stopped because the chunk is full or because the text ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filled {
    ToTheBrim,
    ToTheEnd,
}

/// Reads until the chunk's text is full or the reader ends.
pub(super) async fn fill(
    text: &mut (impl AsyncRead + Unpin),
    chunk: &mut Vec<u8>,
) -> Result<Filled, NodeError> {
    let room = u64::try_from(BODY_CHUNK_TEXT_SIZE - chunk.len()).expect("a chunk's size fits u64");
    text.take(room).read_to_end(chunk).await.map_err(NodeError::Input)?;
    Ok(match chunk.len() {
        BODY_CHUNK_TEXT_SIZE => Filled::ToTheBrim,
        _ => Filled::ToTheEnd,
    })
}

/// A body whose chunks go into the store before its entry. When that never comes, because the text ended
/// early or whoever sent it has gone, they go again.
pub(super) struct Upload {
    storage: Storage,
    salt: Salt,
    /// Chunks that may be in the store.
    chunks: u32,
}

impl Upload {
    /// Nothing is in the store yet.
    pub(super) const fn begin(storage: Storage, salt: Salt) -> Self {
        Self { storage, salt, chunks: 0 }
    }

    /// Chunks below this one are about to be stored.
    pub(super) const fn goes_up_to(&mut self, end: u32) {
        self.chunks = end;
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let (salt, chunks) = (self.salt, self.chunks);
        if chunks > 0 {
            self.storage.post(move |queue| queue.abandon_body(&salt, chunks));
        }
    }
}

/// Sealed chunks of one body, on their way into the store.
struct Staged {
    batch: StagedBatch,
    next: u32,
    len: u64,
    /// The longest that it may become.
    len_max: u64,
    hasher: blake3::Hasher,
}

/// The chunks of one durable batch.
pub(super) struct StagedBatch {
    salt: Salt,
    first: u32,
    chunks: Vec<Bytes>,
}

impl Staged {
    fn new(salt: Salt, envelope_size: usize) -> Result<Self, NodeError> {
        let batch = StagedBatch { salt, first: 0, chunks: Vec::new() };
        let envelope_size = u64::try_from(envelope_size).expect("a length in memory fits u64");
        let len_max = sealed_size(BODY_TEXT_SIZE_MAX + envelope_size)?;
        Ok(Self { batch, next: 0, len: 0, len_max, hasher: blake3::Hasher::new() })
    }

    fn push(&mut self, sealed: Vec<u8>) -> Result<(), NodeError> {
        self.hasher.update(&sealed);
        self.len += u64::try_from(sealed.len()).expect("a length in memory fits u64");
        if self.len > self.len_max {
            return Err(NodeError::TextSize);
        }
        self.next += 1;
        self.batch.chunks.push(sealed.into());
        Ok(())
    }

    fn is_full(&self) -> bool {
        (self.batch.chunks.len() + 2) * BODY_CHUNK_SIZE > BODY_BATCH_SIZE_MAX
    }

    fn take(&mut self) -> StagedBatch {
        let empty = StagedBatch { salt: self.batch.salt, first: self.next, chunks: Vec::new() };
        std::mem::replace(&mut self.batch, empty)
    }
}

impl StagedBatch {
    /// The number of the chunk that follows.
    pub(super) fn end(&self) -> u32 {
        let count = u32::try_from(self.chunks.len()).expect("a batch is of few chunks");
        self.first.saturating_add(count)
    }

    /// Stages the chunks.
    pub(super) fn stage(self, queue: &mut Queue) {
        for (number, sealed) in (self.first..).zip(self.chunks) {
            queue.stage_body(&self.salt, number, sealed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_one_gib_fits_and_one_byte_more_does_not() {
        let (envelope_size, gib) = (2, 1_u64 << 30);
        let tags = (gib + 2).div_ceil(32_752) * 16;
        let mut staged = Staged::new(Salt([7; 16]), envelope_size).unwrap();
        staged.len = gib + 2 + tags - 1;
        staged.push(vec![0]).unwrap();
        assert!(matches!(staged.push(vec![0]), Err(NodeError::TextSize)));
    }
}
