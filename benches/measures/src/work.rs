//! The works whose instructions are counted. What is counted is what runs inside the functions whose
//! names begin with `counted`: making ready is not.

use peermq::sync::Frame;

use crate::{GROUP_COUNT, Node, Outcome, Pair};

/// A work: its name, and what does it.
pub type Work = (&'static str, fn() -> Outcome<()>);

/// All of them.
pub const WORKS: [Work; 3] = [("send", send), ("verify", verify), ("archive", archive)];
/// Messages of each.
pub const MESSAGE_COUNT: usize = 8 * GROUP_COUNT;

/// Seals and appends texts, a full block in each step.
fn send() -> Outcome<()> {
    counted_send(&mut Pair::new()?.sender)
}

/// Takes chunks of a log in, up to where they may be stored: decodes, folds, and checks the
/// signature of each.
fn verify() -> Outcome<()> {
    let mut pair = Pair::new()?;
    pair.sender.send(MESSAGE_COUNT)?;
    pair.sync(counted_verify)
}

/// Archives what was received: the first half in ranges of a block, the other half one by one.
fn archive() -> Outcome<()> {
    let mut pair = Pair::new()?;
    pair.sender.send(MESSAGE_COUNT)?;
    pair.sync(Node::receive)?;
    counted_archive(&mut pair.receiver)
}

#[inline(never)]
fn counted_send(node: &mut Node) -> Outcome<()> {
    node.send(MESSAGE_COUNT)
}

#[inline(never)]
fn counted_verify(node: &mut Node, frame: Frame) -> Outcome<()> {
    node.receive(frame)
}

#[inline(never)]
fn counted_archive(node: &mut Node) -> Outcome<()> {
    let (count, group) = (u64::try_from(MESSAGE_COUNT)?, u64::try_from(GROUP_COUNT)?);
    for first in (0..count / 2).step_by(GROUP_COUNT) {
        node.archive(first..=first + group - 1)?;
    }
    for seq in count / 2..count {
        node.archive(seq..=seq)?;
    }
    Ok(())
}
