//! What the fuzz targets do with their bytes, and what must hold: the fuzzer calls this, and so does the test that
//! replays what the fuzzer has found worth keeping. Whatever does not hold is a panic. Any bytes will do.

#![allow(unreachable_pub, reason = "another crate reaches these: the fuzzer's")]

mod bytes;
mod hostile_json;
mod inputs;
mod reading;
mod snapshots;
mod tampering;

pub use hostile_json::hostile_json;
pub use inputs::inputs;
pub use snapshots::snapshots;
