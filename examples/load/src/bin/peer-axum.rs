//! A peer to compare with: axum with a `tokio::sync::broadcast` per lobby, as its chat example has it, and
//! `TCP_NODELAY`. It has no limits and no health checks.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::get;
use axum::serve::ListenerExt;
use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::broadcast;

/// How many messages a receiver may be behind before it misses some, and is closed.
const CAPACITY: usize = 256;

/// axum with a `tokio::sync::broadcast` per lobby.
#[derive(Debug, Parser)]
#[command(name = "peer-axum")]
struct Args {
    /// Address; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

/// Who said it, and the JSON that the others get.
type Said = (Arc<str>, Utf8Bytes);
type Lobbies = Arc<Mutex<HashMap<String, broadcast::Sender<Said>>>>;

#[derive(Deserialize)]
struct Token {
    token: String,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind(Args::parse().listen).await?;
    println!("http://{}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| {
        // Fails only if the socket is gone already.
        let _ = stream.set_nodelay(true);
    });
    let router = Router::new()
        .route("/ws/{lobby}", get(upgrade))
        .with_state(Lobbies::default());
    axum::serve(listener, router).await
}

async fn upgrade(
    upgrade: WebSocketUpgrade,
    Path(lobby): Path<String>,
    Query(Token { token }): Query<Token>,
    State(lobbies): State<Lobbies>,
) -> Response {
    upgrade.on_upgrade(move |socket| serve(socket, lobby, token.into(), lobbies))
}

async fn serve(socket: WebSocket, lobby: String, user: Arc<str>, lobbies: Lobbies) {
    let lobby = {
        let mut lobbies = lobbies.lock().unwrap_or_else(PoisonError::into_inner);
        let open = || broadcast::channel(CAPACITY).0;
        lobbies.entry(lobby).or_insert_with(open).clone()
    };
    let mut said = lobby.subscribe();
    let (mut sink, mut stream) = socket.split();
    let me = user.clone();
    let write = async move {
        while let Ok((from, json)) = said.recv().await {
            if from != me && sink.send(Message::Text(json)).await.is_err() {
                break;
            }
        }
    };
    let read = async move {
        while let Some(Ok(message)) = stream.next().await {
            if let Message::Text(text) = message
                && let Some(json) = lobby_chat::relayed(&user, text.as_bytes())
            {
                // Fails only if nobody listens, and this connection does.
                let _ = lobby.send((user.clone(), json.into()));
            }
        }
    };
    tokio::select! {
        () = write => {}
        () = read => {}
    }
}
