//! The instruments that this library is checked with, for your own property tests (feature `testing`).

mod sim;

pub use sim::{
    Departure, Fault, Network, Reconnect, Report, RoundTrips, Scenario, ScenarioError, Sim, StaleTruth, Stalls,
    WakeOrder,
};
