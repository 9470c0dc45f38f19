//! Runs of a recorder: how they are drawn, and what is to be known of them.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::hash::Hasher as _;
use std::time::Duration;

use lobbykeeper::{
    Call, Cause, CloseFrame, Config, ConnId, Delivery, Digest, Event, Except, Frame, Handshake, Input, Limit, LobbyId,
    LobbyRef, Manager, Outbox, Outgoing, Payload, Rate, RateLimit, Recorder, Request, ReservationId, Source, Time,
    UserOverflow,
};
use proptest::prelude::*;
use siphasher::sip128::{Hasher128 as _, SipHasher24};

/// Records a run. Its digest, and its log.
pub(crate) fn record(config: Config, inputs: &[Input<'_>]) -> (Digest, Vec<u8>) {
    let (mut out, mut log) = (Outbox::new(), Vec::new());
    let mut recorder = Recorder::new(config, &mut log).unwrap();
    for input in inputs {
        out.clear();
        recorder.apply(input.clone(), &mut out, &mut log);
    }
    (recorder.digest(), log)
}

/// What is in an outbox, to be compared and kept.
pub(crate) fn outputs(out: &Outbox) -> Vec<String> {
    out.iter().map(|output| format!("{output:?}")).collect()
}

/// The digest of the last line of a log, computed from what the documentation of the recorder says and from a manager.
pub(crate) fn by_the_book(log: &str) -> String {
    let hash = |text: &str| {
        let mut hasher = SipHasher24::new();
        hasher.write(text.as_bytes());
        format!("{:032x}", u128::from_be_bytes(hasher.finish128().as_bytes()))
    };
    let json_of = |line: &str, start: &str| {
        let (json, _) = line.rsplit_once(",\"digest\"").unwrap();
        json.strip_prefix(start).unwrap().to_owned()
    };
    let mut lines = log.lines();
    let header = json_of(lines.next().unwrap(), "{\"header\":");
    let mut digest = hash(&format!("{}\n{header}\n", "0".repeat(32)));
    let header: serde_json::Value = serde_json::from_str(&header).unwrap();
    let config = serde_json::from_value(header["config"].clone()).unwrap();
    let (mut manager, mut out) = (Manager::new(config).unwrap(), Outbox::new());
    for line in lines {
        let input = json_of(line, "{\"input\":");
        out.clear();
        let reply = manager.apply(serde_json::from_str(&input).unwrap(), &mut out);
        let mut text = format!("{digest}\n{input}\n{}\n", serde_json::to_string(&reply).unwrap());
        for output in &out {
            text += &serde_json::to_string(&output).unwrap();
            text += "\n";
        }
        digest = hash(&text);
    }
    digest
}

/// Settings under which the rules meet within few inputs.
pub(crate) fn config() -> impl Strategy<Value = Config> {
    let limit = || prop_oneof![Just(None), (0_u32..5).prop_map(Some)];
    (
        limit(),
        limit(),
        prop_oneof![Just(None), (1_u32..3).prop_map(Some)],
        any::<bool>(),
        any::<u64>(),
    )
        .prop_map(
            |(max_connections, max_connections_per_lobby, max_connections_per_user, replaces, seed)| Config {
                max_connections,
                max_connections_per_lobby,
                max_connections_per_user,
                user_overflow: if replaces {
                    UserOverflow::ReplaceOldest
                } else {
                    UserOverflow::Reject
                },
                max_lobbies_per_connection: Some(2),
                seed,
                ..Config::default()
            },
        )
}

pub(crate) fn inputs() -> impl Strategy<Value = Vec<Input<'static>>> {
    prop::collection::vec(input(), 0..60)
}

/// An input at any time of two minutes: a clock that steps back is clamped, so time does not stand still for long. Ids
/// are few, so that most of them are somebody's.
pub(crate) fn input() -> impl Strategy<Value = Input<'static>> {
    let at = prop_oneof![Just(0), 0_u64..120_000].prop_map(Time::from_millis);
    (at, call()).prop_map(|(at, call)| Input { at, call })
}

fn call() -> impl Strategy<Value = Call<'static>> {
    prop_oneof![event().prop_map(Call::Event), request().prop_map(Call::Request)]
}

fn event() -> impl Strategy<Value = Event<'static>> {
    prop_oneof![
        4 => (name(), name()).prop_map(|(lobby, user)| Event::Connected(Handshake::new(lobby, user))),
        2 => handshake().prop_map(Event::Connected),
        2 => (handshake(), seat()).prop_map(|(handshake, seat)| Event::Connected(handshake.reservation(seat))),
        2 => (conn(), frame()).prop_map(|(conn, frame)| Event::Message { conn, frame }),
        1 => (conn(), prop::sample::select(vec![Cause::Peer, Cause::Error, Cause::SendFailed]))
            .prop_map(|(conn, cause)| Event::Closed { conn, cause }),
        2 => Just(Event::Tick),
        1 => (conn(), 0_u64..20, 0_u32..3).prop_map(|(conn, bytes, messages)| Event::Flushed { conn, bytes, messages }),
    ]
}

fn request() -> impl Strategy<Value = Request<'static>> {
    let close = || CloseFrame::new(4000, "bye").unwrap();
    let timeout = prop::option::of((0_u64..10).prop_map(Duration::from_secs));
    prop_oneof![
        3 => (lobby(), payload(), except())
            .prop_map(|(lobby, payload, except)| Request::Broadcast { lobby, payload, except }),
        1 => (payload(), except()).prop_map(|(payload, except)| Request::BroadcastAll { payload, except }),
        1 => (conn(), payload()).prop_map(|(conn, payload)| Request::SendTo { conn, payload }),
        1 => (name(), payload()).prop_map(|(user, payload)| Request::SendToUser { user: user.into(), payload }),
        1 => (name(), timeout).prop_map(|(user, timeout)| Request::PingUser { user: user.into(), timeout }),
        2 => (conn(), name()).prop_map(|(conn, lobby)| Request::Join { conn, lobby: lobby.into() }),
        1 => (conn(), lobby(), name()).prop_map(|(conn, from, to)| Request::SwitchLobby { conn, from, to: to.into() }),
        1 => (conn(), lobby()).prop_map(|(conn, lobby)| Request::Leave { conn, lobby }),
        1 => conn().prop_map(move |conn| Request::Kick { conn, close: close() }),
        1 => Just(Request::CloseAll { close: close() }),
        2 => door(),
        2 => handshake().prop_map(Request::Reserve),
        1 => seat().prop_map(|reservation| Request::Release { reservation }),
    ]
}

/// From somewhere, and for a while.
fn handshake() -> impl Strategy<Value = Handshake<'static>> {
    (name(), name(), 0_u128..3, expires()).prop_map(|(lobby, user, source, expires)| {
        let mut handshake = Handshake::new(lobby, user).source(Source::from_bits(source));
        handshake.expires = expires;
        handshake
    })
}

fn expires() -> impl Strategy<Value = Option<Time>> {
    prop::option::of((0_u64..120_000).prop_map(Time::from_millis))
}

/// About who may come in, and for how long.
fn door() -> impl Strategy<Value = Request<'static>> {
    let close = || CloseFrame::new(4000, "bye").unwrap();
    let limit = (prop::sample::select(Limit::ALL.to_vec()), prop::option::of(0_u64..4));
    prop_oneof![
        (name(), Just(close())).prop_map(|(user, close)| Request::KickUser {
            user: user.into(),
            close
        }),
        (lobby(), Just(close())).prop_map(|(lobby, close)| Request::KickLobby { lobby, close }),
        lobby().prop_map(|lobby| Request::LockLobby { lobby }),
        lobby().prop_map(|lobby| Request::UnlockLobby { lobby }),
        limit.prop_map(|(limit, max)| Request::SetLimit { limit, max }),
        (prop::sample::select(RateLimit::ALL.to_vec()), rate())
            .prop_map(|(limit, rate)| Request::SetRate { limit, rate }),
        (conn(), expires()).prop_map(|(conn, expires)| Request::Extend { conn, expires }),
        (0_u64..2_000, expires()).prop_map(|(every, deadline)| Request::Drain {
            every: Duration::from_millis(every),
            deadline: deadline.unwrap_or(Time::MAX),
        }),
    ]
}

fn rate() -> impl Strategy<Value = Option<Rate>> {
    let rate = (0_u32..3, 0_u64..3_000, 0_u32..3);
    prop::option::of(rate.prop_map(|(events, millis, burst)| Rate {
        events,
        per: Duration::from_millis(millis),
        burst,
    }))
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["ann", "bob", "den", "Zoë", "a\"b\\\n", ""]).prop_map(str::to_owned)
}

fn conn() -> impl Strategy<Value = ConnId> {
    (0_u64..4, 1_u64..4).prop_map(|(index, generation)| ConnId::from_bits((generation << 32) | index).unwrap())
}

fn seat() -> impl Strategy<Value = ReservationId> {
    (0_u64..3, 1_u64..4).prop_map(|(index, generation)| ReservationId::from_bits((generation << 32) | index).unwrap())
}

fn lobby() -> impl Strategy<Value = LobbyRef<'static>> {
    prop_oneof![
        name().prop_map(|name| LobbyRef::Name(name.into())),
        (0_u64..3, 1_u64..4)
            .prop_map(|(index, generation)| LobbyId::from_bits((generation << 32) | index).unwrap())
            .prop_map(LobbyRef::Id),
        conn().prop_map(LobbyRef::Of),
    ]
}

fn except() -> impl Strategy<Value = Except<'static>> {
    prop_oneof![
        Just(Except::Nobody),
        conn().prop_map(Except::Conn),
        name().prop_map(Except::user),
        conn().prop_map(Except::UserOf),
    ]
}

fn payload() -> impl Strategy<Value = Outgoing> {
    let payload = prop_oneof![
        "[a-z\"é\n]{0,12}".prop_map(Payload::text),
        prop::collection::vec(any::<u8>(), 0..12).prop_map(Payload::binary),
    ];
    let delivery = prop::sample::select(vec![Delivery::Reliable, Delivery::Droppable]);
    (payload, delivery).prop_map(|(payload, delivery)| Outgoing { payload, delivery })
}

fn frame() -> impl Strategy<Value = Frame<'static>> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..12);
    prop_oneof![
        "[a-z\"é\n]{0,12}".prop_map(|text| Frame::Text(text.into())),
        (0_u64..120_000)
            .prop_map(|stamp| { Frame::Text(format!("{{\"type\":\"health_pong\",\"timestamp\":{stamp}}}").into()) }),
        bytes().prop_map(|bytes| Frame::Binary(bytes.into())),
        bytes().prop_map(|bytes| Frame::Ping(bytes.into())),
        bytes().prop_map(|bytes| Frame::Pong(bytes.into())),
    ]
}
