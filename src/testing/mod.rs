//! The instruments that this library is checked with, for your own property tests (feature `testing`).

mod decode;
mod invariants;
mod meetings;
mod model;
mod model_clock;
mod model_entry;
mod model_health;
mod pair;
mod pong;
mod seen;
mod settings;
mod step;
pub mod strategy;
mod told;
mod view;

pub use decode::{fuzz, replay};
pub use invariants::{Invariant, Violation, check_invariants};
pub use meetings::{Meeting, Meetings};
pub use model::Model;
pub use pair::{Difference, Pair, Reference, Subject};
pub use seen::Seen;
pub use settings::Knobs;
pub use step::{Act, But, Name, Said, Stamp, Step, Steps, Style, When, Where, Who};
pub use told::Outcome;
pub use view::View;
