//! Messages of every kind: what decodes is within its bounds, and the same when it is sent on.

use bytes::Bytes;
use peermq::crypto::{Identity, Verifier};
use peermq::limits::{
    ADVANCE_ITEM_COUNT_MAX, CHANNEL_COUNT_MAX, CHECKPOINT_COUNT_MAX, EPOCH_COUNT_MAX,
    HEADS_COUNT_MAX, HEADS_TAG_COUNT_MAX, HELLO_RECEIPT_COUNT_MAX,
};
use peermq::sync::{Frame, Kind, Message, SignedReceipt};

/// The first byte is the kind, the others are the payload.
pub fn message(bytes: &[u8]) {
    let Some((kind, payload)) = bytes.split_first() else { return };
    let Ok(kind) = Kind::from_byte(*kind) else { return };
    check(&Frame { kind, payload: Bytes::copy_from_slice(payload) });
}

/// Decodes a frame.
pub(crate) fn check(frame: &Frame) {
    let Ok(message) = Message::decode(frame) else { return };
    let again = message.encode();
    assert_eq!(again.kind, frame.kind, "a message has the kind of its frame");
    assert!(again.payload.len() <= frame.payload.len(), "nobody writes a message shorter than we");
    assert_eq!(Message::decode(&again), Ok(message.clone()), "a message comes back from its bytes");
    look_into(message);
}

/// Takes a message as far as anyone goes who has no session.
fn look_into(message: Message) {
    match message {
        Message::Hello(hello) => {
            assert!(hello.lives.len() <= EPOCH_COUNT_MAX, "too many lives");
            assert!(hello.receipts.len() <= HELLO_RECEIPT_COUNT_MAX, "too many receipts");
            hello.receipts.iter().for_each(believe);
        }
        Message::Position(position) => {
            assert!(position.checkpoints.len() <= CHECKPOINT_COUNT_MAX, "too many checkpoints");
            assert!(position.channels.len() <= CHANNEL_COUNT_MAX, "too many channels");
        }
        Message::Advance(advance) => {
            assert!(advance.items.len() <= ADVANCE_ITEM_COUNT_MAX, "too many items");
        }
        Message::Receipt(receipt) => believe(&receipt),
        Message::Heads(heads) => {
            assert!(heads.followed.len() <= HEADS_TAG_COUNT_MAX, "too many tags");
            assert!(heads.heads.len() <= HEADS_COUNT_MAX, "too many heads");
        }
        Message::Evidence(evidence) => {
            // Any outcome is right: whether it proves anything is for its signatures to say.
            let _ = evidence.verify();
        }
        _ => {}
    }
}

/// Holds a receipt against a key; what it says of sets can be asked before.
fn believe(receipt: &SignedReceipt) {
    let said = receipt.unverified();
    let ends = [said.stored.to_ranges().end(), said.archived.to_ranges().end()];
    let verifier = Verifier::new(&Identity::from_seed(&[2; 32]).id());
    if let Ok(said) = receipt.verify(&verifier) {
        assert!(
            ends.iter().all(|end| *end <= said.seen),
            "a receipt speaks of what it has not seen"
        );
    }
}
