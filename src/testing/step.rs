//! Inputs as they are drawn: they name "the second open connection" or "the deadline", so that a shorter sequence of
//! them still means something.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::{
    Call, Cause, CloseFrame, ConnId, Event, Except, Frame, Handshake, Input, Limit, LobbyId, LobbyRef, Outgoing,
    Payload, PingFormat, Rate, RateLimit, Request, Source, Time,
};

use super::seen::Seen;
use super::settings::rate;

/// One input, before it is known what there is.
#[derive(Clone, Debug)]
pub struct Step {
    /// The time of the call.
    pub when: When,
    /// The call.
    pub act: Act,
}

/// Many of them; a failure shows a line each.
#[derive(Clone)]
pub struct Steps(pub Vec<Step>);

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| write!(f, "\n    {step:?}"))
    }
}

/// When a call is made, on the driver's clock.
#[derive(Clone, Copy, Debug)]
pub enum When {
    /// So many nanoseconds after the last call.
    After(u64),
    /// At the next deadline.
    Deadline,
    /// So many nanoseconds before the next deadline.
    Before(u64),
    /// So many nanoseconds after the next deadline.
    Late(u64),
    /// So many nanoseconds before the last call.
    Back(u64),
    /// At the end of time, less so many nanoseconds.
    End(u64),
}

/// A connection.
#[derive(Clone, Copy, Debug)]
pub enum Who {
    /// Of the open ones, counted round and round.
    Open(u8),
    /// Of all that were seen lately, those included that are closing or gone.
    Seen(u8),
    /// The one with this word.
    Bits(u64),
}

/// A lobby or a user, by its place in a short list, so that names often meet.
#[derive(Clone, Copy, Debug)]
pub struct Name(pub u8);

/// A lobby, as a request names it.
#[derive(Clone, Copy, Debug)]
pub enum Where {
    /// By name.
    Name(Name),
    /// Of the lobbies that were seen lately.
    Id(u8),
    /// The first lobby of a connection.
    Of(Who),
}

/// Whom a broadcast leaves out.
#[derive(Clone, Copy, Debug)]
pub enum But {
    /// Nobody.
    Nobody,
    /// A connection.
    Conn(Who),
    /// A user.
    User(Name),
    /// The user of a connection.
    UserOf(Who),
}

/// What a client says.
#[derive(Clone, Copy, Debug)]
pub enum Said {
    /// One of a list of texts.
    Text(u8),
    /// Up to four bytes.
    Binary(u8),
    /// A ping frame.
    Ping(u8),
    /// A pong, in a frame or in JSON.
    Pong(Stamp, Style),
}

/// What a pong echoes.
#[derive(Clone, Copy, Debug)]
pub enum Stamp {
    /// The last ping's time stamp, whether it was answered or not.
    Last,
    /// So much more than that.
    Later(u8),
    /// So much less than that.
    Earlier(u8),
    /// Anything.
    Number(u64),
}

/// How a pong is written.
#[derive(Clone, Copy, Debug)]
pub enum Style {
    /// As the ping asks for it.
    Plain,
    /// With white space, another order of keys and keys that nobody asked for; in a frame with a leading zero.
    Odd,
    /// As the other ping format would ask for it.
    Foreign,
}

/// The calls of a [`Manager`](crate::Manager). Numbers choose payloads; from 128 on they may be dropped.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// A connection opened: its lobby, its user.
    Connect(Name, Name),
    /// A message came in.
    Message(Who, Said),
    /// A connection is gone.
    Closed(Who, Cause),
    /// Time passed.
    Tick,
    /// To the members of a lobby.
    Broadcast(Where, But, u8),
    /// To everyone.
    BroadcastAll(But, u8),
    /// To one connection.
    SendTo(Who, u8),
    /// To all connections of a user.
    SendToUser(Name, u8),
    /// With a time-out in nanoseconds.
    PingUser(Name, Option<u64>),
    /// Into one more lobby.
    Join(Who, Name),
    /// From one lobby to another.
    Switch(Who, Where, Name),
    /// Out of a lobby.
    Leave(Who, Where),
    /// Closes one connection.
    Kick(Who),
    /// Closes all connections.
    CloseAll,
    /// A connection opened that tells more: its lobby, its user, where it comes from, for how long it may stay.
    ConnectFrom(Name, Name, Option<u8>, Until),
    /// Closes all connections of a user.
    KickUser(Name),
    /// Closes all connections in a lobby.
    KickLobby(Where),
    /// Locks a lobby.
    Lock(Where),
    /// Unlocks a lobby.
    Unlock(Where),
    /// Changes a limit. That of a message's length is so much above the length of a control frame, less one; 0 stays 0.
    SetLimit(Limit, Option<u64>),
    /// Changes a rate; a number chooses its value.
    SetRate(RateLimit, u8),
    /// A connection may stay longer, or shorter.
    Extend(Who, Until),
    /// So many bytes and messages were flushed, or all that there is and more.
    Flushed(Who, Option<(u8, u8)>),

    /// Begins to empty the server: so many nanoseconds between two closes, and until when.
    Drain(u64, Until),
}

/// Until when a connection may stay.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// For ever.
    Always,
    /// Until so many nanoseconds after the last call.
    After(u64),
    /// Until so many nanoseconds before the last call.
    Before(u64),
}

impl Until {
    fn time(self, last: Time) -> Option<Time> {
        match self {
            Self::Always => None,
            Self::After(nanos) => Some(last + Duration::from_nanos(nanos)),
            Self::Before(nanos) => Some(Time::from_nanos(last.as_nanos().saturating_sub(nanos))),
        }
    }
}

const LOBBIES: [&str; 8] = [
    "den",
    "den",
    "den",
    "hall",
    "hall",
    "pit",
    "",
    "a lobby with a name that is too long",
];
const USERS: [&str; 8] = [
    "ann",
    "ann",
    "bob",
    "bob",
    "cat",
    "dän",
    "",
    "a user with a name that is much too long",
];
const TEXTS: [&str; 10] = [
    "hello",
    "",
    r#"{"type":"chat","text":"health_pong"}"#,
    r#"{"type":"health_pong"}"#,
    r#"{"type":"health_pong","timestamp":"#,
    r#"{"type":"health_pong","timestamp":"1"}"#,
    r#"["health_pong",1]"#,
    r#"{"type":"no_health_pong","timestamp":1}"#,
    "äöü \u{1f980}",
    "a text that is longer than any message may be where there is a limit, which is at least as long as what a control \
     frame may carry: a hundred and twenty-five bytes",
];

fn pick<'a>(names: &[&'a str], number: u8) -> &'a str {
    names[usize::from(number) % names.len()]
}

impl Name {
    fn lobby(self) -> Cow<'static, str> {
        pick(&LOBBIES, self.0).into()
    }

    fn user(self) -> Cow<'static, str> {
        pick(&USERS, self.0).into()
    }
}

impl Step {
    /// What this step is in the situation at hand: what was seen so far, and the manager's (or the model's) next
    /// deadline.
    pub fn input(&self, seen: &Seen, deadline: Option<Time>) -> Input<'static> {
        let last = seen.last_call.as_nanos();
        Input {
            at: Time::from_nanos(self.when.nanos(last, deadline.map_or(last, Time::as_nanos))),
            call: self.act.call(seen),
        }
    }
}

impl When {
    fn nanos(self, last: u64, deadline: u64) -> u64 {
        match self {
            Self::After(nanos) => last.saturating_add(nanos),
            Self::Deadline => deadline,
            Self::Before(nanos) => deadline.saturating_sub(nanos).max(last),
            Self::Late(nanos) => deadline.saturating_add(nanos),
            Self::Back(nanos) => last.saturating_sub(nanos),
            Self::End(nanos) => u64::MAX - nanos,
        }
    }
}

/// Of a list that is counted round and round.
fn around<T: Copy>(list: &[T], number: u8) -> Option<T> {
    list.get(usize::from(number) % list.len().max(1)).copied()
}

impl Seen {
    fn conn(&self, who: Who) -> ConnId {
        let found = match who {
            Who::Open(number) => around(&self.open, number),
            Who::Seen(number) => around(&self.conns, number),
            Who::Bits(bits) => ConnId::from_bits(bits),
        };
        found.unwrap_or_else(|| ConnId::from_bits(1 << 32).expect("an id"))
    }

    fn lobby(&self, place: Where) -> LobbyRef<'static> {
        match place {
            Where::Name(name) => LobbyRef::Name(name.lobby()),
            Where::Id(number) => {
                let id = around(&self.lobbies, number);
                id.unwrap_or_else(|| LobbyId::from_bits(1 << 32).expect("an id")).into()
            }
            Where::Of(who) => self.conn(who).into(),
        }
    }

    fn except(&self, but: But) -> Except<'static> {
        match but {
            But::Nobody => Except::Nobody,
            But::Conn(who) => Except::Conn(self.conn(who)),
            But::User(name) => Except::User(name.user()),
            But::UserOf(who) => Except::UserOf(self.conn(who)),
        }
    }

    fn frame(&self, conn: ConnId, said: Said) -> Frame<'static> {
        let data = |number: u8| Cow::Owned(vec![number; usize::from(number % 5)]);
        match said {
            Said::Text(number) => Frame::Text(pick(&TEXTS, number).into()),
            Said::Binary(number) => Frame::Binary(data(number)),
            Said::Ping(number) => Frame::Ping(data(number)),
            Said::Pong(stamp, style) => {
                let last = self.stamps.get(&conn).copied().unwrap_or(1);
                let stamp = match stamp {
                    Stamp::Last => last,
                    Stamp::Later(more) => last + u64::from(more),
                    Stamp::Earlier(less) => last.saturating_sub(less.into()),
                    Stamp::Number(number) => number,
                };
                pong(self.format, stamp, style)
            }
        }
    }
}

fn pong(format: PingFormat, stamp: u64, style: Style) -> Frame<'static> {
    let json = match (format, style) {
        (PingFormat::Json, Style::Foreign) | (PingFormat::WebSocket, Style::Plain | Style::Odd) => false,
        (PingFormat::WebSocket, Style::Foreign) | (PingFormat::Json, Style::Plain | Style::Odd) => true,
    };
    match (json, style) {
        (true, Style::Odd) => {
            Frame::Text(format!("\n{{ \"timestamp\" :{stamp},\t\"x\":[{{}}], \"type\": \"health_pong\" }} ").into())
        }
        (true, _) => Frame::Text(format!(r#"{{"type":"health_pong","timestamp":{stamp}}}"#).into()),
        (false, Style::Odd) => Frame::Pong(format!("0{stamp}").into_bytes().into()),
        (false, _) => Frame::Pong(stamp.to_string().into_bytes().into()),
    }
}

/// One in a while is refused.
fn some_rate(number: u8) -> Option<Rate> {
    let rate = rate(number);
    match (rate, number) {
        (Some(rate), 250..) => Some(Rate { burst: 0, ..rate }),
        _ => rate,
    }
}

fn payload(number: u8) -> Outgoing {
    let payload = if number % 4 == 3 {
        Payload::binary(vec![number; usize::from(number % 7)])
    } else {
        Payload::text(pick(&TEXTS, number))
    };
    if number < 128 {
        payload.into()
    } else {
        payload.droppable()
    }
}

fn close(code: u16, reason: &'static str) -> CloseFrame {
    CloseFrame::new(code, reason).expect("a code and a reason that can be sent")
}

impl Act {
    fn call(self, here: &Seen) -> Call<'static> {
        Call::Request(match self {
            Self::Connect(lobby, user) => {
                return Call::Event(Event::Connected(Handshake::new(lobby.lobby(), user.user())));
            }
            Self::ConnectFrom(lobby, user, source, until) => {
                let mut handshake = Handshake::new(lobby.lobby(), user.user());
                handshake.source = source.map(|source| Source::from_bits(source.into()));
                handshake.expires = until.time(here.last_call);
                return Call::Event(Event::Connected(handshake));
            }
            Self::Message(who, said) => {
                let conn = here.conn(who);
                let frame = here.frame(conn, said);
                return Call::Event(Event::Message { conn, frame });
            }
            Self::Closed(who, cause) => {
                let conn = here.conn(who);
                return Call::Event(Event::Closed { conn, cause });
            }
            Self::Tick => return Call::Event(Event::Tick),
            Self::Flushed(who, part) => {
                let (bytes, messages) = part.map_or((u64::MAX, u32::MAX), |(bytes, messages)| {
                    (bytes.into(), messages.into())
                });
                let conn = here.conn(who);
                return Call::Event(Event::Flushed { conn, bytes, messages });
            }
            Self::Broadcast(place, but, number) => Request::Broadcast {
                lobby: here.lobby(place),
                payload: payload(number),
                except: here.except(but),
            },
            Self::BroadcastAll(but, number) => Request::BroadcastAll {
                payload: payload(number),
                except: here.except(but),
            },
            Self::SendTo(who, number) => Request::SendTo {
                conn: here.conn(who),
                payload: payload(number),
            },
            Self::SendToUser(name, number) => Request::SendToUser {
                user: name.user(),
                payload: payload(number),
            },
            Self::PingUser(name, timeout) => Request::PingUser {
                user: name.user(),
                timeout: timeout.map(Duration::from_nanos),
            },
            Self::Join(who, lobby) => Request::Join {
                conn: here.conn(who),
                lobby: lobby.lobby(),
            },
            Self::Switch(who, from, to) => Request::SwitchLobby {
                conn: here.conn(who),
                from: here.lobby(from),
                to: to.lobby(),
            },
            Self::Leave(who, lobby) => Request::Leave {
                conn: here.conn(who),
                lobby: here.lobby(lobby),
            },
            Self::Kick(who) => Request::Kick {
                conn: here.conn(who),
                close: close(4000, "kicked"),
            },
            Self::CloseAll => Request::CloseAll {
                close: close(1001, "shutdown"),
            },
            Self::KickUser(user) => Request::KickUser {
                user: user.user(),
                close: close(4000, "kicked"),
            },
            Self::KickLobby(lobby) => Request::KickLobby {
                lobby: here.lobby(lobby),
                close: close(4000, "kicked"),
            },
            Self::Lock(lobby) => Request::LockLobby {
                lobby: here.lobby(lobby),
            },
            Self::Unlock(lobby) => Request::UnlockLobby {
                lobby: here.lobby(lobby),
            },
            Self::SetLimit(Limit::MessageBytes, Some(more @ 1..)) => Request::SetLimit {
                limit: Limit::MessageBytes,
                max: Some(more.saturating_add(124)),
            },
            Self::SetLimit(limit, max) => Request::SetLimit { limit, max },
            Self::SetRate(limit, number) => Request::SetRate {
                limit,
                rate: some_rate(number),
            },
            Self::Extend(who, until) => Request::Extend {
                conn: here.conn(who),
                expires: until.time(here.last_call),
            },
            Self::Drain(every, until) => Request::Drain {
                every: Duration::from_nanos(every),
                deadline: until.time(here.last_call).unwrap_or(Time::MAX),
            },
        })
    }
}
