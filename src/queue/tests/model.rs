//! The queue against a model: a list of marks per author, and who has what.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::log::Decoded;

/// One step of a run.
#[derive(Debug, Clone)]
enum Step {
    Send { author: usize, count: u64 },
    Receive { author: usize },
    Mark { author: usize, first: u64, count: u64, to: Mark },
    MarkNewest { author: usize, count: u64, to: Mark },
    Take { reader: u64, count: usize },
    Release { reader: u64 },
    Commit,
    Crash,
}

/// What the queue should say.
#[derive(Debug, Clone, Default)]
struct Model {
    durable: [Vec<Mark>; 2],
    staged: [Vec<Mark>; 2],
    with: BTreeMap<u64, BTreeSet<(usize, u64)>>,
}

fn step() -> impl Strategy<Value = Step> {
    let author = 0usize..2;
    let marks = vec![Mark::Archived, Mark::Cleared, Mark::Rejected, Mark::Gone];
    let to = prop::sample::select(marks);
    let newest = (author.clone(), 1u64..60, to.clone());
    let mark = (author.clone(), 0u64..700, 1u64..60, to);
    prop_oneof![
        3 => (author.clone(), 1u64..300).prop_map(|(author, count)| Step::Send { author, count }),
        3 => author.prop_map(|author| Step::Receive { author }),
        6 => mark.prop_map(|(author, first, count, to)| Step::Mark { author, first, count, to }),
        3 => newest.prop_map(|(author, count, to)| Step::MarkNewest { author, count, to }),
        4 => (0u64..3, 1usize..200).prop_map(|(reader, count)| Step::Take { reader, count }),
        1 => (0u64..3).prop_map(|reader| Step::Release { reader }),
        4 => Just(Step::Commit),
        1 => Just(Step::Crash),
    ]
}

struct Run {
    authors: [Node; 2],
    reader: Node,
    model: Model,
}

impl Run {
    fn new() -> Self {
        let (authors, mut reader) = ([1, 2].map(Node::new), Node::new(9));
        authors.iter().for_each(|author| reader.add(author));
        Self { authors, reader, model: Model::default() }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Send { author, count } => {
                let to = self.reader.id();
                self.authors[author].send_numbers(to, 0..count);
            }
            Step::Receive { author } => self.receive(author),
            Step::Mark { author, first, count, to } => self.mark(author, first..first + count, to),
            Step::MarkNewest { author, count, to } => {
                let end = u64::try_from(self.model.durable[author].len()).unwrap();
                if end > 0 {
                    self.mark(author, end.saturating_sub(count)..end, to);
                }
            }
            Step::Take { reader, count } => self.take(reader, count),
            Step::Release { reader } => {
                self.reader.queue.release(ReaderId(reader));
                self.model.with.remove(&reader);
            }
            Step::Commit => self.commit(),
            Step::Crash => {
                self.reader.crash();
                self.model.staged = self.model.durable.clone();
                self.model.with.clear();
                self.check();
            }
        }
    }

    fn receive(&mut self, author: usize) {
        self.commit();
        let (from, reader) = (&mut self.authors[author], &mut self.reader);
        let Some(group) = reader.next_group(from) else { return };
        reader.queue.receive(&from.id(), &group).unwrap();
        let marks = &mut self.model.staged[author];
        marks.resize(marks.len() + group.entries.len(), Mark::Unread);
    }

    fn mark(&mut self, author: usize, seqs: std::ops::Range<u64>, to: Mark) {
        let (from, epoch) = (self.authors[author].id(), self.authors[author].queue.epoch());
        let place = Place { from, epoch, seqs: seqs.start..=seqs.end - 1 };
        let marked = self.reader.queue.mark(&[place], to);
        if seqs.end > u64::try_from(self.model.durable[author].len()).unwrap() {
            assert!(matches!(marked, Err(QueueError::NotFound { .. })));
            return;
        }
        marked.unwrap();
        for seq in seqs {
            let mark = &mut self.model.staged[author][usize::try_from(seq).unwrap()];
            *mark = match (*mark, to) {
                // Every body is here, so none can be gone.
                (Mark::Unread, to) if to != Mark::Gone => to,
                (Mark::Archived, Mark::Cleared) => Mark::Cleared,
                (mark, _) => mark,
            };
            if *mark != Mark::Unread {
                self.model.with.values_mut().for_each(|with| {
                    with.remove(&(author, seq));
                });
            }
        }
    }

    fn commit(&mut self) {
        self.reader.queue.commit().unwrap();
        self.model.durable = self.model.staged.clone();
        self.check();
    }

    fn take(&mut self, reader: u64, count: usize) {
        self.commit();
        let budget = TakeBudget { count, size: usize::MAX };
        let offers = self.reader.queue.take(ReaderId(reader), budget, NOW).unwrap();
        let mut taken = [Vec::new(), Vec::new()];
        for offer in &offers {
            let author = self.authors.iter().position(|author| author.id() == offer.from).unwrap();
            taken[author].push(offer.seq.0);
        }
        for (author, taken) in taken.iter().enumerate() {
            assert!(taken.is_sorted_by(|a, b| a < b), "oldest first");
            let free = self.model.free(author);
            assert!(free.starts_with(taken), "what is free, from the first on: {free:?} {taken:?}");
            assert!(offers.len() == count || free.len() == taken.len(), "all that fits");
            let with = self.model.with.entry(reader).or_default();
            with.extend(taken.iter().map(|seq| (author, *seq)));
        }
    }

    /// Everything durable is as the model says.
    fn check(&mut self) {
        for (author, node) in self.authors.iter().enumerate() {
            let marks = &self.model.durable[author];
            let queue = &mut self.reader.queue;
            let unread = Model::seqs(marks, Mark::Unread);
            let figures = queue.figures().unwrap();
            let figures = figures.iter().find(|figures| figures.id == node.id()).unwrap();
            assert_eq!(figures.unread, unread.count());
            assert_eq!(figures.unread_bytes, listed_size(queue, node.id()));
            for (set, mark) in
                [(ListSet::Unread, Mark::Unread), (ListSet::Archived, Mark::Archived)]
            {
                assert_eq!(listed(queue, set, node.id()), Model::seqs(marks, mark));
            }
            let held = queue.opening(&node.id()).unwrap().held;
            let Some([receipt]) = held.first().map(|held| &held.receipts[..]) else { continue };
            let mut archived = Model::seqs(marks, Mark::Archived);
            archived.union(&Model::seqs(marks, Mark::Cleared));
            assert_eq!(receipt.archived.to_ranges(), archived);
            assert_eq!(receipt.rejected, Model::seqs(marks, Mark::Rejected));
            assert_eq!(
                receipt.stored.to_ranges(),
                Ranges::below(u64::try_from(marks.len()).unwrap())
            );
        }
    }
}

impl Model {
    fn seqs(marks: &[Mark], mark: Mark) -> Ranges {
        (0..)
            .zip(marks)
            .filter(|(_, other)| **other == mark)
            .map(|(seq, _): (u64, _)| seq)
            .collect()
    }

    /// What is unread and with no reader.
    fn free(&self, author: usize) -> Vec<u64> {
        let unread = Self::seqs(&self.durable[author], Mark::Unread);
        let taken = |seq: &u64| self.with.values().any(|with| with.contains(&(author, *seq)));
        unread.iter().flatten().filter(|seq| !taken(seq)).collect()
    }
}

fn pages(queue: &mut Queue, set: ListSet) -> Vec<Listed> {
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let page = queue.list(set, after.as_ref()).unwrap();
        items.extend(page.items);
        after = page.next;
        if after.is_none() {
            return items;
        }
    }
}

fn listed(queue: &mut Queue, set: ListSet, from: Id) -> Ranges {
    let items = pages(queue, set);
    items.iter().filter(|item| item.peer == from).map(|item| item.seq.0).collect()
}

/// Bytes of headers and bodies of an author's unread messages.
fn listed_size(queue: &mut Queue, from: Id) -> u64 {
    let items = pages(queue, ListSet::Unread);
    let size = |item: Listed| match (item.header, item.body) {
        (Decoded::Header(header), OfferBody::Inline(body)) => {
            header.encode().as_bytes().len() + body.len()
        }
        other => panic!("all messages are short and of this version, got {other:?}"),
    };
    let sizes = items.into_iter().filter(|item| item.peer == from).map(size);
    u64::try_from(sizes.sum::<usize>()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn the_queue_follows_its_model(steps in prop::collection::vec(step(), 1..50)) {
        let mut run = Run::new();
        for step in steps {
            run.step(step);
        }
        run.commit();
        run.step(Step::Crash);
        run.take(7, usize::MAX);
    }
}
