//! Why a log could not be read or written.

use peermq_storage::StoreError;
use thiserror::Error;

use crate::limits::{BODY_SIZE_MAX, INLINE_BODY_SIZE_MAX};

/// Why a log could not be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LogError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the store holds under a block's key is no block.
    #[error("the log is damaged at entry {last}: {source}")]
    Block {
        /// The index in the block's key.
        last: u64,
        /// What is wrong with it.
        source: BlockError,
    },
    /// No block holds an entry that the log must have.
    #[error("the log is damaged: expected a block that holds entry {0}, got none")]
    Missing(u64),
    /// The newest block's root is not that of its tree.
    #[error("the log is damaged: expected the root of its first {0} entries, got another")]
    Root(u64),
    /// What the store holds under an outbox key tells of no blocks.
    #[error("the outbox index is damaged: expected {expected}, got {got} bytes")]
    Outbox {
        /// What should be there.
        expected: &'static str,
        /// Bytes that are there.
        got: usize,
    },
    /// An outbox row counts more entries than the log has.
    #[error("the outbox index is damaged: expected at most {length} entries, got {next_seq}")]
    OutboxSeq {
        /// The log's length that the rows tell of.
        length: u64,
        /// The row's next seq.
        next_seq: u64,
    },
    /// A body cannot be appended this way.
    #[error(
        "expected a body of at most {INLINE_BODY_SIZE_MAX} bytes inline, or staged of at most \
         {BODY_SIZE_MAX}, got {0}"
    )]
    BodySize(u64),
}

/// Why bytes are no block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BlockError {
    /// It is of another version.
    #[error("expected a block of version 1, got version {0}")]
    Version(u8),
    /// It is longer or shorter than its columns.
    #[error("expected a block of {expected} bytes, got {got}")]
    Size {
        /// Bytes that its columns take, as far as they can be told.
        expected: usize,
        /// Bytes that it has.
        got: usize,
    },
    /// Its counts cannot be.
    #[error(
        "expected counts of a block that agree, got {entries} entries to {recipients} recipients \
         with {keys} idempotency keys"
    )]
    Counts {
        /// Entries.
        entries: u16,
        /// Recipients.
        recipients: u16,
        /// Idempotency keys.
        keys: u16,
    },
    /// It holds more entries than its place has room for.
    #[error("expected a block that begins at or after entry 0, got {entries} entries before {end}")]
    Place {
        /// The length of the log at its end.
        end: u64,
        /// Its entries.
        entries: u16,
    },
    /// A row of a column holds what the column cannot.
    #[error("expected {column} in row {row} of a block, got other bytes")]
    Row {
        /// What stands in the column.
        column: &'static str,
        /// The row, from 0.
        row: usize,
    },
}
