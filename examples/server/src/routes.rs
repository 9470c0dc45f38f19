//! The HTTP side: the page, the numbers and the door to the lobbies.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::rejection::QueryRejection;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use lobby_chat::{PAGE, authenticate};
use lobbykeeper::{CloseFrame, Stats};
use serde::Deserialize;
use tokio::sync::oneshot;

use crate::accept::Peer;
use crate::hub::Event;
use crate::socket::{Port, WRITE_BUFFER};

/// What the handlers need.
#[derive(Clone, Debug)]
pub(crate) struct Lobbies {
    pub(crate) port: Port,
    pub(crate) unauthorized: CloseFrame,
    /// How many were refused with that.
    pub(crate) turned_away: Arc<AtomicU64>,
    pub(crate) max_message_bytes: u32,
}

pub(crate) fn router(lobbies: Lobbies) -> Router {
    Router::new()
        .route("/", get(async || Html(PAGE)))
        .route("/stats", get(stats))
        .route("/ws/{lobby}", get(enter))
        // A lobby without a name is refused with a reason like any other that cannot be.
        .route("/ws/", get(enter))
        .with_state(lobbies)
}

async fn stats(State(lobbies): State<Lobbies>) -> Result<Json<Stats>, StatusCode> {
    let (answer, stats) = oneshot::channel();
    // No answer comes only while the server stops.
    let _ = lobbies.port.events.send(Event::Stats(answer)).await;
    stats.await.map(Json).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}

#[derive(Debug, Deserialize)]
struct Credentials {
    token: String,
}

/// Upgrades first and refuses then: closed before the upgrade, a browser would see nothing but 1006.
async fn enter(
    State(lobbies): State<Lobbies>,
    Extension(Peer(peer)): Extension<Peer>,
    lobby: Option<Path<String>>,
    credentials: Result<Query<Credentials>, QueryRejection>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let lobby = lobby.map(|Path(lobby)| lobby).unwrap_or_default();
    let user = match &credentials {
        Ok(Query(Credentials { token })) => authenticate(token),
        Err(_) => None,
    };
    let Lobbies {
        port,
        unauthorized,
        turned_away,
        max_message_bytes,
    } = lobbies;
    let max_bytes = usize::try_from(max_message_bytes).unwrap_or(usize::MAX);
    upgrade
        // Each socket keeps one, and each read clears it first: the 128 KiB that are usual take longer than a chat
        // takes.
        .read_buffer_size(1_536)
        .write_buffer_size(WRITE_BUFFER)
        .max_message_size(max_bytes)
        .max_frame_size(max_bytes)
        .on_upgrade(async move |socket| {
            if let Some(user) = user {
                port.serve(socket, lobby, user, peer);
            } else {
                lobby_chat::log_unauthorized(&lobby);
                turned_away.fetch_add(1, Ordering::Relaxed);
                port.refuse(socket, unauthorized);
            }
        })
}
