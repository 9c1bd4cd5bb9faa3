//! The harnesses on the real program, each a little and from the same seed: what they count at length
//! stands in the README.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests may: a panic is a failure"
)]

use std::process::Command;

/// Runs a harness on one store, and expects it to have done its harm and to have found nothing.
fn finds_nothing(harness: &str, store: &str, count: &str, harm: &str) {
    let peermq = peermq_program::beside(env!("CARGO_BIN_EXE_peermq-faults")).unwrap();
    let ended = Command::new(env!("CARGO_BIN_EXE_peermq-faults"))
        .args([harness, "--store", store, "--seed", "1", "--count", count, "--peermq"])
        .arg(peermq)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    let counted = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{counted}{said}");
    let report: serde_json::Value = serde_json::from_str(&counted).unwrap();
    let counts = &report["counts"];
    if counts["skipped"].is_u64() {
        return println!("PASSED OVER: {said}");
    }
    assert!(counts[harm].as_u64() > Some(0), "expected {harm}, got {counted}{said}");
}

#[test]
fn random_kills_lose_and_repeat_nothing_on_sled() {
    finds_nothing("k1", "sled", "3", "kills");
}

#[test]
fn random_kills_lose_and_repeat_nothing_on_redb() {
    finds_nothing("k1", "redb", "3", "kills");
}

#[test]
fn random_kills_lose_and_repeat_nothing_on_fjall() {
    finds_nothing("k1", "fjall", "3", "kills");
}

#[test]
fn a_kill_at_calls_that_write_loses_nothing() {
    finds_nothing("k2", "sled", "80", "kills");
}

#[test]
fn a_sync_or_a_write_that_fails_ends_a_node_and_loses_nothing() {
    finds_nothing("f1", "sled", "21", "faults");
}

#[test]
fn a_disk_that_fills_up_loses_nothing_and_all_goes_on_once_it_has_room() {
    finds_nothing("f2", "sled", "3", "refused sends");
}

#[test]
fn an_older_copy_that_goes_on_signs_nothing() {
    finds_nothing("c3", "sled", "5", "stale by a peer's word");
}

#[test]
fn a_directory_that_is_held_is_opened_by_nobody_else() {
    finds_nothing("c4", "sled", "2", "refused openers");
}

#[test]
fn a_power_cut_loses_nothing() {
    let as_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let has_loops = Command::new("losetup").arg("-f").output().is_ok_and(|o| o.status.success());
    if !as_root || !has_loops {
        return println!("PASSED OVER: no right to mount");
    }
    finds_nothing("p1", "sled", "1", "cuts");
}
