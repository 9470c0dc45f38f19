//! What a step comes to where it is taken: an input.

use std::borrow::Cow;
use std::time::Duration;

use crate::{
    Call, CloseFrame, ConnId, Event, Except, Frame, Handshake, Input, Limit, LobbyId, LobbyRef, Outgoing, Payload,
    PingFormat, Rate, Request, ReservationId, Source, Time,
};

use super::seen::Seen;
use super::settings::rate;
use super::step::{Act, But, Name, Said, Stamp, Step, Style, Swap, Ticket, Until, When, Where, Who};

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

    /// The reservation, and the handshake that it was made with.
    fn seat(&self, ticket: Ticket) -> Handshake<'static> {
        let held: Vec<usize> = match ticket {
            Ticket::Held(_) => (0..self.reservations.len())
                .filter(|&position| self.reservations[position].is_held)
                .collect(),
            _ => (0..self.reservations.len()).collect(),
        };
        let forged = |bits: u64| {
            let id = ReservationId::from_bits(bits).or(ReservationId::from_bits(1 << 32));
            Handshake::new("den", "ann").reservation(id.expect("an id"))
        };
        let position = match ticket {
            Ticket::Bits(bits) => return forged(bits),
            Ticket::Held(number) | Ticket::Seen(number) => around(&held, number),
        };
        let seen = position.and_then(|position| self.reservations.get(position));
        seen.map_or_else(|| forged(0), |seat| seat.handshake.clone().reservation(seat.id))
    }

    fn connected(&self, mut handshake: Handshake<'static>, until: Until) -> Event<'static> {
        handshake.expires = until.time(self.last_call);
        Event::Connected(handshake)
    }

    fn release(&self, ticket: Ticket) -> Request<'static> {
        let reservation = self.seat(ticket).reservation.expect("one was put there");
        Request::Release { reservation }
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

fn newcomer(lobby: Name, user: Name, source: Option<u8>) -> Handshake<'static> {
    let mut handshake = Handshake::new(lobby.lobby(), user.user());
    handshake.source = source.map(|source| Source::from_bits(source.into()));
    handshake
}

impl Swap {
    fn apply(self, mut handshake: Handshake<'static>) -> Handshake<'static> {
        match self {
            Self::Nothing => {}
            Self::Lobby(name) => handshake.lobby = name.lobby(),
            Self::User(name) => handshake.user = name.user(),
            Self::Source(source) => handshake.source = source.map(|source| Source::from_bits(source.into())),
        }
        handshake
    }
}

impl Act {
    fn call(self, here: &Seen) -> Call<'static> {
        Call::Event(match self {
            Self::Connect(lobby, user) => Event::Connected(Handshake::new(lobby.lobby(), user.user())),
            Self::ConnectFrom(lobby, user, source, until) => here.connected(newcomer(lobby, user, source), until),
            Self::ConnectReserved(ticket, swap, until) => here.connected(swap.apply(here.seat(ticket)), until),
            Self::Message(who, said) => {
                let conn = here.conn(who);
                let frame = here.frame(conn, said);
                Event::Message { conn, frame }
            }
            Self::Closed(who, cause) => Event::Closed {
                conn: here.conn(who),
                cause,
            },
            Self::Tick => Event::Tick,
            Self::Flushed(who, part) => {
                let (bytes, messages) = part.map_or((u64::MAX, u32::MAX), |(bytes, messages)| {
                    (bytes.into(), messages.into())
                });
                let conn = here.conn(who);
                Event::Flushed { conn, bytes, messages }
            }
            request => return Call::Request(request.request(here)),
        })
    }

    fn request(self, here: &Seen) -> Request<'static> {
        match self {
            Self::Connect(..)
            | Self::ConnectFrom(..)
            | Self::ConnectReserved(..)
            | Self::Message(..)
            | Self::Closed(..)
            | Self::Tick
            | Self::Flushed(..) => unreachable!("{self:?} is an event"),
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
            Self::Reserve(lobby, user, source) => Request::Reserve(newcomer(lobby, user, source)),
            Self::Release(ticket) => here.release(ticket),
            Self::ReserveAgain(ticket) => Request::Reserve(here.seat(ticket)),
            Self::Extend(who, until) => Request::Extend {
                conn: here.conn(who),
                expires: until.time(here.last_call),
            },
            Self::Drain(every, until) => Request::Drain {
                every: Duration::from_nanos(every),
                deadline: until.time(here.last_call).unwrap_or(Time::MAX),
            },
        }
    }
}
