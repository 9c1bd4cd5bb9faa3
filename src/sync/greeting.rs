//! The opening of a session: each side waits for its own store and for the other's `Hello`.

use super::error::{Incompatible, LocalFault, Misbehaviour, SyncError};
use super::exchange::Opening;
use super::frame::Kind;
use super::message::{Hello, Life, Message, VERSION};
use crate::crypto::Verifier;
use crate::limits::{EPOCH_COUNT_MAX, HELLO_RECEIPT_COUNT_MAX};
use crate::planted;

/// What has come so far of the two things that a session begins with.
#[derive(Debug, Default)]
pub(super) struct Greeting {
    opening: Option<Opening>,
    hello: Option<Hello>,
    /// What follows our own `Hello`: the newest of each kind, so that no peer makes it long.
    held: Vec<Message>,
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
        opening.receipts.truncate(HELLO_RECEIPT_COUNT_MAX);
        let hello = Hello {
            version: VERSION,
            features: 0,
            lives: opening.lives.clone(),
            head: opening.head,
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

    /// Both, once both are there.
    pub(super) fn take_if_ready(&mut self) -> Option<(Opening, Hello)> {
        if self.opening.is_none() || self.hello.is_none() {
            return None;
        }
        self.opening.take().zip(self.hello.take())
    }
}

/// A second `Hello`.
pub(super) fn second_hello() -> SyncError {
    Misbehaviour::OutOfTurn { expected: "one Hello", got: Kind::Hello }.into()
}

/// A head of our log that the peer holds must be one that our store still covers: otherwise the
/// store is an old one, and whatever it signed next would be a second version.
pub(super) fn check_echo(
    hello: &Hello,
    me: &Verifier,
    lives: impl IntoIterator<Item = Life>,
) -> Result<(), SyncError> {
    let Some(echo) = &hello.head else { return Ok(()) };
    let head = echo.verify(me).map_err(|_| Misbehaviour::Signature(Kind::Hello))?;
    match lives.into_iter().find(|life| life.epoch == head.epoch) {
        Some(life) if head.length > life.length => {
            let (epoch, held, ours) = (head.epoch, head.length, life.length);
            Err(LocalFault::Stale { epoch, held, ours }.into())
        }
        _ => Ok(()),
    }
}
