//! What an operator wants of the server, on its way there and back.

use axum::body::Bytes;
use axum::http::StatusCode;
use lobby_chat::Chat;
use lobbykeeper::{LobbyId, Outbox, Reply, Request, Time};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use tracing::info;

/// What waits for the server.
#[derive(Debug)]
pub struct Orders {
    pub(crate) queue: mpsc::Receiver<Order>,
}

impl Orders {
    /// The next order, when there is one; `None` if the door is gone.
    pub async fn next(&mut self) -> Option<Order> {
        self.queue.recv().await
    }

    /// An order, if there is one now.
    pub fn take(&mut self) -> Option<Order> {
        self.queue.try_recv().ok()
    }
}

/// Something to do or to tell. Whoever waits for the answer is told that there is none if it is dropped.
#[derive(Debug)]
pub struct Order {
    pub(crate) wish: Wish,
    pub(crate) answer: oneshot::Sender<Answer>,
}

#[derive(Debug)]
pub(crate) enum Wish {
    /// One of the library's requests, in its JSON form.
    Request(Bytes),
    Lobbies,
    Drain,
}

/// A status and JSON.
pub(crate) type Answer = (StatusCode, String);

impl Order {
    /// Does it, and answers. What it leads to is in the outbox.
    pub fn carry_out(self, now: Time, chat: &mut Chat, out: &mut Outbox) {
        let answer = match self.wish {
            Wish::Request(json) => request(now, chat, &json, out),
            Wish::Drain => {
                info!("an operator stops the server");
                (StatusCode::OK, json(&Reply::Changed(chat.drain(now, out))))
            }
            Wish::Lobbies => (StatusCode::OK, json(&lobbies(chat))),
        };
        // Whoever asked may have left.
        let _ = self.answer.send(answer);
    }
}

fn request(now: Time, chat: &mut Chat, body: &[u8], out: &mut Outbox) -> Answer {
    let request: Request<'_> = match serde_json::from_slice(body) {
        Ok(request) => request,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    if !is_an_operators(&request) {
        return problem(
            StatusCode::FORBIDDEN,
            "this request is the application's, not an operator's",
        );
    }
    info!(?request, "operator");
    match chat.request(now, request, out) {
        Reply::LimitSet(Err(error)) => problem(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string()),
        reply => (StatusCode::OK, json(&reply)),
    }
}

/// Whether an operator may want this. What speaks in the chat's own words is the chat's.
fn is_an_operators(request: &Request<'_>) -> bool {
    matches!(
        request,
        Request::Kick { .. }
            | Request::KickUser { .. }
            | Request::KickLobby { .. }
            | Request::LockLobby { .. }
            | Request::UnlockLobby { .. }
            | Request::SetLimit { .. }
            | Request::SetRate { .. }
    )
}

#[derive(Serialize)]
struct Lobby<'a> {
    id: LobbyId,
    name: &'a str,
    connections: usize,
    users: usize,
    locked: bool,
}

fn lobbies(chat: &Chat) -> Vec<Lobby<'_>> {
    let lobby = |id| {
        Some(Lobby {
            id,
            name: chat.lobby_name(id)?,
            connections: chat.lobby_connections(id).count(),
            users: chat.lobby_users(id)?.iter().count(),
            locked: chat.is_locked(id),
        })
    };
    chat.lobbies().filter_map(lobby).collect()
}

pub(crate) fn problem(status: StatusCode, error: &str) -> Answer {
    (status, serde_json::json!({ "error": error }).to_string())
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("names and numbers are JSON")
}
