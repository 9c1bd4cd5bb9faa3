//! An author with two versions of its log: two nodes with one key, each honest by itself. Each reader
//! follows one of them, and readers meet each other.

use peermq::sync::Grant;

use crate::invariant::{Checked, Invariant};
use crate::world::World;

impl World {
    /// Brings the twins to one length, and all readers together again: whatever head one reader has,
    /// the author of another can lead to it, and shows there that it is not its own.
    pub(crate) fn expose(&mut self, twins: [usize; 2]) -> Checked {
        let [length, other] = twins.map(|twin| self.length(twin));
        let (shorter, count) =
            if length < other { (0, other - length) } else { (1, length - other) };
        let writer = twins[shorter];
        let known = self.known_to(writer).into_iter().map(|(reader, _)| reader);
        let reader = known.into_iter().find(|reader| self.grant(writer, *reader).is_some());
        let Some(reader) = reader else { return Ok(()) };
        (0..count).for_each(|_| self.send_one(writer, reader));
        self.rest()?;
        self.lose_all();
        self.rest()?;
        let [length, other] = twins.map(|twin| self.length(twin));
        Invariant::Converges
            .holds(length == other, format_args!("the twins have {length} and {other} entries"))?;
        self.check_found(twins)
    }

    /// Readers of the one twin have found out with those of the other.
    fn check_found(&self, twins: [usize; 2]) -> Checked {
        let [epoch, other] = twins.map(|twin| self.oracle.views[&twin].epoch);
        if epoch != other {
            return Ok(());
        }
        let [ones, others] = twins.map(|twin| self.readers_of(twin, epoch));
        for (one, other) in ones.iter().flat_map(|one| others.iter().map(move |two| (*one, *two))) {
            let meet = [(one, other), (other, one)].map(|(at, of)| self.grant(at, of));
            let know = [(one, twins[0]), (other, twins[1])].map(|(reader, twin)| {
                self.oracle.views[&reader].forked.contains_key(&(twin, epoch))
            });
            Invariant::ForksAreFound.holds(
                meet != [Some(Grant::Receive); 2] || know == [true; 2],
                format_args!("{one} and {other} have met and know of {know:?}"),
            )?;
        }
        Ok(())
    }

    /// Who follows a twin and has something of it.
    fn readers_of(&self, twin: usize, epoch: u64) -> Vec<usize> {
        let known = self.known_to(twin).into_iter().map(|(reader, _)| reader);
        let follows = |reader: &usize| {
            let log = self.oracle.views[reader].logs.get(&(twin, epoch));
            log.is_some_and(|log| log.length > 0)
                && self.grant(*reader, twin) == Some(Grant::Receive)
                && self.grant(twin, *reader).is_some()
        };
        known.filter(follows).collect()
    }

    fn length(&self, node: usize) -> u64 {
        let process = self.nodes[node].process.as_ref();
        process.map_or(0, |process| process.queue.length())
    }
}
