//! Readers of a node: they take messages, settle some of them, and end.

use std::collections::BTreeSet;

use peermq::queue::{Mark, Place, ReaderId, TakeBudget};
use peermq::types::Epoch;

use crate::invariant::{Checked, Invariant};
use crate::node::Job;
use crate::world::World;

impl World {
    pub(crate) fn take_some(&mut self, node: usize) -> Checked {
        let (reader, count) = (self.chance.within(0..READER_COUNT), self.chance.below(20));
        self.take(node, reader, count + 1)
    }

    pub(crate) fn release_some(&mut self, node: usize) {
        let reader = self.chance.within(0..READER_COUNT);
        self.release(node, reader);
    }

    /// A reader takes some messages.
    pub(crate) fn take(&mut self, node: usize, reader: u64, count: usize) -> Checked {
        let budget = TakeBudget { count, size: usize::MAX };
        let time = self.nodes[node].time(self.now_ms());
        let Some(process) = &mut self.nodes[node].process else { return Ok(()) };
        let offers = process.queue.take(ReaderId(reader), budget, time);
        for offer in offers.expect("a memory store can be read") {
            let from = self.node_of(node, &offer.from);
            let (epoch, seq) = (offer.epoch.0, offer.seq.0);
            self.figures.offered += 1;
            self.trace.note(format_args!("{node} offers reader {reader} {from}@{epoch}.{seq}"));
            let body = self.body_of(node, &offer)?;
            self.oracle.offered((node, from, epoch), seq, &body)?;
            let process = self.nodes[node].process.as_mut().expect("it was there above");
            let mut others = process.readers.values();
            let is_given = others.any(|given| given.contains(&(from, epoch, seq)));
            Invariant::OneReader
                .holds(!is_given, format_args!("{node} offers {from}@{epoch}.{seq} twice"))?;
            process.readers.entry(reader).or_default().insert((from, epoch, seq));
        }
        Ok(())
    }

    /// A reader settles what it was given, or anything else.
    pub(crate) fn settle(&mut self, node: usize, from: usize) {
        let given = self.nodes[node].process.iter().flat_map(|process| process.readers.values());
        let given: Vec<_> = given.flatten().copied().collect();
        let anything = self
            .oracle
            .views
            .get(&node)
            .and_then(|view| view.logs.iter().find(|((author, _), _)| *author == from));
        let anything = anything.map(|((_, epoch), log)| (*epoch, log.received + 1));
        let (from, epoch, first) = match (self.chance.pick(&given), anything) {
            (Some(place), _) if !self.chance.one_in(4) => place,
            (_, Some((epoch, end))) => (from, epoch, self.chance.within(0..end)),
            _ => return,
        };
        let marks = [Mark::Archived, Mark::Archived, Mark::Cleared, Mark::Rejected];
        let to = self.chance.pick(&marks).expect("there are some");
        let last = first + if self.chance.one_in(3) { self.chance.within(0..6) } else { 0 };
        let place = Place { from: self.nodes[from].id(), epoch: Epoch(epoch), seqs: first..=last };
        self.ask(node, Job::Mark { from, places: vec![place], to });
    }

    /// What was marked is with no reader any more.
    pub(crate) fn forget_given(&mut self, node: usize, from: usize, places: &[Place]) {
        let Some(process) = &mut self.nodes[node].process else { return };
        let marked = |(author, epoch, seq): &(usize, u64, u64)| {
            let mut places = places.iter();
            *author == from && places.any(|p| p.epoch.0 == *epoch && p.seqs.contains(seq))
        };
        process.readers.values_mut().for_each(|given| given.retain(|place| !marked(place)));
    }

    /// A reader ends.
    pub(crate) fn release(&mut self, node: usize, reader: u64) {
        if let Some(process) = &mut self.nodes[node].process {
            process.queue.release(ReaderId(reader));
            process.readers.insert(reader, BTreeSet::new());
        }
    }
}

/// Readers of one node that come and go.
pub(crate) const READER_COUNT: u64 = 3;
