//! What is asked for over HTTP.

use lobby_socket::Request;

pub(crate) enum Asked {
    Page,
    Stats,
    Play { room: String, name: String },
}

/// What a request is for, or else the status to answer with.
pub(crate) fn asked(request: &Request) -> Result<Asked, &'static str> {
    match request.uri().path() {
        "/" => Ok(Asked::Page),
        "/stats" => Ok(Asked::Stats),
        "/play" => {
            let query = request.uri().query().unwrap_or_default().as_bytes();
            // One that is missing is empty, which the manager refuses as a name.
            let value = |wanted| {
                let mut pairs = form_urlencoded::parse(query);
                let found = pairs.find(|(name, _)| name == wanted);
                found.map(|(_, value)| value.into_owned()).unwrap_or_default()
            };
            Ok(Asked::Play {
                room: value("room"),
                name: value("name"),
            })
        }
        _ => Err("404 Not Found"),
    }
}
