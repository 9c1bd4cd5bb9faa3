//! libFuzzer's entry to the target `frame` of `peermq-fuzzing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| peermq_fuzzing::frame(bytes));
