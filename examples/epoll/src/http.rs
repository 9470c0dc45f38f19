//! What is asked for over HTTP.

use lobby_socket::Request;
use percent_encoding::percent_decode_str;

pub(crate) enum Asked {
    Page,
    Client,
    Stats,
    Lobby { lobby: String, token: String },
}

/// What a request is for, or else the status to answer with.
pub(crate) fn asked(request: &Request) -> Result<Asked, &'static str> {
    match request.uri().path() {
        "/" => Ok(Asked::Page),
        "/client.js" => Ok(Asked::Client),
        "/stats" => Ok(Asked::Stats),
        path => {
            let lobby = path.strip_prefix("/ws/").filter(|lobby| !lobby.contains('/'));
            let lobby = percent_decode_str(lobby.ok_or("404 Not Found")?).decode_utf8();
            Ok(Asked::Lobby {
                lobby: lobby.map_err(|_| "400 Bad Request")?.into_owned(),
                token: token(request.uri().query().unwrap_or_default()),
            })
        }
    }
}

/// The one token in the query. None and several stand for nobody, as an empty one does.
fn token(query: &str) -> String {
    let mut tokens = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "token");
    match (tokens.next(), tokens.next()) {
        (Some((_, token)), None) => token.into_owned(),
        _ => String::new(),
    }
}
