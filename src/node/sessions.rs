//! The sessions of a node: at most one per peer, decided alike on both sides.
//!
//! Dialled by one side, the newer session stays: whoever dials again has lost the older one.
//! Dialled by both, the one dialled by the smaller id stays, unless it is dead: it is asked, and
//! what does not answer in time makes room.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::fetch::Pull;
use super::seldom::Seldom;
use super::signals::Signals;
use super::status::EndedSession;
use crate::limits::PROBE_MS_MAX;
use crate::types::{Id, UnixMs};

/// The table of live sessions.
#[derive(Debug)]
pub(super) struct Sessions {
    me: Id,
    /// Sessions beyond which no peer is let in; whom this node dials has its session all the same.
    count_max: usize,
    table: Mutex<Table>,
    /// Raised whenever a session begins or ends.
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Table {
    live: BTreeMap<Id, Entry>,
    /// How the last session with a peer ended. One for each id that was let in or dialled.
    ended: BTreeMap<Id, EndedSession>,
    next_number: u64,
    turned_away: Seldom,
}

/// A live session, as the rest of the node knows it.
#[derive(Debug, Clone)]
struct Entry {
    number: u64,
    seat: Seat,
}

/// A session's place in the table: the ways to reach it, and its end.
#[derive(Debug, Clone)]
pub(super) struct Seat {
    /// Who dialled.
    pub(super) dialled_by: Id,
    /// The other end, where the transport has addresses.
    pub(super) address: Option<SocketAddr>,
    /// Since when, for people.
    pub(super) since: UnixMs,
    /// News for the session.
    pub(super) signals: Arc<Signals>,
    /// Cancelled: the session ends at once, and what is unsent is dropped.
    pub(super) cut: CancellationToken,
    /// Asks the session whether the peer still answers.
    pub(super) probes: mpsc::Sender<oneshot::Sender<()>>,
    /// Asks the session for long bodies.
    pub(super) pulls: mpsc::Sender<Pull>,
    /// Cancelled by the session when its last byte is written.
    pub(super) ended: CancellationToken,
}

/// Holds a seat; leaving the table is dropping it.
#[derive(Debug)]
pub(super) struct Seated {
    sessions: Arc<Sessions>,
    peer: Id,
    number: u64,
    ended: CancellationToken,
}

impl Sessions {
    pub(super) fn new(me: Id, count_max: usize) -> Self {
        Self { me, count_max, table: Mutex::default(), changed: watch::Sender::new(0) }
    }

    /// Seats a session that has authenticated its peer, and ends the one that it replaces. `None`
    /// when the session that is there stays, or a peer that came finds no room.
    pub(super) async fn enter(self: &Arc<Self>, peer: Id, seat: Seat) -> Option<Seated> {
        loop {
            let Some(older) = self.find(peer) else {
                match self.seat(peer, &seat) {
                    Ok(seated) => return Some(seated),
                    Err(NoSeat::Taken) => continue,
                    Err(NoSeat::Full) => return None,
                }
            };
            if self.prefers_older(peer, &older.seat, &seat) && answers(&older.seat).await {
                return None;
            }
            older.seat.cut.cancel();
            older.seat.ended.cancelled().await;
            self.leave(peer, older.number);
        }
    }

    /// Ends the session with a peer; nothing is written to it after this has returned.
    pub(super) async fn cut(&self, peer: Id) {
        while let Some(entry) = self.find(peer) {
            entry.seat.cut.cancel();
            entry.seat.ended.cancelled().await;
            self.leave(peer, entry.number);
        }
    }

    /// Ends the session with a peer if this node dialled it.
    pub(super) async fn end_dialled(&self, peer: Id) {
        if self.find(peer).is_some_and(|entry| entry.seat.dialled_by == self.me) {
            self.cut(peer).await;
        }
    }

    /// A way to ask the session with a peer for long bodies.
    pub(super) fn pulls(&self, peer: Id) -> Option<mpsc::Sender<Pull>> {
        self.find(peer).map(|entry| entry.seat.pulls)
    }

    /// Ends all sessions.
    pub(super) async fn cut_all(&self) {
        let peers: Vec<_> = self.lock().live.keys().copied().collect();
        for peer in peers {
            self.cut(peer).await;
        }
    }

    /// Gives news to the session with a peer, if there is one.
    pub(super) fn signal(&self, peer: &Id, raise: impl FnOnce(&Signals)) {
        if let Some(entry) = self.lock().live.get(peer) {
            raise(&entry.seat.signals);
        }
    }

    /// Gives news to all sessions.
    pub(super) fn signal_all(&self, raise: impl Fn(&Signals)) {
        self.lock().live.values().for_each(|entry| raise(&entry.seat.signals));
    }

    /// The live sessions: peer, address, since when.
    pub(super) fn list(&self) -> Vec<(Id, Option<SocketAddr>, UnixMs)> {
        let table = self.lock();
        let rows = table.live.iter();
        rows.map(|(peer, entry)| (*peer, entry.seat.address, entry.seat.since)).collect()
    }

    /// Notes how a session ended.
    pub(super) fn on_ended(&self, ended: EndedSession) {
        self.lock().ended.insert(ended.peer, ended);
    }

    /// How the last session ended with each peer that has none.
    pub(super) fn ended(&self) -> Vec<EndedSession> {
        let table = self.lock();
        let ended = table.ended.values();
        ended.filter(|ended| !table.live.contains_key(&ended.peer)).cloned().collect()
    }

    /// Whether a session with a peer is live.
    pub(super) fn is_live(&self, peer: Id) -> bool {
        self.lock().live.contains_key(&peer)
    }

    /// A receiver that changes whenever a session begins or ends.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn prefers_older(&self, peer: Id, older: &Seat, newer: &Seat) -> bool {
        let both_dialled = older.dialled_by != newer.dialled_by;
        both_dialled && older.dialled_by == self.me.min(peer)
    }

    fn find(&self, peer: Id) -> Option<Entry> {
        self.lock().live.get(&peer).cloned()
    }

    /// Takes the free seat.
    fn seat(self: &Arc<Self>, peer: Id, seat: &Seat) -> Result<Seated, NoSeat> {
        let mut table = self.lock();
        if table.live.contains_key(&peer) {
            return Err(NoSeat::Taken);
        }
        if seat.dialled_by != self.me && table.live.len() >= self.count_max {
            if let Some(count) = table.turned_away.note(Instant::now()) {
                let sessions = table.live.len();
                tracing::warn!(count, sessions, "peers found no room: raise the descriptor limit");
            }
            return Err(NoSeat::Full);
        }
        let number = table.next_number;
        table.next_number += 1;
        table.live.insert(peer, Entry { number, seat: seat.clone() });
        drop(table);
        self.changed.send_modify(|count| *count += 1);
        let (sessions, ended) = (Arc::clone(self), seat.ended.clone());
        Ok(Seated { sessions, peer, number, ended })
    }

    fn leave(&self, peer: Id, number: u64) {
        let mut table = self.lock();
        if table.live.get(&peer).is_some_and(|entry| entry.number == number) {
            table.live.remove(&peer);
            drop(table);
            self.changed.send_modify(|count| *count += 1);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why there is no seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NoSeat {
    /// Another session of the peer was faster.
    Taken,
    /// There are as many sessions as descriptors allow.
    Full,
}

impl Drop for Seated {
    fn drop(&mut self) {
        self.ended.cancel();
        self.sessions.leave(self.peer, self.number);
    }
}

/// Whether the peer of a session answers a ping in time.
async fn answers(seat: &Seat) -> bool {
    let (answer, answered) = oneshot::channel();
    let asked = async { seat.probes.send(answer).await.is_ok() && answered.await.is_ok() };
    let bound = Duration::from_millis(PROBE_MS_MAX);
    tokio::time::timeout(bound, asked).await.unwrap_or(false)
}
