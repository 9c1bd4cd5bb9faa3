//! Waiting until a recipient has acknowledged what was sent.

use std::ops::RangeInclusive;

use super::acks::AckLevel;
use super::error::NodeError;
use super::{Node, Sent};
use crate::queue::AckedSets;
use crate::types::{Epoch, Id, Ranges, Seq};

impl Node {
    /// Waits until a sent message has come to `level`: [`AckLevel::Stored`], [`AckLevel::Archived`]
    /// (or cleared), or [`AckLevel::Rejected`]. It dials nobody: see [`Node::connect`].
    ///
    /// ```
    #[doc = include_str!("doc/pair.md")]
    /// let sent = bob.send(alice.id(), "hello").await?;
    /// bob.wait(&sent, AckLevel::Stored).await?; // On alice's disk too.
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`NodeError::Rejected`] when the recipient cannot use the message and `level` is another;
    /// [`NodeError::Stopped`], [`NodeError::Storage`].
    pub async fn wait(&self, sent: &Sent, level: AckLevel) -> Result<(), NodeError> {
        self.wait_all(sent.to, sent.epoch, sent.seq.0..=sent.seq.0, level).await
    }

    /// Waits until all messages of a range have come to `level`, as [`Node::wait`] does for one.
    ///
    /// ```
    #[doc = include_str!("doc/pair.md")]
    /// let texts = ["one", "two"].map(|text| (text.into(), SendOptions::default()));
    /// bob.send_all(alice.id(), texts).await?;
    /// bob.wait_all(alice.id(), bob.epoch(), 0..=1, AckLevel::Stored).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Node::wait`].
    pub async fn wait_all(
        &self,
        to: Id,
        epoch: Epoch,
        seqs: RangeInclusive<u64>,
        level: AckLevel,
    ) -> Result<(), NodeError> {
        let mut changed = self.inner.news.acked();
        loop {
            changed.mark_unchanged();
            let acked = self.inner.storage.read(move |queue| queue.acked(&to, epoch)).await??;
            let missing = missing(&acked, &seqs, level);
            if missing.is_empty() {
                return Ok(());
            }
            if let Some(seq) = first_in(&acked.rejected, &missing) {
                return Err(NodeError::Rejected { to, seq });
            }
            changed.changed().await.map_err(|_| NodeError::Stopped)?;
        }
    }
}

/// What of the range has not come to `level`. What is archived has been stored, too.
fn missing(acked: &AckedSets, seqs: &RangeInclusive<u64>, level: AckLevel) -> Ranges {
    let mut awaited = Ranges::new();
    awaited.insert(*seqs.start()..seqs.end().saturating_add(1));
    let reached = match level {
        AckLevel::Stored => {
            let mut stored = acked.stored.clone();
            stored.union(&acked.archived);
            stored
        }
        AckLevel::Archived => acked.archived.clone(),
        AckLevel::Rejected => acked.rejected.clone(),
    };
    awaited.difference(&reached)
}

fn first_in(set: &Ranges, of: &Ranges) -> Option<Seq> {
    let common = set.iter().flat_map(|range| of.within(range).iter().collect::<Vec<_>>());
    common.map(|range| Seq(range.start)).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(range: std::ops::Range<u64>) -> Ranges {
        let mut ranges = Ranges::new();
        ranges.insert(range);
        ranges
    }

    #[test]
    fn what_is_archived_was_stored_and_what_is_rejected_comes_no_further() {
        let acked =
            AckedSets { stored: ranges(0..3), archived: ranges(3..5), rejected: ranges(5..6) };
        assert!(missing(&acked, &(0..=4), AckLevel::Stored).is_empty());
        assert_eq!(missing(&acked, &(0..=4), AckLevel::Archived), ranges(0..3));
        let rest = missing(&acked, &(0..=6), AckLevel::Stored);
        assert_eq!(first_in(&acked.rejected, &rest), Some(Seq(5)));
        assert!(missing(&acked, &(5..=5), AckLevel::Rejected).is_empty());
    }
}
