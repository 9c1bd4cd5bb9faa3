//! Which blocks hold entries to whom, gathered from all blocks: what the outbox index must say.

use std::collections::BTreeMap;

use peermq_storage::Store;

use super::block::Block;
use super::error::LogError;
use super::layout;
use super::outbox::{self, Place, Row};
use crate::types::{Epoch, Recipient};

/// The places of all recipients.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// By recipient, in order.
    places: BTreeMap<Recipient, Vec<Place>>,
    /// The next seq to each recipient.
    next: BTreeMap<Recipient, u64>,
    /// Where blocks end, in order.
    ends: Vec<u64>,
}

impl Places {
    /// Takes the next block in.
    pub(super) fn note(&mut self, block: &Block) {
        for (recipient, first) in block.recipients() {
            let place = Place { last: block.end() - 1, first_seq: first.0 };
            self.places.entry(recipient).or_default().push(place);
            self.next.insert(recipient, first.0);
        }
        let recipients: Vec<_> = block.recipients().map(|(recipient, _)| recipient).collect();
        for entry in block.entries() {
            let recipient = recipients.get(usize::from(entry.recipient_row()));
            if let Some(next) = recipient.and_then(|recipient| self.next.get_mut(recipient)) {
                *next = next.saturating_add(1);
            }
        }
        self.ends.push(block.end());
    }

    /// Where the outbox index says that it ends, when what it says up to there is not this.
    pub(super) fn compare(
        mut self,
        store: &dyn Store,
        epoch: Epoch,
    ) -> Result<Option<u64>, LogError> {
        let mark = store.get(&layout::outbox_mark(epoch))?;
        let Ok(mark) = mark.map_or(Ok(0), |mark| outbox::read_mark(&mark)) else {
            return Ok(Some(0));
        };
        if mark != 0 && self.ends.binary_search(&mark).is_err() {
            return Ok(Some(mark));
        }
        for pair in store.scan(layout::outbox_rows(epoch).as_range()) {
            let (key, row) = pair?;
            let told = layout::outbox_row_of(&key).zip(Row::read(row).ok());
            let is_right = told.is_some_and(|((recipient, last), row)| {
                self.tell(&recipient, last, &row) && last < mark
            });
            if !is_right {
                return Ok(Some(mark));
            }
        }
        let untold = |places: &Vec<Place>| places.first().is_some_and(|place| place.last < mark);
        Ok(self.places.values().any(untold).then_some(mark))
    }

    /// Takes off the places that a row tells of; false when it tells of others.
    fn tell(&mut self, recipient: &Recipient, last: u64, row: &Row) -> bool {
        let Some(places) = self.places.get_mut(recipient) else { return false };
        let told: Vec<_> = row.places().collect();
        if !places.starts_with(&told) || told.last().is_none_or(|place| place.last != last) {
            return false;
        }
        places.drain(..told.len());
        let next = places.first().map(|place| place.first_seq);
        next.or_else(|| self.next.get(recipient).copied()) == Some(row.next_seq)
    }
}
