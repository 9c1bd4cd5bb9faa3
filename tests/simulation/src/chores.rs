//! What happens next: one step of the world, chosen by its habits.

use peermq::log::Worth;
use peermq::queue::{Intent, Keep, Pass};
use peermq_storage::{Cause, Effect, Failure};

use crate::habits::Chore;
use crate::invariant::Checked;
use crate::link::End;
use crate::node::Job;
use crate::world::World;

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
            Chore::Lose => self.lose_some(),
            Chore::Part => self.part(node, other),
            Chore::Mend => self.parted.clear(),
            Chore::Kill => self.kill(node),
            Chore::FailDisk => self.fail_disk(node),
            Chore::Close => return self.close(node),
            Chore::Start => return self.start(node),
            Chore::Take => return self.take_some(node),
            Chore::Settle => self.settle(node, other),
            Chore::Release => self.release_some(node),
            Chore::Add => self.ask_to_add(node, other),
            Chore::Remove => self.ask(node, Job::Remove { peer: self.nodes[other].id() }),
            Chore::Reclaim => self.reclaim(node),
            Chore::Heed => self.ask_to_heed(node, other),
            Chore::BackUp => self.back_up(node),
            Chore::PutBack => return self.put_back(node),
            Chore::Recover => return self.recover(node),
            Chore::Fetch => return self.fetch_some(),
            Chore::Pass => return self.pass_some(),
            Chore::Wait => return self.wait(),
            Chore::Lull => return self.lull(),
            Chore::Jump => {
                self.nodes[node].clock_ahead_ms = self.chance.within(0..CLOCK_JUMP_MS_MAX);
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

    fn reclaim(&mut self, node: usize) {
        let worth = if self.chance.one_in(2) { Worth::Half } else { Worth::Any };
        self.ask(node, Job::Reclaim { pass: Pass::new(worth, Intent::Free, Keep::Archived) });
    }

    fn lose_some(&mut self) {
        let links: Vec<_> = self.links.keys().copied().collect();
        self.chance.pick(&links).into_iter().for_each(|link| self.lose(link));
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

    fn wait(&mut self) -> Checked {
        let time = self.chance.within(0..WAIT_US_MAX);
        self.pass_time(time)
    }

    /// Nobody writes or reads for a while: what is under way arrives, and sessions grow old.
    fn lull(&mut self) -> Checked {
        self.trace.note(format_args!("a lull"));
        for _ in 0..self.chance.within(1..LULL_COUNT_MAX + 1) {
            self.flow()?;
            self.pass_time(LULL_US)?;
        }
        Ok(())
    }

    /// Whether something that was said on a connection waits, at a disk or on its way.
    fn is_busy(&self, number: u64) -> bool {
        let link = &self.links[&number];
        let mut processes = link.nodes.iter().filter_map(|at| self.nodes[*at].process.as_ref());
        link.coming.iter().any(|coming| !coming.is_empty())
            || processes.any(|process| {
                let mut ends = process.jobs.iter().filter_map(Job::end);
                ends.any(|end| end.link == number)
            })
    }

    /// Time goes by, and timers end.
    pub(crate) fn pass_time(&mut self, us: u64) -> Checked {
        self.now.0 += us;
        let links: Vec<_> = self.links.keys().copied().collect();
        for number in &links {
            let is_slow = self.is_busy(*number);
            self.links.get_mut(number).expect("it was found above").is_slow = is_slow;
        }
        for link in links {
            for side in 0..2 {
                self.expire(End { link, side })?;
            }
        }
        Ok(())
    }
}

/// Idempotency keys are kept for a day: clocks do not differ by more.
const CLOCK_JUMP_MS_MAX: u64 = 12 * 60 * 60 * 1_000;
/// Less than the silence after which a peer is asked whether it is there, or given up.
const LULL_US: u64 = 10 * 1_000_000;
/// Twice as long as an author has to lead to what it has signed.
const LULL_COUNT_MAX: u64 = 12;
/// Longer than the silence after which a peer is asked whether it is there.
const WAIT_US_MAX: u64 = 20 * 1_000_000;
