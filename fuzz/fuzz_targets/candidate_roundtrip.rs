//! See the function of this name in `src/text.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| floe_fuzz::timed(
    floe_fuzz::LIMIT,
    floe_fuzz::candidate_roundtrip,
    data
));
