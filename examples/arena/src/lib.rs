//! An authoritative game server with a fixed tick, without threads and without async: [`lobbykeeper`]'s state machine in
//! a game loop. See the README beside this package.

#![forbid(unsafe_code)]

mod arena;
mod http;
mod random;
mod room;
mod server;
mod settings;
mod simulate;
mod ticker;
mod wire;
pub mod world;

pub use arena::{Arena, Part};
pub use server::{Server, listen};
pub use settings::config;
pub use simulate::{Report, simulate};
