//! Sets of places as sorted ranges that neither touch nor overlap.

use std::ops::Range;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// A set of u64 numbers as half-open ranges: sorted, not empty, not touching one another.
///
/// On the wire: a list of (gap since the end of the range before, length) pairs, both u64 varints;
/// the length is at least 1, and the gap too but for the first range.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ranges(Vec<Range<u64>>);

/// Why a list of ranges is not [`Ranges`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("expected sorted ranges that are not empty and do not touch")]
pub struct RangesError;

impl Ranges {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Everything below `end`.
    #[must_use]
    pub fn below(end: u64) -> Self {
        let mut ranges = Self::new();
        ranges.insert(0..end);
        ranges
    }

    /// Adds a range. At or after the last one it costs the same however many there are.
    pub fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        match self.0.last_mut() {
            Some(last) if range.start > last.end => self.0.push(range),
            Some(last) if range.start >= last.start => last.end = last.end.max(range.end),
            None => self.0.push(range),
            Some(_) => self.insert_between(range),
        }
    }

    fn insert_between(&mut self, range: Range<u64>) {
        let first = self.0.partition_point(|r| r.end < range.start);
        let last = self.0.partition_point(|r| r.start <= range.end);
        let touched = self.0.get(first..last).unwrap_or_default();
        let start = touched.first().map_or(range.start, |r| r.start.min(range.start));
        let end = touched.last().map_or(range.end, |r| r.end.max(range.end));
        self.0.splice(first..last, std::iter::once(start..end));
    }

    /// Takes a range out.
    pub fn remove(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let first = self.0.partition_point(|r| r.end <= range.start);
        let last = self.0.partition_point(|r| r.start < range.end);
        let touched = self.0.get(first..last).unwrap_or_default();
        let (Some(head), Some(tail)) = (touched.first(), touched.last()) else { return };
        let rest = [head.start..range.start, range.end..tail.end];
        self.0.splice(first..last, rest.into_iter().filter(|r| r.start < r.end));
    }

    /// Adds all of `other`. Costs both lengths, or that of `other` alone when it lies behind.
    pub fn union(&mut self, other: &Self) {
        let Some(first) = other.0.first() else { return };
        if self.0.last().is_none_or(|last| last.start <= first.start) {
            other.0.iter().for_each(|range| self.insert(range.clone()));
            return;
        }
        let mut all = Self(Vec::with_capacity(self.0.len() + other.0.len()));
        let mut theirs = other.0.iter().peekable();
        for ours in std::mem::take(&mut self.0) {
            while let Some(range) = theirs.next_if(|range| range.start <= ours.start) {
                all.insert(range.clone());
            }
            all.insert(ours);
        }
        theirs.for_each(|range| all.insert(range.clone()));
        *self = all;
    }

    /// What is in `self` and not in `other`. Costs both lengths.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut rest = Self::new();
        let mut holes = other.0.iter().peekable();
        for range in &self.0 {
            let mut start = range.start;
            while holes.next_if(|hole| hole.end <= start).is_some() {}
            while let Some(hole) = holes.peek().filter(|hole| hole.start < range.end) {
                rest.insert(start..hole.start.max(start));
                start = hole.end;
                if hole.end > range.end {
                    break;
                }
                holes.next();
            }
            rest.insert(start..range.end);
        }
        rest
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let pieces = other.0.iter().flat_map(|range| self.within(range.clone()).0);
        Self(pieces.collect())
    }

    /// What of `self` lies in `window`.
    #[must_use]
    pub fn within(&self, window: Range<u64>) -> Self {
        let first = self.0.partition_point(|r| r.end <= window.start);
        let touched = self.0.iter().skip(first).take_while(|r| r.start < window.end);
        let clipped = touched.map(|r| r.start.max(window.start)..r.end.min(window.end));
        Self(clipped.filter(|r| r.start < r.end).collect())
    }

    /// Whether the set holds `number`.
    #[must_use]
    pub fn contains(&self, number: u64) -> bool {
        let after = self.0.partition_point(|r| r.end <= number);
        self.0.get(after).is_some_and(|r| r.start <= number)
    }

    /// The lowest number at or above `from` that the set does not hold.
    #[must_use]
    pub fn first_missing(&self, from: u64) -> u64 {
        let after = self.0.partition_point(|r| r.end <= from);
        self.0.get(after).filter(|r| r.start <= from).map_or(from, |r| r.end)
    }

    /// The ranges, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Range<u64>> + ExactSizeIterator + '_ {
        self.0.iter().cloned()
    }

    /// How many ranges there are.
    #[must_use]
    pub const fn range_count(&self) -> usize {
        self.0.len()
    }

    /// How many numbers the set holds; saturates.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().fold(0, |sum, r| sum.saturating_add(r.end - r.start))
    }

    /// Whether the set is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One more than the highest number, or 0.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.0.last().map_or(0, |r| r.end)
    }
}

impl TryFrom<Vec<Range<u64>>> for Ranges {
    type Error = RangesError;

    fn try_from(ranges: Vec<Range<u64>>) -> Result<Self, RangesError> {
        let empty = ranges.iter().any(|r| r.start >= r.end);
        let touching = ranges.iter().zip(ranges.iter().skip(1)).any(|(a, b)| a.end >= b.start);
        if empty || touching { Err(RangesError) } else { Ok(Self(ranges)) }
    }
}

impl FromIterator<u64> for Ranges {
    fn from_iter<I: IntoIterator<Item = u64>>(numbers: I) -> Self {
        let mut ranges = Self::new();
        for number in numbers {
            ranges.insert(number..number.saturating_add(1));
        }
        ranges
    }
}

impl FromIterator<Range<u64>> for Ranges {
    fn from_iter<I: IntoIterator<Item = Range<u64>>>(runs: I) -> Self {
        let mut ranges = Self::new();
        runs.into_iter().for_each(|run| ranges.insert(run));
        ranges
    }
}

impl Serialize for Ranges {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut end = 0;
        let pairs = self.0.iter().map(|range| {
            let pair = (range.start - end, range.end - range.start);
            end = range.end;
            pair
        });
        serializer.collect_seq(pairs.collect::<Vec<_>>())
    }
}

impl<'de> Deserialize<'de> for Ranges {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use crate::limits::RECEIPT_RANGE_COUNT_MAX;
        let pairs =
            crate::types::bounded::list::<(u64, u64), RECEIPT_RANGE_COUNT_MAX, D>(deserializer)?;
        let mut end: u64 = 0;
        let mut ranges = Vec::with_capacity(pairs.len());
        for (gap, length) in pairs {
            let overflow = || serde::de::Error::custom("a range ends past the largest number");
            let start = end.checked_add(gap).ok_or_else(overflow)?;
            end = start.checked_add(length).ok_or_else(overflow)?;
            ranges.push(start..end);
        }
        Self::try_from(ranges).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_are_a_set(steps in prop::collection::vec((any::<bool>(), 0u64..60, 0u64..9), 0..40)) {
            let mut ranges = Ranges::new();
            let mut model = BTreeSet::new();
            for (add, start, len) in steps {
                let range = start..start + len;
                if add {
                    ranges.insert(range.clone());
                    model.extend(range);
                } else {
                    ranges.remove(range.clone());
                    model.retain(|n| !range.contains(n));
                }
                prop_assert_eq!(Ranges::try_from(ranges.0.clone()), Ok(ranges.clone()));
            }
            prop_assert_eq!(&ranges, &model.iter().copied().collect::<Ranges>());
            prop_assert_eq!(ranges.count(), u64::try_from(model.len()).unwrap());
            for number in 0..70 {
                prop_assert_eq!(ranges.contains(number), model.contains(&number));
                let missing = (number..).find(|n| !model.contains(n)).unwrap();
                prop_assert_eq!(ranges.first_missing(number), missing);
            }
            let every_third: Ranges = (0..70).step_by(3).collect();
            let both: Ranges = model.iter().copied().filter(|n| n % 3 == 0).collect();
            prop_assert_eq!(ranges.intersection(&every_third), both.clone());
            prop_assert_eq!(every_third.intersection(&ranges), both);
            let either: Ranges = (0..70).filter(|n| model.contains(n) || n % 3 == 0).collect();
            let (mut one, mut other) = (ranges.clone(), every_third.clone());
            one.union(&every_third);
            other.union(&ranges);
            prop_assert_eq!([&one, &other], [&either, &either]);
            let rest: Ranges = model.iter().copied().filter(|n| n % 3 != 0).collect();
            prop_assert_eq!(ranges.difference(&every_third), rest);
            let thirds: Ranges = (0..70).step_by(3).filter(|n| !model.contains(n)).collect();
            prop_assert_eq!(every_third.difference(&ranges), thirds);
            let window: Ranges = model.iter().copied().filter(|n| (9..33).contains(n)).collect();
            prop_assert_eq!(ranges.within(9..33), window);
            let bytes = postcard::to_stdvec(&ranges).unwrap();
            prop_assert_eq!(postcard::from_bytes::<Ranges>(&bytes).unwrap(), ranges);
        }
    }

    #[test]
    fn what_is_not_sorted_or_touches_is_not_read() {
        // Two ranges with gap 0 between them; then one of length 0; then one past u64::MAX.
        for bytes in [
            &[2, 1, 2, 0, 1][..],
            &[1, 1, 0],
            &[1, 1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
        ] {
            postcard::from_bytes::<Ranges>(bytes).unwrap_err();
        }
    }
}
