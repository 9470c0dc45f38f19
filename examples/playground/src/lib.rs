//! lobbykeeper in a page: a world of clients, links and a server, in virtual time, to play with. The page and this
//! library talk in JSON, through `door`; all else is plain Rust, the same natively and as WebAssembly.
//!
//! The world is the driver here: it tells a [`Recorder`](lobbykeeper::Recorder) what happens, and carries out what it
//! writes. See the README beside this package.

#![forbid(unsafe_code)]

mod action;
mod carry_out;
mod client;
mod door;
mod receipts;
mod recording;
mod scenario;
mod time_line;
mod trouble;
mod view;
mod world;

pub use action::Action;
pub use client::{Client, State};
pub use door::Playground;
pub use scenario::Scenario;
pub use time_line::{Entry, Kind, Line};
pub use trouble::Trouble;
pub use view::View;
pub use world::World;
