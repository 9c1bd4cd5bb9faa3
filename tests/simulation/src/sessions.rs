//! The driver: what goes into sessions and what comes out of them.

use std::sync::Arc;

use peermq::queue::Quota;
use peermq::sync::{
    Event, Frame, Grant, Input, Message, Output, Reason, Session, SessionConfig, Store, SyncError,
};
use peermq::types::Epoch;

use crate::invariant::{Checked, Invariant};
use crate::link::{End, Link};
use crate::node::Job;
use crate::world::World;

impl World {
    /// Connects two nodes, when the first may dial and the second lets it in.
    pub(crate) fn connect(&mut self, from: usize, to: usize) -> Checked {
        let parted =
            self.parted.contains(&(from.min(to), from.max(to))) || !self.may_meet(from, to);
        let grants = (self.grant(from, to), self.grant(to, from));
        let (Some(dialler), Some(Grant::Receive), false) = (grants.0, grants.1, parted) else {
            return Ok(());
        };
        // A node gives the seat of an older session to the newer one; what the older one asked of
        // the storage thread still happens.
        self.ends_of(from, Some(to)).into_iter().for_each(|end| self.lose(end.link));
        let ends = [self.session(from, to, dialler), self.session(to, from, Grant::Receive)];
        let number = self.link_count;
        self.link_count += 1;
        self.figures.connections += 1;
        self.trace.note(format_args!("{from} connects to {to} as link {number}"));
        let (ends, coming) = (ends.map(Some), <_>::default());
        let link = Link { nodes: [from, to], ends, coming, is_slow: false };
        self.links.insert(number, link);
        (0..2).try_for_each(|side| self.drain(End { link: number, side }))
    }

    fn session(&self, at: usize, with: usize, grant: Grant) -> Session {
        let identity = Arc::clone(&self.nodes[at].identity);
        let peer = self.nodes[with].id();
        // Both ends have it, and no other session of this world.
        let mut session_hash = [0; 32];
        session_hash[..8].copy_from_slice(&self.link_count.to_be_bytes());
        let config = SessionConfig { identity, peer, grant, session_hash };
        Session::new(config, self.now)
    }

    /// What a node that is up lets another do.
    pub(crate) fn grant(&self, at: usize, of: usize) -> Option<Grant> {
        self.nodes[at].process.as_ref()?.queue.grant(&self.nodes[of].id())
    }

    /// Hands an end an input, if it still is there, and does what comes out.
    pub(crate) fn input(&mut self, end: End, input: Input) -> Checked {
        let now = self.now;
        let link = self.links.get_mut(&end.link);
        let Some(session) = link.and_then(|link| link.ends[end.side].as_mut()) else {
            return Ok(());
        };
        // An error comes out as `Output::Close`, and is judged there.
        let _ = session.handle(input, now);
        self.drain(end)?;
        self.expire(end)
    }

    /// A timer that has run out goes off at once, whatever set it, and then runs out no more.
    pub(crate) fn expire(&mut self, end: End) -> Checked {
        if !self.is_due(end) {
            return Ok(());
        }
        let link = self.links.get_mut(&end.link).expect("its timer has run out");
        let session = link.ends[end.side].as_mut().expect("its timer has run out");
        let _ = session.handle(Input::Timeout, self.now);
        self.drain(end)?;
        Invariant::TimersEnd
            .holds(!self.is_due(end), format_args!("{end:?} has a timer that does not end"))
    }

    fn is_due(&self, end: End) -> bool {
        let session = self.links.get(&end.link).and_then(|link| link.ends[end.side].as_ref());
        session.and_then(Session::poll_timeout).is_some_and(|due| due <= self.now)
    }

    fn drain(&mut self, end: End) -> Checked {
        loop {
            let link = self.links.get_mut(&end.link);
            let session = link.and_then(|link| link.ends[end.side].as_mut());
            let Some(output) = session.and_then(Session::poll_output) else { return Ok(()) };
            self.on_output(end, output)?;
        }
    }

    fn on_output(&mut self, end: End, output: Output) -> Checked {
        let link = &self.links[&end.link];
        let (at, peer) = (link.node(end.side), self.nodes[link.node(1 - end.side)].id());
        let job = match output {
            Output::Transmit(frame) => return self.transmit(end, frame),
            Output::Load(load) => Job::Load { end, load },
            Output::Store(Store::Received(received)) => Job::Receive { end, peer, received },
            Output::Store(Store::Returned(returned)) => Job::Recall { end, peer, returned },
            Output::Store(Store::Receipts(receipts)) => Job::Acknowledge { end, peer, receipts },
            Output::Store(Store::Heads(heads)) => Job::Compare { end, heads },
            Output::Store(Store::Fork(fork)) => Job::Fork { end, fork },
            Output::Event(Event::Unproven { epoch, length, .. }) => {
                return self.on_unproven(end, (epoch.0, length));
            }
            Output::Close(reason) => return self.on_close(end, &reason),
            _ => return Ok(()),
        };
        let process = self.nodes[at].process.as_mut();
        process.expect("a session ends with its process").jobs.push_back(job);
        Ok(())
    }

    fn transmit(&mut self, end: End, frame: Frame) -> Checked {
        let link = self.links.get(&end.link).expect("it has just spoken");
        let [at, to] = [link.node(end.side), link.node(1 - end.side)];
        let message = Message::decode(&frame).expect("what a session sends can be read");
        let digest = blake3::hash(&frame.payload).to_hex();
        let (kind, size) = (frame.kind, frame.size());
        self.trace.note(format_args!("{at} → {to} {kind:?} {size} {digest:.8}"));
        self.oracle.saw_frame([at, to], &message)?;
        match &message {
            Message::Credit(_) => self.check_credit(at, to)?,
            Message::Advance(advance) => self.check_signing(at, advance.head.epoch)?,
            _ => {}
        }
        let frame = self.falsify(at, frame);
        let link = self.links.get_mut(&end.link).expect("it was there above");
        link.coming[1 - end.side].push_back(frame);
        self.disorder(at, end.other());
        Ok(())
    }

    /// A node that is stale signs nothing in that life of its log.
    fn check_signing(&self, at: usize, epoch: Epoch) -> Checked {
        let Some(process) = &self.nodes[at].process else { return Ok(()) };
        let is_stale = process.queue.stale().is_some() && process.queue.epoch() == epoch;
        Invariant::OneRoot.holds(!is_stale, format_args!("{at} is stale and signs {epoch}"))
    }

    /// Credit is given only while the peer's quota has room.
    fn check_credit(&mut self, at: usize, to: usize) -> Checked {
        let id = self.nodes[to].id();
        // One may be held between the reading of the room and the credit.
        let has_long_bodies = self.habits.long_body > 0;
        let Some(process) = &mut self.nodes[at].process else { return Ok(()) };
        let quota = process.queue.peers().into_iter().find(|peer| peer.id == id);
        let quota = quota.map_or_else(Quota::default, |peer| peer.quota);
        let figures = process.queue.figures().expect("a memory store can be read");
        let Some(used) = figures.into_iter().find(|figures| figures.id == id) else {
            return Ok(());
        };
        Invariant::QuotaHolds.holds(
            (used.unread_bytes < quota.bytes || has_long_bodies) && used.unread < quota.entries,
            format_args!("{at} gave {to} credit with {used:?} of {quota:?}"),
        )
    }

    /// An author is said not to lead to a head that it has signed: it cannot, or does not.
    fn on_unproven(&mut self, end: End, head: (u64, u64)) -> Checked {
        let link = &self.links[&end.link];
        let [at, author] = [link.node(end.side), link.node(1 - end.side)];
        let is_slow = link.is_slow;
        self.figures.accused += 1;
        self.accused.insert((at, author));
        self.trace.note(format_args!("{at} holds {head:?} of {author} for unproven"));
        Invariant::HonestIsNotBlamed.holds(
            is_slow
                || self.hostile == Some(at)
                || self.may_fork(author)
                || self.has_lost(author, head),
            format_args!("{at} blames {author}, which can lead to {head:?}"),
        )
    }

    fn on_close(&mut self, end: End, reason: &Reason) -> Checked {
        let link = self.links.get_mut(&end.link).expect("it has just spoken");
        link.ends[end.side] = None;
        let [at, with] = [link.node(end.side), link.node(1 - end.side)];
        self.trace.note(format_args!("{at} closes link {} with {with}: {reason:?}", end.link));
        match reason {
            Reason::Failed(SyncError::Misbehaved(peermq::sync::Misbehaviour::Silent(_))) => Ok(()),
            Reason::Failed(_) if [at, with].map(Some).contains(&self.hostile) => Ok(()),
            Reason::Failed(error) => Invariant::HonestIsNotBlamed
                .breach(format_args!("{at} ended its session with {with}: {error}")),
            _ => Ok(()),
        }
    }

    /// The next frame on its way to an end arrives; behind the last one, so does the other's end.
    pub(crate) fn deliver(&mut self, end: End) -> Checked {
        let Some(link) = self.links.get_mut(&end.link) else { return Ok(()) };
        let Some(frame) = link.coming[end.side].pop_front() else {
            if link.ends[1 - end.side].is_none() {
                self.lose(end.link);
            }
            return Ok(());
        };
        self.figures.frames += 1;
        let size = frame.size();
        let (kind, to) = (frame.kind, link.node(end.side));
        self.trace.note(format_args!("link {} brings {to} a {kind:?}", end.link));
        if !self.is_withheld(end, &frame) {
            self.input(end, Input::Received(frame))?;
        }
        self.input(end.other(), Input::Flushed(size))
    }

    /// A connection is lost, with all that is on its way.
    pub(crate) fn lose(&mut self, link: u64) {
        self.links.remove(&link);
        self.trace.note(format_args!("link {link} is lost"));
    }

    pub(crate) fn lose_all(&mut self) {
        let links: Vec<_> = self.links.keys().copied().collect();
        links.into_iter().for_each(|link| self.lose(link));
    }

    /// The ends of one node, of its connections to `peer` or to all.
    pub(crate) fn ends_of(&self, node: usize, peer: Option<usize>) -> Vec<End> {
        let links = self.links.iter().filter_map(|(number, link)| {
            let side = link.nodes.iter().position(|at| *at == node)?;
            let with = link.node(1 - side);
            peer.is_none_or(|peer| peer == with).then_some(End { link: *number, side })
        });
        links.collect()
    }
}
