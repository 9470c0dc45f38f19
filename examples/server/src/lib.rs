//! A lobby server: [`lobbykeeper`]'s state machine behind axum and tokio, with a chat page.
//!
//! The way of a message: `socket` reads it and hands it to `hub`, which owns the [`Chat`] with the one manager; what the
//! message means is the chat's business, which asks the manager for a broadcast, say; `hub` puts that into the queues of
//! the recipients' sockets. Those who watch come in by `metrics`. See the README beside this package.

#![forbid(unsafe_code)]

mod accept;
mod args;
mod hub;
mod metrics;
mod routes;
mod socket;

use std::io;
use std::sync::Arc;

pub use args::Args;
use futures_util::FutureExt;
use lobby_chat::{Chat, Settings};
use lobby_operator::Door;
pub use metrics::{Window, WindowFlags};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use crate::hub::{Hub, MAX_EVENTS};
use crate::routes::Lobbies;
use crate::socket::Port;

/// Serves the lobbies until `shutdown`, or until an operator drains it. Then it closes one client after the other, refuses
/// everyone who comes, and returns when nobody is left; who was refused has up to
/// [`Config::close_timeout`](lobbykeeper::Config::close_timeout) to say goodbye. Operators come in by the
/// door, if there is one; through the window others watch.
///
/// # Errors
/// If the settings contradict each other, if the recording cannot be started, or if the hub's task fails.
pub async fn serve(
    listener: TcpListener,
    settings: &Settings,
    operator: Option<Door>,
    window: Option<Window>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let chat = Chat::new(settings)?;
    // The hub waits for orders and need not be woken.
    let orders = operator.map(|door| door.open(|| {})).transpose()?;
    let observer = window.map(|window| {
        let (asker, observer) = metrics::observer();
        window.open(asker);
        observer
    });
    let (sender, events) = mpsc::channel(MAX_EVENTS);
    let (flushes, reports) = mpsc::unbounded_channel();
    let router = routes::router(Lobbies {
        port: Port {
            events: sender,
            flushes,
            close_timeout: chat.config().close_timeout,
            visitors: Arc::default(),
        },
        proxies: settings.proxies.clone(),
        max_message_bytes: settings.max_message_bytes,
    });
    let (open, closed) = oneshot::channel();
    tokio::spawn(accept::serve(
        listener,
        router,
        settings.handshake_timeout,
        closed.map(drop).shared(),
    ));
    // It ends last: when all tasks that could tell it something have ended, or when their time is up.
    tokio::spawn(Hub::new(chat, orders, observer, reports, open).run(events, shutdown))
        .await
        .map_err(io::Error::other)
}
