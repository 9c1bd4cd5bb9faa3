//! Who has seen all there is to see, and holds what nodes do against what they promised.

mod put_back;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use peermq::crypto::hash::Hash;
use peermq::log::SignedHead;
use peermq::queue::{AckedSets, Mark, Place, Sent};
use peermq::sync::Message as Frame;
use peermq::types::Ranges;

use crate::invariant::{Checked, Invariant};
use crate::view::{Life, LogView, View};
use put_back::Had;

/// All that was promised.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    /// The node that lies: what it wrote and what it says that it has is its own affair.
    hostile: Option<usize>,
    pub(crate) messages: Vec<Message>,
    /// Which messages may stand at a place: one, once it was confirmed or seen.
    places: BTreeMap<Slot, Vec<usize>>,
    /// Places at which a message was confirmed or seen.
    fixed: BTreeSet<Slot>,
    /// Roots that left a node, by author, epoch and length.
    roots: BTreeMap<(usize, u64, u64), Hash>,
    /// Longest heads that left their author.
    published: BTreeMap<(usize, u64), u64>,
    /// Who has removed whom.
    pub(crate) removed: BTreeSet<(usize, usize)>,
    /// What readers were told is archived, cleared or rejected.
    settled: BTreeMap<Log, Ranges>,
    /// What readers were told is cleared.
    cleared: BTreeMap<Log, Ranges>,
    /// What may be so, because it was asked for.
    maybe_settled: BTreeMap<Log, Ranges>,
    /// Nodes whose stores were put back to older ones, and what these had of each log before.
    put_back: BTreeMap<usize, BTreeMap<Life, Had>>,
    /// Lives of logs that may have two versions, because nobody saw that a store was put back.
    doubtful: BTreeSet<Life>,
    /// What peers gave back that a reader had archived or rejected before its store was put back.
    recalled: BTreeMap<Log, Ranges>,
    /// What each node's disk held when it was looked at last.
    pub(crate) views: BTreeMap<usize, View>,
}

/// A message that somebody wanted to send.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) body: Bytes,
    /// Whether it has an idempotency key, so that it may be sent again.
    pub(crate) is_keyed: bool,
    /// Epoch and seq, once confirmed.
    pub(crate) place: Option<(u64, u64)>,
}

/// Author, epoch, recipient and seq.
type Slot = (usize, u64, usize, u64);
/// Reader, author and epoch.
type Log = (usize, usize, u64);

impl Oracle {
    /// Has seen nothing yet, and knows who lies.
    pub(crate) fn watching(hostile: Option<usize>) -> Self {
        Self { hostile, ..Self::default() }
    }

    /// A message has a place, if its commit succeeds.
    pub(crate) fn staged(&mut self, message: usize, sent: Sent) {
        let slot = self.slot(message, sent);
        if !self.fixed.contains(&slot) || self.is_doubtful((slot.0, slot.1)) {
            self.places.entry(slot).or_default().push(message);
        }
    }

    /// A message's sender was told that it is durable.
    pub(crate) fn confirmed(&mut self, message: usize, sent: Sent) -> Checked {
        let slot = self.slot(message, sent);
        let place = (sent.epoch.0, sent.seq.0);
        let before = self.messages[message].place.replace(place);
        Invariant::OneKeyOnePlace.holds(
            // A new life knows no keys of the one before.
            before.is_none_or(|before| before == place || before.0 < place.0),
            format_args!("message {message} was at {before:?} and is at {place:?} now"),
        )?;
        self.fix(slot, message);
        let there = &self.places[&slot];
        Invariant::ConfirmedIsServed.holds(
            *there == [message] || self.is_doubtful((slot.0, slot.1)) && there.contains(&message),
            format_args!("message {message} was confirmed at {slot:?}, where {there:?} is"),
        )
    }

    /// One message stands at a place from now on, unless two versions may.
    fn fix(&mut self, slot: Slot, message: usize) {
        if !self.is_doubtful((slot.0, slot.1)) && self.fixed.insert(slot) {
            self.places.insert(slot, vec![message]);
        }
    }

    fn slot(&self, message: usize, sent: Sent) -> Slot {
        let Message { from, to, .. } = self.messages[message];
        (from, sent.epoch.0, to, sent.seq.0)
    }

    /// A reader has asked for a mark.
    pub(crate) fn marking(&mut self, (reader, from): (usize, usize), places: &[Place]) {
        for place in places {
            let log = (reader, from, place.epoch.0);
            self.maybe_settled.entry(log).or_default().insert(range(place));
        }
    }

    /// A reader was told that a mark is durable.
    pub(crate) fn marked(&mut self, (reader, from): (usize, usize), places: &[Place], to: Mark) {
        for place in places {
            let log = (reader, from, place.epoch.0);
            self.settled.entry(log).or_default().insert(range(place));
            if to == Mark::Cleared {
                self.cleared.entry(log).or_default().insert(range(place));
            }
        }
    }

    /// A reader was offered a message.
    pub(crate) fn offered(&mut self, log: Log, seq: u64, body: &Bytes) -> Checked {
        let known = [&self.settled, &self.recalled].map(|sets| sets.get(&log));
        let settled = known.into_iter().flatten().any(|settled| settled.contains(seq));
        Invariant::SettledStays
            .holds(!settled, format_args!("{log:?} offers {seq}, which was settled"))?;
        self.authentic(log, seq, body)
    }

    /// A message that a reader has is the one that its author wrote there.
    fn authentic(&mut self, (reader, from, epoch): Log, seq: u64, body: &Bytes) -> Checked {
        if self.hostile == Some(from) {
            return Ok(());
        }
        let slot = (from, epoch, reader, seq);
        let candidates = self.places.get(&slot).map(Vec::as_slice).unwrap_or_default();
        let written = candidates.iter().find(|one| self.messages[**one].body == body);
        let Some(written) = written.copied() else {
            return Invariant::OfferedIsAuthentic
                .breach(format_args!("{slot:?} is none of the messages {candidates:?}"));
        };
        self.fix(slot, written);
        Ok(())
    }

    /// A frame left a node.
    pub(crate) fn saw_frame(&mut self, [from, to]: [usize; 2], frame: &Frame) -> Checked {
        Invariant::RemovedGetsNothing.holds(
            !self.removed.contains(&(from, to)),
            format_args!("{from} sent {to}, which it has removed, a {:?}", frame.kind()),
        )?;
        match frame {
            _ if self.hostile.is_some_and(|hostile| [from, to].contains(&hostile)) => Ok(()),
            Frame::Advance(advance) => {
                let longest = self.published.entry((from, advance.head.epoch.0)).or_default();
                *longest = advance.head.length.max(*longest);
                self.saw_head(from, &advance.head)
            }
            Frame::Hello(hello) => hello.heads.iter().try_for_each(|head| self.saw_head(to, head)),
            _ => Ok(()),
        }
    }

    fn saw_head(&mut self, author: usize, head: &SignedHead) -> Checked {
        let name = (author, head.epoch.0, head.length);
        if self.is_doubtful((author, head.epoch.0)) {
            return Ok(());
        }
        let known = *self.roots.entry(name).or_insert(head.root);
        Invariant::OneRoot.holds(
            known == head.root,
            format_args!("{name:?} has the roots {known:?} and {:?}", head.root),
        )
    }

    /// Holds what a node's disk tells against what was promised.
    pub(crate) fn check(&mut self, node: usize, view: View) -> Checked {
        let before = self.views.remove(&node).unwrap_or_default();
        let published = self.published.get(&(node, view.epoch)).copied().unwrap_or_default();
        let last = if before.epoch == view.epoch { before.length } else { 0 };
        Invariant::HeadsGrow.holds(
            view.epoch >= before.epoch && view.length >= published.max(last),
            format_args!("{node} has {} entries after {published}", view.length),
        )?;
        let nothing = LogView::default();
        for (life, log) in &view.logs {
            let last = before.logs.get(life);
            self.check_log((node, life.0, life.1), log, last.unwrap_or(&nothing))?;
        }
        check_forked(node, &view, &before)?;
        Invariant::ReceiptsAreFounded.holds(
            view.unfounded.is_empty(),
            format_args!("{node} keeps receipts of {:?} for what it did not send", view.unfounded),
        )?;
        for (life, last) in &before.logs {
            let kept = view.logs.contains_key(life);
            Invariant::HeadsGrow
                .holds(kept, format_args!("{node} forgot {life:?} with {}", last.length))?;
        }
        for (from, counted) in &view.counted {
            let lives = view.logs.iter().filter(|((author, _), _)| author == from);
            let unread = lives.map(|(_, log)| log.unread.count()).sum::<u64>();
            Invariant::SetsAddUp.holds(
                unread == *counted,
                format_args!("{node} counts {counted} unread of {from}, and has {unread}"),
            )?;
        }
        self.give_up(node, &view);
        self.check_sent(node, &view)?;
        let served = view.served.iter().find(|to| self.removed.contains(&(node, **to)));
        Invariant::RemovedGetsNothing
            .holds(served.is_none(), format_args!("{node} still serves {served:?}"))?;
        self.views.insert(node, view);
        Ok(())
    }

    fn check_log(&mut self, name: Log, log: &LogView, last: &LogView) -> Checked {
        Invariant::OfferedIsAuthentic.holds(
            log.flaws.is_empty(),
            format_args!("{name:?} holds what its author did not sign so: {:?}", log.flaws),
        )?;
        Invariant::HeadsGrow.holds(
            log.length >= last.length && log.received >= last.received,
            format_args!("{name:?} went back from {} to {}", last.length, log.length),
        )?;
        let sum = log.unread.count() + log.settled.count() + log.rejected.count();
        Invariant::SetsAddUp.holds(
            sum == log.received && log.unread.intersection(&log.settled).is_empty(),
            format_args!("{name:?} received {} and has {log:?}", log.received),
        )?;
        let nothing = Ranges::new();
        let settled = self.settled.get(&name).unwrap_or(&nothing);
        let mut again = log.unread.intersection(settled);
        again.union(&log.unread.intersection(self.recalled.get(&name).unwrap_or(&nothing)));
        Invariant::SettledStays
            .holds(again.is_empty(), format_args!("{name:?} has {again:?} unread again"))?;
        let cleared = self.cleared.get(&name).unwrap_or(&nothing);
        let back = log.archived.intersection(cleared);
        Invariant::SettledStays
            .holds(back.is_empty(), format_args!("{name:?} has {back:?} archived, not cleared"))?;
        let new = log.bodies.iter().filter(|(seq, _)| *seq >= last.received);
        new.into_iter().try_for_each(|(seq, body)| self.authentic(name, *seq, body))?;
        // What a liar has signed of itself comes back to it, and it believes that.
        if self.hostile == Some(name.0) {
            return Ok(());
        }
        let maybe = self.maybe_settled.get(&name).unwrap_or(&nothing);
        let lost = Ranges::below(log.received).difference(maybe).difference(&log.unread);
        Invariant::AckedIsStored
            .holds(lost.is_empty(), format_args!("{name:?} received {lost:?} and lost them"))
    }

    fn check_sent(&self, node: usize, view: &View) -> Checked {
        for message in self.messages.iter().filter(|message| message.from == node) {
            let Some((epoch, seq)) = message.place else { continue };
            let sent = view.sent.get(&(message.to, epoch)).copied().unwrap_or_default();
            Invariant::ConfirmedIsServed.holds(
                seq < sent,
                format_args!("{node} forgot {epoch}.{seq} to {}: it has {sent}", message.to),
            )?;
        }
        for ((to, epoch), acked) in &view.acked {
            let sent = view.sent.get(&(*to, *epoch)).copied().unwrap_or_default();
            Invariant::AckedIsStored.holds(
                acked.stored.end().max(acked.archived.end()) <= sent,
                format_args!("{node} believes {acked:?} of {to}, to which it sent {sent}"),
            )?;
            let is_honest = ![node, *to].map(Some).contains(&self.hostile);
            if is_honest {
                self.check_acked((node, *epoch, *to), acked)?;
            }
        }
        Ok(())
    }

    /// What a sender saw acknowledged is in its receiver's store, or was before that was put back.
    fn check_acked(&self, name: (usize, u64, usize), acked: &AckedSets) -> Checked {
        let (node, epoch, to) = name;
        let (nothing, no_log) = (Had::default(), LogView::default());
        let had = self.put_back.get(&to).and_then(|logs| logs.get(&(node, epoch)));
        let had = had.unwrap_or(&nothing);
        let has = self.views.get(&to).and_then(|view| view.logs.get(&(node, epoch)));
        let has = has.unwrap_or(&no_log);
        let received = has.received.max(had.received);
        Invariant::AckedIsStored.holds(
            acked.stored.end() <= received,
            format_args!("{node} saw {:?} stored at {to}, which has {received}", acked.stored),
        )?;
        let incomplete = acked.stored.intersection(&has.incomplete).difference(&had.stored);
        Invariant::AckedIsStored.holds(
            incomplete.is_empty(),
            format_args!("{node} saw {incomplete:?} stored at {to}, without their bodies"),
        )?;
        let wrong = acked.archived.difference(&has.settled).difference(&had.settled);
        Invariant::AckedIsStored.holds(
            wrong.is_empty(),
            format_args!("{node} saw {wrong:?} archived at {to}, which has not"),
        )
    }
}

/// A log that has forked stays known for it, and grows no more until the user knows.
fn check_forked(node: usize, view: &View, before: &View) -> Checked {
    for life in before.forked.keys() {
        Invariant::ForksFreeze.holds(
            view.forked.contains_key(life),
            format_args!("{node} has forgotten that {life:?} has forked"),
        )?;
    }
    for (life, log) in view.logs.iter().filter(|(life, _)| before.blocks(**life)) {
        let (now, last) = (log.length, before.logs.get(life).map(|log| log.length));
        Invariant::ForksFreeze.holds(
            Some(now) == last || !view.blocks(*life),
            format_args!("{node} has {now} of {life:?}, after {last:?} when it was frozen"),
        )?;
    }
    Ok(())
}

fn range(place: &Place) -> std::ops::Range<u64> {
    *place.seqs.start()..*place.seqs.end() + 1
}
