//! What every hash, signature, seal and handshake must look like, byte by byte, for ever.
//!
//! `tests/golden/crypto.txt` holds a line per value, `name = hex`. Lines may be added; none may change,
//! since stored logs and other nodes depend on them.

use std::fmt::Write as _;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::noise::{Initiator, Network, RECORD_HEADER_SIZE, Responder};
use super::{
    BodyKey, Domain, Identity, PairSecret, Salt, Salter, SealContext, Statement, Suite, hash,
    x25519_image,
};
use crate::limits::BODY_CHUNK_TEXT_SIZE;
use crate::types::{Epoch, Recipient};

const GOLDEN: &str = include_str!("../../tests/golden/crypto.txt");

#[test]
fn every_value_is_what_it_always_was() {
    let mut found = String::new();
    for (name, bytes) in values() {
        writeln!(found, "{name} = {}", hex::encode(bytes)).unwrap();
    }
    for (found, golden) in found.lines().zip(GOLDEN.lines()) {
        assert_eq!(found, golden);
    }
    assert_eq!(found.lines().count(), GOLDEN.lines().count(), "all that is made:\n{found}");
}

fn values() -> Vec<(String, Vec<u8>)> {
    [hashes(), signatures(), seals(), handshake()].concat()
}

fn value(name: &str, bytes: impl AsRef<[u8]>) -> (String, Vec<u8>) {
    (name.to_owned(), bytes.as_ref().to_vec())
}

fn identity(number: u8) -> Arc<Identity> {
    Arc::new(Identity::from_seed(&[number; 32]))
}

fn pair(ours: &Identity, other: &Identity) -> Arc<PairSecret> {
    Arc::new(PairSecret::new(ours, &other.id()).unwrap())
}

fn hashes() -> Vec<(String, Vec<u8>)> {
    let contexts = [
        ("leaf", &hash::LEAF),
        ("node", &hash::NODE),
        ("root", &hash::ROOT),
        ("inbox node", &hash::INBOX_NODE),
        ("inbox root", &hash::INBOX_ROOT),
        ("idempotency", &hash::IDEMPOTENCY),
        ("checked id", &hash::CHECKED_ID),
    ];
    let hashes = contexts.map(|(name, context)| value(name, context.hash(b"golden").0));
    let derived = [hash::MAC1, hash::SEAL, hash::SALT, hash::BLIND];
    let derived = derived.map(|context| value(context, hash::derive(context, b"golden")));
    let body = value("body", hash::body_hash(b"golden").0);
    hashes.into_iter().chain(derived).chain([body]).collect()
}

fn signatures() -> Vec<(String, Vec<u8>)> {
    let signer = identity(1);
    let domains = [
        ("sign head", Domain::HEAD),
        ("sign session", Domain::SESSION),
        ("sign receipt", Domain::RECEIPT),
        ("sign channel entry", Domain::CHANNEL_ENTRY),
    ];
    let signatures = domains.map(|(name, domain)| {
        let statement = Statement::new(domain).raw(&[7; 32]).number(8).tag(9).variable(b"golden");
        value(name, signer.sign(&statement).0)
    });
    let ids =
        [value("id", signer.id().as_bytes()), value("x25519 image", x25519_image(&signer.id()))];
    ids.into_iter().chain(signatures).collect()
}

fn seals() -> Vec<(String, Vec<u8>)> {
    let (author, recipient) = (identity(1), identity(2));
    let to = Recipient::Peer(*recipient.id().as_bytes());
    let salter = Salter::new(&author);
    let key = || {
        let context = SealContext {
            author: author.id(),
            recipient: *recipient.id().as_bytes(),
            epoch: Epoch(1_700_000_000),
            header_version: 1,
            suite: Suite::STATIC_X25519,
            salt: Salt([5; 16]),
        };
        BodyKey::new(&pair(&author, &recipient), &context)
    };
    let mut sealer = key().into_sealer();
    let first = sealer.seal(vec![1; BODY_CHUNK_TEXT_SIZE]).unwrap();
    let second = sealer.seal_last(b"golden".to_vec()).unwrap();
    vec![
        value("salt short", salter.salt(&[6; 32], 7, &to, Some(b"golden")).0),
        value("salt long", salter.salt(&[6; 32], 7, &to, None).0),
        value("sealed", key().seal_short(b"golden".to_vec()).unwrap()),
        value("sealed, hash of chunk 0", hash::body_hash(&first).0),
        value("sealed, chunk 1", second),
    ]
}

fn handshake() -> Vec<(String, Vec<u8>)> {
    let (dialler, dialled, network) = (identity(1), identity(2), Network([3; 32]));
    let responder = Responder::new(&dialled, Arc::new(pair(&dialled, &dialler)), &network);
    let to_dialled = pair(&dialler, &dialled);
    let (initiator, flight_1) =
        Initiator::new(&dialler, &to_dialled, &network, Zeroizing::new([4; 32])).unwrap();
    let flight = responder.check(flight_1).unwrap();
    let unverified = responder.read(&flight, Zeroizing::new([5; 32])).unwrap();
    let (responder, flight_2) = unverified.accept().unwrap();
    let (initiator, auth_1) = initiator.read(&flight_2).unwrap();
    let (mut responder, auth_2) = responder.verify(&auth_1).unwrap();
    let mut initiator = initiator.verify(&auth_2).unwrap();
    let mut records = [&mut initiator, &mut responder].map(|session| {
        let mut record = vec![0; RECORD_HEADER_SIZE];
        record.extend_from_slice(b"golden");
        session.send.seal(&mut record, 0).unwrap();
        record
    });
    vec![
        value("flight 1", flight_1),
        value("flight 2", flight_2),
        value("auth of the initiator", auth_1),
        value("auth of the responder", auth_2),
        value("handshake hash", initiator.handshake_hash),
        value("record of the initiator", std::mem::take(&mut records[0])),
        value("record of the responder", std::mem::take(&mut records[1])),
    ]
}
