//! The peer's receipts on their way into the store: one batch is with it, the newest wait.

use super::error::Misbehaviour;
use super::pace::Pace;
use super::receipt::SignedReceipt;
use crate::crypto::Verifier;
use crate::limits::{HELLO_RECEIPT_COUNT_MAX, RECEIPTS_PER_S_MAX};
use crate::types::Instant;

/// Receipts that wait, at most one per window: what a newer one says covers the ones before. Their
/// signatures are checked as they go to the store, so that those that were replaced meanwhile cost
/// nothing, and only so many a second go there.
#[derive(Debug)]
pub(super) struct Acknowledgements {
    waiting: Vec<SignedReceipt>,
    storing: bool,
    pace: Pace,
}

impl Default for Acknowledgements {
    fn default() -> Self {
        let pace = Pace::new(RECEIPTS_PER_S_MAX, RECEIPTS_PER_S_MAX);
        Self { waiting: Vec::new(), storing: false, pace }
    }
}

impl Acknowledgements {
    /// Takes a receipt. Past the bound the oldest goes: the peer says it all again when the next
    /// session begins.
    pub(super) fn add(&mut self, receipt: SignedReceipt) {
        let place = place(&receipt);
        self.waiting.retain(|waiting| self::place(waiting) != place);
        if self.waiting.len() == HELLO_RECEIPT_COUNT_MAX {
            self.waiting.remove(0);
        }
        self.waiting.push(receipt);
    }

    /// The batch to store now, verified, if there is one, the store is free and it is time.
    pub(super) fn next_batch(
        &mut self,
        peer: &Verifier,
        now: Instant,
    ) -> Result<Option<Vec<SignedReceipt>>, Misbehaviour> {
        if !self.is_ready() || !self.pace.is_free(now) {
            return Ok(None);
        }
        self.storing = true;
        let batch = std::mem::take(&mut self.waiting);
        self.pace.take(batch.len(), now);
        batch.iter().try_for_each(|receipt| receipt.verify(peer).map(drop))?;
        Ok(Some(batch))
    }

    /// When the next batch may go to the store, if only time keeps it.
    pub(super) fn timeout(&self) -> Option<Instant> {
        self.is_ready().then(|| self.pace.free_at())
    }

    /// The batch is fsynced.
    pub(super) const fn on_stored(&mut self) {
        self.storing = false;
    }

    const fn is_ready(&self) -> bool {
        !self.storing && !self.waiting.is_empty()
    }
}

fn place(receipt: &SignedReceipt) -> (u64, u64) {
    let said = receipt.unverified();
    (said.epoch.0, said.window.start)
}
