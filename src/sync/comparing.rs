//! Comparing heads with another reader of the same logs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::error::Misbehaviour;
use super::frame::Kind;
use super::heads::{Followed, Heads, Tag};
use super::message::{FEATURE_EVIDENCE, FEATURE_HEADS, Message};
use super::proof::{Evidence, ProvenFork};
use crate::crypto::Verifier;
use crate::limits::{
    EPOCH_COUNT_MAX, FOLLOWED_COUNT_MAX, HEADS_COUNT_MAX, HEADS_INTERVAL_MS, HEADS_TAG_COUNT_MAX,
};
use crate::log::SignedHead;
use crate::planted;
use crate::types::{Epoch, Id, Instant};

/// What both sides know of logs that both follow.
#[derive(Debug)]
pub(super) struct Comparing {
    session: [u8; 32],
    /// What the peer understands.
    features: u64,
    followed: BTreeMap<Tag, Followed>,
    /// The logs that the peer follows too, and what it was told of them.
    common: BTreeMap<Tag, Told>,
    /// Verified heads on their way into the store, one of each life of a log.
    heard: BTreeMap<(Id, Epoch), SignedHead>,
    /// The last head of each life that was verified: only what says more is verified again.
    verified: BTreeMap<(Id, Epoch), SignedHead>,
    is_storing: bool,
    /// When to look again for what has grown.
    look: Option<Instant>,
}

#[derive(Debug, Default)]
struct Told {
    /// The length of each life.
    lengths: BTreeMap<Epoch, u64>,
    /// The lives that are proven to have forked.
    forked: BTreeSet<Epoch>,
}

impl Comparing {
    pub(super) const fn new(session: [u8; 32]) -> Self {
        Self {
            session,
            features: 0,
            followed: BTreeMap::new(),
            common: BTreeMap::new(),
            heard: BTreeMap::new(),
            verified: BTreeMap::new(),
            is_storing: false,
            look: None,
        }
    }

    /// Both sides have said hello.
    pub(super) fn open(
        &mut self,
        features: u64,
        followed: Vec<Followed>,
        now: Instant,
    ) -> Vec<Message> {
        self.features = features;
        self.on_followed(followed, now)
    }

    /// The store told what is followed: what of it is news to the peer.
    pub(super) fn on_followed(&mut self, followed: Vec<Followed>, now: Instant) -> Vec<Message> {
        if self.features & FEATURE_HEADS == 0 {
            return Vec::new();
        }
        self.look = Some(now + HEADS_INTERVAL);
        let mut new = Vec::new();
        for log in followed {
            let tag = Tag::new(&self.session, &log.author);
            let is_known = self.followed.contains_key(&tag);
            if !is_known && self.followed.len() == FOLLOWED_COUNT_MAX {
                continue;
            }
            if self.followed.insert(tag, log).is_none() {
                new.push(tag);
            }
        }
        let named = new.chunks(HEADS_TAG_COUNT_MAX);
        let named = named.map(|tags| Heads { followed: tags.to_vec(), heads: Vec::new() });
        let mut messages: Vec<_> = named.map(Message::Heads).collect();
        messages.extend(self.tell());
        messages
    }

    /// The peer named logs or told of heads: what it gets in return.
    pub(super) fn on_heads(&mut self, heads: Heads) -> Result<Vec<Message>, Misbehaviour> {
        let named = heads.followed.iter().chain(heads.heads.iter().map(|(tag, _)| tag));
        for tag in named.filter(|tag| self.followed.contains_key(tag)) {
            self.common.entry(*tag).or_default();
        }
        let mut lives = BTreeSet::new();
        for (tag, head) in heads.heads {
            if !lives.insert((tag, head.epoch)) {
                return Err(Misbehaviour::Repeated(Kind::Heads));
            }
            let Some(log) = self.followed.get(&tag) else { continue };
            let before = self.verified.get(&(log.author, head.epoch));
            let is_repeated = before.is_some_and(|before| !is_news(before, &head));
            if is_repeated || !log.heads.iter().any(|ours| is_news(ours, &head)) {
                continue;
            }
            let verified = head.verify(&Verifier::new(&log.author));
            verified.map_err(|_| Misbehaviour::Signature(Kind::Heads))?;
            self.verified.insert((log.author, head.epoch), head);
            self.heard.insert((log.author, head.epoch), head);
        }
        Ok(self.tell())
    }

    /// The peer passed evidence on: what it proves, when that concerns this node and is new to it.
    pub(super) fn on_evidence(
        &mut self,
        evidence: Evidence,
    ) -> Result<Option<ProvenFork>, Misbehaviour> {
        let logs = self.followed.values_mut();
        let mut logs = logs.filter(|log| log.author.as_bytes() == evidence.author());
        let Some(log) = logs.next() else { return Ok(None) };
        let epoch = evidence.epoch();
        let is_known = log.evidence.iter().any(|known| known.epoch() == epoch);
        let is_held = log.heads.iter().any(|head| head.epoch == epoch);
        if is_known || !is_held && log.evidence.len() >= EPOCH_COUNT_MAX {
            return Ok(None);
        }
        let fork = evidence.verify().map_err(|_| Misbehaviour::Evidence)?;
        log.evidence.push(fork.evidence().clone());
        Ok(Some(fork))
    }

    /// Heads for the store to compare, unless it is busy with some.
    pub(super) fn next_batch(&mut self) -> Option<Vec<(Id, SignedHead)>> {
        if self.is_storing || self.heard.is_empty() {
            return None;
        }
        self.is_storing = true;
        let heard = std::mem::take(&mut self.heard);
        Some(heard.into_iter().map(|((author, _), head)| (author, head)).collect())
    }

    /// The store has compared them.
    pub(super) const fn on_stored(&mut self) {
        self.is_storing = false;
    }

    /// Whether it is time to look for what has grown.
    pub(super) fn on_timeout(&mut self, now: Instant) -> bool {
        self.look.take_if(|look| now >= *look).is_some()
    }

    /// When to look again.
    pub(super) const fn timeout(&self) -> Option<Instant> {
        self.look
    }

    /// Whether the peer speaks of heads at all.
    pub(super) const fn is_open(&self) -> bool {
        self.features & FEATURE_HEADS != 0
    }

    /// What the peer follows too and was not told yet.
    fn tell(&mut self) -> Vec<Message> {
        let (mut heads, mut messages) = (Vec::new(), Vec::new());
        for (tag, told) in &mut self.common {
            let Some(log) = self.followed.get(tag) else { continue };
            for head in log.heads.iter().filter(|_| !planted::is("heads-untold")) {
                let before = told.lengths.insert(head.epoch, head.length);
                heads.extend((before < Some(head.length)).then_some((*tag, *head)));
            }
            if self.features & FEATURE_EVIDENCE != 0 {
                let news = log.evidence.iter().filter(|it| told.forked.insert(it.epoch()));
                messages.extend(news.map(|it| Message::Evidence(Box::new(it.clone()))));
            }
        }
        let told = heads.chunks(HEADS_COUNT_MAX);
        let told = told.map(|heads| Heads { followed: Vec::new(), heads: heads.to_vec() });
        messages.extend(told.map(Message::Heads));
        messages
    }
}

/// Whether a head says more of the same life than ours, or something else: what is shorter its
/// teller compares with ours.
fn is_news(ours: &SignedHead, theirs: &SignedHead) -> bool {
    let same_length = theirs.length == ours.length;
    let says_more = theirs.length > ours.length || same_length && theirs.root != ours.root;
    theirs.epoch == ours.epoch && says_more
}

const HEADS_INTERVAL: Duration = Duration::from_millis(HEADS_INTERVAL_MS);
