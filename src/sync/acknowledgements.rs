//! The peer's receipts on their way into the store: one batch is with it, the newest wait.

use super::receipt::SignedReceipt;
use crate::limits::HELLO_RECEIPT_COUNT_MAX;

/// Receipts that wait, at most one per window: what a newer one says covers the ones before.
#[derive(Debug, Default)]
pub(super) struct Acknowledgements {
    waiting: Vec<SignedReceipt>,
    storing: bool,
}

impl Acknowledgements {
    /// Takes a verified receipt. Past the bound the oldest goes: the peer says it all again when
    /// the next session begins.
    pub(super) fn add(&mut self, receipt: SignedReceipt) {
        let place = place(&receipt);
        self.waiting.retain(|waiting| self::place(waiting) != place);
        if self.waiting.len() == HELLO_RECEIPT_COUNT_MAX {
            self.waiting.remove(0);
        }
        self.waiting.push(receipt);
    }

    /// The batch to store now, if there is one and the store is free.
    pub(super) fn next_batch(&mut self) -> Option<Vec<SignedReceipt>> {
        if self.storing || self.waiting.is_empty() {
            return None;
        }
        self.storing = true;
        Some(std::mem::take(&mut self.waiting))
    }

    /// The batch is fsynced.
    pub(super) const fn on_stored(&mut self) {
        self.storing = false;
    }
}

fn place(receipt: &SignedReceipt) -> (u64, u64) {
    let said = receipt.unverified();
    (said.epoch.0, said.window.start)
}
