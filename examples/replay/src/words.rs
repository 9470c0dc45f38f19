//! What stands in a log, in words. Names and texts come from strangers: they are quoted, and control characters in them
//! are escaped.

use std::fmt::Write as _;

use lobbykeeper::{
    Call, Command, ConnId, Delivery, DropReason, Event, Except, Frame, Handshake, Inbound, JoinError, LobbyRef, Notice,
    Outgoing, Output, Payload, Rate, Refusal, Reply, Request,
};

use crate::log::Turn;

/// How much of a text is shown.
const SHOWN: usize = 80;

/// An input, without what came of it.
pub(crate) fn input(turn: &Turn<'_>) -> String {
    let who = |conn: &ConnId| self::conn(turn, *conn);
    match &turn.input.call {
        Call::Event(event) => match event {
            Event::Connected(handshake) => self::handshake(handshake),
            Event::Message { conn, frame } => format!("{} sends {}", who(conn), self::frame(frame)),
            Event::Closed { conn, cause } => format!("{} is reported gone: {cause}", who(conn)),
            Event::Tick => "tick".into(),
            Event::Flushed { conn, bytes, messages } => {
                format!(
                    "{messages} messages of {bytes} bytes to {} are reported flushed",
                    who(conn)
                )
            }
            other => format!("{other:?}"),
        },
        Call::Request(request) => match request {
            Request::Broadcast { lobby, payload, except } => {
                let (lobby, except) = (self::lobby(turn, lobby), self::except(turn, except));
                format!("broadcast to {lobby}{except}: {}", self::message(payload))
            }
            Request::BroadcastAll { payload, except } => {
                format!(
                    "broadcast to all{}: {}",
                    self::except(turn, except),
                    self::message(payload)
                )
            }
            Request::SendTo { conn, payload } => format!("send to {}: {}", who(conn), self::message(payload)),
            Request::SendToUser { user, payload } => format!("send to {user:?}: {}", self::message(payload)),
            Request::PingUser { user, timeout: None } => format!("ping {user:?}"),
            Request::PingUser {
                user,
                timeout: Some(timeout),
            } => format!("ping {user:?} within {timeout:?}"),
            Request::Join { conn, lobby } => format!("{} is to join {lobby:?}", who(conn)),
            Request::SwitchLobby { conn, from, to } => {
                format!("{} is to switch from {} to {to:?}", who(conn), self::lobby(turn, from))
            }
            Request::Leave { conn, lobby } => format!("{} is to leave {}", who(conn), self::lobby(turn, lobby)),
            Request::Kick { conn, close } => format!("kick {}: {close}", who(conn)),
            Request::CloseAll { close } => format!("close all: {close}"),
            Request::KickUser { user, close } => format!("kick {user:?}: {close}"),
            Request::KickLobby { lobby, close } => format!("kick all in {}: {close}", self::lobby(turn, lobby)),
            Request::LockLobby { lobby } => format!("lock {}", self::lobby(turn, lobby)),
            Request::UnlockLobby { lobby } => format!("unlock {}", self::lobby(turn, lobby)),
            Request::SetLimit { limit, max: Some(max) } => format!("{limit} is to be {max}"),
            Request::SetLimit { limit, max: None } => format!("{limit} is to be off"),
            Request::SetRate {
                limit,
                rate: Some(Rate { events, per, burst }),
            } => format!("{limit} is to be {events} per {per:?}, {burst} at once"),
            Request::SetRate { limit, rate: None } => format!("{limit} is to be off"),
            Request::Extend {
                conn,
                expires: Some(expires),
            } => format!("{} may stay until {expires}", who(conn)),
            Request::Extend { conn, expires: None } => format!("{} may stay for ever", who(conn)),
            Request::Reserve(handshake) => format!("reserve a seat: {}", self::handshake(handshake)),
            Request::Release { reservation } => format!("release {reservation}"),
            Request::Drain { every, deadline } => format!("drain, one in each {every:?}, until {deadline}"),
            other => format!("{other:?}"),
        },
    }
}

/// What the manager answered; empty where there is nothing to say.
pub(crate) fn reply(reply: &Reply) -> String {
    match reply {
        Reply::Connected(Ok(conn)) => format!("admitted as {conn}"),
        Reply::Reserved(Ok(reservation)) => format!("reserved as {reservation}"),
        Reply::Connected(Err(refusal))
        | Reply::Reserved(Err(refusal))
        | Reply::Entered(Err(JoinError::Refused(refusal))) => refused(refusal),
        Reply::Message(Inbound::Deliver) => "the application's".into(),
        Reply::Message(Inbound::Handled) => "handled".into(),
        Reply::Message(Inbound::Stale) => "stale: it is unknown, closing or gone".into(),
        Reply::Message(Inbound::Dropped(DropReason::Throttled { by })) => {
            format!("dropped: it came too soon for the rate of its {by}")
        }
        Reply::Message(Inbound::Dropped(DropReason::TooBig)) => "dropped: it is too big".into(),
        Reply::Changed(true) | Reply::Ticked | Reply::LimitSet(Ok(())) => String::new(),
        Reply::LimitSet(Err(error)) => format!("refused: {error}"),
        Reply::Changed(false) => "nothing to be done".into(),
        Reply::Addressed(addressed) => format!("{addressed} addressed"),
        Reply::Entered(Ok(lobby)) => format!("entered {lobby}"),
        Reply::Entered(Err(error @ JoinError::TooManyLobbies(receipt))) => format!("{error} ({receipt})"),
        Reply::Entered(Err(error)) => error.to_string(),
        other => format!("{other:?}"),
    }
}

/// An input with what was answered.
pub(crate) fn exchange(turn: &Turn<'_>) -> String {
    let (mut text, reply) = (input(turn), reply(turn.reply));
    if !reply.is_empty() {
        _ = write!(text, " -> {reply}");
    }
    text
}

fn handshake(handshake: &Handshake<'_>) -> String {
    let mut text = format!("{:?} wants to enter {:?}", handshake.user, handshake.lobby);
    if let Some(source) = handshake.source {
        _ = write!(text, " from {source}");
    }
    if let Some(expires) = handshake.expires {
        _ = write!(text, " until {expires}");
    }
    if let Some(reservation) = handshake.reservation {
        _ = write!(text, " with {reservation}");
    }
    text
}

/// A refusal with its receipt.
fn refused(refusal: &Refusal) -> String {
    format!("{refusal}; {}", refusal.receipt())
}

/// What the manager wrote; a `Close` or an `Evict` with its receipt.
pub(crate) fn output(output: &Output<'_>) -> String {
    match output {
        Output::Command(command) => match command {
            Command::Send { to, payload } => {
                let first = to.first().map(ConnId::to_string).unwrap_or_default();
                let others = match to.len() {
                    0 | 1 => String::new(),
                    2 => " and another".into(),
                    more => format!(" and {} others", more - 1),
                };
                format!("send to {first}{others}: {}", self::payload(payload))
            }
            Command::Close {
                conn,
                code,
                reason,
                cause,
                receipt,
                ..
            } => {
                format!("close {conn}: {code} {reason:?}: {cause} ({receipt})")
            }
            Command::Evict {
                conn, cause, receipt, ..
            } => format!("evict {conn}: {cause} ({receipt})"),
        },
        Output::Notice(notice @ Notice::Throttled { receipt, .. }) => format!("{notice}; {receipt}"),
        Output::Notice(notice) => notice.to_string(),
    }
}

/// Whether this is the manager's question for a sign of life.
pub(crate) fn is_ping(payload: &Payload) -> bool {
    match payload {
        Payload::Ping(_) => true,
        Payload::Text(text) => text.as_str().starts_with("{\"type\":\"health_ping\""),
        Payload::Binary(_) => false,
    }
}

fn conn(turn: &Turn<'_>, conn: ConnId) -> String {
    match turn.people.get(&conn) {
        Some(person) => format!("{conn} of {:?}", person.user),
        None => format!("{conn}, who is not there,"),
    }
}

fn lobby(turn: &Turn<'_>, lobby: &LobbyRef<'_>) -> String {
    match lobby {
        LobbyRef::Name(name) => format!("{name:?}"),
        LobbyRef::Id(id) => match turn.manager.lobby_name(*id) {
            Some(name) => format!("{id} {name:?}"),
            None => id.to_string(),
        },
        LobbyRef::Of(conn) => format!("the lobby of {conn}"),
    }
}

fn except(turn: &Turn<'_>, except: &Except<'_>) -> String {
    match except {
        Except::Nobody => String::new(),
        Except::Conn(conn) => format!(" but {}", self::conn(turn, *conn)),
        Except::User(user) => format!(" but {user:?}"),
        Except::UserOf(conn) => format!(" but the user of {conn}"),
    }
}

fn frame(frame: &Frame<'_>) -> String {
    match frame {
        Frame::Text(text) => quoted(text),
        Frame::Binary(bytes) => format!("{} bytes", bytes.len()),
        Frame::Ping(_) => "a ping".into(),
        Frame::Pong(bytes) => format!("a pong {}", quoted(&String::from_utf8_lossy(bytes))),
    }
}

fn message(message: &Outgoing) -> String {
    let payload = payload(&message.payload);
    match message.delivery {
        Delivery::Reliable => payload,
        Delivery::Droppable => format!("{payload}, which may be dropped"),
    }
}

fn payload(payload: &Payload) -> String {
    match payload {
        Payload::Text(text) => quoted(text.as_str()),
        Payload::Binary(bytes) => format!("{} bytes", bytes.len()),
        Payload::Ping(data) => format!("a ping {}", quoted(&String::from_utf8_lossy(data.as_bytes()))),
    }
}

fn quoted(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}... ({} bytes)", &text[..end], text.len()),
        None => format!("{text:?}"),
    }
}
