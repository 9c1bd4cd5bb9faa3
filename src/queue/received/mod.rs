//! What others have written to this node: their logs as taken in, what became of each entry, and
//! what this node says of that.

pub(super) mod author_log;
pub(super) mod block;
pub(super) mod block_builder;
pub(super) mod bodies;
pub(super) mod fetching;
pub(super) mod inbox;
pub(super) mod marking;
pub(super) mod moved;
pub(super) mod recall;
pub(super) mod receipts;
pub(super) mod rewrite;
pub(super) mod sets;
pub(super) mod sizes;
pub(super) mod taking;
pub(super) mod tally;
