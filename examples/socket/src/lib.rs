//! One client of a WebSocket server in an event loop of one's own: the handshake, what it says, and what waits to be
//! written to it. It knows neither the loop nor what the server is about.
//!
//! The loop tells it when the system has something for it ([`Socket::is_ready`]), listens until there is nothing more
//! in this turn ([`Socket::hear`]), says what it has to say ([`Socket::push`]), and at the end of the turn writes all
//! of that in one call ([`Socket::flush`]). What everybody is told lies in one place, the [`Frames`] of this turn.

#![forbid(unsafe_code)]

mod flushed;
mod frames;
mod listener;
mod socket;
mod stream;

pub use flushed::Flushed;
pub use frames::{Encoded, Frames, frame};
pub use listener::Listener;
pub use socket::{Heard, Socket};
pub use tungstenite::handshake::server::Request;
