//! The sync session: a machine without sockets, clock or disk that keeps two nodes' logs in step.
//!
//! Drive it as quinn is driven: [`Session::handle`] takes an [`Input`] and the time, then
//! [`Session::poll_output`] is drained to `None`, then [`Session::poll_timeout`] says when to come
//! back. Storage is asked for as an [`Output`] and answered as an [`Input`].
//!
//! ```text
//! Hello ⇄ Hello → Position, Credit → Advance … → (stored) → Receipt, Credit
//! ```
//!
//! *Invariant*: a receipt is made only from [`Input::Stored`] or [`Input::Loaded`], both of which
//! the store answers after its fsync; a head is signed only over a chunk that was read back from
//! the store. So neither can run ahead of the disk. Both directions run at once and neither knows
//! of the other. Deliberately absent: authorisation (the [`Grant`] comes from outside), dialling,
//! long bodies (they travel on sub-streams of their own, see [`body`]), the order among peers.

pub mod body;
pub mod proof;

mod acknowledgements;
mod advance;
mod advance_codec;
mod checkpoints;
mod comparing;
mod credit;
mod error;
mod exchange;
mod forks;
mod frame;
mod greeting;
mod heads;
mod incoming;
mod liveness;
mod message;
mod outgoing;
mod pace;
mod receipt;
mod session;

pub use advance::{Content, Follow, Received, ReceivedEntry, UnverifiedAdvance};
pub use error::{Incompatible, Malformed, Misbehaviour, SyncError};
pub use exchange::{
    Event, Grant, Held, Input, Load, Loaded, Opening, Output, Reason, Receipts, Refusal, Returned,
    Store, Stored,
};
pub use frame::{Frame, FrameHeader, Kind};
pub use heads::{Followed, Forked, Heads, Tag};
pub use message::{Credit, Hello, Life, Message, Position};
pub use receipt::{Acked, Receipt, SignedReceipt, Standing};
pub use session::{Session, SessionConfig};

#[cfg(test)]
mod tests;
