//! The handshake: who holds no key of a peer gets nothing, and nothing that was changed is believed.

use std::sync::Arc;

use peermq::crypto::hash::derive;
use peermq::crypto::noise::{Initiator, KnownPairs, Network, Responder, Session};
use peermq::crypto::{Identity, PairSecret};
use peermq::limits::FLIGHT_1_SIZE;
use zeroize::Zeroizing;

use crate::choices::Choices;
use crate::seeds::recorded_flight;

/// Knocks at a node: as a stranger with bytes of its own, or as a peer whose words are changed on
/// their way.
pub fn flight(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let ends = Ends::new();
    match choices.below(3) {
        0 => ends.hear(as_flight(choices.rest())),
        1 => ends.hear(ends.addressed(as_flight(choices.rest()))),
        _ => ends.shake_hands(&mut choices),
    }
}

/// Who dials, who is dialled, and their secret. The dialled knows another, too.
struct Ends {
    dialler: Arc<Identity>,
    pair: Arc<PairSecret>,
    responder: Responder,
    dialled: Arc<Identity>,
}

impl Ends {
    fn new() -> Self {
        let [dialler, dialled] = [1, 2].map(|seed| Arc::new(Identity::from_seed(&[seed; 32])));
        let secret = |ours: &Identity, peer: &Identity| {
            Arc::new(PairSecret::new(ours, &peer.id()).expect("ids are sound"))
        };
        let pair = secret(&dialler, &dialled);
        let other = Identity::from_seed(&[3; 32]);
        let known = Known([&dialler, &other].map(|peer| secret(&dialled, peer)));
        let responder = Responder::new(&dialled, Arc::new(known), &NETWORK);
        Self { dialler, pair, responder, dialled }
    }

    /// A flight with the mac1 that only who knows the id can make.
    fn addressed(&self, mut flight: [u8; FLIGHT_1_SIZE]) -> [u8; FLIGHT_1_SIZE] {
        let (message, mac1) = flight.split_last_chunk_mut::<16>().expect("a flight is longer");
        let key = derive("peermq mac1 v1", self.dialled.id().as_bytes());
        let mac = blake3::keyed_hash(&key, message);
        mac1.copy_from_slice(mac.as_bytes().first_chunk::<16>().expect("a hash is longer"));
        flight
    }

    /// Nobody without a peer's key makes a flight that is answered. One that was recorded may be sent
    /// again: that is no proof of anything yet.
    fn hear(&self, flight: [u8; FLIGHT_1_SIZE]) {
        let Ok(addressed) = self.responder.check(flight) else { return };
        if let Ok(claim) = self.responder.read(&addressed, Zeroizing::new([4; 32])) {
            assert_eq!(flight, recorded_flight(), "only what a peer has written is answered");
            assert_eq!(claim.claimed(), self.dialler.id(), "it names who has written it");
            claim.accept().expect("an honest flight can be answered");
        }
    }

    /// A whole handshake; each of its flights may be changed on the way.
    fn shake_hands(&self, choices: &mut Choices<'_>) {
        let ephemeral = Zeroizing::new([choices.byte() | 1; 32]);
        let (initiator, mut flight_1) =
            Initiator::new(&self.dialler, &self.pair, &NETWORK, ephemeral)
                .expect("an id is no weak key");
        let is_changed = choices.harm(&mut flight_1);
        let read = self.responder.check(flight_1).and_then(|flight| {
            self.responder.read(&flight, Zeroizing::new([choices.byte() | 1; 32]))
        });
        assert_eq!(read.is_err(), is_changed, "flight 1 is read as it was written");
        let Ok(claim) = read else { return };
        let (responder, mut flight_2) = claim.accept().expect("its ephemeral key is sound");
        let is_changed = choices.harm(&mut flight_2);
        let read = initiator.read(&flight_2);
        assert_eq!(read.is_err(), is_changed, "flight 2 is read as it was written");
        let Ok((initiator, mut auth)) = read else { return };
        let is_changed = choices.harm(&mut auth);
        let verified = responder.verify(&auth);
        assert_eq!(verified.is_err(), is_changed, "a changed Auth proves nothing");
        let Ok((theirs, mut auth)) = verified else { return };
        let is_changed = choices.harm(&mut auth);
        let verified = initiator.verify(&auth);
        assert_eq!(verified.is_err(), is_changed, "a changed Auth proves nothing");
        let Ok(ours) = verified else { return };
        assert_eq!([ours.peer, theirs.peer], [self.dialled.id(), self.dialler.id()]);
        assert_eq!(ours.handshake_hash, theirs.handshake_hash, "both ends share one hash");
        pass_records(ours, theirs, choices);
    }
}

/// The pairs of a node with two peers.
struct Known([Arc<PairSecret>; 2]);

impl KnownPairs for Known {
    fn pair(&self, image: &[u8; 32]) -> Option<Arc<PairSecret>> {
        self.0.iter().find(|pair| pair.image() == image).cloned()
    }
}

/// Records arrive as they were sealed and in their order, or the session is over.
fn pass_records(mut from: Session, mut to: Session, choices: &mut Choices<'_>) {
    let mut is_over = false;
    while !choices.is_empty() {
        let text = choices.bytes(255);
        let mut record = vec![0; 2];
        record.extend_from_slice(text);
        if from.send.seal(&mut record, 0).is_err() {
            assert!(text.is_empty(), "only an empty record is refused");
            continue;
        }
        let sealed = record.get_mut(2..).expect("a record begins with its size");
        is_over |= choices.harm(sealed);
        let opened = to.receive.open(sealed);
        assert_eq!(opened.is_err(), is_over, "what was changed ends the session for ever");
        if let Ok(opened) = opened {
            assert_eq!(opened, text);
        }
    }
}

/// The bytes in front, or zeros.
fn as_flight(bytes: &[u8]) -> [u8; FLIGHT_1_SIZE] {
    let mut flight = [0; FLIGHT_1_SIZE];
    flight.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    flight
}

/// The network of the golden handshake.
const NETWORK: Network = Network([3; 32]);
