//! The outbox rows after blocks were joined: they tell of the one block in place of those that it was
//! made of.

use std::ops::Range;

use bytes::Bytes;
use peermq_storage::{Batch, Store};

use super::error::LogError;
use super::layout;
use super::outbox::{Place, Row};
use crate::types::{Epoch, Index, Recipient};

/// Writes a recipient's rows anew where they tell of blocks that were joined: `joined` are the
/// stretches of the log that are one block each from now on, in order. A block whose entries two rows
/// told of stands in the later one.
pub(super) fn retell(
    store: &dyn Store,
    epoch: Epoch,
    recipient: &Recipient,
    joined: &[Range<u64>],
    batch: &mut Batch,
) -> Result<(), LogError> {
    let (Some(first), Some(last)) = (joined.first(), joined.last()) else { return Ok(()) };
    let rows = rows_within(store, epoch, recipient, first.start..last.end)?;
    let told = places_after(&rows, joined);
    for (number, (key, row)) in rows.iter().enumerate() {
        let places: Vec<_> =
            told.iter().filter(|(in_row, _)| *in_row == number).map(|(_, place)| *place).collect();
        let later = told.iter().find(|(in_row, _)| *in_row > number);
        let next_seq = later.map_or(row.next_seq, |(_, place)| place.first_seq);
        let end = places.last().map(|place| Index(place.last));
        let new_key = end.map(|end| layout::outbox_row(epoch, recipient, end));
        if new_key.as_ref() != Some(key) {
            batch.remove(key.clone());
        }
        if let Some(key) = new_key {
            batch.put(key, Row::write(next_seq, &places));
        }
    }
    Ok(())
}

/// The rows that tell of blocks in a stretch of the log.
fn rows_within(
    store: &dyn Store,
    epoch: Epoch,
    recipient: &Recipient,
    stretch: Range<u64>,
) -> Result<Vec<(Bytes, Row)>, LogError> {
    let mut rows = Vec::new();
    let keys = layout::outbox_rows_from(epoch, recipient, Index(stretch.start));
    for pair in store.scan(keys.as_range()) {
        let (key, bytes) = pair?;
        let row = Row::read(bytes)?;
        if row.places().next().is_none_or(|place| place.last >= stretch.end) {
            break;
        }
        rows.push((key, row));
    }
    Ok(rows)
}

/// What the rows tell of, each block once, with the number of the row that it stands in.
fn places_after(rows: &[(Bytes, Row)], joined: &[Range<u64>]) -> Vec<(usize, Place)> {
    let mut told: Vec<(usize, Place)> = Vec::new();
    for (number, (_, row)) in rows.iter().enumerate() {
        for place in row.places() {
            let block = joined.iter().find(|block| block.contains(&place.last));
            let last = block.map_or(place.last, |block| block.end - 1);
            match told.last_mut() {
                Some((in_row, before)) if before.last == last => *in_row = number,
                _ => told.push((number, Place { last, ..place })),
            }
        }
    }
    told
}
