//! A lobby server: [`lobbykeeper`]'s state machine behind axum and tokio, with a chat page.
//!
//! The way of a message: `socket` reads it and hands it to `hub`, which owns the one manager; what the message
//! means is for `chat`, which asks the manager for a broadcast, say; `hub` puts that into the queues of the recipients'
//! sockets. See the README beside this package.

#![forbid(unsafe_code)]

mod args;
mod auth;
mod chat;
mod hub;
mod log;
mod machine;
mod routes;
mod socket;
mod tape;
mod wire;

use std::io;
use std::num::NonZeroU16;
use std::path::PathBuf;

pub use args::Args;
use axum::serve::ListenerExt;
use futures_util::FutureExt;
use lobbykeeper::Config;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tracing::warn;

use crate::hub::{Hub, MAX_EVENTS};
use crate::machine::Machine;
use crate::routes::Lobbies;
use crate::socket::Port;
use crate::tape::Tape;

/// The settings of the server: those of the manager, and those of the sockets.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Limits and times.
    pub config: Config,
    /// The longest message that a client may send.
    pub max_message_bytes: u32,
    /// How many messages may wait for one client.
    pub queue_length: NonZeroU16,
    /// Where the flight recorder writes; the file must be a new one.
    pub record: Option<PathBuf>,
}

/// Serves the lobbies until `shutdown`, then closes every client with 1001, waits for their goodbyes up to
/// [`Config::close_timeout`] and returns.
///
/// # Errors
/// If the settings contradict each other, if the recording cannot be started, or if accepting connections or the hub's task fails.
pub async fn serve(
    listener: TcpListener,
    settings: Settings,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let Settings {
        config,
        max_message_bytes,
        queue_length,
        record,
    } = settings;
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
    let tape = record.map(|path| Tape::create(&path)).transpose()?;
    let machine = Machine::new(config, tape).map_err(invalid)?;
    let config = machine.config();
    let (sender, events) = mpsc::channel(MAX_EVENTS);
    let router = routes::router(Lobbies {
        port: Port {
            events: sender,
            queue_length: queue_length.get().into(),
            close_timeout: config.close_timeout,
        },
        unauthorized: config.answers.unauthorized.clone(),
        max_message_bytes,
    });
    // Without it a message waits in the system until the one before has been acknowledged, up to 40 ms.
    let listener = listener.tap_io(|socket| {
        if let Err(error) = socket.set_nodelay(true) {
            warn!(%error, "TCP_NODELAY");
        }
    });
    let shutdown = shutdown.boxed().shared();
    let hub = tokio::spawn(Hub::new(machine).run(events, shutdown.clone()));
    tokio::select! {
        // The hub ends last: when all tasks that could tell it something have ended, or when their time is up.
        ended = hub => ended.map_err(io::Error::other),
        Err(error) = axum::serve(listener, router).with_graceful_shutdown(shutdown).into_future() => Err(error),
    }
}
