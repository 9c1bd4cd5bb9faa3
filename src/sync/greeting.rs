//! The opening of a session: each side waits for its own store and for the other's `Hello`.

use super::error::{Incompatible, Misbehaviour, SyncError};
use super::exchange::{Opening, Returned};
use super::frame::Kind;
use super::message::{FEATURES, Hello, Message, VERSION};
use crate::crypto::Verifier;
use crate::limits::{EPOCH_COUNT_MAX, HELLO_RECEIPT_COUNT_MAX};
use crate::planted;
use crate::types::{Id, Recipient};

/// What has come so far of the two things that a session begins with.
#[derive(Debug, Default)]
pub(super) struct Greeting {
    opening: Option<Opening>,
    hello: Option<Hello>,
    /// What follows our own `Hello`: the newest of each kind, so that no peer makes it long.
    held: Vec<Message>,
    judgement: Judgement,
}

/// How far the store is with what the peer gave back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Judgement {
    #[default]
    None,
    Awaited,
    Done,
}

impl Greeting {
    /// The peer said hello, which it does once.
    pub(super) fn on_hello(&mut self, hello: Hello) -> Result<(), SyncError> {
        if hello.version == 0 {
            return Err(Incompatible::Version(hello.version).into());
        }
        match self.hello.replace(hello) {
            None => Ok(()),
            Some(_) => Err(second_hello()),
        }
    }

    /// The store answered: what to say to the peer, and what after it.
    pub(super) fn on_opening(&mut self, mut opening: Opening) -> (Hello, Vec<Message>) {
        opening.lives.truncate(EPOCH_COUNT_MAX);
        opening.heads.truncate(EPOCH_COUNT_MAX);
        opening.receipts.truncate(HELLO_RECEIPT_COUNT_MAX);
        let hello = Hello {
            version: VERSION,
            features: FEATURES,
            lives: opening.lives.clone(),
            heads: std::mem::take(&mut opening.heads),
            receipts: std::mem::take(&mut opening.receipts),
        };
        self.opening = Some(opening);
        (hello, std::mem::take(&mut self.held))
    }

    /// Whether our own `Hello` is out: nothing goes before it.
    pub(super) fn has_spoken(&self) -> bool {
        self.opening.is_some() || planted::is("ping-before-hello")
    }

    /// Keeps a message until our own `Hello` is out.
    pub(super) fn hold(&mut self, message: Message) {
        self.held.retain(|held| held.kind() != message.kind());
        self.held.push(message);
    }

    /// Whether the peer has said hello.
    pub(super) const fn is_answered(&self) -> bool {
        self.hello.is_some()
    }

    /// What the peer gave back, once both are there; given once.
    ///
    /// # Errors
    /// [`Misbehaviour`] when it is not this node's own.
    pub(super) fn returned(
        &mut self,
        me: &Verifier,
        peer: Id,
    ) -> Result<Option<Returned>, SyncError> {
        let (Some(_), Some(hello), Judgement::None) = (&self.opening, &self.hello, self.judgement)
        else {
            return Ok(None);
        };
        let returned = verify(hello, me, peer)?;
        if returned.heads.is_empty() && returned.receipts.is_empty() {
            self.judgement = Judgement::Done;
            return Ok(None);
        }
        self.judgement = Judgement::Awaited;
        Ok(Some(returned))
    }

    /// The store has compared what the peer gave back.
    pub(super) const fn on_judged(&mut self) {
        self.judgement = Judgement::Done;
    }

    /// Both, once both are there and nothing is left to compare.
    pub(super) fn take_if_ready(&mut self) -> Option<(Opening, Hello)> {
        match self.judgement {
            Judgement::Done => self.opening.take().zip(self.hello.take()),
            Judgement::None | Judgement::Awaited => None,
        }
    }
}

/// A second `Hello`.
pub(super) fn second_hello() -> SyncError {
    Misbehaviour::OutOfTurn { expected: "one Hello", got: Kind::Hello }.into()
}

/// Checks that the peer gives back what is ours: heads of this node's log, and its receipts for the
/// peer's.
fn verify(hello: &Hello, me: &Verifier, peer: Id) -> Result<Returned, SyncError> {
    let forged = |_| Misbehaviour::Signature(Kind::Hello);
    let heads = hello.heads.iter().map(|head| head.verify(me).map_err(forged));
    let heads = heads.collect::<Result<_, _>>()?;
    for receipt in &hello.receipts {
        let said = receipt.verify(me)?;
        let of_this_pair = said.receiver == *me.id().as_bytes()
            && said.author == *peer.as_bytes()
            && said.recipient == Recipient::Peer(said.receiver);
        if !of_this_pair {
            return Err(Misbehaviour::ForeignLog(Kind::Hello).into());
        }
    }
    Ok(Returned { heads, receipts: hello.receipts.clone() })
}
