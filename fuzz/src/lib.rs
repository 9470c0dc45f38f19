//! What the targets do with their bytes. It lies among the library's tests, which replay the corpora on stable.

#[path = "../../tests/fuzzing/mod.rs"]
mod fuzzing;

pub use fuzzing::{hostile_json, inputs, snapshots};
