//! Measures lobby servers end to end: a [load client](load), [floors](floor) to compare a server with, and
//! [hostile load](hostile).

pub mod floor;
pub mod frame;
pub mod hostile;
pub mod load;
