//! What is asked for over HTTP.

use http::{StatusCode, Uri};
use percent_encoding::percent_decode_str;

/// What a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// `/`: the [page](crate::PAGE).
    Page,
    /// `/client.js`: the page's [client](crate::CLIENT).
    Client,
    /// `/stats`: the manager's numbers.
    Stats,
    /// `/ws/LOBBY?token=TOKEN`: to enter a lobby.
    Lobby {
        /// Which. One without a name is refused with a reason, like any other that cannot be.
        lobby: String,
        /// The one token in the query. None and several stand for nobody, as an empty one does.
        token: String,
    },
}

/// What a request is for.
///
/// # Errors
/// Else the status to answer with.
pub fn asked(uri: &Uri) -> Result<Asked, StatusCode> {
    match uri.path() {
        "/" => Ok(Asked::Page),
        "/client.js" => Ok(Asked::Client),
        "/stats" => Ok(Asked::Stats),
        path => {
            let lobby = path.strip_prefix("/ws/").filter(|lobby| !lobby.contains('/'));
            let lobby = percent_decode_str(lobby.ok_or(StatusCode::NOT_FOUND)?).decode_utf8();
            Ok(Asked::Lobby {
                lobby: lobby.map_err(|_| StatusCode::BAD_REQUEST)?.into_owned(),
                token: token(uri.query().unwrap_or_default()),
            })
        }
    }
}

fn token(query: &str) -> String {
    let mut tokens = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "token");
    match (tokens.next(), tokens.next()) {
        (Some((_, token)), None) => token.into_owned(),
        _ => String::new(),
    }
}
