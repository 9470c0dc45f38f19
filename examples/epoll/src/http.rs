//! What is asked for over HTTP: the page, the numbers, or the upgrade to a lobby.

use lobby_chat::PAGE;
use lobbykeeper::Stats;
use percent_encoding::percent_decode_str;
use tungstenite::handshake::server::{Request, create_response, write_response};

/// An upgrade, and the answer that accepts it.
pub(crate) struct Upgrade {
    pub(crate) lobby: String,
    pub(crate) token: String,
    pub(crate) answer: Vec<u8>,
}

/// The upgrade that a request asks for, or else the whole answer to it.
pub(crate) fn route(request: &Request, stats: impl FnOnce() -> Stats) -> Result<Upgrade, Vec<u8>> {
    let path = request.uri().path();
    let lobby = match path {
        "/" => return Err(answer("200 OK", "text/html; charset=utf-8", PAGE.as_bytes())),
        "/stats" => {
            let json = serde_json::to_vec(&stats()).map_err(|_| refusal("500 Internal Server Error"))?;
            return Err(answer("200 OK", "application/json", &json));
        }
        _ => path
            .strip_prefix("/ws/")
            .filter(|lobby| !lobby.contains('/'))
            .ok_or_else(|| refusal("404 Not Found"))?,
    };
    let bad = || refusal("400 Bad Request");
    let mut accepted = Vec::new();
    let response = create_response(request).map_err(|_| bad())?;
    write_response(&mut accepted, &response).map_err(|_| bad())?;
    Ok(Upgrade {
        lobby: percent_decode_str(lobby).decode_utf8().map_err(|_| bad())?.into_owned(),
        token: token(request.uri().query().unwrap_or_default()),
        answer: accepted,
    })
}

/// The one token in the query. None and several stand for nobody, as an empty one does.
fn token(query: &str) -> String {
    let mut tokens = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "token");
    match (tokens.next(), tokens.next()) {
        (Some((_, token)), None) => token.into_owned(),
        _ => String::new(),
    }
}

/// An answer without a page.
pub(crate) fn refusal(status: &str) -> Vec<u8> {
    answer(status, "text/plain", status.as_bytes())
}

fn answer(status: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {}",
        body.len()
    );
    [head.as_bytes(), b"\r\nconnection: close\r\n\r\n", body].concat()
}
