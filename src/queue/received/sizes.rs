//! How many bytes a run of received entries takes up, without reading them.
//!
//! A block tells what all blocks before it hold, so the sum over any run is the difference of two
//! places. The blocks asked for last are kept: 1 KiB each for 256 entries.

use std::collections::BTreeMap;
use std::ops::Range;

use peermq_storage::Store;

use super::block::ReceivedBlock;
use crate::limits::SIZE_BLOCK_COUNT_MAX;
use crate::log::layout;
use crate::queue::dispatch::LogKey;
use crate::queue::error::QueueError;
use crate::types::Seq;

/// Sizes of the blocks asked for last, by log and the seq of their last entry.
#[derive(Debug, Default)]
pub(in crate::queue) struct Sizes {
    kept: BTreeMap<(LogKey, u64), BlockSizes>,
}

/// The sizes of one block's entries.
#[derive(Debug)]
struct BlockSizes {
    first: u64,
    /// Bytes in all blocks before it.
    before: u64,
    /// Bytes in this block before each of its entries.
    sums: Box<[u32]>,
}

impl Sizes {
    /// Bytes of headers and inline bodies of `seqs`, in a log that ends at `end` with `size` bytes.
    pub(in crate::queue) fn of_run(
        &mut self,
        store: &dyn Store,
        log: LogKey,
        seqs: Range<u64>,
        (end, size): (u64, u64),
    ) -> Result<u64, QueueError> {
        let mut before = |seq: u64| match seq == end {
            true => Ok(size),
            false => self.before(store, log, seq),
        };
        Ok(before(seqs.end)?.saturating_sub(before(seqs.start)?))
    }

    /// Forgets the blocks asked for: others may have taken their place.
    pub(in crate::queue) fn forget(&mut self) {
        self.kept.clear();
    }

    /// Bytes of all entries before `seq`.
    fn before(&mut self, store: &dyn Store, log: LogKey, seq: u64) -> Result<u64, QueueError> {
        if let Some(before) = self.kept_before(log, seq) {
            return Ok(before);
        }
        let block = read_block(store, log, Seq(seq))?;
        while self.kept.len() >= SIZE_BLOCK_COUNT_MAX {
            self.kept.pop_first();
        }
        self.kept.insert((log, block.seqs().end - 1), BlockSizes::of(&block));
        self.kept_before(log, seq).ok_or(QueueError::Damaged("blocks without a gap"))
    }

    fn kept_before(&self, log: LogKey, seq: u64) -> Option<u64> {
        let ((_, last), block) = self.kept.range((log, seq)..=(log, u64::MAX)).next()?;
        debug_assert!(*last >= seq, "the range begins at the seq");
        let place = usize::try_from(seq.checked_sub(block.first)?).ok()?;
        block.sums.get(place).map(|sum| block.before.saturating_add(u64::from(*sum)))
    }
}

impl BlockSizes {
    fn of(block: &ReceivedBlock) -> Self {
        let mut sum = 0;
        let sums = block.sizes().map(|size| {
            let before = sum;
            sum += u32::try_from(size).expect("a block is at most 64 KiB");
            before
        });
        Self { first: block.seqs().start, before: block.size_before(), sums: sums.collect() }
    }
}

/// The block that holds a received entry.
pub(in crate::queue) fn read_block(
    store: &dyn Store,
    log: LogKey,
    seq: Seq,
) -> Result<ReceivedBlock, QueueError> {
    let missing = QueueError::Damaged("a block for each received entry");
    let keys = layout::received_blocks_from(log.author, log.epoch, seq);
    let Some((key, bytes)) = store.scan(keys.as_range()).next().transpose()? else {
        return Err(missing);
    };
    let Some(last) = layout::last_number(&key) else { return Err(missing) };
    let block = ReceivedBlock::parse(Seq(last), bytes)?;
    if block.seqs().contains(&seq.0) { Ok(block) } else { Err(missing) }
}
