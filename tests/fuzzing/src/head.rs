//! Heads: one is believed only from its author, and only as it was signed.

use peermq::crypto::hash::Hash;
use peermq::crypto::{Identity, Verifier};
use peermq::log::{Head, SignedHead};
use peermq::types::Epoch;

use crate::choices::Choices;

/// Signs a head, changes its bytes and believes what comes of that; the rest is read as a head.
pub fn head(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let author = Identity::from_seed(&[1; 32]);
    let verifier = Verifier::new(&author.id());
    let root = Hash([choices.byte(); 32]);
    let (epoch, length) = (Epoch(choices.number()), choices.number());
    let signed = Head { author: author.id(), epoch, length, root }.sign(&author);
    let mut written = postcard::to_stdvec(&signed).expect("a head is plain data");
    choices.harm(&mut written);
    if let Ok((read, [])) = postcard::take_from_bytes::<SignedHead>(&written) {
        let is_same = read == signed;
        assert_eq!(read.verify(&verifier).is_ok(), is_same, "{read:?} beside {signed:?}");
    }
    if let Ok((read, _)) = postcard::take_from_bytes::<SignedHead>(choices.rest()) {
        // Nobody can write what the author has not signed.
        let golden = read.verify(&verifier).is_ok();
        assert!(!golden || read.epoch == GOLDEN_EPOCH, "{read:?} was never signed");
    }
}

/// The heads of the golden vectors are this author's own, and all of one life.
const GOLDEN_EPOCH: Epoch = Epoch(1_700_000_000);
