//! The language of the inputs. `tests/transcripts/README.md` explains it.

use std::net::IpAddr;
use std::time::Duration;

use lobbykeeper::{
    Call, Cause, CloseFrame, ConnId, Event, Except, Frame, Handshake, Limit, LobbyRef, Payload, Rate, RateLimit,
    Request, ReservationId, Text, Time,
};
use serde_json::{Value, json};

/// What one line asks for.
#[derive(Debug)]
pub(crate) enum Step {
    Config {
        key: String,
        value: Value,
    },
    At(Time),
    Call(Call<'static>),
    Crowd {
        count: usize,
        lobby: String,
    },
    /// Of one connection or of all that are in a lobby; to its latest ping or with a time stamp of its own.
    Pong {
        conn: Option<ConnId>,
        timestamp: Option<u64>,
    },
    RunUntil(Time),
    Ask(Question),
}

#[derive(Debug)]
pub(crate) enum Question {
    CanAccept {
        lobby: String,
        user: String,
    },
    Roster(LobbyRef<'static>),
    Members(LobbyRef<'static>),
    Lobbies,
    Latency(ConnId),
    Deadline,
    Backlog(ConnId),
    /// Of these fields; of all if there are none.
    Stats(Vec<String>),
}

/// Reads one line.
pub(crate) fn parse(input: &str) -> Result<Step, String> {
    let words = words(input)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Ok(match words.as_slice() {
        ["config", key, "=", value] => Step::Config {
            key: (*key).into(),
            value: setting(value),
        },
        ["config", key, "=", events, "per", per, "burst", burst] => Step::Config {
            key: (*key).into(),
            value: json!({ "events": setting(events), "per": setting(per), "burst": setting(burst) }),
        },
        ["at", at] => Step::At(time(at)?),
        ["run", "until", end] => Step::RunUntil(time(end)?),
        ["crowd", count, lobby] => Step::Crowd {
            count: number(count)?,
            lobby: (*lobby).into(),
        },
        ["pong", conn, timestamp @ ..] if timestamp.len() <= 1 => Step::Pong {
            conn: (*conn != "*").then(|| id(conn)).transpose()?,
            timestamp: timestamp.first().map(|timestamp| number(timestamp)).transpose()?,
        },
        ["can-accept", lobby, user] => Step::Ask(Question::CanAccept {
            lobby: (*lobby).into(),
            user: (*user).into(),
        }),
        ["roster", of] => Step::Ask(Question::Roster(lobby(of))),
        ["members", of] => Step::Ask(Question::Members(lobby(of))),
        ["lobbies"] => Step::Ask(Question::Lobbies),
        ["latency", conn] => Step::Ask(Question::Latency(id(conn)?)),
        ["deadline"] => Step::Ask(Question::Deadline),
        ["backlog", conn] => Step::Ask(Question::Backlog(id(conn)?)),
        ["stats", fields @ ..] => Step::Ask(Question::Stats(fields.iter().map(ToString::to_string).collect())),
        words => Step::Call(match event(words)? {
            Some(event) => Call::Event(event),
            None => Call::Request(request(words)?.ok_or("no such input; tests/transcripts/README.md lists them")?),
        }),
    })
}

fn event(words: &[&str]) -> Result<Option<Event<'static>>, String> {
    Ok(Some(match words {
        ["connect", lobby, user, rest @ ..] => Event::Connected(handshake(lobby, user, rest)?),
        ["say", conn, text] => Event::Message {
            conn: id(conn)?,
            frame: Frame::Text((*text).to_owned().into()),
        },
        ["close", conn] => Event::Closed {
            conn: id(conn)?,
            cause: Cause::Peer,
        },
        ["close", conn, cause] => Event::Closed {
            conn: id(conn)?,
            cause: match *cause {
                "peer" => Cause::Peer,
                "error" => Cause::Error,
                "send_failed" => Cause::SendFailed,
                _ => return Err(format!("{cause:?} is no cause: peer, error or send_failed")),
            },
        },
        ["tick"] => Event::Tick,
        ["flushed", conn, bytes, messages] => Event::Flushed {
            conn: id(conn)?,
            bytes: number(bytes)?,
            messages: number(messages)?,
        },
        _ => return Ok(None),
    }))
}

fn request(words: &[&str]) -> Result<Option<Request<'static>>, String> {
    let (words, droppable) = match words {
        ["broadcast" | "broadcast-all" | "send" | "send-to-user", .., "droppable"] => (&words[..words.len() - 1], true),
        words => (words, false),
    };
    let message = |text: &str| match Payload::text(text) {
        payload if droppable => payload.droppable(),
        payload => payload.into(),
    };
    Ok(Some(match words {
        ["broadcast", of, text, except @ ..] => Request::Broadcast {
            lobby: lobby(of),
            payload: message(text),
            except: exception(except)?,
        },
        ["broadcast-all", text, except @ ..] => Request::BroadcastAll {
            payload: message(text),
            except: exception(except)?,
        },
        ["send", conn, text] => Request::SendTo {
            conn: id(conn)?,
            payload: message(text),
        },
        ["send-to-user", user, text] => Request::SendToUser {
            user: (*user).to_owned().into(),
            payload: message(text),
        },
        ["ping-user", user] => Request::PingUser {
            user: (*user).to_owned().into(),
            timeout: None,
        },
        ["ping-user", user, "within", timeout] => Request::PingUser {
            user: (*user).to_owned().into(),
            timeout: Some(duration(timeout).ok_or_else(|| format!("{timeout:?} is no duration, 2s or 250ms say"))?),
        },
        ["join", conn, lobby] => Request::Join {
            conn: id(conn)?,
            lobby: (*lobby).to_owned().into(),
        },
        ["leave", conn, of] => Request::Leave {
            conn: id(conn)?,
            lobby: lobby(of),
        },
        ["switch", conn, from, to] => Request::SwitchLobby {
            conn: id(conn)?,
            from: lobby(from),
            to: (*to).to_owned().into(),
        },
        ["kick", conn, code, reason] => Request::Kick {
            conn: id(conn)?,
            close: frame(code, reason)?,
        },
        ["close-all", code, reason] => Request::CloseAll {
            close: frame(code, reason)?,
        },
        words => return door(words),
    }))
}

/// Requests about who may come in, and for how long.
fn door(words: &[&str]) -> Result<Option<Request<'static>>, String> {
    Ok(Some(match words {
        ["kick-user", user, code, reason] => Request::KickUser {
            user: (*user).to_owned().into(),
            close: frame(code, reason)?,
        },
        ["kick-lobby", of, code, reason] => Request::KickLobby {
            lobby: lobby(of),
            close: frame(code, reason)?,
        },
        ["lock", of] => Request::LockLobby { lobby: lobby(of) },
        ["unlock", of] => Request::UnlockLobby { lobby: lobby(of) },
        ["limit", name, max] => Request::SetLimit {
            limit: (Limit::ALL.into_iter().find(|limit| limit.as_str() == *name))
                .ok_or_else(|| format!("{name:?} is no limit, max_connections say"))?,
            max: (*max != "none").then(|| number(max)).transpose()?,
        },
        ["rate", name, "none"] => Request::SetRate {
            limit: rate_limit(name)?,
            rate: None,
        },
        ["rate", name, events, "per", per, "burst", burst] => Request::SetRate {
            limit: rate_limit(name)?,
            rate: Some(Rate {
                events: number(events)?,
                per: duration(per).ok_or_else(|| format!("{per:?} is no duration, 2s or 250ms say"))?,
                burst: number(burst)?,
            }),
        },
        ["extend", conn, "until", end] => Request::Extend {
            conn: id(conn)?,
            expires: Some(time(end)?),
        },
        ["reserve", lobby, user, rest @ ..] => Request::Reserve(handshake(lobby, user, rest)?),
        ["release", reservation] => Request::Release {
            reservation: seat(reservation)?,
        },
        ["drain", "every", every, "until", deadline] => Request::Drain {
            every: duration(every).ok_or_else(|| format!("{every:?} is no duration, 2s or 250ms say"))?,
            deadline: time(deadline)?,
        },
        ["extend", conn, "forever"] => Request::Extend {
            conn: id(conn)?,
            expires: None,
        },
        _ => return Ok(None),
    }))
}

fn rate_limit(name: &str) -> Result<RateLimit, String> {
    let mut limits = RateLimit::ALL.into_iter();
    limits
        .find(|limit| limit.as_str() == name)
        .ok_or_else(|| format!("{name:?} is no rate, message_rate say"))
}

/// What follows upon a lobby and a user: `from 192.0.2.1`, `until 60s`, `with r0v1` or several of them.
fn handshake(lobby: &str, user: &str, rest: &[&str]) -> Result<Handshake<'static>, String> {
    let mut handshake = Handshake::new(lobby.to_owned(), user.to_owned());
    for pair in rest.chunks(2) {
        handshake = match pair {
            ["from", peer] => {
                let peer: IpAddr = peer
                    .parse()
                    .map_err(|_| format!("{peer:?} is no address, 192.0.2.1 say"))?;
                handshake.source(peer)
            }
            ["until", end] => handshake.expires(time(end)?),
            ["with", reservation] => handshake.reservation(seat(reservation)?),
            _ => return Err("a connection is \"connect den ann from 192.0.2.1 until 60s with r0v1\" at most".into()),
        };
    }
    Ok(handshake)
}

/// Splits at white space, except within double quotes.
fn words(input: &str) -> Result<Vec<String>, String> {
    let (mut words, mut rest) = (Vec::new(), input.trim_start());
    while !rest.is_empty() {
        let (word, after) = if let Some(quoted) = rest.strip_prefix('"') {
            quoted.split_once('"').ok_or("a quote is not closed")?
        } else {
            rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()))
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    Ok(words)
}

fn number<N: std::str::FromStr>(word: &str) -> Result<N, String> {
    word.parse().map_err(|_| format!("{word:?} is no number"))
}

fn id(word: &str) -> Result<ConnId, String> {
    word.parse().map_err(|_| format!("{word:?} is no connection, c0v1 say"))
}

fn seat(word: &str) -> Result<ReservationId, String> {
    word.parse()
        .map_err(|_| format!("{word:?} is no reservation, r0v1 say"))
}

/// A lobby by its id, by a connection in it or by its name.
fn lobby(word: &str) -> LobbyRef<'static> {
    let by_id = word.parse().ok().map(LobbyRef::Id);
    let by_conn = || word.parse().ok().map(LobbyRef::Of);
    by_id
        .or_else(by_conn)
        .unwrap_or_else(|| LobbyRef::Name(word.to_owned().into()))
}

fn exception(words: &[&str]) -> Result<Except<'static>, String> {
    Ok(match words {
        [] => Except::Nobody,
        ["except", "user-of", conn] => Except::UserOf(id(conn)?),
        ["except", who] => who
            .parse()
            .map_or_else(|_| Except::user((*who).to_owned()), Except::Conn),
        _ => return Err("an exception is \"except c0v1\", \"except ann\" or \"except user-of c0v1\"".into()),
    })
}

fn frame(code: &str, reason: &str) -> Result<CloseFrame, String> {
    CloseFrame::new(number(code)?, Text::from(reason)).map_err(|error| error.to_string())
}

fn time(word: &str) -> Result<Time, String> {
    let since = duration(word).ok_or_else(|| format!("{word:?} is no time, 5s or 20.25s say"))?;
    Ok(Time::ZERO + since)
}

/// `5s`, `20.25s` or `250ms`, exactly.
fn duration(word: &str) -> Option<Duration> {
    let (digits, exponent) = match (word.strip_suffix("ms"), word.strip_suffix('s')) {
        (Some(digits), _) => (digits, 6),
        (None, Some(digits)) => (digits, 9),
        (None, None) => return None,
    };
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    let nanos: u64 = format!("{whole}{decimals:0<exponent$}").parse().ok()?;
    (decimals.len() <= exponent).then(|| Duration::from_nanos(nanos))
}

/// The JSON form of a setting.
fn setting(word: &str) -> Value {
    if word == "none" {
        Value::Null
    } else if let Ok(number) = word.parse::<u64>() {
        number.into()
    } else if let Some(nanos) = duration(word).and_then(|duration| u64::try_from(duration.as_nanos()).ok()) {
        nanos.into()
    } else {
        word.into()
    }
}
