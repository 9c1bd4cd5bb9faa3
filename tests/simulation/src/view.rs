//! What a node would know if it died now: read from a copy of its disk.

use std::collections::BTreeMap;

use bytes::Bytes;
use peermq::crypto::Verifier;
use peermq::crypto::hash::body_hash;
use peermq::limits::ADVANCE_SIZE_MAX;
use peermq::log::{Decoded, InboxTree, Peaks, SignedHead};
use peermq::queue::check::{CheckObserver, Finding, check};
use peermq::queue::{AckedSets, ListSet, Listed, OfferBody, PeerFigures, Queue, QueueError};
use peermq::sync::{Held, Life as SentLife, Receipt};
use peermq::types::{Id, Ranges, Recipient, Seq};

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
    ) -> Result<(), QueueError> {
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
            if let Some(peer) = node_of(&figures.id) {
                self.read_peer(queue, peer, &figures, may_fork(peer))?;
            }
        }
        for item in all(queue, ListSet::Unread)? {
            let life = node_of(&item.peer).map(|from| (from, item.epoch.0));
            if let Some(log) = life.and_then(|life| self.logs.get_mut(&life)) {
                log.read_unread(me, item);
            }
        }
        for item in all(queue, ListSet::Archived)? {
            let life = node_of(&item.peer).map(|from| (from, item.epoch.0));
            if let Some(log) = life.and_then(|life| self.logs.get_mut(&life)) {
                log.archived.insert(one(item.seq));
            }
        }
        Ok(())
    }

    /// What passed between this node and a peer. Signatures and trees are looked at of those alone
    /// that may lie or have two logs: it takes long.
    fn read_peer(
        &mut self,
        queue: &mut Queue,
        peer: usize,
        figures: &PeerFigures,
        may_fork: bool,
    ) -> Result<(), QueueError> {
        let id = &figures.id;
        self.counted.insert(peer, figures.unread);
        if queue.chunk(id, queue.epoch(), 0, &[], ADVANCE_SIZE_MAX)?.is_some() {
            self.served.push(peer);
        }
        let opening = queue.opening(id)?;
        self.read_sent(queue, peer, figures, &opening.lives)?;
        for receipt in opening.receipts.iter().filter(|_| may_fork) {
            let is_founded = is_founded(queue, id, receipt.unverified())?;
            self.unfounded.extend((!is_founded).then_some(peer));
        }
        for held in opening.held {
            let head = opening.heads.iter().find(|head| may_fork && head.epoch == held.epoch);
            let log = LogView::of(id, &held, head.copied());
            self.logs.insert((peer, held.epoch.0), log);
        }
        Ok(())
    }

    /// What was sent to a peer in each life, and what it has acknowledged.
    fn read_sent(
        &mut self,
        queue: &mut Queue,
        peer: usize,
        figures: &PeerFigures,
        lives: &[SentLife],
    ) -> Result<(), QueueError> {
        for SentLife { epoch, .. } in lives {
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

impl LogView {
    /// What is held of a life of an author's log, with the head that its peaks must match.
    fn of(author: &Id, held: &Held, head: Option<SignedHead>) -> Self {
        let mut log = Self {
            length: held.follow.length(),
            received: held.follow.next_seq.0,
            ..Self::default()
        };
        if let Some(head) = head {
            let is_signed = head.verify(&Verifier::new(author)).is_ok();
            let folds = head.root == held.follow.peaks.root();
            log.flaws.extend((!is_signed).then_some("a head"));
            log.flaws.extend((!folds).then_some("its peaks"));
        }
        for receipt in &held.receipts {
            log.settled.union(&receipt.archived.to_ranges());
            log.rejected.union(&receipt.rejected);
        }
        log
    }

    fn read_unread(&mut self, me: Id, item: Listed) {
        self.unread.insert(one(item.seq));
        let Decoded::Header(header) = &item.header else { return };
        let to_us = header.recipient == Recipient::Peer(*me.as_bytes());
        self.flaws.extend((!to_us).then_some("a recipient"));
        self.flaws.extend((header.seq != item.seq).then_some("a seq"));
        match item.body {
            OfferBody::Inline(body) => {
                let matches = header.body_hash == body_hash(&body);
                self.flaws.extend((!matches).then_some("a body"));
                self.bodies.push((item.seq.0, body));
            }
            OfferBody::Long => self.incomplete.insert(one(item.seq)),
            OfferBody::Held => {}
        }
    }
}

/// Whether a receipt is for the entries that were sent.
fn is_founded(queue: &mut Queue, id: &Id, said: &Receipt) -> Result<bool, QueueError> {
    let mut sent = Peaks::<InboxTree>::new();
    for leaf in queue.sent_leaves(id, said.epoch, 0..said.seen)? {
        sent.push_leaf(leaf, |_, _| ());
    }
    Ok(sent.root() == said.inbox)
}

fn one(seq: Seq) -> std::ops::Range<u64> {
    seq.0..seq.0 + 1
}

/// A whole list.
fn all(queue: &mut Queue, set: ListSet) -> Result<Vec<Listed>, QueueError> {
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
