//! The instruments that this library is checked with, for your own property tests (feature `testing`).
//!
//! ```toml
//! [dev-dependencies]
//! lobbykeeper = { version = "0.1", features = ["testing"] }
//! proptest = "1"
//! ```
//!
//! - [`strategy`] draws settings and [`Step`]s: what may happen to a manager, said in relation to what there is, "the
//!   second open connection leaves, at the deadline". [`Seen`] knows what there is, from what went in and came out, and
//!   makes an [`Input`](crate::Input) of a step. So a shorter sequence of steps still means something, and a failure
//!   shrinks well.
//! - [`check_invariants`] looks into a manager and finds whether everything holds that always does: see
//!   [`Invariant`](crate::Invariant).
//! - [`Model`] is a naive manager, obvious rather than fast, that says what each input has to bring about.
//!   [`Reference`] and [`Subject`] are the model and the manager, as a state-machine test wants them; a [`Pair`] is both.
//!   The first [`Difference`] comes with a log that can be [replayed](replay).
//! - [`Meetings`] counts how often a run came to the places where two rules meet.
//! - [`Sim`] is a whole simulated world around a manager: clients, their links, a driver, and what goes wrong. It shows
//!   what your settings come to under load, faults and storms. A [`Handover`] is one in which a server is emptied and
//!   another takes over.
//!
//! An application needs the first two: its own rules are its own model, and that the manager keeps its rules is tested
//! here. The others are for who changes the manager, or puts another in its place.
//!
//! None of this is bound by semantic versioning: a new event or rule adds variants.
//!
//! # A test of a small application
//!
//! ```ignore
#![doc = include_str!("../../tests/ready_check.rs")]
//! ```
//!
//! (This very file is among this library's own tests: `tests/ready_check.rs`.)

#![expect(
    clippy::missing_panics_doc,
    reason = "an expectation that is not met is a bug of these instruments, not of their caller"
)]

mod invariants;
mod meetings;
mod meetings_rates;
mod meetings_seats;
mod model;
mod model_clock;
mod model_doors;
mod model_drain;
mod model_entry;
mod model_flow;
mod model_health;
mod model_rates;
mod model_seats;
mod pair;
mod pong;
mod replay;
mod seen;
mod settings;
mod sim;
mod step;
mod step_input;
pub mod strategy;
mod told;
mod view;

pub use invariants::check_invariants;
pub use meetings::{Meeting, Meetings};
pub use model::Model;
pub use pair::{Difference, Pair, Reference, Subject};
pub use replay::replay;
pub use seen::Seen;
pub use settings::Knobs;
pub use sim::{
    Authentication, Departure, Fault, Goodbye, Handover, HandoverReport, Network, Operator, Orders, Reconnect, Report,
    RoundTrips, Scenario, ScenarioError, Sim, StaleTruth, Stalls, WakeOrder,
};
pub use step::{Act, But, Name, Said, Stamp, Step, Steps, Style, Swap, Ticket, Until, When, Where, Who};
pub use told::Outcome;
pub use view::View;
