//! What can be seen of the server while it runs: `/metrics` for Prometheus and `/dashboard` for people, at a [`Window`]
//! of their own.
//!
//! The hub counts (`meters`) and, when it is asked, tells (`report`); `exposition` and `sample` put that into words,
//! for either kind of reader, and `window` lets those see it who have the token.

mod exposition;
mod flags;
mod meters;
mod report;
mod sample;
mod window;

pub use flags::WindowFlags;
pub(crate) use report::{Observer, Question, observer};
pub use window::Window;
