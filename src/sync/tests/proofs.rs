//! What a proof proves, and that nothing else does.

use bytes::Bytes;

use crate::crypto::hash::{Hash, body_hash};
use crate::crypto::{Identity, Salt, Suite};
use crate::log::{
    Branch, Head, Header, InboxTree, InclusionBuilder, Item, LogTree, Peaks, SignedHead, branch,
    leaf_hash,
};
use crate::sync::proof::{Delivery, Evidence, Proof, ProofError, Proven};
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
    let mut inbox = Peaks::<InboxTree>::new();
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
        let Proven::Delivery(proven) = read.verify().unwrap() else { panic!("another kind") };
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

/// A list of so many leaves, of which the first ones may be others.
fn log(length: u64, first: u8) -> Peaks<LogTree> {
    let mut peaks = Peaks::new();
    for number in 0..length {
        let leaf = if number < 2 { Hash([first; 32]) } else { leaf(number) };
        peaks.push_leaf(leaf, |_, _| ());
    }
    peaks
}

fn signed(author: &Identity, epoch: Epoch, length: u64, first: u8) -> SignedHead {
    Head { author: author.id(), epoch, length, root: log(length, first).root() }.sign(author)
}

fn head(length: u64, first: u8) -> SignedHead {
    signed(&author(), EPOCH, length, first)
}

fn same_length() -> Evidence {
    Evidence::of_heads(author().id(), head(5, 1), head(5, 2))
}

/// The hashes that lead the second version of the log from 5 entries to 11.
fn hashes() -> Branch {
    let items: Vec<_> = (5..11).map(|number| Item::Gone { leaf: leaf(number) }).collect();
    branch(&log(5, 2), &author().id(), EPOCH, 5, &items).unwrap()
}

fn two_lengths() -> Evidence {
    Evidence::of_branch(author().id(), head(5, 1), head(11, 2), hashes())
}

#[test]
fn two_heads_that_no_one_log_has_prove_a_fork() {
    for (evidence, lengths) in [(same_length(), [5, 5]), (two_lengths(), [5, 11])] {
        let proof = Proof::Fork(Box::new(evidence));
        let bytes = proof.encode();
        assert!(bytes.len() < 600, "{} bytes", bytes.len());
        let Proven::Fork(fork) = Proof::decode(&bytes).unwrap().verify().unwrap() else {
            panic!("another kind")
        };
        assert_eq!([fork.first().length, fork.second().length], lengths);
        assert_eq!((fork.first().author, fork.second().epoch), (author().id(), EPOCH));
    }
}

#[test]
fn heads_of_one_log_prove_no_fork() {
    let author = author().id();
    let none = Err(ProofError::NoFork { length: 5 });
    assert_eq!(Evidence::of_heads(author, head(5, 1), head(5, 1)).verify().map(drop), none);
    let one_log = Evidence::of_branch(author, head(5, 2), head(11, 2), hashes());
    assert_eq!(one_log.verify().map(drop), none);
}

#[test]
fn what_shows_no_fork_says_what_is_missing() {
    let (me, other) = (author(), reader());
    let refused = |evidence: Evidence| evidence.verify().map(drop).unwrap_err();
    let of_heads = |first, second| refused(Evidence::of_heads(me.id(), first, second));
    assert!(matches!(of_heads(head(5, 1), signed(&other, EPOCH, 5, 2)), ProofError::Head(_)));
    assert!(matches!(of_heads(signed(&other, EPOCH, 5, 2), head(5, 1)), ProofError::Head(_)));
    assert_eq!(of_heads(head(5, 1), signed(&me, Epoch(7), 5, 2)), ProofError::Heads);
    assert_eq!(of_heads(head(11, 1), head(5, 2)), ProofError::Heads);
    assert_eq!(of_heads(head(5, 1), head(11, 2)), ProofError::Branch);
    let of_branch = |first, second, change: fn(&mut Branch)| {
        let mut hashes = hashes();
        change(&mut hashes);
        refused(Evidence::of_branch(me.id(), first, second, hashes))
    };
    assert_eq!(of_branch(head(5, 1), head(5, 2), |_| ()), ProofError::Heads);
    assert_eq!(of_branch(head(6, 1), head(11, 2), |_| ()), ProofError::Branch);
    assert_eq!(of_branch(head(5, 1), head(11, 3), |_| ()), ProofError::Branch);
    let other_hash = |hashes: &mut Branch| hashes.cover[0] = Hash([9; 32]);
    assert_eq!(of_branch(head(5, 1), head(11, 2), other_hash), ProofError::Branch);
    let one_more = |hashes: &mut Branch| hashes.cover.push(Hash([9; 32]));
    assert_eq!(of_branch(head(5, 1), head(11, 2), one_more), ProofError::Branch);
    let one_less = |hashes: &mut Branch| hashes.cover.truncate(1);
    assert_eq!(of_branch(head(5, 1), head(11, 2), one_less), ProofError::Branch);
}

#[test]
fn proofs_are_what_they_always_were() {
    let proofs = [
        ("delivery", Proof::Delivery(Box::new(honest(2)))),
        ("fork at one length", Proof::Fork(Box::new(same_length()))),
        ("fork at two lengths", Proof::Fork(Box::new(two_lengths()))),
    ];
    let lines = proofs.map(|(name, proof)| format!("{name} {}\n", hex::encode(proof.encode())));
    assert_eq!(lines.concat(), GOLDEN);
}
