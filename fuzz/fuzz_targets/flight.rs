//! libFuzzer's entry to the target `flight` of `peermq-fuzzing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| peermq_fuzzing::flight(bytes));
