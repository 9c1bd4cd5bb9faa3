//! Two ends, and everything that may go wrong between them.

use std::sync::Arc;

use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;
use crate::crypto::{CryptoError, Identity, x25519_image};
use crate::limits::{AUTH_SIZE, FLIGHT_1_SIZE, FLIGHT_2_SIZE};

/// A dialler (seed 1) and a node that knows it (seed 2).
pub(crate) struct Ends {
    dialler: Arc<Identity>,
    pair: Arc<PairSecret>,
    responder: Responder,
}

fn identity(number: u8) -> Arc<Identity> {
    Arc::new(Identity::from_seed(&[number; 32]))
}

fn pair(ours: &Identity, other: &Identity) -> Arc<PairSecret> {
    Arc::new(PairSecret::new(ours, &other.id()).unwrap())
}

pub(crate) fn ends() -> Ends {
    let (dialler, dialled) = (identity(1), identity(2));
    let known = Arc::new(pair(&dialled, &dialler));
    let responder = Responder::new(&dialled, known, &Network::default());
    Ends { pair: pair(&dialler, &dialled), dialler, responder }
}

fn ephemeral(number: u8) -> Zeroizing<[u8; 32]> {
    Zeroizing::new([number; 32])
}

impl Ends {
    fn dial(&self) -> (Initiator, [u8; FLIGHT_1_SIZE]) {
        Initiator::new(&self.dialler, &self.pair, &Network::default(), ephemeral(3)).unwrap()
    }

    fn read(
        &self,
        flight: &[u8; FLIGHT_1_SIZE],
        number: u8,
    ) -> Result<UnverifiedInitiator, CryptoError> {
        self.responder.read(&self.responder.check(*flight)?, ephemeral(number))
    }

    fn answer(&self, flight: &[u8; FLIGHT_1_SIZE]) -> (ResponderAwaitingAuth, [u8; FLIGHT_2_SIZE]) {
        self.read(flight, 4).unwrap().accept().unwrap()
    }

    /// Everything up to the initiator's Auth.
    fn until_auth(&self) -> (InitiatorAwaitingAuth, [u8; AUTH_SIZE], ResponderAwaitingAuth) {
        let (initiator, flight_1) = self.dial();
        let (responder, flight_2) = self.answer(&flight_1);
        let (initiator, auth) = initiator.read(&flight_2).unwrap();
        (initiator, auth, responder)
    }

    pub(crate) fn sessions(&self) -> (Session, Session) {
        let (initiator, auth, responder) = self.until_auth();
        let (responder, auth) = responder.verify(&auth).unwrap();
        (initiator.verify(&auth).unwrap(), responder)
    }
}

fn record(session: &mut Session, text: &[u8]) -> Vec<u8> {
    let mut record = vec![0; RECORD_HEADER_SIZE];
    record.extend_from_slice(text);
    session.send.seal(&mut record, 0).unwrap();
    record
}

fn open(session: &mut Session, record: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let (header, sealed) = record.split_first_chunk().unwrap();
    assert_eq!(record_size(*header).unwrap(), sealed.len());
    session.receive.open(&mut sealed.to_vec()).map(|text| text.to_vec())
}

#[test]
fn both_ends_know_each_other_and_share_a_hash() {
    let (mut a, mut b) = ends().sessions();
    assert_eq!((a.peer, b.peer), (identity(2).id(), identity(1).id()));
    assert_eq!(a.handshake_hash, b.handshake_hash);
    for text in [&b"first"[..], b"second"] {
        let there = record(&mut a, text);
        assert_eq!(open(&mut b, &there).unwrap(), text);
        let back = record(&mut b, text);
        assert_eq!(open(&mut a, &back).unwrap(), text);
        assert_ne!(there, back);
    }
}

#[test]
fn a_flight_for_another_node_or_network_gets_nothing() {
    let ends = ends();
    let third = pair(&ends.dialler, &identity(3));
    let network = Network([1; 32]);
    let dials = [
        Initiator::new(&ends.dialler, &third, &Network::default(), ephemeral(3)),
        Initiator::new(&ends.dialler, &ends.pair, &network, ephemeral(3)),
    ];
    for dial in dials {
        let (_, flight) = dial.unwrap();
        let refused = ends.read(&flight, 4).unwrap_err();
        assert_eq!(refused, CryptoError::Flight { number: 1 });
    }
}

#[test]
fn a_stranger_is_named_a_stranger() {
    let ends = ends();
    let stranger = identity(3);
    let to_us = pair(&stranger, &identity(2));
    let (_, flight) = Initiator::new(&stranger, &to_us, &Network::default(), ephemeral(3)).unwrap();
    let refused = ends.read(&flight, 4).unwrap_err();
    assert_eq!(refused, CryptoError::Stranger);
}

#[test]
fn a_weak_ephemeral_key_is_refused() {
    let ends = ends();
    let mut flight = [0; FLIGHT_1_SIZE];
    let (message, mac1) = flight::split_mut(&mut flight);
    *mac1 = flight::mac1(&flight::mac1_key(&identity(2).id()), message);
    let refused = ends.read(&flight, 4).unwrap_err();
    assert_eq!(refused, CryptoError::Flight { number: 1 });
}

#[test]
fn a_replayed_first_flight_leads_to_no_session() {
    let ends = ends();
    let (_, flight) = ends.dial();
    let unverified = ends.read(&flight, 4).unwrap();
    assert_eq!(unverified.claimed(), identity(1).id());
    unverified.accept().unwrap();
    // Later, by someone who recorded the flight and the Auth of the first connection.
    let (_, auth, _) = ends.until_auth();
    let (again, _) = ends.read(&flight, 5).unwrap().accept().unwrap();
    assert_eq!(again.verify(&auth).unwrap_err(), CryptoError::Record);
}

#[test]
fn who_holds_the_x25519_key_alone_is_not_believed() {
    // The negative of an id has the same X25519 key, and so the same Noise keys.
    let dialled = identity(2);
    let mut negative = *identity(1).id().as_bytes();
    negative[31] ^= 0x80;
    let negative = Id::from_bytes(negative).unwrap();
    let known = Arc::new(Arc::new(PairSecret::new(&dialled, &negative).unwrap()));
    let responder = Responder::new(&dialled, known, &Network::default());
    let ends = Ends { responder, ..ends() };
    let (_, auth, responder) = ends.until_auth();
    let refused = responder.verify(&auth).unwrap_err();
    let domain = "peermq session v1";
    assert_eq!(refused, CryptoError::Signature { signer: negative, domain });
}

#[test]
fn an_auth_does_not_serve_the_other_role() {
    let (initiator, auth, _) = ends().until_auth();
    assert_eq!(initiator.verify(&auth).unwrap_err(), CryptoError::Record);
}

#[test]
fn records_are_opened_once_and_in_order() {
    let (mut a, mut b) = ends().sessions();
    let (first, second) = (record(&mut a, b"first"), record(&mut a, b"second"));
    assert_eq!(open(&mut b, &first).unwrap(), b"first");
    assert_eq!(open(&mut b, &first), Err(CryptoError::Record));
    // After one failure nothing opens, not even what would have been right.
    assert_eq!(open(&mut b, &second), Err(CryptoError::Record));
}

#[test]
fn records_have_bounds() {
    let (mut a, mut b) = ends().sessions();
    for wrong in [0, RECORD_TEXT_SIZE_MAX + 1] {
        let got = wrong + 16;
        let mut buffer = vec![0; RECORD_HEADER_SIZE + wrong];
        assert_eq!(a.send.seal(&mut buffer, 0), Err(CryptoError::RecordSize { got }));
    }
    assert_eq!(a.send.seal(&mut vec![0], 0), Err(CryptoError::RecordSize { got: 15 }));
    for size in [0u16, 16] {
        let refused = record_size(size.to_be_bytes());
        assert_eq!(refused, Err(CryptoError::RecordSize { got: size.into() }));
    }
    let longest = vec![7; RECORD_TEXT_SIZE_MAX];
    let sealed = record(&mut a, &longest);
    assert_eq!(sealed.len(), 2 + 65_535);
    assert_eq!(open(&mut b, &sealed).unwrap(), longest);
}

#[test]
fn several_records_lie_in_one_buffer() {
    let (mut a, mut b) = ends().sessions();
    let mut buffer = vec![0, 0, 1];
    a.send.seal(&mut buffer, 0).unwrap();
    let start = buffer.len();
    buffer.extend_from_slice(&[0, 0, 2, 3]);
    a.send.seal(&mut buffer, start).unwrap();
    let (first, second) = buffer.split_at(start);
    assert_eq!(open(&mut b, first).unwrap(), [1]);
    assert_eq!(open(&mut b, second).unwrap(), [2, 3]);
}

#[test]
fn an_id_is_known_by_its_x25519_key() {
    let ends = ends();
    let image = x25519_image(&identity(2).id());
    assert_eq!(ends.pair.pair(&image).unwrap().peer(), identity(2).id());
    assert!(ends.pair.pair(&[0; 32]).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_flipped_bit_ends_the_handshake(bit in 0..8 * (FLIGHT_1_SIZE + FLIGHT_2_SIZE + 2 * AUTH_SIZE)) {
        let ends = ends();
        prop_assert!(handshake_with_flipped_bit(&ends, bit).is_err());
    }

    #[test]
    fn a_flipped_bit_ends_the_session(text in prop::collection::vec(any::<u8>(), 1..99), at: prop::sample::Index, bit in 0u8..8) {
        let (mut a, mut b) = ends().sessions();
        let mut sealed = record(&mut a, &text).split_off(RECORD_HEADER_SIZE);
        let at = at.index(sealed.len());
        sealed[at] ^= 1 << bit;
        prop_assert_eq!(b.receive.open(&mut sealed).map(|_| ()), Err(CryptoError::Record));
    }

    #[test]
    fn noise_is_no_flight(bytes in prop::collection::vec(any::<u8>(), FLIGHT_1_SIZE)) {
        let flight = bytes.try_into().unwrap();
        prop_assert!(ends().read(&flight, 4).is_err());
    }
}

fn handshake_with_flipped_bit(ends: &Ends, bit: usize) -> Result<(), CryptoError> {
    let mut left = Some(bit);
    let (initiator, mut flight_1) = ends.dial();
    flip(&mut flight_1, &mut left);
    let (responder, mut flight_2) = ends.read(&flight_1, 4)?.accept()?;
    flip(&mut flight_2, &mut left);
    let (initiator, mut auth) = initiator.read(&flight_2)?;
    flip(&mut auth, &mut left);
    let (_, mut auth) = responder.verify(&auth)?;
    flip(&mut auth, &mut left);
    initiator.verify(&auth).map(|_| ())
}

/// Flips the bit if it lies in this message, else counts the message's bits off.
fn flip(message: &mut [u8], left: &mut Option<usize>) {
    let Some(bit) = *left else { return };
    *left = bit.checked_sub(8 * message.len());
    if left.is_none() {
        message[bit / 8] ^= 1 << (bit % 8);
    }
}
