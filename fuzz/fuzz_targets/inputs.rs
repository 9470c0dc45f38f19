//! Any bytes are settings and a sequence of inputs: the manager and the reference model are given both, and must
//! agree. The decoder and the model are those of the tests (`lobbykeeper::testing`), which replay the corpus.

#![no_main]


use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Err(difference) = lobbykeeper::testing::decode::run(data) {
        panic!("{difference}");
    }
});
