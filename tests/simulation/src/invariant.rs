//! What must hold after every step, and a breach of it.

use std::fmt;

/// What must hold after every step and every restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Invariant {
    /// What a sender saw acknowledged is in the receiver's store.
    AckedIsStored,
    /// At most one root per author, epoch and length ever left a node.
    OneRoot,
    /// Nothing archived, cleared or rejected is offered again.
    SettledStays,
    /// All that is offered was written by its author, to its reader.
    OfferedIsAuthentic,
    /// No head goes back.
    HeadsGrow,
    /// Unread, archived, cleared, rejected and gone add up to what was received.
    SetsAddUp,
    /// After a removal not a byte goes to the removed peer.
    RemovedGetsNothing,
    /// No credit is given beyond a quota.
    QuotaHolds,
    /// What a send confirmed is acknowledged or still served.
    ConfirmedIsServed,
    /// No honest node is blamed, and none fails but by its disk.
    HonestIsNotBlamed,
    /// A message is with one reader at a time.
    OneReader,
    /// A log that is known to have forked stays known for it, and grows no more.
    ForksFreeze,
    /// Two readers of two versions of a log find out once they have met.
    ForksAreFound,
    /// An author that does not lead a reader to what it has signed is found out.
    SilenceIsFound,
    /// A receipt that is kept is for the entries that were sent.
    ReceiptsAreFounded,
    /// Sends with one idempotency key have one place.
    OneKeyOnePlace,
    /// Every row of a store agrees with the others.
    StoreIsSound,
    /// A timer that has gone off is over: a node has no timer that keeps it busy.
    TimersEnd,
    /// Nothing that happens makes a node panic.
    NobodyPanics,
    /// Once everything works again, everything arrives and is acknowledged.
    Converges,
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// Which one.
    pub invariant: Invariant,
    /// How it shows.
    pub what: String,
}

/// What a step gives.
pub(crate) type Checked<T = ()> = Result<T, Breach>;

impl Invariant {
    /// A breach of it.
    pub(crate) fn breach<T>(self, what: fmt::Arguments<'_>) -> Checked<T> {
        Err(Breach { invariant: self, what: what.to_string() })
    }

    /// A breach of it unless something holds.
    pub(crate) fn holds(self, holds: bool, what: fmt::Arguments<'_>) -> Checked {
        if holds { Ok(()) } else { self.breach(what) }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.invariant, self.what)
    }
}
