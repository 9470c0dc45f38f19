//! A lobby server on one thread, without a runtime: [`lobbykeeper`]'s state machine in an event loop of its own. See the
//! README beside this package.

#![forbid(unsafe_code)]

mod server;

pub use server::Server;
