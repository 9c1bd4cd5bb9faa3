//! Stores that are put back: an older copy of a node's disk takes the place of the newer one, while
//! peers have seen more. The node signs nothing in that life of its log any more, gets back from peers
//! what they kept for it, and begins a new life when its user says so.
//!
//! | head mark | what the node knows |
//! |---|---|
//! | stays | it is behind, by how much, and that what it holds is part of what it signed |
//! | is lost | it may be behind |
//! | goes back too, as in a machine's snapshot | nothing, until a peer shows more: it may sign another version |

use peermq::log::Tip;
use peermq::queue::{NewLife, Queue, QueueError, Serving, Stale};
use peermq::sync::Returned;
use peermq::types::Epoch;
use peermq_storage::FaultyDisk;

use crate::invariant::{Checked, Invariant};
use crate::storage::is_of_the_disk;
use crate::world::World;

/// What is known beside the store of how far the log has come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadMark {
    tip: Tip,
    /// Whether a peer showed it when this node had written on.
    is_shown: bool,
}

/// An earlier copy of a node's disk.
#[derive(Debug, Clone)]
pub(crate) struct Backup {
    disk: FaultyDisk,
    /// The life that it was made in.
    epoch: Epoch,
    mark: Option<HeadMark>,
}

impl World {
    /// A node's user keeps a copy of its disk.
    pub(crate) fn back_up(&mut self, node: usize) {
        let Some(process) = &self.nodes[node].process else { return };
        let (disk, mark) = (self.nodes[node].disk.copy(), self.nodes[node].mark);
        let backup = Backup { disk, epoch: process.queue.epoch(), mark };
        self.trace.note(format_args!("{node} is copied with {} entries", process.queue.length()));
        self.nodes[node].backup = Some(backup);
    }

    /// A node's user puts the copy back.
    pub(crate) fn put_back(&mut self, node: usize) -> Checked {
        if self.hostile.is_some() || self.twins.is_some() {
            return Ok(());
        }
        let Some(Backup { disk, epoch, mark }) = self.nodes[node].backup.clone() else {
            return Ok(());
        };
        let marked = self.nodes[node].mark;
        // Who does not know of the lives after the copy might begin one of them again.
        let is_same_life = marked.is_some_and(|marked| marked.tip.epoch == epoch);
        let mark = match (is_same_life, self.chance.below(4)) {
            (true, 0) => None,
            (true, 1) => mark,
            _ => marked,
        };
        self.crash(node);
        self.trace.note(format_args!("{node} is put back, with {mark:?} in place of {marked:?}"));
        self.figures.restores += 1;
        self.nodes[node].disk = disk.copy();
        self.nodes[node].mark = mark;
        self.oracle.forget(node);
        if let (Some(now), Some(before)) = (mark, marked)
            && before.tip.is_past(&now.tip)
        {
            self.oracle.doubt((node, epoch.0));
        }
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
        let stale = match self.nodes[node].mark {
            None if self.oracle.was_put_back(node) => Some(Stale::Unmarked),
            None => None,
            Some(HeadMark { tip, is_shown }) => {
                match queue.compare(&tip).expect("a memory store can be read") {
                    Some(Stale::Behind { signed, stored }) if is_shown => {
                        Some(Stale::Outrun { signed, stored })
                    }
                    compared => compared,
                }
            }
        };
        stale.into_iter().for_each(|stale| queue.suspend(stale));
        self.judge_stale(node, stale)
    }

    /// A node signs no more in this life of its log, if that is so.
    pub(crate) fn judge_stale(&mut self, node: usize, stale: Option<Stale>) -> Checked {
        let Some(stale) = stale else { return Ok(()) };
        self.trace.note(format_args!("{node} is stale: {stale:?}"));
        let may_be = self.oracle.was_put_back(node) || self.may_fork(node);
        Invariant::HonestIsNotBlamed.holds(may_be, format_args!("{node} is stale: {stale:?}"))
    }

    /// A node that was shown more than it holds, or something else, knows so.
    pub(crate) fn check_shown(&self, node: usize, returned: &Returned) -> Checked {
        let Some(process) = &self.nodes[node].process else { return Ok(()) };
        let Some(shown) = returned.heads.first().map(|head| head.tip()) else { return Ok(()) };
        let tip = process.queue.tip();
        let is_other = (shown.epoch, shown.length) == (tip.epoch, tip.length) && shown != tip;
        Invariant::OneRoot.holds(
            process.queue.stale().is_some() || !(is_other || shown.is_past(&tip)),
            format_args!("{node} was shown {shown}, has {tip}, and goes on"),
        )
    }

    /// Whether a node cannot lead to a head that it has signed, since its store was put back.
    pub(crate) fn has_lost(&self, node: usize, (epoch, length): (u64, u64)) -> bool {
        let leads = self.nodes[node].process.as_ref().is_none_or(|process| {
            let tip = process.queue.tip();
            process.queue.stale().is_none() && tip.epoch.0 == epoch && tip.length >= length
        });
        self.oracle.is_doubtful((node, epoch)) || self.oracle.was_put_back(node) && !leads
    }

    /// Moves the head mark along with what is durable, and with what a peer showed.
    pub(crate) fn move_mark(&mut self, node: usize) {
        let Some(process) = &mut self.nodes[node].process else { return };
        let (shown, tip) = (process.queue.take_shown(), process.queue.tip());
        let stale = process.queue.stale();
        let mark = &mut self.nodes[node].mark;
        if let Some(tip) = shown {
            let is_shown = !stale.is_some_and(|stale| stale.is_since_open());
            *mark = Some(HeadMark { tip, is_shown });
        }
        if stale.is_none() && mark.is_none_or(|mark| tip.is_past(&mark.tip)) {
            *mark = Some(HeadMark { tip, is_shown: false });
        }
    }

    /// A node that is stale because its disk was put back begins a new life.
    pub(crate) fn recover(&mut self, node: usize) -> Checked {
        let stale = self.nodes[node].process.as_ref().and_then(|process| process.queue.stale());
        let Some(stale) = stale.filter(|_| self.oracle.was_put_back(node)) else { return Ok(()) };
        self.crash(node);
        match self.begin_life(node, stale) {
            Ok((ended, life)) => {
                self.trace.note(format_args!("{node} ends {ended} and begins {life:?}"));
                self.nodes[node].mark = Some(HeadMark { tip: life.tip, is_shown: false });
                if life.serving == Serving::Ends {
                    Invariant::ConfirmedIsServed.holds(
                        self.oracle.is_doubtful((node, ended.0)),
                        format_args!("{node} gives {ended} up, of which it signed one version"),
                    )?;
                }
            }
            // The disk may be set to fail: it is tried again, if it did not begin all the same.
            Err(error) if is_of_the_disk(&error) => self.nodes[node].disk.power_cut(),
            Err(error) => {
                return Invariant::HonestIsNotBlamed
                    .breach(format_args!("{node} cannot begin a new life: {error}"));
            }
        }
        self.start(node)
    }

    fn begin_life(&mut self, node: usize, stale: Stale) -> Result<(Epoch, NewLife), QueueError> {
        let (time, salt) = (self.nodes[node].time(self.now_ms()), self.salt());
        let me = self.nodes[node].id();
        let store = self.nodes[node].disk.open().expect("its process is gone").store;
        let mut queue = Queue::open(store, me, time)?;
        queue.suspend(stale);
        let ended = queue.epoch();
        Ok((ended, queue.begin_life(time, salt)?))
    }
}
