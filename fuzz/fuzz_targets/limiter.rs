#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tollgate_tests::bodies::run("limiter", bytes));
