//! What counts of a node whose store was put back to an older one: what that holds, what peers give
//! back of what it had, and what it may have told before.

use std::collections::{BTreeMap, BTreeSet};

use peermq::sync::Returned;
use peermq::types::Ranges;

use super::Oracle;
use crate::view::{Life, View};

/// What a store had of a log before it was put back: it may have told of it.
#[derive(Debug, Default)]
pub(super) struct Had {
    pub(super) received: u64,
    /// Messages that were there with their whole bodies.
    pub(super) stored: Ranges,
    pub(super) settled: Ranges,
}

impl Oracle {
    /// A node's store is an older one: what it held since counts no more.
    pub(crate) fn forget(&mut self, node: usize) {
        let view = self.views.remove(&node).unwrap_or_default();
        let had: &mut BTreeMap<Life, Had> = self.put_back.entry(node).or_default();
        for (life, log) in view.logs {
            let had = had.entry(life).or_default();
            had.received = had.received.max(log.received);
            had.stored.union(&Ranges::below(log.received).difference(&log.incomplete));
            had.settled.union(&log.settled);
        }
        self.settled.retain(|(reader, ..), _| *reader != node);
        self.cleared.retain(|(reader, ..), _| *reader != node);
        self.recalled.retain(|(reader, from, _), _| ![*reader, *from].contains(&node));
        self.published.retain(|(author, _), _| *author != node);
        self.removed.retain(|(remover, _)| *remover != node);
        let own = self.messages.iter_mut().filter(|message| message.from == node);
        own.for_each(|message| message.place = None);
    }

    /// What the older store holds counts again.
    pub(crate) fn remember(&mut self, node: usize) {
        let Some(view) = self.views.get(&node) else { return };
        for ((from, epoch), log) in &view.logs {
            let settled = self.settled.entry((node, *from, *epoch)).or_default();
            settled.union(&log.settled);
            settled.union(&log.rejected);
        }
        for (slot, written) in &self.places {
            let (from, epoch, to, seq) = *slot;
            let sent = view.sent.get(&(to, epoch)).copied().unwrap_or_default();
            let is_held = from == node && seq < sent && self.fixed.contains(slot);
            if let ([message], true) = (&written[..], is_held) {
                self.messages[*message].place = Some((epoch, seq));
            }
        }
    }

    /// A node forgot that it wrote some of a life of its log, and may write other entries there.
    pub(crate) fn doubt(&mut self, life: Life) {
        self.doubtful.insert(life);
    }

    /// Whether a life of a log may have two versions because its store was put back unseen.
    pub(crate) fn is_doubtful(&self, life: Life) -> bool {
        self.doubtful.contains(&life)
    }

    /// Whether some life of a node's log may.
    pub(crate) fn has_doubtful(&self, node: usize) -> bool {
        self.doubtful.range((node, 0)..=(node, u64::MAX)).next().is_some()
    }

    /// A life of a node's log that may have two versions, and has ended, need not be served.
    pub(super) fn give_up(&mut self, node: usize, view: &View) {
        let served: BTreeSet<_> = view.sent.keys().map(|(_, epoch)| *epoch).collect();
        let doubtful = self.doubtful.range((node, 0)..(node, view.epoch)).map(|life| life.1);
        let given_up: BTreeSet<_> = doubtful.filter(|epoch| !served.contains(epoch)).collect();
        let lost = self.messages.iter_mut().filter(|message| {
            message.from == node && message.place.is_some_and(|place| given_up.contains(&place.0))
        });
        lost.for_each(|message| message.place = None);
    }

    /// What a reader is told that it had archived or rejected it offers no more.
    pub(crate) fn recalled(&mut self, reader: usize, from: usize, returned: &Returned) {
        for receipt in returned.receipts.iter().map(|signed| signed.unverified()) {
            let recalled = self.recalled.entry((reader, from, receipt.epoch.0)).or_default();
            recalled.union(&receipt.archived.to_ranges());
            recalled.union(&receipt.rejected);
        }
    }

    /// A process died, and with it what it kept in mind of messages that have not come again.
    pub(crate) fn process_ended(&mut self, reader: usize) {
        self.recalled.retain(|(at, ..), _| *at != reader);
    }

    /// Whether a node's store was put back to an older one.
    pub(crate) fn was_put_back(&self, node: usize) -> bool {
        self.put_back.contains_key(&node)
    }
}
