//! Sets of ranges against a model: one bit for each stretch between two of some numbers.

use std::ops::Range;

use peermq::types::Ranges;

use crate::choices::Choices;

/// Changes two sets step by step; after each step they are what the model says.
pub fn ranges(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let mut sets = [Pair::default(), Pair::default()];
    for _ in 0..STEP_COUNT_MAX {
        if choices.is_empty() {
            break;
        }
        let [one, other] = &mut sets;
        step(&mut choices, one, other);
        one.check();
        sets.reverse();
    }
    read(choices.rest());
}

/// A set and what it should be.
#[derive(Debug, Default)]
struct Pair {
    set: Ranges,
    model: [bool; EDGES.len() - 1],
}

fn step(choices: &mut Choices<'_>, one: &mut Pair, other: &Pair) {
    let range = range(choices);
    match choices.below(8) {
        0 | 1 => one.change(&range, true),
        2 => one.change(&range, false),
        3 => {
            one.set.union(&other.set);
            one.merge(other, |ours, theirs| ours | theirs);
        }
        4 => {
            one.set = one.set.difference(&other.set);
            one.merge(other, |ours, theirs| ours & !theirs);
        }
        5 => {
            one.set = one.set.intersection(&other.set);
            one.merge(other, |ours, theirs| ours & theirs);
        }
        6 => {
            one.set = one.set.within(EDGES[range.start]..EDGES[range.end]);
            let stretches = one.model.iter_mut().enumerate();
            stretches.for_each(|(at, is_in)| *is_in &= range.contains(&at));
        }
        _ => {
            one.set = one.set.iter().collect();
        }
    }
}

/// Places of two edges, the lower first.
fn range(choices: &mut Choices<'_>) -> Range<usize> {
    let (one, other) = (choices.below(EDGES.len()), choices.below(EDGES.len()));
    one.min(other)..one.max(other)
}

impl Pair {
    fn change(&mut self, range: &Range<usize>, is_in: bool) {
        let numbers = EDGES[range.start]..EDGES[range.end];
        if is_in {
            self.set.insert(numbers)
        } else {
            self.set.remove(numbers)
        }
        self.model[range.clone()].fill(is_in);
    }

    fn merge(&mut self, other: &Self, both: impl Fn(bool, bool) -> bool) {
        let pairs = self.model.iter_mut().zip(other.model);
        pairs.for_each(|(ours, theirs)| *ours = both(*ours, theirs));
    }

    fn check(&self) {
        let stretches = EDGES.windows(2).zip(self.model).filter(|(_, is_in)| *is_in);
        let expected: Ranges = stretches.map(|(pair, _)| pair[0]..pair[1]).collect();
        assert_eq!(self.set, expected);
        let list: Vec<_> = self.set.iter().collect();
        assert_eq!(
            Ranges::try_from(list),
            Ok(self.set.clone()),
            "sorted, and none touches another"
        );
        for (at, edge) in EDGES.iter().enumerate() {
            let is_in = self.model.get(at).is_some_and(|is_in| *is_in);
            assert_eq!(self.set.contains(*edge), is_in, "{edge}");
            let missing = (at..self.model.len()).find(|at| !self.model[*at]);
            let missing = missing.map_or(u64::MAX, |at| EDGES[at]);
            assert_eq!(self.set.first_missing(*edge), missing, "from {edge} on");
        }
        let count = self.set.iter().map(|range| range.end - range.start).sum::<u64>();
        assert_eq!(self.set.count(), count);
        let written = postcard::to_stdvec(&self.set).expect("ranges are plain data");
        assert_eq!(postcard::from_bytes(&written), Ok(self.set.clone()), "it comes back");
    }
}

/// Any bytes are ranges or are not, and are the same when written again.
fn read(bytes: &[u8]) {
    let Ok((set, _)) = postcard::take_from_bytes::<Ranges>(bytes) else { return };
    let list: Vec<_> = set.iter().collect();
    assert_eq!(Ranges::try_from(list), Ok(set.clone()), "sorted, and none touches another");
    let written = postcard::to_stdvec(&set).expect("ranges are plain data");
    assert_eq!(postcard::from_bytes(&written), Ok(set));
}

/// Where ranges begin and end: close together, at the ends of chunks, at the ends of all numbers.
const EDGES: [u64; 26] = [
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    100,
    101,
    65_535,
    65_536,
    65_537,
    131_072,
    1 << 32,
    (1 << 32) + 1,
    1 << 63,
    (1 << 63) + 1,
    u64::MAX - 5,
    u64::MAX - 4,
    u64::MAX - 3,
    u64::MAX - 2,
    u64::MAX - 1,
    u64::MAX,
];
/// Steps of one input.
const STEP_COUNT_MAX: usize = 64;
