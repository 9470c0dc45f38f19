//! The upgrade to WebSocket, read from a request that is believed to be one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use super::Over;

/// RFC 6455, 1.3: what a server appends to the client's key.
const MAGIC: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

pub(super) struct Upgrade {
    pub(super) lobby: String,
    pub(super) user: String,
    pub(super) answer: String,
}

/// Reads the request, or `None` while it is not complete.
pub(super) fn upgrade(request: &[u8]) -> Result<Option<Upgrade>, Over> {
    if !request.ends_with(b"\r\n\r\n") {
        return Ok(None);
    }
    let request = str::from_utf8(request).map_err(|_| Over)?;
    let mut lines = request.split("\r\n");
    let target = lines.next().and_then(|line| line.split(' ').nth(1)).ok_or(Over)?;
    let (lobby, user) = target
        .strip_prefix("/ws/")
        .and_then(|seat| seat.split_once("?token="))
        .ok_or(Over)?;
    let key = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"))
        .map(|(_, value)| value.trim())
        .ok_or(Over)?;
    let accept = STANDARD.encode(Sha1::new().chain_update(key).chain_update(MAGIC).finalize());
    Ok(Some(Upgrade {
        lobby: lobby.to_owned(),
        user: user.to_owned(),
        answer: format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        ),
    }))
}
