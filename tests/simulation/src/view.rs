//! What a node would know if it died now: read from a copy of its disk.

use std::collections::BTreeMap;

use bytes::Bytes;
use peermq::crypto::Verifier;
use peermq::crypto::hash::body_hash;
use peermq::limits::ADVANCE_SIZE_MAX;
use peermq::log::{Decoded, InboxTree, Peaks};
use peermq::queue::check::{CheckObserver, Finding, check};
use peermq::queue::{AckedSets, ListSet, Listed, OfferBody, PeerFigures, Queue};
use peermq::types::{Id, Ranges, Recipient};

use crate::invariant::{Checked, Invariant};
use crate::world::World;

/// One life of a node's log: whose, and its epoch.
pub(crate) type Life = (usize, u64);

/// What a node's disk holds.
#[derive(Debug, Default)]
pub(crate) struct View {
    pub(crate) epoch: u64,
    /// Entries of its own log.
    pub(crate) length: u64,
    /// Messages to each other node, in each life of its log.
    pub(crate) sent: BTreeMap<(usize, u64), u64>,
    /// What each other node has acknowledged of them.
    pub(crate) acked: BTreeMap<(usize, u64), AckedSets>,
    pub(crate) logs: BTreeMap<Life, LogView>,
    /// Logs that are known to have forked, and whether the user knows.
    pub(crate) forked: BTreeMap<Life, bool>,
    /// Nodes of which it keeps a receipt for entries that it did not send so.
    pub(crate) unfounded: Vec<usize>,
    /// Unread messages of each other node, as counted for its quota.
    pub(crate) counted: BTreeMap<usize, u64>,
    /// Nodes to which it would still serve something.
    pub(crate) served: Vec<usize>,
}

/// What a node's disk holds of another's log.
#[derive(Debug, Default)]
pub(crate) struct LogView {
    /// Entries of the log that were taken in.
    pub(crate) length: u64,
    /// Messages received.
    pub(crate) received: u64,
    pub(crate) unread: Ranges,
    /// Unread messages whose bodies are not whole.
    pub(crate) incomplete: Ranges,
    /// Archived and not cleared.
    pub(crate) archived: Ranges,
    /// Archived or cleared, as receipts tell.
    pub(crate) settled: Ranges,
    /// Rejected or gone, as receipts tell.
    pub(crate) rejected: Ranges,
    /// What its author did not sign so.
    pub(crate) flaws: Vec<&'static str>,
    /// Bodies of unread messages.
    pub(crate) bodies: Vec<(u64, Bytes)>,
}

impl World {
    /// Holds what a node's disk tells against everything that was promised.
    pub(crate) fn inspect(&mut self, node: usize) -> Checked {
        let (me, known) = (self.nodes[node].id(), self.known_to(node));
        let commits = Some(self.nodes[node].disk.commit_count());
        if std::mem::replace(&mut self.nodes[node].inspected, commits) == commits {
            return Ok(());
        }
        let store = self.nodes[node].disk.copy().open().expect("a copy has no other handle").store;
        let time = self.nodes[node].time(self.now_ms());
        let view = Queue::open(store, me, time).and_then(|mut queue| {
            let mut view = View::default();
            view.read(&mut queue, me, &known, |peer| self.may_fork(peer)).map(|()| view)
        });
        match view {
            Ok(view) => self.oracle.check(node, view),
            Err(error) => Invariant::HonestIsNotBlamed
                .breach(format_args!("what {node} has on disk cannot be read: {error}")),
        }
    }
}

impl World {
    /// A check of all that a node's disk holds finds nothing.
    pub(crate) fn check_store(&self, node: usize) -> Checked {
        let me = self.nodes[node].id();
        let store = self.nodes[node].disk.copy().open().expect("a copy has no other handle").store;
        let mut findings = Findings::default();
        check(&*store, &me, &mut findings).expect("a memory store can be read");
        Invariant::StoreIsSound
            .holds(findings.0.is_empty(), format_args!("{node} holds {:?}", findings.0))
    }
}

/// What a check finds.
#[derive(Debug, Default)]
struct Findings(Vec<String>);

impl CheckObserver for Findings {
    fn checked(&mut self) {}

    fn found(&mut self, finding: Finding) {
        self.0.push(finding.to_string());
    }
}

impl View {
    /// Whether a life of a log is followed no more, since it has forked, or one before it, of which
    /// the user does not know.
    pub(crate) fn blocks(&self, (author, epoch): Life) -> bool {
        let mut forked = self.forked.range((author, 0)..=(author, epoch));
        forked.any(|(life, is_known)| life.1 == epoch || !is_known)
    }

    fn read(
        &mut self,
        queue: &mut Queue,
        me: Id,
        known: &[(usize, Id)],
        may_fork: impl Fn(usize) -> bool,
    ) -> Result<(), peermq::queue::QueueError> {
        self.epoch = queue.epoch().0;
        self.length = queue.length();
        let node_of = |id: &Id| known.iter().find(|(_, known)| known == id).map(|(node, _)| *node);
        let forks = queue.forks().into_iter();
        let forked = forks.filter_map(|fork| {
            let life = (node_of(&fork.author())?, fork.epoch().0);
            Some((life, fork.is_acknowledged))
        });
        self.forked = forked.collect();
        for figures in queue.figures()? {
            let Some(peer) = node_of(&figures.id) else { continue };
            self.counted.insert(peer, figures.unread);
            if queue.chunk(&figures.id, queue.epoch(), 0, &[], ADVANCE_SIZE_MAX)?.is_some() {
                self.served.push(peer);
            }
            let opening = queue.opening(&figures.id)?;
            self.read_sent(queue, peer, &figures, &opening.lives)?;
            for receipt in opening.receipts.iter().filter(|_| may_fork(peer)) {
                let said = receipt.unverified();
                let mut sent = Peaks::<InboxTree>::new();
                for leaf in queue.sent_leaves(&figures.id, said.epoch, 0..said.seen)? {
                    sent.push_leaf(leaf, |_, _| ());
                }
                self.unfounded.extend((sent.root() != said.inbox).then_some(peer));
            }
            for held in opening.held {
                let mut log = LogView {
                    length: held.follow.length(),
                    received: held.follow.next_seq.0,
                    ..LogView::default()
                };
                let head = opening.head.filter(|head| head.epoch == held.epoch);
                if let Some(head) = head.filter(|_| may_fork(peer)) {
                    let signed = head.verify(&Verifier::new(&figures.id)).is_ok();
                    let folds = head.root == held.follow.peaks.root();
                    log.flaws.extend((!signed).then_some("a head"));
                    log.flaws.extend((!folds).then_some("its peaks"));
                }
                for receipt in held.receipts {
                    log.settled.union(&receipt.archived.to_ranges());
                    log.rejected.union(&receipt.rejected);
                }
                self.logs.insert((peer, held.epoch.0), log);
            }
        }
        for item in all(queue, ListSet::Unread)? {
            let life = node_of(&item.peer).map(|from| (from, item.epoch.0));
            let Some(log) = life.and_then(|life| self.logs.get_mut(&life)) else { continue };
            log.unread.insert(item.seq.0..item.seq.0 + 1);
            let Decoded::Header(header) = &item.header else { continue };
            let to_us = header.recipient == Recipient::Peer(*me.as_bytes());
            log.flaws.extend((!to_us).then_some("a recipient"));
            log.flaws.extend((header.seq != item.seq).then_some("a seq"));
            match item.body {
                OfferBody::Inline(body) => {
                    let matches = header.body_hash == body_hash(&body);
                    log.flaws.extend((!matches).then_some("a body"));
                    log.bodies.push((item.seq.0, body));
                }
                OfferBody::Long => log.incomplete.insert(item.seq.0..item.seq.0 + 1),
                OfferBody::Held => {}
            }
        }
        for item in all(queue, ListSet::Archived)? {
            let life = node_of(&item.peer).map(|from| (from, item.epoch.0));
            let Some(log) = life.and_then(|life| self.logs.get_mut(&life)) else { continue };
            log.archived.insert(item.seq.0..item.seq.0 + 1);
        }
        Ok(())
    }
}

impl View {
    /// What was sent to a peer in each life, and what it has acknowledged.
    fn read_sent(
        &mut self,
        queue: &mut Queue,
        peer: usize,
        figures: &PeerFigures,
        lives: &[peermq::sync::Life],
    ) -> Result<(), peermq::queue::QueueError> {
        for peermq::sync::Life { epoch, .. } in lives {
            let sent = match lives {
                [_] => figures.sent,
                _ => {
                    let leaves = queue.sent_leaves(&figures.id, *epoch, 0..u64::MAX)?;
                    u64::try_from(leaves.len()).expect("a length fits u64")
                }
            };
            self.sent.insert((peer, epoch.0), sent);
            self.acked.insert((peer, epoch.0), queue.acked(&figures.id, *epoch)?);
        }
        Ok(())
    }
}

/// A whole list.
fn all(queue: &mut Queue, set: ListSet) -> Result<Vec<Listed>, peermq::queue::QueueError> {
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let page = queue.list(set, after.as_ref())?;
        items.extend(page.items);
        after = page.next;
        if after.is_none() {
            return Ok(items);
        }
    }
}
