//! The storage thread: jobs in groups, one commit each, and processes that die of it.

use std::collections::{BTreeMap, VecDeque};

use peermq::log::LogError;
use peermq::queue::{Changes, Mark, Pass, Place, Queue, QueueError, Sent};
use peermq::sync::{Forked, Grant, Input, Load, Loaded, Returned, Stored};
use peermq::types::{Epoch, Id};

use crate::invariant::{Checked, Invariant};
use crate::link::End;
use crate::node::{Job, Process};
use crate::world::World;

/// Whether the disk refused something, as it may.
pub(crate) const fn is_of_the_disk(error: &QueueError) -> bool {
    matches!(error, QueueError::Store(_) | QueueError::Log(LogError::Store(_)))
}

/// What is to be told once a group is durable; of what is `Kept`, nobody is told.
#[derive(Debug)]
enum Done {
    Kept,
    Sent { message: usize, sent: Sent },
    Received { end: End, peer: Id, epoch: Epoch },
    Acknowledged { end: End },
    Recalled { end: End, peer: Id, returned: Box<Returned> },
    Compared { end: End },
    Frozen { end: End },
    Heeded { author: Id },
    Marked { from: usize, places: Vec<Place>, to: Mark },
    Added { peer: Id },
    Removed { peer: Id },
    Reclaimed { pass: Pass },
}

impl World {
    /// Starts a node's process on what its disk holds.
    pub(crate) fn start(&mut self, node: usize) -> Checked {
        if self.nodes[node].process.is_some() {
            return Ok(());
        }
        self.trace.note(format_args!("{node} starts"));
        let time = self.nodes[node].time(self.now_ms());
        let me = self.nodes[node].id();
        let opened = self.nodes[node].disk.open().expect("its process is gone");
        self.nodes[node].inspected = None;
        let mut queue = match Queue::open(opened.store, me, time) {
            Ok(queue) => queue,
            // The disk may still be set to fail.
            Err(error) if is_of_the_disk(&error) => {
                self.nodes[node].disk.power_cut();
                return Ok(());
            }
            Err(error) => {
                return Invariant::HonestIsNotBlamed
                    .breach(format_args!("{node} cannot open its store: {error}"));
            }
        };
        self.compare_mark(node, &mut queue)?;
        let (jobs, readers) = (VecDeque::new(), BTreeMap::new());
        self.nodes[node].process = Some(Process { queue, jobs, readers });
        self.inspect(node)
    }

    /// A node's process dies, and its connections with it.
    pub(crate) fn crash(&mut self, node: usize) {
        let Some(process) = self.nodes[node].process.take() else { return };
        self.figures.crashes += 1;
        self.trace.note(format_args!("{node} dies with {} jobs waiting", process.jobs.len()));
        drop(process);
        self.oracle.process_ended(node);
        for End { link, side } in self.ends_of(node, None) {
            let link = self.links.get_mut(&link).expect("it was found a moment ago");
            link.ends[side] = None;
            link.coming[side].clear();
        }
    }

    /// One turn: some jobs, one commit, its answers, then the reads.
    pub(crate) fn turn(&mut self, node: usize, job_count: usize) -> Checked {
        let Some(process) = &mut self.nodes[node].process else { return Ok(()) };
        if process.jobs.is_empty() && !process.queue.has_leftovers() {
            return Ok(());
        }
        let count = job_count.min(process.jobs.len());
        let jobs: Vec<_> = process.jobs.drain(..count).collect();
        let (mut done, mut reads) = (Vec::new(), Vec::new());
        for job in jobs {
            match job {
                Job::Load { end, load } => reads.push((end, load)),
                write => done.extend(self.stage(node, write)?),
            }
        }
        if self.habits.dies_in_turn(&mut self.chance) {
            self.crash(node);
            return Ok(());
        }
        self.commit(node, done)?;
        for (end, load) in reads {
            self.read(node, end, load)?;
        }
        Ok(())
    }

    fn commit(&mut self, node: usize, done: Vec<Done>) -> Checked {
        let Some(process) = &mut self.nodes[node].process else { return Ok(()) };
        self.figures.commits += 1;
        let changes = match process.queue.commit() {
            Ok(changes) => changes,
            Err(error) if is_of_the_disk(&error) => {
                self.trace.note(format_args!("{node} could not commit: {error}"));
                self.crash(node);
                return Ok(());
            }
            Err(error) => {
                return Invariant::HonestIsNotBlamed
                    .breach(format_args!("{node} could not commit: {error}"));
            }
        };
        self.trace.note(format_args!("{node} commits {} jobs", done.len()));
        self.move_mark(node);
        for done in done {
            self.complete(node, done)?;
        }
        self.tell(node, changes)?;
        self.inspect(node)
    }

    /// Stages a write; gives what to tell once it is durable.
    fn stage(&mut self, node: usize, job: Job) -> Checked<Option<Done>> {
        if let Job::Add { peer, .. } = &job {
            // From now on a crash may leave it added.
            self.oracle.removed.remove(&(node, self.node_of(node, peer)));
        }
        let time = self.nodes[node].time(self.now_ms());
        let Some(process) = &mut self.nodes[node].process else { return Ok(None) };
        let queue = &mut process.queue;
        let end = job.end();
        let staged = match job {
            Job::Send { message, draft } => queue.send(*draft).map(|sent| {
                self.oracle.staged(message, sent);
                Done::Sent { message, sent }
            }),
            Job::Receive { end, peer, received } => {
                let epoch = received.head.epoch;
                queue.receive(&peer, &received).map(|()| Done::Received { end, peer, epoch })
            }
            Job::Acknowledge { end, peer, receipts } => {
                queue.acknowledge(&peer, receipts).map(|_| Done::Acknowledged { end })
            }
            Job::Recall { end, peer, returned } => {
                queue.recall(&peer, &returned).map(|()| Done::Recalled { end, peer, returned })
            }
            Job::Compare { end, heads } => {
                queue.compare_heads(heads).map(|()| Done::Compared { end })
            }
            Job::Fork { end, fork } => {
                queue.add_fork(&fork);
                Ok(Done::Frozen { end })
            }
            Job::Heed { author } => {
                queue.acknowledge_fork(&author, None).map(|()| Done::Heeded { author })
            }
            Job::Mark { from, places, to } => queue.mark(&places, to).map(|()| {
                self.oracle.marking((node, from), &places);
                Done::Marked { from, places, to }
            }),
            Job::Body(job) => job.stage(queue).map(|()| Done::Kept),
            Job::Add { peer, quota } => queue.add_peer(&peer, quota).map(|()| Done::Added { peer }),
            Job::Remove { peer } => queue.remove_peer(&peer).map(|()| Done::Removed { peer }),
            Job::Reclaim { pass } => queue.reclaim(pass, time).map(|pass| Done::Reclaimed { pass }),
            Job::Load { .. } => return Ok(None),
        };
        self.judge_staged(node, end, staged)
    }

    /// A write may be refused; it fails only by the disk.
    fn judge_staged(
        &mut self,
        node: usize,
        end: Option<End>,
        staged: Result<Done, QueueError>,
    ) -> Checked<Option<Done>> {
        match (staged, end) {
            (Ok(done), _) => Ok(Some(done)),
            (Err(QueueError::Refused(refusal)), Some(end)) => {
                self.input(end, Input::Stored(Stored::Refused(refusal)))?;
                Ok(None)
            }
            (Err(error), _) if error.is_fatal() => Invariant::HonestIsNotBlamed
                .breach(format_args!("{node} could not stage a write: {error}")),
            (Err(error), _) => {
                self.trace.note(format_args!("{node} refuses: {error}"));
                Ok(None)
            }
        }
    }

    /// What became durable is told to whoever waits for it.
    fn complete(&mut self, node: usize, done: Done) -> Checked {
        match done {
            Done::Kept => Ok(()),
            Done::Sent { message, sent } => {
                self.figures.confirmed += 1;
                self.oracle.confirmed(message, sent)
            }
            Done::Received { end, peer, epoch } => {
                let Some(process) = &mut self.nodes[node].process else { return Ok(()) };
                let receipts = process.queue.receipts(&peer, epoch).expect("a memory store reads");
                self.input(end, Input::Stored(Stored::Received(receipts)))
            }
            Done::Recalled { end, peer, returned } => {
                self.oracle.recalled(node, self.node_of(node, &peer), &returned);
                self.check_shown(node, &returned)?;
                self.input(end, Input::Stored(Stored::Returned))
            }
            Done::Acknowledged { end } => self.input(end, Input::Stored(Stored::Receipts)),
            Done::Compared { end } => self.input(end, Input::Stored(Stored::Heads)),
            Done::Frozen { end } => self.input(end, Input::Stored(Stored::Fork)),
            Done::Heeded { author } => {
                self.on_heeded(node, self.node_of(node, &author));
                Ok(())
            }
            Done::Marked { from, places, to } => {
                self.oracle.marked((node, from), &places, to);
                self.forget_given(node, from, &places);
                Ok(())
            }
            Done::Reclaimed { pass } if pass.is_over() => {
                self.trace.note(format_args!("{node} frees {}", pass.freed()));
                self.check_store(node)
            }
            Done::Reclaimed { pass } => {
                self.ask(node, Job::Reclaim { pass });
                Ok(())
            }
            Done::Added { peer } => self.on_added(node, self.node_of(node, &peer)),
            Done::Removed { peer } => {
                self.on_removed(node, self.node_of(node, &peer));
                Ok(())
            }
        }
    }

    fn on_added(&mut self, node: usize, peer: usize) -> Checked {
        self.trace.note(format_args!("{node} has added {peer}"));
        let mut ends = self.ends_of(node, Some(peer)).into_iter();
        ends.try_for_each(|end| self.input(end, Input::Regrant(Grant::Receive)))
    }

    fn on_removed(&mut self, node: usize, peer: usize) {
        self.trace.note(format_args!("{node} has removed {peer}"));
        if self.grant(node, peer).is_none() {
            self.oracle.removed.insert((node, peer));
        }
        self.ends_of(node, Some(peer)).into_iter().for_each(|end| self.lose(end.link));
    }

    /// The user knows of a fork: the next session asks for the lives that may be followed now.
    fn on_heeded(&mut self, node: usize, author: usize) {
        self.trace.note(format_args!("{node} knows that {author} has forked"));
        self.ends_of(node, Some(author)).into_iter().for_each(|end| self.lose(end.link));
    }

    /// What a commit changed is told to the sessions that it concerns.
    fn tell(&mut self, node: usize, changes: Changes) -> Checked {
        for (id, life) in changes.grown {
            let peer = self.node_of(node, &id);
            for end in self.ends_of(node, Some(peer)) {
                self.input(end, Input::LocalHead(life))?;
            }
        }
        for (id, epoch) in changes.marked {
            let peer = self.node_of(node, &id);
            for end in self.ends_of(node, Some(peer)) {
                self.input(end, Input::LocalMarks(epoch))?;
            }
        }
        for (id, epoch, heads) in changes.checkpoints {
            let peer = self.node_of(node, &id);
            for end in self.ends_of(node, Some(peer)) {
                self.input(end, Input::Checkpoints { epoch, heads: heads.clone() })?;
            }
        }
        for shown in changes.given_up {
            self.trace.note(format_args!("{node} gives {shown} up"));
            Invariant::ConfirmedIsServed.holds(
                self.oracle.is_doubtful((node, shown.epoch.0)),
                format_args!("{node} gives up a life with one version: {shown}"),
            )?;
        }
        self.judge_stale(node, changes.stale)?;
        self.tell_forks(node, changes.forked)
    }

    fn tell_forks(&mut self, node: usize, forked: Vec<(Id, Forked)>) -> Checked {
        let is_news = !forked.is_empty();
        for (id, forked) in forked {
            let peer = self.node_of(node, &id);
            self.figures.forks += 1;
            self.trace.note(format_args!("{node} freezes {}.{}", peer, forked.epoch));
            Invariant::HonestIsNotBlamed.holds(
                self.may_fork(peer),
                format_args!("{node} holds {peer} for one with two logs"),
            )?;
            for end in self.ends_of(node, Some(peer)) {
                self.input(end, Input::Forked(forked))?;
            }
        }
        let ends = if is_news { self.ends_of(node, None) } else { Vec::new() };
        ends.into_iter().try_for_each(|end| self.input(end, Input::Forks))
    }

    fn read(&mut self, node: usize, end: End, load: Load) -> Checked {
        let Some(link) = self.links.get(&end.link) else { return Ok(()) };
        let peer = link.node(1 - end.side);
        let id = self.nodes[peer].id();
        let Some(process) = &mut self.nodes[node].process else { return Ok(()) };
        let queue = &mut process.queue;
        let loaded = match load {
            Load::Opening => queue.opening(&id).map(Loaded::Opening),
            Load::Chunk { epoch, from, checkpoints, budget } => queue
                .chunk(&id, epoch, from, &checkpoints, budget)
                .map(|chunk| Loaded::Chunk { epoch, from, chunk }),
            Load::Receipts { epoch } => queue.receipts(&id, epoch).map(Loaded::Receipts),
            Load::Followed => Ok(Loaded::Followed(queue.followed(&id))),
            other => panic!("expected a known read, got {other:?}"),
        };
        match loaded {
            Ok(loaded) => self.input(end, Input::Loaded(loaded)),
            Err(error) => Invariant::HonestIsNotBlamed
                .breach(format_args!("{node} could not read for {peer}: {error}")),
        }
    }
}
