//! What goes into a session and what comes out of it.

use super::advance::{Follow, Received};
use super::error::{Misbehaviour, SyncError};
use super::frame::Frame;
use super::heads::{Followed, Forked};
use super::message::Life;
use super::proof::ProvenFork;
use super::receipt::{Receipt, SignedReceipt};
use crate::log::{Chunk, Head, SignedHead};
use crate::types::{Epoch, Id};

/// What happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Input {
    /// A frame came from the peer.
    Received(Frame),
    /// The user's word about the peer has changed.
    Regrant(Grant),
    /// This node's log has grown, durably, with entries for the peer.
    LocalHead(Life),
    /// Other readers told of heads of the peer's log, durably: all that it has to reach, shortest
    /// first.
    Checkpoints {
        /// Which life of the log.
        epoch: Epoch,
        /// The heads, as the author signed them.
        heads: Vec<SignedHead>,
    },
    /// A life of the peer's log has forked, durably.
    Forked(Forked),
    /// Some log that this node follows has forked, durably: whoever follows it too is to know.
    Forks,
    /// Room for the peer's entries came or went without a mark.
    Room,
    /// The marks of the peer's entries have changed, durably: a receipt is due.
    LocalMarks(Epoch),
    /// The answer to an [`Output::Load`].
    Loaded(Loaded),
    /// The answer to an [`Output::Store`]: it is fsynced, or refused.
    Stored(Stored),
    /// The stream has taken this many bytes of what was transmitted.
    Flushed(usize),
    /// The node wants to know whether the peer still answers: ping it now.
    Probe,
    /// The time of [`Session::poll_timeout`](super::Session::poll_timeout) has come.
    Timeout,
}

/// What is to be done.
#[derive(Debug)]
#[non_exhaustive]
pub enum Output {
    /// Send a frame.
    Transmit(Frame),
    /// Read from the store, then hand in [`Input::Loaded`].
    Load(Load),
    /// Write to the store, then hand in [`Input::Stored`].
    Store(Store),
    /// Tell the node.
    Event(Event),
    /// End the session: nothing more comes out.
    Close(Reason),
}

/// The user's word about a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// It was added: its entries are taken in.
    Receive,
    /// It was only dialled: it gets its entries and gives receipts.
    ServeOnly,
}

/// What a session reads.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Load {
    /// All that `Hello` and the first positions need.
    Opening,
    /// A chunk of this node's log for the peer, of at most `budget` bytes as encoded.
    Chunk {
        /// Which life of the log.
        epoch: Epoch,
        /// Where the chunk begins.
        from: u64,
        /// Lengths at which it must end, if it reaches them; sorted.
        checkpoints: Vec<u64>,
        /// Bytes of the encoded items.
        budget: usize,
    },
    /// The receipts that the store implies for the peer's log.
    Receipts {
        /// Which life of the log.
        epoch: Epoch,
    },
    /// The logs of third nodes that this node follows.
    Followed,
}

/// What a session was given to read.
#[derive(Debug)]
#[non_exhaustive]
pub enum Loaded {
    /// Answers [`Load::Opening`].
    Opening(Opening),
    /// Answers [`Load::Chunk`].
    Chunk {
        /// Which life of the log.
        epoch: Epoch,
        /// Where it begins.
        from: u64,
        /// The chunk; none when the log holds nothing for the peer at or after `from`.
        chunk: Option<Chunk>,
    },
    /// Answers [`Load::Receipts`].
    Receipts(Receipts),
    /// Answers [`Load::Followed`].
    Followed(Vec<Followed>),
}

/// What the store holds when a session begins.
#[derive(Debug, Clone, Default)]
pub struct Opening {
    /// This node's lives, newest first.
    pub lives: Vec<Life>,
    /// The newest signed head of each life of the peer's log held here, newest life first.
    pub heads: Vec<SignedHead>,
    /// The peer's newest receipts held here.
    pub receipts: Vec<SignedReceipt>,
    /// What is held of each life of the peer's log.
    pub held: Vec<Held>,
    /// Bytes that the peer's quota leaves.
    pub room: u64,
    /// The lives of the peer's log that have forked.
    pub forked: Vec<Forked>,
    /// The logs of third nodes that this node follows.
    pub followed: Vec<Followed>,
}

/// What is held of one life of a peer's log.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// Which life.
    pub epoch: Epoch,
    /// Where following it goes on.
    pub follow: Follow,
    /// The receipts that the store implies.
    pub receipts: Vec<Receipt>,
    /// Heads ahead that the author has signed, as other readers told, shortest first.
    pub checkpoints: Vec<SignedHead>,
}

/// The receipts that the store implies for one life of the peer's log, and the quota's room.
#[derive(Debug, Clone)]
pub struct Receipts {
    /// Which life.
    pub epoch: Epoch,
    /// One, or several with windows of their own.
    pub receipts: Vec<Receipt>,
    /// Whether the store has more to say: it is read again.
    pub more: bool,
    /// Bytes that the peer's quota leaves.
    pub room: u64,
}

/// What a session writes.
#[derive(Debug)]
#[non_exhaustive]
pub enum Store {
    /// Entries of the peer's log, verified.
    Received(Box<Received>),
    /// Receipts of the peer, verified.
    Receipts(Vec<SignedReceipt>),
    /// What this node once signed and the peer gave back, verified. Nothing else happens before it
    /// is answered.
    Returned(Box<Returned>),
    /// Heads of third nodes' logs, verified, to be compared with what is held.
    Heads(Vec<(Id, SignedHead)>),
    /// A proven fork.
    Fork(Box<ProvenFork>),
}

/// What this node once signed: the peer kept it, and gives it back when a session begins.
#[derive(Debug)]
pub struct Returned {
    /// The newest head of each life of this node's log that the peer holds, newest life first. A store
    /// that does not cover the first is an older copy.
    pub heads: Vec<Head>,
    /// This node's newest receipts for the peer's entries. An older copy has forgotten some of what
    /// they say.
    pub receipts: Vec<SignedReceipt>,
}

/// What became of a [`Store`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Stored {
    /// The entries are fsynced; these receipts follow from the store.
    Received(Receipts),
    /// The receipts are fsynced.
    Receipts,
    /// What was given back is compared with the store.
    Returned,
    /// The heads are compared; what came of it is fsynced.
    Heads,
    /// The fork is fsynced.
    Fork,
    /// The store's knowledge shows that the peer misbehaved; nothing was written.
    Refused(Refusal),
}

/// Why the store took nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The peer misbehaved.
    Misbehaved(Misbehaviour),
    /// The peer was removed meanwhile.
    Removed,
    /// The entries pass a checkpoint of this life that came meanwhile.
    PassesCheckpoint(Epoch),
    /// This life of the peer's log has forked.
    Forked(Epoch),
}

/// What the node should know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Both sides have said hello.
    Established {
        /// The peer.
        peer: Id,
        /// Its lives, newest first.
        lives: Vec<Life>,
    },
    /// The peer does not lead to a head that it has signed, though it could.
    Unproven {
        /// The peer.
        peer: Id,
        /// Which life of its log.
        epoch: Epoch,
        /// The length of the head.
        length: u64,
    },
}

/// Why a session ends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Something is wrong.
    Failed(SyncError),
    /// The peer was removed.
    Removed,
}
