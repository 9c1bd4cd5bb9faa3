//! Chunks of a log: decoded, and folded onto whatever a reader holds.

use bytes::Bytes;
use peermq::crypto::Identity;
use peermq::crypto::hash::Hash;
use peermq::log::{Item, LogTree, Peaks, fold};
use peermq::sync::{Frame, Kind, Message};
use peermq::types::Epoch;

use crate::choices::Choices;

/// The first bytes choose what is held before, the others are a chunk's payload, or choose items.
pub fn advance(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let Some(peaks) = peaks(&mut choices) else { return };
    let items = match choices.byte() % 2 {
        0 => decoded(choices.rest()),
        _ => Some(chosen(&mut choices, peaks.length())),
    };
    let Some((items, end)) = items else { return };
    let (author, epoch) = (Identity::from_seed(&[1; 32]).id(), Epoch(7));
    let shown_count = items.iter().filter(|item| !matches!(item, Item::Skip { .. })).count();
    let leaf_count = items.iter().try_fold(0_u64, |sum, item| match item {
        Item::Skip { level, .. } => sum.checked_add(1_u64.checked_shl((*level).into())?),
        _ => sum.checked_add(1),
    });
    let Ok(folded) = fold(&peaks, &author, epoch, end, items) else { return };
    assert_eq!(folded.peaks.length(), end, "a fold ends where it is told to");
    let sum = leaf_count.and_then(|count| count.checked_add(peaks.length()));
    assert_eq!(sum, Some(end), "its items fill the stretch without a hole");
    assert_eq!(folded.shown.len(), shown_count, "all entries are shown");
    assert!(folded.shown.is_sorted_by(|one, next| one.index < next.index), "in order");
    let hashes = folded.peaks.hashes().to_vec();
    let again = Peaks::<LogTree>::from_parts(end, hashes).expect("peaks are those of a length");
    assert_eq!(again.root(), folded.peaks.root(), "and stand for one root");
}

/// Peaks at any length, however long.
fn peaks(choices: &mut Choices<'_>) -> Option<Peaks<LogTree>> {
    let length = choices.number();
    let count = usize::try_from(length.count_ones()).expect("a number has 64 bits at most");
    Peaks::from_parts(length, vec![Hash([choices.byte(); 32]); count])
}

fn decoded(payload: &[u8]) -> Option<(Vec<Item>, u64)> {
    let frame = Frame { kind: Kind::Advance, payload: Bytes::copy_from_slice(payload) };
    match Message::decode(&frame) {
        Ok(Message::Advance(advance)) => Some((advance.items, advance.head.length)),
        _ => None,
    }
}

/// Items, many of which fit where they stand.
fn chosen(choices: &mut Choices<'_>, from: u64) -> (Vec<Item>, u64) {
    let (mut items, mut at) = (Vec::new(), from);
    while !choices.is_empty() && items.len() < ITEM_COUNT_MAX {
        let hash = Hash([choices.byte(); 32]);
        match choices.below(4) {
            0 => {
                let header = Bytes::copy_from_slice(choices.bytes(255));
                items.push(Item::Entry { header, body: None });
                at = at.saturating_add(1);
            }
            1 => {
                items.push(Item::Gone { leaf: hash });
                at = at.saturating_add(1);
            }
            2 => {
                let level = u8::try_from(at.trailing_zeros().min(63)).expect("63 at most");
                items.push(Item::Skip { level, hash });
                at = at.saturating_add(1 << level);
            }
            _ => items.push(Item::Skip { level: choices.byte(), hash }),
        }
    }
    let end = if choices.is_empty() { at } else { choices.number() };
    (items, end)
}

/// Enough for every pair of levels.
const ITEM_COUNT_MAX: usize = 200;
