//! Marks, readers and crashes on a real queue, against one word for each message.

use std::collections::{BTreeMap, BTreeSet};

use peermq::queue::{ListSet, Mark, Place, Queue, QueueError, ReaderId, TakeBudget};
use peermq::types::{Epoch, Id, Ranges};

use crate::choices::Choices;
use crate::node::{NOW, Node, images};

/// A user marks what it likes, readers come and go, the process dies. What is offered and listed is
/// what the model says, and every row agrees with the others in the end.
pub fn marks(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let mut run = Run::new();
    for _ in 0..STEP_COUNT_MAX {
        if choices.is_empty() {
            break;
        }
        run.step(&mut choices);
    }
    run.commit();
    run.check();
    run.node.expect_sound_disk();
}

struct Run {
    node: Node,
    from: Id,
    epoch: Epoch,
    durable: Vec<Mark>,
    staged: Vec<Mark>,
    with: BTreeMap<u64, BTreeSet<u64>>,
}

impl Run {
    fn new() -> Self {
        let from = peermq::crypto::Identity::from_seed(&[1; 32]).id();
        let mut node = Node::on(2, images().reader.copy());
        let epoch = node.queue.first_epoch(&from).expect("the author has sent something");
        let [unread, archived] =
            [ListSet::Unread, ListSet::Archived].map(|set| listed(&mut node.queue, set));
        let held = node.queue.opening(&from).expect("a sound store reads").held;
        let count = held.first().map_or(0, |held| held.follow.next_seq.0);
        let word = |seq| match (unread.contains(seq), archived.contains(seq)) {
            (true, _) => Mark::Unread,
            (_, true) => Mark::Archived,
            // Cleared or rejected: neither is ever seen again.
            _ => Mark::Cleared,
        };
        let durable: Vec<_> = (0..count).map(word).collect();
        Self { node, from, epoch, staged: durable.clone(), durable, with: BTreeMap::new() }
    }

    fn step(&mut self, choices: &mut Choices<'_>) {
        match choices.below(6) {
            0..=2 => self.mark(choices),
            3 => self.take(u64::from(choices.byte() % 3), 1 + choices.below(40)),
            4 => {
                self.commit();
                self.check();
            }
            _ if choices.byte().is_multiple_of(2) => {
                let reader = u64::from(choices.byte() % 3);
                self.node.queue.release(ReaderId(reader));
                self.with.remove(&reader);
            }
            _ => self.crash(),
        }
    }

    fn mark(&mut self, choices: &mut Choices<'_>) {
        let first = choices.number();
        let last = first.saturating_add(u64::from(choices.byte() % 8));
        let to = [Mark::Archived, Mark::Cleared, Mark::Rejected][choices.below(3)];
        let place = Place { from: self.from, epoch: self.epoch, seqs: first..=last };
        let end = u64::try_from(self.staged.len()).expect("a length fits u64");
        match self.node.queue.mark(&[place], to) {
            Ok(()) => {
                assert!(last < end, "what was never received cannot be marked");
                let seqs = usize::try_from(first).expect("it is below a length")..;
                let count = usize::try_from(last - first).expect("a few") + 1;
                let words = self.staged.iter_mut().skip(seqs.start).take(count);
                words.for_each(|word| *word = moved(*word, to));
                self.with
                    .values_mut()
                    .for_each(|with| with.retain(|seq| !(first..=last).contains(seq)));
            }
            Err(QueueError::NotFound { .. }) => assert!(last >= end, "it was received"),
            Err(QueueError::BodyMissing { seq, .. }) => {
                assert!(
                    to == Mark::Archived && (first..=last).contains(&seq.0),
                    "its body is here"
                );
            }
            Err(error) => panic!("{first} to {last} cannot be {to:?}: {error}"),
        }
    }

    /// Readers see durable state alone, so what is staged goes first.
    fn take(&mut self, reader: u64, count: usize) {
        self.commit();
        let budget = TakeBudget { count, size: usize::MAX };
        let offers = self.node.queue.take(ReaderId(reader), budget, NOW);
        for offer in offers.expect("a sound store reads") {
            let seq = offer.seq.0;
            let word = usize::try_from(seq).ok().and_then(|seq| self.durable.get(seq));
            assert_eq!(word, Some(&Mark::Unread), "{seq} is offered");
            let is_given = self.with.values().any(|with| with.contains(&seq));
            assert!(!is_given, "{seq} is with two readers");
            self.with.entry(reader).or_default().insert(seq);
        }
    }

    fn commit(&mut self) {
        self.node.commit();
        self.durable.clone_from(&self.staged);
    }

    fn crash(&mut self) {
        let disk = self.node.disk.clone();
        disk.power_cut();
        self.node = Node::on(2, disk);
        self.staged.clone_from(&self.durable);
        self.with.clear();
        self.check();
    }

    /// Lists say what the model says of what is durable.
    fn check(&mut self) {
        for (set, mark) in [(ListSet::Unread, Mark::Unread), (ListSet::Archived, Mark::Archived)] {
            let words = (0..).zip(&self.durable).filter(|(_, word)| **word == mark);
            let expected: Ranges = words.map(|(seq, _): (u64, _)| seq).collect();
            assert_eq!(listed(&mut self.node.queue, set), expected, "{mark:?}");
        }
    }
}

/// Where a mark leads: forward only.
const fn moved(from: Mark, to: Mark) -> Mark {
    match (from, to) {
        (Mark::Unread, _) | (Mark::Archived, Mark::Cleared) => to,
        _ => from,
    }
}

/// All seqs of a list.
fn listed(queue: &mut Queue, set: ListSet) -> Ranges {
    let (mut seqs, mut after) = (Ranges::new(), None);
    loop {
        let page = queue.list(set, after.as_ref()).expect("a sound store reads");
        page.items.iter().for_each(|item| seqs.insert(item.seq.0..item.seq.0 + 1));
        after = page.next;
        if after.is_none() {
            return seqs;
        }
    }
}

/// Steps of one input.
const STEP_COUNT_MAX: usize = 60;
