//! The end of a run: everything works again, and must come to rest where all was delivered.

use peermq::queue::{Mark, Place};
use peermq::sync::Grant;
use peermq::types::{Epoch, Ranges};

use crate::invariant::{Checked, Invariant};
use crate::link::End;
use crate::node::Job;
use crate::reading::READER_COUNT;
use crate::world::World;

impl World {
    /// Heals everything and runs until all is delivered, archived and acknowledged.
    pub(crate) fn heal(&mut self) -> Checked {
        self.trace.note(format_args!("healing"));
        self.habits.heal();
        if let Some(hostile) = self.hostile.filter(|hostile| self.says_untruths(*hostile)) {
            // Honest nodes come to rest though it goes on to lie: it is left alone with its lies.
            self.ends_of(hostile, None).into_iter().for_each(|end| self.lose(end.link));
        }
        self.parted.clear();
        for node in 0..self.nodes.len() {
            self.nodes[node].disk.heal();
            self.start(node)?;
            (0..READER_COUNT).for_each(|reader| self.release(node, reader));
        }
        self.rest()?;
        for node in 0..self.nodes.len() {
            for (other, _) in self.known_to(node) {
                self.ask_to_heed(node, other);
            }
            self.clear_lost(node);
        }
        self.rest()?;
        if let Some(twins) = self.twins {
            self.expose(twins)?;
        }
        if let (Some(author), Some(silence)) = (self.hostile, self.silence) {
            self.expose_silence(author, silence)?;
        }
        self.check_converged()
    }

    /// Runs until nothing happens any more.
    pub(crate) fn rest(&mut self) -> Checked {
        for _ in 0..ROUND_COUNT_MAX {
            let before = self.trace.hash();
            self.round()?;
            if self.trace.hash() == before && self.busy_nodes().is_empty() {
                return Ok(());
            }
        }
        Invariant::Converges.breach(format_args!("no rest after {ROUND_COUNT_MAX} rounds"))
    }

    /// Everyone connects, everything arrives, is stored, read and archived.
    fn round(&mut self) -> Checked {
        for from in 0..self.nodes.len() {
            self.recover(from)?;
            for to in 0..self.nodes.len() {
                self.connect_once(from, to)?;
            }
        }
        self.flow()?;
        self.fetch_all()?;
        (0..self.nodes.len()).try_for_each(|node| self.archive_all(node))
    }

    /// What waits is stored, and what is on its way arrives.
    pub(crate) fn flow(&mut self) -> Checked {
        for node in 0..self.nodes.len() {
            self.turn(node, usize::MAX)?;
        }
        for (link, side) in
            self.links.keys().flat_map(|link| [(*link, 0), (*link, 1)]).collect::<Vec<_>>()
        {
            while self.is_waiting(End { link, side }) {
                self.deliver(End { link, side })?;
            }
        }
        Ok(())
    }

    /// Every body that can be had is fetched.
    fn fetch_all(&mut self) -> Checked {
        self.pass_all()?;
        (0..self.nodes.len()).try_for_each(|node| self.turn(node, usize::MAX))?;
        let ends = self.links.keys().flat_map(|link| [0, 1].map(|side| End { link: *link, side }));
        for end in ends.collect::<Vec<_>>() {
            while self.links.contains_key(&end.link) && self.fetch(end)? {
                let at = self.links[&end.link].node(end.side);
                self.pass_all()?;
                self.turn(at, usize::MAX)?;
            }
        }
        Ok(())
    }

    /// A node's user clears what waits for bodies whose author may have written something else in
    /// their place: nothing else lets what follows go on.
    fn clear_lost(&mut self, node: usize) {
        let logs = self.oracle.views.get(&node).into_iter().flat_map(|view| &view.logs);
        let doubtful = logs.filter(|(life, _)| self.oracle.is_doubtful(**life));
        let lost = doubtful.flat_map(|((from, epoch), log)| {
            log.incomplete.iter().flatten().map(|seq| (*from, *epoch, seq))
        });
        for (from, epoch, seq) in lost.collect::<Vec<_>>() {
            let from_id = self.nodes[from].id();
            let place = Place { from: from_id, epoch: Epoch(epoch), seqs: seq..=seq };
            self.ask(node, Job::Mark { from, places: vec![place], to: Mark::Cleared });
        }
    }

    /// Connects two nodes that are not connected yet.
    pub(crate) fn connect_once(&mut self, from: usize, to: usize) -> Checked {
        let is_whole = |end: &End| self.links[&end.link].ends.iter().all(Option::is_some);
        let is_left_alone =
            self.habits.is_healing() && [from, to].into_iter().any(|node| self.says_untruths(node));
        if from == to || is_left_alone || self.ends_of(from, Some(to)).iter().any(is_whole) {
            return Ok(());
        }
        self.connect(from, to)
    }

    /// Whether something is on its way to an end, be it the other's end.
    pub(crate) fn is_waiting(&self, end: End) -> bool {
        self.links.get(&end.link).is_some_and(|link| {
            !link.coming[end.side].is_empty() || link.ends[1 - end.side].is_none()
        })
    }

    /// One reader takes all that there is, and archives it.
    fn archive_all(&mut self, node: usize) -> Checked {
        loop {
            let before = self.figures.offered;
            self.take(node, LAST_READER, usize::MAX)?;
            if self.figures.offered == before {
                break;
            }
        }
        let process = self.nodes[node].process.as_ref();
        let given = process.and_then(|process| process.readers.get(&LAST_READER)).cloned();
        for (from, epoch, seq) in given.unwrap_or_default() {
            let from_id = self.nodes[from].id();
            let place = Place { from: from_id, epoch: Epoch(epoch), seqs: seq..=seq };
            self.ask(node, Job::Mark { from, places: vec![place], to: Mark::Archived });
        }
        Ok(())
    }

    /// All that was confirmed has arrived where it is let in, and its author knows.
    fn check_converged(&self) -> Checked {
        (0..self.nodes.len()).try_for_each(|node| self.check_store(node))?;
        for (number, message) in self.oracle.messages.iter().enumerate() {
            let (from, to) = (message.from, message.to);
            let Some((epoch, seq)) = message.place else { continue };
            let lets_in = self.grant(to, from) == Some(Grant::Receive);
            let is_honest = ![from, to].map(Some).contains(&self.hostile);
            if !is_honest || !lets_in || self.grant(from, to).is_none() {
                continue;
            }
            if self.oracle.views[&to].blocks((from, epoch)) {
                continue;
            }
            let log = self.oracle.views[&to].logs.get(&(from, epoch));
            Invariant::Converges.holds(
                log.is_some_and(|log| seq < log.received && !log.unread.contains(seq)),
                format_args!("message {number}, {from}@{epoch}.{seq}, did not arrive at {to}"),
            )?;
            let sender = &self.oracle.views[&from];
            let sent = sender.sent.get(&(to, epoch)).copied().unwrap_or_default();
            if log.is_some_and(|log| log.received > sent) {
                // Its store was put back: of a receipt for more than it has it takes nothing.
                continue;
            }
            let acked = &sender.acked[&(to, epoch)];
            let mut told: Ranges = acked.archived.clone();
            told.union(&acked.rejected);
            Invariant::Converges.holds(
                told.contains(seq),
                format_args!("{from} was not told that {to} has archived {seq}: {acked:?}"),
            )?;
        }
        Ok(())
    }
}

/// Who reads in the end.
const LAST_READER: u64 = READER_COUNT;
/// Rounds that may pass until all is at rest.
const ROUND_COUNT_MAX: usize = 400;
