//! The HTTP side: the page, the numbers and the door to the lobbies.

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{Html, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use lobby_chat::{Asked, CLIENT, PAGE, Proxies, asked};
use lobbykeeper::Stats;
use tokio::sync::oneshot;

use crate::accept::Line;
use crate::hub::Event;
use crate::socket::{Knock, Port, WRITE_BUFFER};

/// What the handlers need.
#[derive(Clone, Debug)]
pub(crate) struct Lobbies {
    pub(crate) port: Port,
    pub(crate) proxies: Proxies,
    pub(crate) max_message_bytes: u32,
}

pub(crate) fn router(lobbies: Lobbies) -> Router {
    Router::new()
        .route("/", get(async || Html(PAGE)))
        .route(
            "/client.js",
            get(async || ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], CLIENT)),
        )
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

/// Upgrades first and refuses then: closed before the upgrade, a browser would see nothing but 1006.
async fn enter(
    State(lobbies): State<Lobbies>,
    Extension(line): Extension<Line>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, StatusCode> {
    let Asked::Lobby { lobby, token } = asked(&uri)? else {
        return Err(StatusCode::NOT_FOUND);
    };
    let Lobbies {
        port,
        proxies,
        max_message_bytes,
    } = lobbies;
    let address = proxies.client(line.peer, &headers);
    let max_bytes = usize::try_from(max_message_bytes).unwrap_or(usize::MAX);
    let upgraded = upgrade
        // Each socket keeps one, and each read clears it first: the 128 KiB that are usual take longer than a chat
        // takes.
        .read_buffer_size(1_536)
        .write_buffer_size(WRITE_BUFFER)
        .max_message_size(max_bytes)
        .max_frame_size(max_bytes)
        .on_upgrade(async move |socket| {
            let knock = Knock { lobby, token, address };
            port.serve(socket, line, knock);
        });
    Ok(upgraded)
}
