//! What a seed is like: what happens in it, and how often.

use peermq::queue::Quota;
use peermq::sync::Kind;

use crate::chance::Chance;
use crate::hostile::Lies;

/// One thing that may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chore {
    Send,
    Repeat,
    Turn,
    Deliver,
    Connect,
    Lose,
    Part,
    Mend,
    Kill,
    FailDisk,
    Close,
    Start,
    Take,
    Settle,
    Release,
    Add,
    Remove,
    Reclaim,
    Heed,
    BackUp,
    PutBack,
    Recover,
    Fetch,
    Pass,
    Wait,
    Lull,
    Jump,
}

/// What a seed is like. Some things never happen in some seeds, so that others happen at length.
#[derive(Debug)]
pub(crate) struct Habits {
    pub(crate) steps: u64,
    weights: Vec<(Chore, u64)>,
    /// Once in how many turns a process dies before its commit; 0 for never.
    death_in_turn: u64,
    /// Bytes of a short body at most.
    pub(crate) body_size_max: u64,
    /// Once in how many messages a body comes apart; 0 for never.
    pub(crate) long_body: u64,
    /// Messages of one send at most.
    pub(crate) burst: u64,
    pub(crate) quota: Option<Quota>,
    /// What a liar lies about, and how often.
    pub(crate) lies: Lies,
    is_healing: bool,
}

impl Habits {
    pub(crate) fn new(chance: &mut Chance) -> Self {
        let mut weights = USUAL.to_vec();
        for (chore, weight) in RARE {
            if !chance.one_in(3) {
                weights.push((chore, weight * chance.within(1..3)));
            }
        }
        if chance.one_in(4) {
            weights.push((Chore::Wait, 6)); // Time flies, so that who does not answer is noticed.
        }
        let is_read = !chance.one_in(4);
        if !is_read {
            // Nobody reads before the end, so that what is full stays so.
            weights.retain(|(chore, _)| !matches!(chore, Chore::Take | Chore::Settle));
        }
        let long_body = if chance.one_in(3) { chance.within(1..12) } else { 0 };
        if long_body > 0 {
            weights.extend([(Chore::Fetch, 12), (Chore::Pass, 30)]);
        }
        if chance.one_in(3) {
            weights.extend([(Chore::BackUp, 3), (Chore::PutBack, 3), (Chore::Recover, 6)]);
        }
        let kinds: &[_] = match long_body {
            0 => &[Kind::Advance, Kind::Receipt, Kind::Heads],
            _ => &[Kind::Body],
        };
        let tight = Quota { bytes: chance.within(200..20_000), entries: chance.within(1..20) };
        Self {
            steps: chance.within(100..700),
            weights,
            death_in_turn: if chance.one_in(2) { chance.within(10..60) } else { 0 },
            body_size_max: if chance.one_in(4) { 4_000 } else { 60 },
            long_body,
            burst: if chance.one_in(4) { 40 } else { 4 },
            quota: (!is_read || chance.one_in(3)).then_some(tight),
            lies: Lies::new(kinds, chance),
            is_healing: false,
        }
    }

    pub(crate) fn dies_in_turn(&self, chance: &mut Chance) -> bool {
        self.death_in_turn > 0 && chance.one_in(self.death_in_turn)
    }

    /// Nothing goes wrong any more.
    pub(crate) const fn heal(&mut self) {
        self.death_in_turn = 0;
        self.is_healing = true;
    }

    pub(crate) const fn is_healing(&self) -> bool {
        self.is_healing
    }

    /// What happens next.
    pub(crate) fn chore(&self, chance: &mut Chance) -> Chore {
        let sum = self.weights.iter().map(|(_, weight)| weight).sum();
        let mut left = chance.within(0..sum);
        let chosen = self.weights.iter().find(|(_, weight)| match left.checked_sub(*weight) {
            Some(rest) => {
                left = rest;
                false
            }
            None => true,
        });
        chosen.map_or(Chore::Turn, |(chore, _)| *chore)
    }
}

/// What happens in every seed, and how often beside the rest.
const USUAL: [(Chore, u64); 7] = [
    (Chore::Send, 10),
    (Chore::Turn, 40),
    (Chore::Deliver, 60),
    (Chore::Connect, 20),
    (Chore::Start, 10),
    (Chore::Take, 12),
    (Chore::Settle, 16),
];
/// What happens in most seeds.
const RARE: [(Chore, u64); 15] = [
    (Chore::Repeat, 3),
    (Chore::Lose, 1),
    (Chore::Part, 1),
    (Chore::Mend, 2),
    (Chore::Kill, 1),
    (Chore::FailDisk, 1),
    (Chore::Close, 1),
    (Chore::Release, 2),
    (Chore::Add, 1),
    (Chore::Remove, 1),
    (Chore::Reclaim, 2),
    (Chore::Heed, 2),
    (Chore::Wait, 1),
    (Chore::Lull, 1),
    (Chore::Jump, 1),
];
