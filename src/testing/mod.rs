//! The instruments that this library is checked with, for your own property tests (feature `testing`).

#![allow(missing_docs, unreachable_pub, unreachable_patterns)]

pub mod decode;
pub mod model;
mod model_clock;
mod model_entry;
mod model_health;
pub mod pair;
mod pong;
pub mod settings;
pub mod step;
pub mod strategy;
pub mod told;
pub mod view;
