//! Who may come in: handshakes that others begin, stage by stage.
//!
//! Each stage has places of its own, and past them the oldest makes room: an honest dialler is done
//! within a round trip, and whoever only takes up room meets others who do the same. Where there are
//! few descriptors there are fewer places ([`Shares`]).
//!
//! | stage | places at most | and else |
//! |---|---|---|
//! | until flight 1 is there | [`KNOCK_COUNT_MAX`], [`KNOCK_PREFIX_COUNT_MAX`] for one network; [`KNOCK_KNOWN_COUNT_MAX`] more for networks from which a peer came before | one hash |
//! | Diffie-Hellman | one at a time, and one more for those networks | [`FLIGHTS_PER_S_MAX`], and [`KNOWN_FLIGHTS_PER_S_MAX`] more for those networks |
//! | without an answer until the deadline | [`UNANSWERED_COUNT_MAX`] | what comes is dropped |
//! | until the Auth of a peer is there, and its session has a seat | [`ANSWERED_TOTAL_MAX`], [`ANSWERED_COUNT_MAX`] for each | |
//!
//! [`KNOCK_COUNT_MAX`]: crate::limits::KNOCK_COUNT_MAX
//! [`KNOCK_KNOWN_COUNT_MAX`]: crate::limits::KNOCK_KNOWN_COUNT_MAX
//! [`UNANSWERED_COUNT_MAX`]: crate::limits::UNANSWERED_COUNT_MAX
//! [`ANSWERED_TOTAL_MAX`]: crate::limits::ANSWERED_TOTAL_MAX
//! [`ANSWERED_COUNT_MAX`]: crate::limits::ANSWERED_COUNT_MAX
//!
//! *Invariant*: flight 1 has no effect but flight 2, and that once: it may be a replay. Only who
//! has authenticated is remembered. Deliberately absent: deadlines and bytes (the transport's), and
//! whether a session may begin (the sessions').

mod pace;
mod prefix;
mod replays;
mod slots;

use std::net::SocketAddr;
use std::sync::Arc;

use self::pace::Pace;
use self::prefix::{Prefix, Prefixes};
use self::replays::Replays;
pub(super) use self::slots::Held;
use self::slots::Slots;
use super::descriptors::Shares;
use super::known::Known;
use super::link::{Link, socket};
use super::transport::{Incoming, Knock, Secured, TransportError, Unanswered};
use crate::crypto::noise::{KnownPairs, Network, Responder};
use crate::crypto::{CryptoError, Identity};
use crate::limits::{FLIGHTS_PER_S_MAX, KNOCK_PREFIX_COUNT_MAX, KNOWN_FLIGHTS_PER_S_MAX};
use crate::types::Id;

/// The way in, of all listeners of a node.
#[derive(Debug)]
pub(super) struct Admission {
    responder: Responder,
    known: Arc<Known>,
    prefixes: Prefixes,
    knocking: Arc<Slots<Option<Prefix>>>,
    knocking_known: Arc<Slots<Option<Prefix>>>,
    unanswered: Arc<Slots<()>>,
    answered: Arc<Slots<Id>>,
    pace: Pace,
    known_pace: Pace,
    replays: Replays,
}

/// A connection that has come, at its place.
pub(super) struct Arrival {
    admission: Arc<Admission>,
    incoming: Incoming,
    prefix: Option<Prefix>,
    place: Held<Option<Prefix>>,
}

impl Admission {
    /// Lets the peers of `known` in; `addresses` are those at which some were met before.
    pub(super) fn new(
        identity: &Arc<Identity>,
        known: Arc<Known>,
        network: &Network,
        addresses: impl Iterator<Item = SocketAddr>,
        shares: &Shares,
    ) -> Self {
        let pairs: Arc<dyn KnownPairs> = Arc::<Known>::clone(&known);
        Self {
            responder: Responder::new(identity, pairs, network),
            known,
            prefixes: Prefixes::new(addresses.filter_map(Prefix::of)),
            knocking: Slots::new(shares.knocking, KNOCK_PREFIX_COUNT_MAX),
            knocking_known: Slots::new(shares.knocking_known, KNOCK_PREFIX_COUNT_MAX),
            unanswered: Slots::new(shares.unanswered, shares.unanswered),
            answered: Slots::new(shares.answered, shares.answered_to_one),
            pace: Pace::new(FLIGHTS_PER_S_MAX),
            known_pace: Pace::new(KNOWN_FLIGHTS_PER_S_MAX),
            replays: Replays::default(),
        }
    }

    /// Gives a connection its place.
    pub(super) fn begin(self: &Arc<Self>, incoming: Incoming) -> Arrival {
        let prefix = incoming.from.clone().and_then(socket).and_then(Prefix::of);
        // Places of its own only help: those who share a known network with a flood are not worse
        // off than all others.
        let own = prefix.filter(|prefix| self.prefixes.contains(prefix));
        let own = own.and_then(|_| self.knocking_known.take_free(prefix));
        let place = own.unwrap_or_else(|| self.knocking.take(prefix));
        Arrival { admission: Arc::clone(self), incoming, prefix, place }
    }

    /// Gives up everything of a peer that has no seat yet, with what the kernel has not sent.
    pub(super) async fn cut(&self, peer: Id) {
        self.answered.clear(peer).await;
    }

    /// Waits for a turn to read a flight, and reads it.
    async fn read(
        &self,
        knock: Knock,
        prefix: Option<Prefix>,
    ) -> Result<super::transport::Claim, Unanswered> {
        if self.replays.contains(knock.ephemeral()) {
            return Err(knock.refuse(CryptoError::Flight { number: 1 }));
        }
        let is_known = prefix.is_some_and(|prefix| self.prefixes.contains(&prefix));
        let own = if is_known { self.known_pace.turn_now() } else { None };
        let _turn = match own {
            Some(turn) => turn,
            None => self.pace.turn().await,
        };
        let ephemeral = *knock.ephemeral();
        let claim = knock.read(&self.responder)?;
        if self.replays.insert(ephemeral) {
            Ok(claim)
        } else {
            Err(claim.refuse(CryptoError::Flight { number: 1 }))
        }
    }
}

impl Arrival {
    /// Does the handshake. `None` for who is no peer: it got no answer. The place is to be held
    /// until the link has its seat.
    pub(super) async fn admit(self) -> Option<(Link, Held<Id>)> {
        match self.secure().await {
            Ok(admitted) => return Some(admitted),
            Err(Some(error)) => tracing::debug!(%error, "a connection was not answered"),
            Err(None) => tracing::debug!("a connection made room for a newer one"),
        }
        None
    }

    /// `Err(None)` when another needed the place.
    async fn secure(self) -> Result<(Link, Held<Id>), Option<TransportError>> {
        let Self { admission, incoming: Incoming { connection, from }, prefix, place } = self;
        let claim = place.run(async {
            let knock = Knock::hear(connection, &admission.responder).await?;
            Ok(admission.read(knock, prefix).await)
        });
        let claim = match claim.await.ok_or(None)? {
            Ok(Ok(claim)) => claim,
            Ok(Err(unanswered)) | Err(unanswered) => {
                let last = admission.unanswered.take(());
                drop(place);
                return Err(last.run(unanswered.wait()).await);
            }
        };
        let peer = claim.claimed();
        let answered = admission.answered.take(peer);
        drop(place);
        // Asked after the place is taken: who was removed before then is seen here, and who is
        // removed later is cut.
        if !admission.known.contains(&peer) {
            let last = admission.unanswered.take(());
            drop(answered);
            return Err(last.run(claim.refuse(CryptoError::Stranger).wait()).await);
        }
        let secured: Secured = answered.run(claim.answer()).await.ok_or(None)?.map_err(Some)?;
        prefix.into_iter().for_each(|prefix| admission.prefixes.insert(prefix));
        Ok((Link::accepted(secured, from), answered))
    }
}

#[cfg(test)]
mod tests;
