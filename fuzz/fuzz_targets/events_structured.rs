#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| foreshow_fuzzing::events_structured(bytes));
