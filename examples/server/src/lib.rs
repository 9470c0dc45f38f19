//! A lobby server: [`lobbykeeper`]'s state machine behind axum and tokio, with a chat page.
//!
//! The way of a message: `socket` reads it and hands it to `hub`, which owns the one [`Manager`]; what the message
//! means is for `chat`, which asks the manager for a broadcast, say; `hub` puts that into the queues of the recipients'
//! sockets. See the README beside this package.

#![forbid(unsafe_code)]

mod args;
mod auth;
mod chat;
mod hub;
mod log;
mod routes;
mod socket;
mod wire;

use std::io;
use std::num::NonZeroU16;

pub use args::Args;
use axum::serve::ListenerExt;
use futures_util::FutureExt;
use lobbykeeper::{Config, Manager};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tracing::warn;

use crate::hub::{Hub, MAX_EVENTS};
use crate::routes::Lobbies;
use crate::socket::Port;

/// The settings of the server: those of the manager, and those of the sockets.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Limits and times.
    pub config: Config,
    /// The longest message that a client may send.
    pub max_message_bytes: u32,
    /// How many messages may wait for one client.
    pub queue_length: NonZeroU16,
}

/// Serves the lobbies until `shutdown`, then closes every client with 1001, waits for their goodbyes up to
/// [`Config::close_timeout`] and returns.
///
/// # Errors
/// If the settings contradict each other, or if accepting connections or the hub's task fails.
pub async fn serve(
    listener: TcpListener,
    settings: Settings,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let Settings {
        config,
        max_message_bytes,
        queue_length,
    } = settings;
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
    let manager = Manager::new(config).map_err(invalid)?;
    let config = manager.config();
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
    let hub = tokio::spawn(Hub::new(manager).run(events, shutdown.clone()));
    tokio::select! {
        // The hub ends last: when all tasks that could tell it something have ended, or when their time is up.
        ended = hub => ended.map_err(io::Error::other),
        Err(error) = axum::serve(listener, router).with_graceful_shutdown(shutdown).into_future() => Err(error),
    }
}
