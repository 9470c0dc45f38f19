//! The parts of the exhaustive search: what may happen, how states are told apart, and the search itself.

mod alphabet;
mod search;
mod state;

pub(crate) use alphabet::Alphabet;
pub(crate) use search::Search;
