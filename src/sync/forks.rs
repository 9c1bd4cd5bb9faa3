//! The part of the session that finds forks: heads compared with the peer's, checkpoints to reach,
//! logs that are frozen.

use super::error::SyncError;
use super::exchange::{Event, Load, Output, Store};
use super::heads::{Followed, Forked, Heads};
use super::incoming::Incoming;
use super::message::Message;
use super::proof::Evidence;
use super::session::Session;
use crate::log::SignedHead;
use crate::types::{Epoch, Instant};

impl Session {
    /// Both sides have said hello: which logs do both follow?
    pub(super) fn compare(&mut self, features: u64, followed: Vec<Followed>, now: Instant) {
        let messages = self.comparing.open(features, followed, now);
        self.transmit_all(&messages, now);
    }

    /// The store told what is followed.
    pub(super) fn on_followed(&mut self, followed: Vec<Followed>, now: Instant) {
        let messages = self.comparing.on_followed(followed, now);
        self.transmit_all(&messages, now);
    }

    /// The peer named logs, or told of heads.
    pub(super) fn on_heads(&mut self, heads: Heads, now: Instant) -> Result<(), SyncError> {
        let messages = self.comparing.on_heads(heads)?;
        self.transmit_all(&messages, now);
        Ok(())
    }

    /// The peer passed evidence on.
    pub(super) fn on_evidence(&mut self, evidence: Evidence) -> Result<(), SyncError> {
        let fork = self.comparing.on_evidence(evidence)?;
        let stores = fork.map(|fork| Output::Store(Store::Fork(Box::new(fork))));
        self.outputs.extend(stores);
        Ok(())
    }

    /// Other readers told of heads of the peer's log.
    pub(super) fn on_checkpoints(&mut self, epoch: Epoch, heads: Vec<SignedHead>, now: Instant) {
        let log = self.incoming.iter_mut().find(|log| log.epoch() == epoch);
        let Some(log) = log else {
            self.early.retain(|(early, _)| *early != epoch);
            return self.early.push((epoch, heads));
        };
        if let Some(position) = log.on_checkpoints(heads, now) {
            self.transmit(&Message::Position(position), now);
        }
    }

    /// The store refused a group that passes a checkpoint.
    pub(super) fn on_passes(&mut self, epoch: Epoch, now: Instant) {
        let log = self.incoming.iter_mut().find(|log| log.epoch() == epoch);
        if let Some(position) = log.and_then(|log| log.on_passed_in_store()) {
            self.transmit(&Message::Position(position), now);
        }
    }

    /// A life of the peer's log has forked.
    pub(super) fn on_forked(&mut self, forked: Forked) {
        self.forked.push(forked);
        let blocked = self.incoming.iter_mut().filter(|log| forked.blocks(log.epoch()));
        blocked.for_each(Incoming::freeze);
    }

    /// The store refused a group of a life that has forked.
    pub(super) fn on_refused(&mut self, epoch: Epoch) {
        let refused = self.incoming.iter_mut().filter(|log| log.epoch() == epoch);
        refused.for_each(Incoming::on_refused);
    }

    /// Some log that this node follows has forked.
    pub(super) fn on_forks(&mut self) {
        if self.comparing.is_open() {
            self.outputs.push_back(Output::Load(Load::Followed));
        }
    }

    /// Looks for heads that have grown, and for authors that do not lead to what they signed.
    pub(super) fn look_for_forks(&mut self, now: Instant) {
        if self.comparing.on_timeout(now) {
            self.outputs.push_back(Output::Load(Load::Followed));
        }
        let peer = self.config.peer;
        let newest = self.incoming.iter().map(Incoming::epoch).max();
        for log in &mut self.incoming {
            let (late, epoch) = (log.on_timeout(now), log.epoch());
            // Of a life that has ended an honest author may have lost the end.
            let unproven = late.filter(|_| newest == Some(epoch));
            let event = unproven.map(|length| Event::Unproven { peer, epoch, length });
            self.outputs.extend(event.map(Output::Event));
        }
    }

    fn transmit_all(&mut self, messages: &[Message], now: Instant) {
        messages.iter().for_each(|message| self.transmit(message, now));
    }
}
