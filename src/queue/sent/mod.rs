//! What this node has written: its log in all its lives, and what its recipients have acknowledged.

pub(super) mod deliveries;
pub(super) mod lives;
pub(super) mod outbox;
pub(super) mod proving;
