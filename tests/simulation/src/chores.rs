//! What may happen next: chosen by chance, with weights that differ from seed to seed.

use peermq::log::Worth;
use peermq::queue::{Intent, Keep, Pass, Quota};
use peermq::sync::Input;
use peermq_storage::{Cause, Effect, Failure};

use crate::chance::Chance;
use crate::invariant::Checked;
use crate::link::End;
use crate::node::Job;
use crate::reading::READER_COUNT;
use crate::world::World;

/// One thing that may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chore {
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
    quota: Option<Quota>,
    is_healing: bool,
}

impl Habits {
    pub(crate) fn new(chance: &mut Chance) -> Self {
        let usual = [
            (Chore::Send, 10),
            (Chore::Turn, 40),
            (Chore::Deliver, 60),
            (Chore::Connect, 20),
            (Chore::Start, 10),
            (Chore::Take, 12),
            (Chore::Settle, 16),
        ];
        let rare = [
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
            (Chore::Jump, 1),
        ];
        let mut weights = usual.to_vec();
        for (chore, weight) in rare {
            if !chance.one_in(3) {
                weights.push((chore, weight * chance.within(1..3)));
            }
        }
        if chance.one_in(4) {
            weights.push((Chore::Wait, 6)); // Time flies, so that who does not answer is noticed.
        }
        let long_body = if chance.one_in(3) { chance.within(1..12) } else { 0 };
        if long_body > 0 {
            weights.extend([(Chore::Fetch, 12), (Chore::Pass, 30)]);
        }
        if chance.one_in(3) {
            weights.extend([(Chore::BackUp, 3), (Chore::PutBack, 3), (Chore::Recover, 6)]);
        }
        let tight = Quota { bytes: chance.within(200..20_000), entries: chance.within(1..40) };
        Self {
            steps: chance.within(100..700),
            weights,
            death_in_turn: if chance.one_in(2) { chance.within(10..60) } else { 0 },
            body_size_max: if chance.one_in(4) { 4_000 } else { 60 },
            long_body,
            burst: if chance.one_in(4) { 40 } else { 4 },
            quota: chance.one_in(3).then_some(tight),
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

    fn chore(&self, chance: &mut Chance) -> Chore {
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

impl World {
    /// All nodes start, and most add each other.
    pub(crate) fn begin(&mut self) -> Checked {
        let count = self.nodes.len();
        for node in 0..count {
            self.start(node)?;
            for (peer, _) in self.known_to(node) {
                if !self.chance.one_in(8) {
                    self.ask_to_add(node, peer);
                }
            }
            self.turn(node, usize::MAX)?;
        }
        Ok(())
    }

    /// One thing happens.
    pub(crate) fn step(&mut self) -> Checked {
        let chore = self.habits.chore(&mut self.chance);
        let node = self.chance.below(self.nodes.len());
        let other = (node + 1 + self.chance.below(self.nodes.len() - 1)) % self.nodes.len();
        if !self.may_meet(node, other) {
            return Ok(());
        }
        match chore {
            Chore::Send => self.send(node, other),
            Chore::Repeat => self.repeat(node),
            Chore::Turn => return self.turn_some(),
            Chore::Deliver => return self.deliver_some(),
            Chore::Connect => return self.reconnect(node, other),
            Chore::Lose => {
                let links: Vec<_> = self.links.keys().copied().collect();
                self.chance.pick(&links).into_iter().for_each(|link| self.lose(link));
            }
            Chore::Part => self.part(node, other),
            Chore::Mend => self.parted.clear(),
            Chore::Kill => self.kill(node),
            Chore::FailDisk => self.fail_disk(node),
            Chore::Close => return self.close(node),
            Chore::Start => return self.start(node),
            Chore::Take => {
                let (reader, count) = (self.chance.within(0..READER_COUNT), self.chance.below(20));
                return self.take(node, reader, count + 1);
            }
            Chore::Settle => self.settle(node, other),
            Chore::Release => {
                let reader = self.chance.within(0..READER_COUNT);
                self.release(node, reader);
            }
            Chore::Add => self.ask_to_add(node, other),
            Chore::Remove => {
                let peer = self.nodes[other].id();
                self.ask(node, Job::Remove { peer });
            }
            Chore::Reclaim => {
                let worth = if self.chance.one_in(2) { Worth::Half } else { Worth::Any };
                self.ask(
                    node,
                    Job::Reclaim { pass: Pass::new(worth, Intent::Free, Keep::Archived) },
                );
            }
            Chore::Heed => self.ask_to_heed(node, other),
            Chore::BackUp => self.back_up(node),
            Chore::PutBack => return self.put_back(node),
            Chore::Recover => return self.recover(node),
            Chore::Fetch => return self.fetch_some(),
            Chore::Pass => return self.pass_some(),
            Chore::Wait => return self.wait(),
            Chore::Jump => {
                self.nodes[node].clock_ahead_ms = self.chance.within(0..CLOCK_JUMP_MS_MAX)
            }
        }
        Ok(())
    }

    pub(crate) fn ask(&mut self, node: usize, job: Job) {
        if let Some(process) = &mut self.nodes[node].process {
            process.jobs.push_back(job);
        }
    }

    pub(crate) fn ask_to_add(&mut self, node: usize, other: usize) {
        let (peer, quota) = (self.nodes[other].id(), self.habits.quota);
        self.ask(node, Job::Add { peer, quota });
    }

    /// A node's user knows what another has done, if it has forked.
    pub(crate) fn ask_to_heed(&mut self, node: usize, other: usize) {
        let author = self.nodes[other].id();
        self.ask(node, Job::Heed { author });
    }

    /// Something that is on its way arrives, or the end of a connection.
    fn deliver_some(&mut self) -> Checked {
        let ends = self.links.keys().flat_map(|link| [0, 1].map(|side| End { link: *link, side }));
        let waiting: Vec<_> = ends.filter(|end| self.is_waiting(*end)).collect();
        let Some(end) = self.chance.pick(&waiting) else { return Ok(()) };
        for _ in 0..1 + self.chance.below(6) {
            self.deliver(end)?;
        }
        Ok(())
    }

    /// A node that has something to do does some of it.
    fn turn_some(&mut self) -> Checked {
        let busy = self.busy_nodes();
        let Some(node) = self.chance.pick(&busy) else { return Ok(()) };
        let count = 1 + self.chance.below(6);
        self.turn(node, count)
    }

    /// Nodes that have something to do.
    pub(crate) fn busy_nodes(&self) -> Vec<usize> {
        let has_jobs = |node: &usize| {
            let process = self.nodes[*node].process.as_ref();
            process.is_some_and(|process| !process.jobs.is_empty())
        };
        (0..self.nodes.len()).filter(has_jobs).collect()
    }

    /// Two nodes connect; now and then although they are connected.
    fn reconnect(&mut self, node: usize, other: usize) -> Checked {
        if self.chance.one_in(8) {
            self.connect(node, other)
        } else {
            self.connect_once(node, other)
        }
    }

    fn part(&mut self, one: usize, other: usize) {
        self.parted.insert((one.min(other), one.max(other)));
        let links = self.ends_of(one, Some(other));
        links.into_iter().for_each(|end| self.lose(end.link));
    }

    fn kill(&mut self, node: usize) {
        self.crash(node);
        if self.chance.one_in(2) {
            self.nodes[node].disk.power_cut();
            self.trace.note(format_args!("{node} loses power"));
        }
    }

    fn fail_disk(&mut self, node: usize) {
        let commit = self.nodes[node].disk.commit_count() + self.chance.within(1..4);
        let cause = self.chance.pick(&[Cause::Full, Cause::Write, Cause::Sync]);
        let effect = if self.chance.one_in(2) { Effect::None } else { Effect::Whole };
        let failure = Failure { cause: cause.expect("there are some"), effect };
        self.trace.note(format_args!("commit {commit} of {node} will be {failure:?}"));
        self.nodes[node].disk.fail(commit, failure);
    }

    /// A process ends in order.
    fn close(&mut self, node: usize) -> Checked {
        if let Some(process) = self.nodes[node].process.take() {
            self.trace.note(format_args!("{node} closes"));
            // What its disk then holds is looked at when it starts again.
            let _ = process.queue.close();
            self.oracle.process_ended(node);
            for End { link, side } in self.ends_of(node, None) {
                let link = self.links.get_mut(&link).expect("it was found a moment ago");
                link.ends[side] = None;
                link.coming[side].clear();
            }
        }
        Ok(())
    }

    /// Time goes by, and timers end.
    fn wait(&mut self) -> Checked {
        self.now.0 += self.chance.within(0..WAIT_US_MAX);
        for link in self.links.keys().copied().collect::<Vec<_>>() {
            for side in 0..2 {
                let session = self.links.get(&link).and_then(|link| link.ends[side].as_ref());
                let due = session.and_then(peermq::sync::Session::poll_timeout);
                if due.is_some_and(|due| due <= self.now) {
                    self.input(End { link, side }, Input::Timeout)?;
                }
            }
        }
        Ok(())
    }
}

/// Idempotency keys are kept for a day: clocks do not differ by more.
const CLOCK_JUMP_MS_MAX: u64 = 12 * 60 * 60 * 1_000;
/// Longer than the silence after which a peer is asked whether it is there.
const WAIT_US_MAX: u64 = 20 * 1_000_000;
