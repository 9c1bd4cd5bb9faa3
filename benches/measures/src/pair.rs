//! A node that sends and one that receives, joined by function calls.

use peermq::sync::{Frame, Kind};

use crate::{Node, Outcome};

/// Two nodes that have added each other.
#[derive(Debug)]
pub struct Pair {
    /// Who sends.
    pub sender: Node,
    /// Who receives.
    pub receiver: Node,
}

impl Pair {
    /// Two nodes with nothing sent yet.
    ///
    /// # Errors
    /// When a queue does not open.
    pub fn new() -> Outcome<Self> {
        Ok(Self { sender: Node::new(1, 2)?, receiver: Node::new(2, 1)? })
    }

    /// Passes frames until neither has anything to say, with `receive` in place of
    /// [`Node::receive`] for the chunks of the sender's log.
    ///
    /// # Errors
    /// When a session fails.
    pub fn sync(
        &mut self,
        mut receive: impl FnMut(&mut Node, Frame) -> Outcome<()>,
    ) -> Outcome<()> {
        let (mut to_receiver, mut to_sender) = (self.sender.answer()?, self.receiver.answer()?);
        while !to_receiver.is_empty() || !to_sender.is_empty() {
            let (for_receiver, for_sender) =
                (std::mem::take(&mut to_receiver), std::mem::take(&mut to_sender));
            for frame in for_receiver {
                match frame.kind {
                    Kind::Advance => receive(&mut self.receiver, frame)?,
                    _ => self.receiver.receive(frame)?,
                }
                to_sender.extend(self.receiver.answer()?);
            }
            for frame in for_sender {
                self.sender.receive(frame)?;
                to_receiver.extend(self.sender.answer()?);
            }
        }
        Ok(())
    }
}
