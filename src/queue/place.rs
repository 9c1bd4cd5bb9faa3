//! Places of messages: what marks name.

use std::ops::{Range, RangeInclusive};

use super::error::QueueError;
use super::seq_set::{chunk_of, pieces};
use crate::limits::{MARK_CHUNK_COUNT_MAX, MARK_COUNT_MAX};
use crate::types::{Epoch, Id};

/// Messages of one author that stand next to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The author.
    pub from: Id,
    /// Which life of its log.
    pub epoch: Epoch,
    /// The messages.
    pub seqs: RangeInclusive<u64>,
}

impl Place {
    /// The messages as a half-open range. No entry has the last number that there is.
    pub(super) fn range(&self) -> Range<u64> {
        *self.seqs.start()..self.seqs.end().saturating_add(1)
    }

    /// Whether one [`Queue::mark`](super::Queue::mark) takes all of them.
    #[must_use]
    pub fn fit_one_mark(places: &[Self]) -> bool {
        let mut cost = Cost::default();
        places.iter().all(|place| cost.add(place).is_ok())
    }

    /// Splits places into groups that one [`Queue::mark`](super::Queue::mark) takes each.
    pub fn groups(places: impl IntoIterator<Item = Self>) -> impl Iterator<Item = Vec<Self>> {
        let mut rest = places.into_iter().flat_map(Self::split).peekable();
        std::iter::from_fn(move || {
            let (mut group, mut cost) = (Vec::new(), Cost::default());
            while let Some(place) = rest.next_if(|place| cost.add(place).is_ok()) {
                group.push(place);
            }
            (!group.is_empty()).then_some(group)
        })
    }

    /// Splits it where chunks of the sets end.
    fn split(self) -> impl Iterator<Item = Self> {
        let Self { from, epoch, .. } = self;
        pieces(self.range()).map(move |piece| Self {
            from,
            epoch,
            seqs: piece.start..=piece.end - 1,
        })
    }
}

/// What one mark writes at most.
#[derive(Debug, Default)]
pub(super) struct Cost {
    seqs: u64,
    chunks: usize,
    last: Option<(Id, Epoch, u64)>,
}

impl Cost {
    /// Counts a place.
    ///
    /// # Errors
    /// [`QueueError::TooMany`] when it is one too many; it is not counted then.
    pub(super) fn add(&mut self, place: &Place) -> Result<(), QueueError> {
        let range = place.range();
        let (first, last) = (chunk_of(range.start), chunk_of(*place.seqs.end()));
        let seqs = self.seqs.saturating_add(range.end.saturating_sub(range.start));
        let again = self.last == Some((place.from, place.epoch, first));
        let chunks = usize::try_from(last.saturating_sub(first)).unwrap_or(usize::MAX);
        let chunks = self.chunks.saturating_add(chunks).saturating_add(usize::from(!again));
        if seqs > MARK_COUNT_MAX || chunks > MARK_CHUNK_COUNT_MAX {
            return Err(QueueError::TooMany);
        }
        *self = Self { seqs, chunks, last: Some((place.from, place.epoch, last)) };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(seqs: RangeInclusive<u64>) -> Place {
        let from = crate::crypto::Identity::from_seed(&[1; 32]).id();
        Place { from, epoch: Epoch(1), seqs }
    }

    fn cost(places: &[Place]) -> Result<(), QueueError> {
        let mut cost = Cost::default();
        places.iter().try_for_each(|place| cost.add(place))
    }

    #[test]
    fn groups_fit_one_mark_each_and_leave_nothing_out() {
        let far = |n: u64| place(n * 65_536..=n * 65_536 + 1);
        let places: Vec<_> = [place(7..=200_000)].into_iter().chain((10..300).map(far)).collect();
        assert!(matches!(cost(&places), Err(QueueError::TooMany)));
        let groups: Vec<_> = Place::groups(places.clone()).collect();
        assert!(groups.iter().all(|group| cost(group).is_ok()));
        let count = |places: &[Place]| places.iter().map(|p| p.seqs.clone().count()).sum::<usize>();
        assert_eq!(groups.iter().map(|group| count(group)).sum::<usize>(), count(&places));
        assert!(groups.len() < 12);
    }

    #[test]
    fn neighbours_in_one_chunk_cost_one_chunk() {
        let single: Vec<_> = (0..1_000).map(|seq| place(2 * seq..=2 * seq)).collect();
        cost(&single).unwrap();
        assert_eq!(Place::groups(single).count(), 1);
    }

    #[test]
    fn an_endless_range_is_split_one_group_at_a_time() {
        let mut groups = Place::groups([place(0..=u64::MAX)]);
        assert_eq!(groups.next().unwrap(), [place(0..=65_535)]);
        assert_eq!(groups.next().unwrap(), [place(65_536..=131_071)]);
        assert_eq!(Place::groups([]).count(), 0);
    }
}
