//! The world of one run: its nodes, their connections, the time; one step after another.

use std::collections::{BTreeMap, BTreeSet};

use peermq::types::{Id, Instant};

use crate::Figures;
use crate::chance::Chance;
use crate::chores::Habits;
use crate::invariant::Checked;
use crate::link::Link;
use crate::node::Node;
use crate::oracle::Oracle;
use crate::trace::{Show, Trace};

/// All there is in a run.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) chance: Chance,
    pub(crate) habits: Habits,
    pub(crate) trace: Trace,
    pub(crate) oracle: Oracle,
    pub(crate) figures: Figures,
    pub(crate) nodes: Vec<Node>,
    /// The node that lies, if one does.
    pub(crate) hostile: Option<usize>,
    pub(crate) links: BTreeMap<u64, Link>,
    /// Connections made so far.
    pub(crate) link_count: u64,
    /// Pairs of nodes that cannot reach each other, the smaller first.
    pub(crate) parted: BTreeSet<(usize, usize)>,
    pub(crate) now: Instant,
}

impl World {
    pub(crate) fn new(seed: u64, show: Show) -> Self {
        let mut chance = Chance::new(seed);
        let nodes = (0..3 + chance.below(3)).map(|_| {
            let mut seed = [0; 32];
            seed.as_chunks_mut()
                .0
                .iter_mut()
                .for_each(|part| *part = chance.number().to_le_bytes());
            Node::new(seed)
        });
        let nodes: Vec<_> = nodes.collect();
        let hostile = chance.one_in(3).then(|| chance.below(nodes.len()));
        Self {
            habits: Habits::new(&mut chance),
            chance,
            trace: Trace::new(show),
            oracle: Oracle::watching(hostile),
            figures: Figures::default(),
            nodes,
            hostile,
            links: BTreeMap::new(),
            link_count: 0,
            parted: BTreeSet::new(),
            now: Instant(0),
        }
    }

    /// Runs to the end of healing.
    pub(crate) fn run(&mut self) -> Checked {
        self.begin()?;
        for _ in 0..self.habits.steps {
            self.figures.steps += 1;
            self.step()?;
        }
        self.heal()
    }

    /// Which node an id is.
    pub(crate) fn node_of(&self, id: &Id) -> usize {
        let place = self.nodes.iter().position(|node| node.id() == *id);
        place.expect("nobody else has an id here")
    }

    /// The world's clock in milliseconds.
    pub(crate) const fn now_ms(&self) -> u64 {
        self.now.0 / 1_000
    }
}
