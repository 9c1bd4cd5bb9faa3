//! Each harness in short, on every store: seconds, where the commands take hours.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

use std::process::Command;

#[test]
fn c1_cuts_files_and_no_store_takes_a_part_for_the_whole() {
    runs("c1", "1");
}

#[test]
fn c2_flips_bits_and_no_store_gives_a_wrong_answer() {
    runs("c2", "6");
}

/// Runs a harness on all stores: nothing may be found, and each store must have met faults.
fn runs(harness: &str, count: &str) {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let ran = Command::new(env!("CARGO_BIN_EXE_peermq-faults"))
        .args([harness, "--store", "all", "--count", count, "--out"])
        .arg(&out)
        .output()
        .unwrap();
    let lines = std::fs::read_to_string(out).unwrap();
    assert!(ran.status.success(), "{lines}");
    assert_eq!(lines.lines().count(), 3);
    for line in lines.lines() {
        let report: serde_json::Value = serde_json::from_str(line).unwrap();
        let counts = &report["counts"];
        assert!(counts["faults"].as_u64() > Some(0), "{line}");
        assert_eq!(report["findings"], serde_json::json!([]));
    }
}
