//! libFuzzer's entry to the target `store` of `peermq-fuzzing`.
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: peermq_fuzzing::contain_panics(),
    |bytes: &[u8]| peermq_fuzzing::store(bytes)
);
