#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lobbykeeper_fuzz::inputs(data));
