//! libFuzzer's entry to the target `session` of `peermq-fuzzing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| peermq_fuzzing::session(bytes));
