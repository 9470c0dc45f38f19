//! A naive reference model of the whole manager, and what drives both side by side.

#![allow(dead_code, reason = "each test binary uses its own part")]

pub(crate) mod decode;
pub(crate) mod model;
pub(crate) mod model_clock;
pub(crate) mod model_entry;
pub(crate) mod model_health;
pub(crate) mod pair;
pub(crate) mod pong;
pub(crate) mod settings;
pub(crate) mod step;
pub(crate) mod told;
pub(crate) mod view;
