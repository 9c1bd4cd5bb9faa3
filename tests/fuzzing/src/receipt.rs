//! Receipts of a peer that says what it likes, signed.

use peermq::crypto::Verifier;
use peermq::crypto::hash::Hash;
use peermq::log::{InboxTree, Peaks};
use peermq::queue::QueueError;
use peermq::sync::{Acked, Receipt};
use peermq::types::{Epoch, Ranges, Recipient};

use crate::choices::Choices;
use crate::node::{Node, images};

/// A peer signs one receipt after another. What is believed of them only grows, and never passes
/// what was sent.
pub fn receipt(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let mut author = Node::on(1, images().author.copy());
    let reader = peermq::crypto::Identity::from_seed(&[2; 32]);
    let (to, epoch) = (reader.id(), author.queue.epoch());
    let sent = author.queue.sent_leaves(&to, epoch, 0..u64::MAX).expect("a sound store reads");
    for _ in 0..RECEIPT_COUNT_MAX {
        if choices.is_empty() {
            break;
        }
        let said = said(&mut choices, &author, epoch, &sent);
        let signed = said.sign(&reader);
        let Ok(said) = signed.verify(&Verifier::new(&to)).cloned() else { continue };
        let before = author.queue.acked(&to, epoch).expect("a sound store reads");
        match author.queue.acknowledge(&to, vec![signed]) {
            Ok(_) | Err(QueueError::Refused(_)) => {}
            Err(error) => panic!("{said:?} made a write fail: {error}"),
        }
        author.commit();
        let after = author.queue.acked(&to, epoch).expect("a sound store reads");
        let pairs = [
            (&before.stored, &after.stored),
            (&before.archived, &after.archived),
            (&before.rejected, &after.rejected),
        ];
        let length = u64::try_from(sent.len()).expect("a length fits u64");
        for (before, after) in pairs {
            assert!(before.difference(after).is_empty(), "what was said stays said: {said:?}");
            assert!(after.end() <= length, "nobody has what was never sent: {said:?}");
        }
    }
    author.expect_sound_disk();
}

fn said(choices: &mut Choices<'_>, author: &Node, epoch: Epoch, sent: &[Hash]) -> Receipt {
    let seen = match choices.below(3) {
        0 => choices.number(),
        _ => u64::try_from(choices.below(sent.len() + 1)).expect("a length fits u64"),
    };
    let inbox = match choices.below(4) {
        0 => Hash([choices.byte(); 32]),
        _ => {
            let mut peaks = Peaks::<InboxTree>::new();
            let count = usize::try_from(seen).unwrap_or(usize::MAX).min(sent.len());
            sent.iter().take(count).for_each(|leaf| peaks.push_leaf(*leaf, |_, _| ()));
            peaks.root()
        }
    };
    let reader = peermq::crypto::Identity::from_seed(&[2; 32]).id();
    let window = if choices.below(3) == 0 { choices.range() } else { 0..seen };
    let ends = [(); 2].map(|()| match choices.below(3) {
        0 => choices.number(),
        _ => u64::from(choices.byte()).min(seen),
    });
    let [stored, archived, rejected] = [(); 3].map(|()| some_ranges(choices));
    Receipt {
        receiver: *reader.as_bytes(),
        author: *author.id().as_bytes(),
        epoch: if choices.below(9) == 8 { Epoch(choices.number()) } else { epoch },
        recipient: Recipient::Peer(*reader.as_bytes()),
        seen,
        inbox,
        window,
        stored: Acked { below: ends[0], ranges: stored },
        archived: Acked { below: ends[1], ranges: archived },
        rejected,
    }
}

fn some_ranges(choices: &mut Choices<'_>) -> Ranges {
    let count = choices.below(5);
    (0..count).map(|_| choices.range()).collect()
}

/// Receipts of one input.
const RECEIPT_COUNT_MAX: usize = 16;
