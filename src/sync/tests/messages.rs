//! The bytes of every message, and what is not a message.

use bytes::Bytes;
use proptest::prelude::*;

use crate::crypto::hash::Hash;
use crate::crypto::{Identity, Verifier};
use crate::log::{Branch, Head, Item, Peaks};
use crate::sync::body::{BodyChunk, Want};
use crate::sync::proof::Evidence;
use crate::sync::*;
use crate::types::{Epoch, Ranges, Recipient, Seq};

fn author() -> Identity {
    Identity::from_seed(&[1; 32])
}

fn receipt() -> Receipt {
    let mut archived = Ranges::below(3);
    archived.insert(5..6);
    archived.insert(8..10);
    Receipt {
        receiver: *Identity::from_seed(&[2; 32]).id().as_bytes(),
        author: *author().id().as_bytes(),
        epoch: Epoch(7),
        recipient: Recipient::Peer(*Identity::from_seed(&[2; 32]).id().as_bytes()),
        seen: 12,
        inbox: Hash([5; 32]),
        window: 3..12,
        stored: Acked::of(&Ranges::below(12), 3..12),
        archived: Acked::of(&archived, 3..12),
        rejected: Ranges::from_iter([7]),
    }
}

fn advance() -> UnverifiedAdvance {
    let head = Head { author: author().id(), epoch: Epoch(7), length: 9, root: Hash([6; 32]) };
    UnverifiedAdvance {
        author: *author().id().as_bytes(),
        from: 4,
        number: 1,
        items: vec![
            Item::Entry { header: Bytes::from_static(b"header"), body: None },
            Item::Entry {
                header: Bytes::from_static(b"head"),
                body: Some(Bytes::from_static(b"body")),
            },
            Item::Gone { leaf: Hash([4; 32]) },
            Item::Skip { level: 1, hash: Hash([3; 32]) },
        ],
        head: head.sign(&author()),
    }
}

fn fork() -> Evidence {
    let head = Head { author: author().id(), epoch: Epoch(7), length: 3, root: Hash([6; 32]) };
    let branch = Branch {
        peaks: Peaks::from_parts(3, vec![Hash([1; 32]), Hash([2; 32])]).unwrap(),
        cover: vec![Hash([3; 32]), Hash([4; 32])],
    };
    Evidence::of_branch(author().id(), head.sign(&author()), advance().head, branch)
}

fn messages() -> Vec<Message> {
    let author = *author().id().as_bytes();
    let epoch = Epoch(7);
    let signed = receipt().sign(&Identity::from_seed(&[2; 32]));
    vec![
        Message::Hello(Hello {
            version: 1,
            features: 0,
            lives: vec![Life { epoch, length: 9 }],
            heads: vec![advance().head],
            receipts: vec![signed.clone()],
        }),
        Message::Ping(300),
        Message::Pong(300),
        Message::Position(Position {
            author,
            epoch,
            length: 4,
            number: 1,
            checkpoints: vec![8],
            channels: vec![[9; 32]],
        }),
        Message::Advance(advance()),
        Message::Receipt(signed),
        Message::Credit(Credit { author, epoch, total: 1 << 20 }),
        Message::Want(Want {
            author,
            epoch,
            recipient: Recipient::Peer([2; 32]),
            seq: Seq(3),
            first_chunk: 2,
        }),
        Message::Body(BodyChunk { number: 2, sealed: Bytes::from_static(b"sealed") }),
        Message::Heads(Heads {
            followed: vec![Tag::new(&[1; 32], &self::author().id())],
            heads: vec![(Tag::new(&[2; 32], &self::author().id()), advance().head)],
        }),
        Message::Evidence(Box::new(fork())),
    ]
}

/// One line per message: kind, then the whole frame in hex. Lines are added, never changed.
#[test]
fn every_message_has_the_bytes_that_were_written_down() {
    let golden = include_str!("../../../tests/golden/sync.txt");
    let written = messages().into_iter().map(|message| {
        let frame = message.encode();
        let bytes = [&frame.header()[..], &frame.payload].concat();
        format!("{:?} {}\n", frame.kind, hex::encode(bytes))
    });
    assert_eq!(written.collect::<String>(), golden);
}

#[test]
fn every_message_is_read_back_whole_and_with_nothing_after_it() {
    for message in messages() {
        let frame = message.encode();
        assert_eq!(Message::decode(&frame), Ok(message.clone()));
        let header = FrameHeader::parse(frame.header()).unwrap();
        assert_eq!((header.kind, header.payload_len), (frame.kind, frame.payload.len()));
        if frame.kind == Kind::Body {
            continue; // Its bytes go to the end of the frame.
        }
        let longer =
            Frame { kind: frame.kind, payload: [&frame.payload[..], &[0]].concat().into() };
        assert_eq!(Message::decode(&longer), Err(Malformed::Trailing(frame.kind)));
        for len in 0..frame.payload.len() {
            let shorter = Frame { kind: frame.kind, payload: frame.payload.slice(..len) };
            assert_eq!(Message::decode(&shorter), Err(Malformed::Payload(frame.kind)));
        }
    }
}

#[test]
fn lists_longer_than_their_bound_are_refused_before_memory_is_taken() {
    let mut payload = vec![1, 0];
    payload.extend([0xff, 0xff, 0xff, 0xff, 0x0f]);
    let frame = Frame { kind: Kind::Hello, payload: payload.into() };
    assert_eq!(Message::decode(&frame), Err(Malformed::Payload(Kind::Hello)));
}

#[test]
fn a_receipt_is_believed_as_signed_only() {
    let identity = Identity::from_seed(&[2; 32]);
    let receiver = Verifier::new(&identity.id());
    let signed = receipt().sign(&identity);
    assert_eq!(signed.verify(&receiver), Ok(&receipt()));
    assert_eq!(
        signed.verify(&Verifier::new(&author().id())),
        Err(Misbehaviour::Signature(Kind::Receipt))
    );
    let beyond = Receipt { seen: 11, ..receipt() }.sign(&identity);
    assert_eq!(beyond.verify(&receiver), Err(Misbehaviour::Numbers(Kind::Receipt)));
    let outside = Receipt { window: 6..12, ..receipt() }.sign(&identity);
    assert_eq!(outside.verify(&receiver), Err(Misbehaviour::Numbers(Kind::Receipt)));
}

#[test]
fn every_field_of_a_receipt_is_under_its_signature() {
    let identity = Identity::from_seed(&[2; 32]);
    let receiver = Verifier::new(&identity.id());
    let frame = Message::Receipt(receipt().sign(&identity)).encode();
    for bit in 0..frame.payload.len() * 8 {
        let mut payload = frame.payload.to_vec();
        payload[bit / 8] ^= 1 << (bit % 8);
        let changed = Frame { kind: Kind::Receipt, payload: payload.into() };
        if let Ok(Message::Receipt(receipt)) = Message::decode(&changed) {
            // A varint can be written in two ways: the same receipt is the same claim.
            let same = *receipt.unverified() == self::receipt();
            assert!(receipt.verify(&receiver).is_err() || same, "bit {bit}");
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_are_a_panic(kind in 1u8..=11, payload in prop::collection::vec(any::<u8>(), 0..400)) {
        let frame = Frame { kind: Kind::from_byte(kind).unwrap(), payload: payload.into() };
        let _ = Message::decode(&frame);
    }
}
