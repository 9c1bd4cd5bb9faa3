//! Stores that are put back: an older copy of a node's disk takes the place of the newer one, while
//! peers have seen more. The node signs nothing in that life of its log any more, gets back from peers
//! what they kept for it, and begins a new life when its user says so.

use peermq::queue::{Queue, Serving, Stale};

use crate::invariant::{Checked, Invariant};
use crate::storage::is_of_the_disk;
use crate::world::World;

impl World {
    /// A node's user keeps a copy of its disk.
    pub(crate) fn back_up(&mut self, node: usize) {
        let Some(process) = &self.nodes[node].process else { return };
        let copy = (self.nodes[node].disk.copy(), process.queue.epoch());
        self.trace.note(format_args!("{node} is copied with {} entries", process.queue.length()));
        self.nodes[node].backup = Some(copy);
    }

    /// A node's user puts the copy back, with the head mark of now or with none.
    pub(crate) fn put_back(&mut self, node: usize) -> Checked {
        if self.hostile.is_some() || self.twins.is_some() {
            return Ok(());
        }
        let Some((copy, epoch)) = self.nodes[node].backup.clone() else { return Ok(()) };
        let marked = self.nodes[node].mark.map(|mark| mark.epoch);
        // Without a mark nobody knows of the lives after the copy, and one might come twice.
        let is_mark_lost = marked == Some(epoch) && self.chance.one_in(3);
        self.crash(node);
        self.trace.note(format_args!("{node} is put back, mark lost: {is_mark_lost}"));
        self.figures.restores += 1;
        self.nodes[node].disk = copy.copy();
        self.nodes[node].is_mark_lost |= is_mark_lost;
        self.oracle.forget(node);
        self.start(node)?;
        self.oracle.remember(node);
        let known = self.known_to(node).into_iter().map(|(peer, _)| peer).collect::<Vec<_>>();
        let removed = known.into_iter().filter(|peer| self.grant(node, *peer).is_none());
        let removed: Vec<_> = removed.map(|peer| (node, peer)).collect();
        self.oracle.removed.extend(removed);
        Ok(())
    }

    /// Compares a store that was opened with the head mark beside it.
    pub(crate) fn compare_mark(&mut self, node: usize, queue: &mut Queue) -> Checked {
        let Some(mark) = self.nodes[node].mark else {
            self.nodes[node].mark = Some(queue.tip());
            return Ok(());
        };
        let stale = queue.compare(&mark).expect("a memory store can be read");
        let stale = if self.nodes[node].is_mark_lost { Some(Stale::Unmarked) } else { stale };
        stale.into_iter().for_each(|stale| queue.suspend(stale));
        self.judge_stale(node, stale)
    }

    /// Whether a node cannot lead to a head that it has signed, since its store was put back.
    pub(crate) fn has_lost(&self, node: usize, (epoch, length): (u64, u64)) -> bool {
        let leads = self.nodes[node].process.as_ref().is_none_or(|process| {
            let tip = process.queue.tip();
            process.queue.stale().is_none() && tip.epoch.0 == epoch && tip.length >= length
        });
        self.oracle.was_put_back(node) && !leads
    }

    /// A node signs no more, because of what a peer showed.
    pub(crate) fn judge_stale(&mut self, node: usize, stale: Option<Stale>) -> Checked {
        let Some(stale) = stale else { return Ok(()) };
        self.trace.note(format_args!("{node} is stale: {stale:?}"));
        let may_be = self.oracle.was_put_back(node) || self.may_fork(node);
        Invariant::HonestIsNotBlamed.holds(may_be, format_args!("{node} is stale: {stale:?}"))
    }

    /// Moves the head mark along with what is durable.
    pub(crate) fn move_mark(&mut self, node: usize) {
        let Some(process) = &self.nodes[node].process else { return };
        let tip = process.queue.tip();
        if process.queue.stale().is_none()
            && self.nodes[node].mark.is_none_or(|it| tip.is_past(&it))
        {
            self.nodes[node].mark = Some(tip);
        }
    }

    /// A node that is stale because its disk was put back begins a new life.
    pub(crate) fn recover(&mut self, node: usize) -> Checked {
        let stale = self.nodes[node].process.as_ref().and_then(|process| process.queue.stale());
        let Some(stale) = stale.filter(|_| self.oracle.was_put_back(node)) else { return Ok(()) };
        self.crash(node);
        let (time, salt) = (self.nodes[node].time(self.now_ms()), self.salt());
        let is_marked = !self.nodes[node].is_mark_lost;
        let me = self.nodes[node].id();
        let store = self.nodes[node].disk.open().expect("its process is gone").store;
        let begun = Queue::open(store, me, time).and_then(|mut queue| {
            queue.suspend(stale);
            let ended = queue.epoch();
            Ok((ended, queue.begin_life(time, salt)?))
        });
        match begun {
            Ok((ended, life)) => {
                self.trace.note(format_args!("{node} ends {ended} and begins {life:?}"));
                if life.serving == Serving::Ends {
                    Invariant::ConfirmedIsServed.holds(
                        !is_marked,
                        format_args!("{node} gives {ended} up, though its head mark tells of all"),
                    )?;
                    self.oracle.give_up(node, ended.0);
                }
                self.nodes[node].mark = Some(life.tip);
                self.nodes[node].is_mark_lost = false;
            }
            // The disk may be set to fail: it is tried again.
            Err(error) if is_of_the_disk(&error) => {
                self.nodes[node].disk.power_cut();
            }
            Err(error) => {
                return Invariant::HonestIsNotBlamed
                    .breach(format_args!("{node} cannot begin a new life: {error}"));
            }
        }
        self.start(node)
    }
}
