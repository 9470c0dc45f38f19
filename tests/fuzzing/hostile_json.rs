//! Texts from strangers: forged ids, JSON that was never written by this library, and messages that clients might send.

use std::borrow::Cow;
use std::fmt::{Debug, Display};
use std::str::FromStr;
use std::sync::LazyLock;
use std::time::Duration;

use lobbykeeper::testing::Pair;
use lobbykeeper::{
    Answer, Answers, Call, Cause, CloseFrame, Config, ConnId, Event, Except, Frame, Handshake, Input, Limit, LobbyId,
    LobbyRef, Payload, PingFormat, Request, Retry, Source, Text, Time, UserOverflow,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::reading::read;

/// So many lines are applied; a fuzzer would only make them more.
const MOST_LINES: usize = 60;

/// Before anything hostile: slots that are used again, Ann with two connections, one of them in two lobbies, Bob who is
/// closing, Cat who is gone. Ann's first, c0v1, is asked with the time stamp 7000.
const POPULATION: [&str; 9] = [
    r#"{"at":1000000000,"call":{"event":{"connected":{"lobby":"den","user":"ann"}}}}"#,
    r#"{"at":1000000000,"call":{"event":{"connected":{"lobby":"den","user":"bob"}}}}"#,
    r#"{"at":2000000000,"call":{"event":{"connected":{"lobby":"hall","user":"ann"}}}}"#,
    r#"{"at":3000000000,"call":{"event":{"connected":{"lobby":"pit","user":"cat"}}}}"#,
    r#"{"at":4000000000,"call":{"event":{"closed":{"conn":"c3v1","cause":"peer"}}}}"#,
    r#"{"at":4000000000,"call":{"event":{"connected":{"lobby":"attic","user":"dan"}}}}"#,
    r#"{"at":5000000000,"call":{"request":{"join":{"conn":"c0v1","lobby":"attic"}}}}"#,
    r#"{"at":6000000000,"call":{"request":{"kick":{"conn":"c1v1","close":{"code":4000,"reason":"bye"}}}}}"#,
    r#"{"at":7000000000,"call":{"request":{"ping_user":{"user":"ann","timeout":null}}}}"#,
];

/// Reads the text as everything that can be read, and says it, as a client and as an operator would, to a manager with
/// some connections and to the model. A first line that is one of settings gives the settings; lines that are inputs
/// are applied. What is read, written and read again is the same; what is an id has one text form; manager and model
/// agree, and the invariants hold.
pub fn hostile_json(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        say(&mut ROOM.clone(), data);
        return;
    };
    let is_between = |letter: char| letter.is_whitespace() || r#""{}[]:,"#.contains(letter);
    for word in text.split(is_between).chain([text]) {
        assert_one_form(word, 'c', ConnId::from_bits, ConnId::to_bits);
        assert_one_form(word, 'l', LobbyId::from_bits, LobbyId::to_bits);
    }
    read_as_everything(text);

    let mut lines = text.lines().take(MOST_LINES).peekable();
    let mut pair = lines
        .next_if(|line| read::<Config>(line).is_some())
        .and_then(|line| room(read(line)?))
        .unwrap_or_else(|| ROOM.clone());
    say(&mut pair, data);
    name_it(&mut pair, text);
    for input in lines.filter_map(read::<Input<'_>>) {
        feed(&mut pair, input.at, input.call);
    }
    for _ in 0..2 {
        if let Some(deadline) = pair.subject.manager.next_deadline() {
            feed(&mut pair, deadline, Call::Event(Event::Tick));
        }
    }
}

static ROOM: LazyLock<Pair> = LazyLock::new(|| {
    let config = Config {
        max_connections_per_user: Some(2),
        user_overflow: UserOverflow::ReplaceOldest,
        max_lobbies_per_connection: Some(2),
        ..Config::default()
    };
    room(config).expect("settings without a contradiction")
});

/// The manager and the model with their population, if these settings can be followed.
fn room(config: Config) -> Option<Pair> {
    let mut pair = Pair::new(config).ok()?;
    for line in POPULATION {
        let Input { at, call } = serde_json::from_str(line).expect("an input");
        feed(&mut pair, at, call);
    }
    Some(pair)
}

fn feed(pair: &mut Pair, at: Time, call: Call<'_>) {
    pair.feed(&Input { at, call })
        .expect("the manager does what the model says");
}

/// A little later, as all that comes from clients.
fn hear(pair: &mut Pair, event: Event<'_>) {
    let at = pair.reference.seen.last_call() + Duration::from_millis(1);
    feed(pair, at, Call::Event(event));
}

/// A client sends it, as a pong and as a text.
fn say(pair: &mut Pair, data: &[u8]) {
    let conn = ConnId::from_bits(1 << 32).expect("an id");
    let text = std::str::from_utf8(data).ok().map(Frame::text);
    for frame in [Frame::pong(data)].into_iter().chain(text) {
        hear(pair, Event::Message { conn, frame });
    }
}

/// It is the name of a lobby and of a user, and the reason for a close.
fn name_it(pair: &mut Pair, name: &str) {
    let conn = ConnId::from_bits(1 << 32).expect("an id");
    hear(pair, Event::Connected(Handshake::new(name, "eve")));
    hear(pair, Event::Connected(Handshake::new("den", name)));
    let at = pair.reference.seen.last_call();
    let request = |pair: &mut Pair, request| feed(pair, at, Call::Request(request));
    let payload = Payload::text(name).into();
    let (lobby, except) = (LobbyRef::from(name), Except::user(name));
    request(
        pair,
        Request::Broadcast {
            lobby: lobby.clone(),
            payload,
            except,
        },
    );
    request(
        pair,
        Request::SwitchLobby {
            conn,
            from: lobby,
            to: name.into(),
        },
    );

    let close = CloseFrame::new(4000, name);
    let json = json!({ "code": 4000, "reason": name }).to_string();
    assert_eq!(serde_json::from_str(&json).ok(), close.clone().ok());
    if let Ok(close) = close {
        request(pair, Request::Kick { conn, close });
    }
}

/// Whether it is an id is the same to all readers and to a plain definition, and it is written as it was read.
fn assert_one_form<T>(word: &str, letter: char, from_bits: fn(u64) -> Option<T>, to_bits: fn(T) -> u64)
where
    T: Copy + Debug + Display + PartialEq + FromStr + Serialize + for<'de> Deserialize<'de>,
{
    let numbers = word.strip_prefix(letter).and_then(|numbers| numbers.split_once('v'));
    let expected = numbers.and_then(|(index, generation)| {
        let (index, generation): (u32, u32) = (index.parse().ok()?, generation.parse().ok()?);
        let plain = format!("{letter}{index}v{generation}") == word;
        from_bits((u64::from(generation) << 32) | u64::from(index)).filter(|_| plain)
    });
    assert_eq!(word.parse().ok(), expected, "{word:?}");
    assert_eq!(read(&Value::from(word).to_string()), expected, "{word:?}");
    if let Some(id) = expected {
        assert_eq!((id.to_string(), from_bits(to_bits(id))), (word.into(), Some(id)));
    }
}

fn read_as_everything(text: &str) {
    macro_rules! read_as {
        ($($kind:ty),+ $(,)?) => { $(read::<$kind>(text);)+ };
    }
    read_as!(
        Input<'_>,
        Call<'_>,
        Event<'_>,
        Request<'_>,
        Handshake<'_>,
        LobbyRef<'_>,
        Except<'_>,
        Frame<'_>,
        Cow<'_, str>,
        Cause,
        Time,
        Text,
        Payload,
        Retry,
        Answer,
        Answers,
        UserOverflow,
        PingFormat,
        ConnId,
        LobbyId,
        Limit,
        Source,
    );
    if let Some(close) = read::<CloseFrame>(text) {
        assert_eq!(
            CloseFrame::new(close.code(), close.reason()),
            Ok(close),
            "through the front door"
        );
    }
    if let Some(config) = read::<Config>(text) {
        assert_eq!(Pair::new(config.clone()).err(), config.validate().err());
    }
}
