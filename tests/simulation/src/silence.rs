//! An author that withholds: it shows one reader some of its log and nothing more, and is honest in
//! all else. Nothing that it says is false; but others tell that reader of heads that it has signed,
//! and does not lead to.

use peermq::sync::{Frame, Grant, Kind};

use crate::chance::Chance;
use crate::invariant::{Checked, Invariant};
use crate::link::End;
use crate::world::World;

/// The one lie of a node that withholds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Silence {
    /// To whom it shows nothing more.
    reader: usize,
    /// How many entries that one must hold before.
    shown: u64,
}

impl Silence {
    /// Some liars of several nodes withhold.
    pub(crate) fn of(liar: Option<usize>, count: usize, chance: &mut Chance) -> Option<Self> {
        let liar = liar.filter(|_| chance.one_in(3))?;
        let reader = (liar + 1 + chance.below(count - 1)) % count;
        Some(Self { reader, shown: chance.within(1..12) })
    }
}

impl World {
    /// Whether a frame never gets to the end that it is on its way to.
    pub(crate) fn is_withheld(&self, end: End, frame: &Frame) -> bool {
        let Some(Silence { reader, shown }) = self.silence else { return false };
        let link = &self.links[&end.link];
        let [from, to] = [link.node(1 - end.side), link.node(end.side)];
        self.hostile == Some(from)
            && to == reader
            && frame.kind == Kind::Advance
            && self.length_of(from, to) >= shown
    }

    /// Whether a node says what is not so.
    pub(crate) fn says_untruths(&self, node: usize) -> bool {
        self.hostile == Some(node) && self.silence.is_none()
    }

    /// The reader meets one who was shown more, and then time goes by in which the author could lead
    /// it there.
    pub(crate) fn expose_silence(&mut self, author: usize, silence: Silence) -> Checked {
        let reader = silence.reader;
        let may_tell = |node: &usize| self.may_tell(*node, author, reader);
        let Some(witness) = (0..self.nodes.len()).find(may_tell) else { return Ok(()) };
        self.send_one(author, witness);
        self.rest()?;
        self.lose_all();
        self.accused.clear();
        for _ in 0..WAIT_COUNT {
            self.rest()?;
            self.pass_time(WAIT_US)?;
        }
        let [more, less] = [witness, reader].map(|node| self.length_of(author, node));
        Invariant::SilenceIsFound.holds(
            !(1..more).contains(&less) || self.accused.contains(&(reader, author)),
            format_args!("{author} shows {reader} {less} entries, and {witness} {more}"),
        )
    }

    /// Whether a node follows an author and meets a reader that does so too.
    fn may_tell(&self, other: usize, author: usize, reader: usize) -> bool {
        if [author, reader].contains(&other) {
            return false;
        }
        let receive = [(other, reader), (reader, other), (other, author), (reader, author)];
        let serve = [(author, other), (author, reader)];
        receive.into_iter().all(|(at, of)| self.grant(at, of) == Some(Grant::Receive))
            && serve.into_iter().all(|(at, of)| self.grant(at, of).is_some())
    }

    /// How far a node has followed the newest life of an author's log.
    fn length_of(&self, author: usize, node: usize) -> u64 {
        let views = &self.oracle.views;
        let life = views.get(&author).map(|view| (author, view.epoch));
        let log = life.and_then(|life| views.get(&node)?.logs.get(&life));
        log.map_or(0, |log| log.length)
    }
}

/// Time between two looks: less than that after which a peer is asked whether it is there.
const WAIT_US: u64 = 10 * 1_000_000;
/// Looks until an author has had the time that it is given.
const WAIT_COUNT: u64 = 10;
