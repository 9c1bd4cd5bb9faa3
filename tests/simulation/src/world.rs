//! The world of one run: its nodes, their connections, the time; one step after another.

use std::collections::{BTreeMap, BTreeSet};

use peermq::types::{Id, Instant};

use crate::Figures;
use crate::bodies::Transfer;
use crate::chance::Chance;
use crate::habits::Habits;
use crate::invariant::Checked;
use crate::link::Link;
use crate::node::Node;
use crate::oracle::Oracle;
use crate::silence::Silence;
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
    /// Its one lie, if it is such a one.
    pub(crate) silence: Option<Silence>,
    /// Two nodes with one identity, if there are such: each is honest by itself, and their author
    /// has two versions of its log.
    pub(crate) twins: Option<[usize; 2]>,
    pub(crate) links: BTreeMap<u64, Link>,
    /// Connections made so far.
    pub(crate) link_count: u64,
    /// Long bodies on their way.
    pub(crate) transfers: BTreeMap<u64, Transfer>,
    /// Bodies asked for so far.
    pub(crate) transfer_count: u64,
    /// Pairs of nodes that cannot reach each other, the smaller first.
    pub(crate) parted: BTreeSet<(usize, usize)>,
    /// Who holds a head of whom for unproven, or has.
    pub(crate) accused: BTreeSet<(usize, usize)>,
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
        let mut nodes: Vec<_> = nodes.collect();
        let hostile = chance.one_in(3).then(|| chance.below(nodes.len()));
        let silence = Silence::of(hostile, nodes.len(), &mut chance);
        let twins = (hostile.is_none() && chance.one_in(3)).then(|| {
            let one = chance.below(nodes.len());
            nodes.push(nodes[one].twin());
            [one, nodes.len() - 1]
        });
        Self {
            habits: Habits::new(&mut chance),
            chance,
            trace: Trace::new(show),
            oracle: Oracle::watching(hostile),
            figures: Figures::default(),
            nodes,
            hostile,
            silence,
            twins,
            links: BTreeMap::new(),
            link_count: 0,
            transfers: BTreeMap::new(),
            transfer_count: 0,
            parted: BTreeSet::new(),
            accused: BTreeSet::new(),
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

    /// Which node an id is to another node.
    pub(crate) fn node_of(&self, to: usize, id: &Id) -> usize {
        let known = self.known_to(to).into_iter().find(|(_, known)| known == id);
        known.expect("nobody else has an id here").0
    }

    /// The nodes that another node may meet.
    pub(crate) fn known_to(&self, node: usize) -> Vec<(usize, Id)> {
        let others = (0..self.nodes.len()).filter(|other| self.may_meet(node, *other));
        others.map(|other| (other, self.nodes[other].id())).collect()
    }

    /// Whether two nodes may meet: a reader meets one of two twins, and they never meet.
    pub(crate) fn may_meet(&self, one: usize, other: usize) -> bool {
        let Some(twins) = self.twins else { return one != other };
        let twin_of = |reader: usize| twins[(reader - usize::from(reader > twins[0])) % 2];
        match (twins.contains(&one), twins.contains(&other)) {
            (true, true) => false,
            (true, false) => twin_of(other) == one,
            (false, true) => twin_of(one) == other,
            (false, false) => one != other,
        }
    }

    /// Whether a node may be found to have two versions of its log.
    pub(crate) fn may_fork(&self, node: usize) -> bool {
        let is_twin = self.twins.is_some_and(|twins| twins.contains(&node));
        self.hostile == Some(node) || is_twin || self.oracle.has_doubtful(node)
    }

    /// The world's clock in milliseconds.
    pub(crate) const fn now_ms(&self) -> u64 {
        self.now.0 / 1_000
    }
}
