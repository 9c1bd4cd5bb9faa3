//! What a proof proves, and that nothing else does.

use bytes::Bytes;

use crate::crypto::hash::{Hash, body_hash};
use crate::crypto::{Identity, Salt, Suite};
use crate::log::{Header, InboxTree, InclusionBuilder, leaf_hash};
use crate::sync::proof::{Delivery, Proof, ProofError, Proven};
use crate::sync::{Acked, Misbehaviour, Receipt, Standing};
use crate::types::{Epoch, Index, Ranges, Recipient, Seq, UnixMs};

const EPOCH: Epoch = Epoch(1_700_000_000);
const GOLDEN: &str = include_str!("../../../tests/golden/proofs.txt");

fn author() -> Identity {
    Identity::from_seed(&[1; 32])
}

fn reader() -> Identity {
    Identity::from_seed(&[2; 32])
}

fn header(seq: u64) -> Bytes {
    let header = Header {
        recipient: Recipient::Peer(*reader().id().as_bytes()),
        seq: Seq(seq),
        suite: Suite::STATIC_X25519,
        salt: Salt([3; 16]),
        time: UnixMs(1_700_000_000_123),
        not_after: None,
        body_len: 22,
        body_hash: body_hash(b"golden"),
    };
    Bytes::copy_from_slice(header.encode().as_bytes())
}

/// Entries to the reader stand at every third place of the log.
fn index(seq: u64) -> Index {
    Index(3 * seq)
}

fn leaf(seq: u64) -> Hash {
    leaf_hash(&author().id(), EPOCH, index(seq), &header(seq))
}

/// A receipt for eleven entries: three are archived, the fifth is rejected, the last is only seen.
fn receipt() -> Receipt {
    let mut inbox = crate::log::Peaks::<InboxTree>::new();
    (0..11).for_each(|seq| inbox.push_leaf(leaf(seq), |_, _| ()));
    Receipt {
        receiver: *reader().id().as_bytes(),
        author: *author().id().as_bytes(),
        epoch: EPOCH,
        recipient: Recipient::Peer(*reader().id().as_bytes()),
        seen: 11,
        inbox: inbox.root(),
        window: 0..11,
        stored: Acked::of(&Ranges::below(10), 0..11),
        archived: Acked::of(&Ranges::below(3), 0..11),
        rejected: Ranges::from_iter([4]),
    }
}

fn delivery(receipt: Receipt, seq: u64, index: Index, header: &Bytes) -> Delivery {
    let mut builder = InclusionBuilder::<InboxTree>::new(seq);
    (0..11).for_each(|seq| builder.push(leaf(seq)));
    Delivery::new(receipt.sign(&reader()), index, header, builder.finish().unwrap())
}

fn honest(seq: u64) -> Delivery {
    delivery(receipt(), seq, index(seq), &header(seq))
}

#[test]
fn a_receipt_a_header_and_a_path_prove_what_became_of_a_message() {
    let states = [(0, Standing::Archived), (3, Standing::Stored), (4, Standing::Rejected)];
    for (seq, standing) in states {
        let proof = Proof::Delivery(Box::new(honest(seq)));
        let read = Proof::decode(&proof.encode()).unwrap();
        assert_eq!(read, proof);
        let Proven::Delivery(proven) = read.verify().unwrap();
        assert_eq!((proven.receiver, proven.author), (reader().id(), author().id()));
        assert_eq!((proven.epoch, proven.seq), (EPOCH, Seq(seq)));
        assert_eq!(proven.standing, standing);
    }
    assert_eq!(honest(10).verify(), Err(ProofError::NotAcknowledged { seq: Seq(10) }));
}

#[test]
fn a_receipt_of_other_entries_or_of_another_signer_proves_nothing() {
    let changed = |change: fn(&mut Receipt)| {
        let mut receipt = receipt();
        change(&mut receipt);
        delivery(receipt, 2, index(2), &header(2)).verify().unwrap_err()
    };
    let inclusion = ProofError::Inclusion { seq: Seq(2) };
    assert_eq!(changed(|receipt| receipt.inbox = Hash([9; 32])), inclusion);
    assert_eq!(changed(|receipt| receipt.seen = 12), inclusion);
    assert_eq!(changed(|receipt| receipt.epoch = Epoch(7)), inclusion);
    let other = changed(|receipt| receipt.author = *reader().id().as_bytes());
    assert_eq!(other, inclusion);
    let unsigned = changed(|receipt| receipt.receiver = *author().id().as_bytes());
    let signature = Misbehaviour::Signature(crate::sync::Kind::Receipt);
    assert_eq!(unsigned, ProofError::Receipt(signature));
    let everyone = changed(|receipt| receipt.recipient = Recipient::Everyone);
    assert_eq!(everyone, ProofError::Recipient);
    let no_id = changed(|receipt| receipt.author = [0; 32]);
    assert!(matches!(no_id, ProofError::Id(_)));
}

#[test]
fn another_header_or_place_proves_nothing() {
    let inclusion = |seq| Err(ProofError::Inclusion { seq: Seq(seq) });
    assert_eq!(delivery(receipt(), 2, index(3), &header(2)).verify(), inclusion(2));
    assert_eq!(delivery(receipt(), 2, index(3), &header(3)).verify(), inclusion(3));
    let cut = header(2).slice(..40);
    assert!(matches!(delivery(receipt(), 2, index(2), &cut).verify(), Err(ProofError::Header(_))));
}

#[test]
fn what_is_no_proof_says_what_it_is_instead() {
    let good = Proof::Delivery(Box::new(honest(2))).encode();
    let refused = |bytes: &[u8]| Proof::decode(bytes).unwrap_err();
    for end in 0..good.len() {
        let expected = if end < 8 { ProofError::Magic } else { ProofError::Damaged };
        assert_eq!(refused(&good[..end]), expected, "cut at {end}");
    }
    for at in 0..good.len() {
        let mut flipped = good.clone();
        flipped[at] ^= 1;
        let expected = match at {
            0..8 => ProofError::Magic,
            8 => ProofError::Version(0),
            _ => ProofError::Damaged,
        };
        assert_eq!(refused(&flipped), expected, "flipped at {at}");
    }
    let sealed = |kind: u8, fields: &[u8]| {
        let mut bytes = [&good[..9], &[kind], fields].concat();
        bytes.extend(body_hash(&bytes).0);
        refused(&bytes)
    };
    assert_eq!(sealed(9, &[]), ProofError::Kind(9));
    assert_eq!(sealed(1, &[0; 40]), ProofError::Fields);
    assert_eq!(sealed(1, &[&good[10..good.len() - 32], &[0]].concat()), ProofError::Fields);
    assert_eq!(refused(&vec![0; crate::limits::PROOF_SIZE_MAX + 1]), ProofError::TooLong);
}

#[test]
fn proofs_are_what_they_always_were() {
    let proofs = [("delivery", Proof::Delivery(Box::new(honest(2))))];
    let lines = proofs.map(|(name, proof)| format!("{name} {}\n", hex::encode(proof.encode())));
    assert_eq!(lines.concat(), GOLDEN);
}
