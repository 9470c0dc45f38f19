//! Measures lobby servers end to end: a [load client](load), and [floors](floor) to compare a server with.

pub mod floor;
pub mod frame;
pub mod load;
