//! Proofs: files from anyone.

use peermq::sync::proof::Proof;

/// Reads the bytes as a proof, and once more with the hash at their end made right.
pub fn proof(bytes: &[u8]) {
    check(bytes);
    if let Some((content, _)) = bytes.split_last_chunk::<32>() {
        check(&[content, blake3::hash(content).as_bytes()].concat());
    }
}

fn check(bytes: &[u8]) {
    let Ok(proof) = Proof::decode(bytes) else { return };
    assert_eq!(Proof::decode(&proof.encode()), Ok(proof.clone()), "a proof comes back");
    // Any outcome is right: whether it proves anything is for its signatures to say.
    let _ = proof.verify();
}
