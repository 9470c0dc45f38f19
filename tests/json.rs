//! The documented JSON forms: what goes in is read back as it was, what comes out is written as it says.

mod support;

use std::fmt::Debug;
use std::net::Ipv4Addr;
use std::time::Duration;

use lobbykeeper::{
    Answers, Call, Cause, CloseFrame, Config, ConfigError, ConnId, DropReason, Event, Except, Frame, Handshake,
    Inbound, Input, JoinError, Limit, LobbyId, LobbyRef, Manager, Outbox, ParseSourceError, Payload, PingFormat, Rate,
    RateLimit, RateScope, Reply, Request, ReservationId, Retry, Source, Text, Time, UserOverflow,
};
use serde::{Deserialize, Serialize};
use support::{Desk, frame, hi, secs};

fn conn(id: &str) -> ConnId {
    id.parse().unwrap()
}

fn seat(id: &str) -> ReservationId {
    id.parse().unwrap()
}

/// The value is written as this text and read back from it.
fn both<'a, T: Serialize + Deserialize<'a> + PartialEq + Debug>(value: &T, json: &'a str) {
    assert_eq!(serde_json::to_string(value).unwrap(), json);
    assert_eq!(&serde_json::from_str::<T>(json).unwrap(), value);
}

/// The value is written as this text.
fn written<T: Serialize>(value: &T, json: &str) {
    assert_eq!(serde_json::to_string(value).unwrap(), json);
}

#[test]
fn every_event_has_its_form() {
    for (event, json) in [
        (
            Event::Connected(Handshake::new("den", "ann \"the\" first")),
            r#"{"connected":{"lobby":"den","user":"ann \"the\" first"}}"#,
        ),
        (
            Event::Message {
                conn: conn("c3v17"),
                frame: Frame::text("hello\n"),
            },
            r#"{"message":{"conn":"c3v17","frame":{"text":"hello\n"}}}"#,
        ),
        (
            Event::Message {
                conn: conn("c0v1"),
                frame: Frame::binary(&[0, 255, 16]),
            },
            r#"{"message":{"conn":"c0v1","frame":{"binary":"AP8Q"}}}"#,
        ),
        (
            Event::Message {
                conn: conn("c0v1"),
                frame: Frame::ping(b"1"),
            },
            r#"{"message":{"conn":"c0v1","frame":{"ping":"MQ=="}}}"#,
        ),
        (
            Event::Message {
                conn: conn("c0v1"),
                frame: Frame::pong(b""),
            },
            r#"{"message":{"conn":"c0v1","frame":{"pong":""}}}"#,
        ),
        (
            Event::Closed {
                conn: conn("c0v1"),
                cause: Cause::Peer,
            },
            r#"{"closed":{"conn":"c0v1","cause":"peer"}}"#,
        ),
        (
            Event::Closed {
                conn: conn("c0v1"),
                cause: Cause::Error,
            },
            r#"{"closed":{"conn":"c0v1","cause":"error"}}"#,
        ),
        (
            Event::Closed {
                conn: conn("c0v1"),
                cause: Cause::SendFailed,
            },
            r#"{"closed":{"conn":"c0v1","cause":"send_failed"}}"#,
        ),
        (Event::Tick, r#""tick""#),
    ] {
        both(&event, json);
        let input = Input {
            at: Time::MAX,
            call: Call::Event(event),
        };
        both(
            &input,
            &format!(r#"{{"at":18446744073709551615,"call":{{"event":{json}}}}}"#),
        );
    }
}

/// The request alone, and in an input.
fn request(request: Request<'_>, json: &str) {
    both(&request, json);
    let input = Input {
        at: Time::ZERO,
        call: Call::Request(request),
    };
    both(&input, &format!(r#"{{"at":0,"call":{{"request":{json}}}}}"#));
}

#[test]
fn every_request_to_send_has_its_form() {
    let lobby: LobbyId = "l2v5".parse().unwrap();
    for (call, json) in [
        (
            Request::Broadcast {
                lobby: LobbyRef::from("den"),
                payload: hi().into(),
                except: Except::Nobody,
            },
            r#"{"broadcast":{"lobby":{"name":"den"},"payload":{"text":"hi"},"except":"nobody"}}"#,
        ),
        (
            Request::Broadcast {
                lobby: LobbyRef::Id(lobby),
                payload: Payload::binary(vec![255]).droppable(),
                except: Except::user("ann"),
            },
            r#"{"broadcast":{"lobby":{"id":"l2v5"},"payload":{"droppable":{"binary":"/w=="}},"except":{"user":"ann"}}}"#,
        ),
        (
            Request::Broadcast {
                lobby: LobbyRef::Of(conn("c0v1")),
                payload: hi().into(),
                except: Except::UserOf(conn("c0v1")),
            },
            r#"{"broadcast":{"lobby":{"of":"c0v1"},"payload":{"text":"hi"},"except":{"user_of":"c0v1"}}}"#,
        ),
        (
            Request::BroadcastAll {
                payload: hi().into(),
                except: Except::Conn(conn("c0v1")),
            },
            r#"{"broadcast_all":{"payload":{"text":"hi"},"except":{"conn":"c0v1"}}}"#,
        ),
        (
            Request::SendTo {
                conn: conn("c0v1"),
                payload: hi().into(),
            },
            r#"{"send_to":{"conn":"c0v1","payload":{"text":"hi"}}}"#,
        ),
        (
            Request::SendToUser {
                user: "ann".into(),
                payload: hi().into(),
            },
            r#"{"send_to_user":{"user":"ann","payload":{"text":"hi"}}}"#,
        ),
        (
            Request::PingUser {
                user: "ann".into(),
                timeout: Some(secs(2)),
            },
            r#"{"ping_user":{"user":"ann","timeout":2000000000}}"#,
        ),
        (
            Request::PingUser {
                user: "ann".into(),
                timeout: None,
            },
            r#"{"ping_user":{"user":"ann","timeout":null}}"#,
        ),
    ] {
        request(call, json);
    }
}

#[test]
fn every_request_to_move_or_to_close_has_its_form() {
    for (call, json) in [
        (
            Request::Join {
                conn: conn("c0v1"),
                lobby: "den".into(),
            },
            r#"{"join":{"conn":"c0v1","lobby":"den"}}"#,
        ),
        (
            Request::SwitchLobby {
                conn: conn("c0v1"),
                from: LobbyRef::from("den"),
                to: "attic".into(),
            },
            r#"{"switch_lobby":{"conn":"c0v1","from":{"name":"den"},"to":"attic"}}"#,
        ),
        (
            Request::Leave {
                conn: conn("c0v1"),
                lobby: LobbyRef::from("den"),
            },
            r#"{"leave":{"conn":"c0v1","lobby":{"name":"den"}}}"#,
        ),
        (
            Request::Kick {
                conn: conn("c0v1"),
                close: frame(4000, "bye"),
            },
            r#"{"kick":{"conn":"c0v1","close":{"code":4000,"reason":"bye"}}}"#,
        ),
        (
            Request::CloseAll { close: frame(1001, "") },
            r#"{"close_all":{"close":{"code":1001,"reason":""}}}"#,
        ),
        (
            Request::KickUser {
                user: "ann".into(),
                close: frame(4000, "bye"),
            },
            r#"{"kick_user":{"user":"ann","close":{"code":4000,"reason":"bye"}}}"#,
        ),
        (
            Request::KickLobby {
                lobby: LobbyRef::from("den"),
                close: frame(4000, "bye"),
            },
            r#"{"kick_lobby":{"lobby":{"name":"den"},"close":{"code":4000,"reason":"bye"}}}"#,
        ),
        (
            Request::LockLobby {
                lobby: LobbyRef::from("den"),
            },
            r#"{"lock_lobby":{"lobby":{"name":"den"}}}"#,
        ),
        (
            Request::UnlockLobby {
                lobby: LobbyRef::from(conn("c0v1")),
            },
            r#"{"unlock_lobby":{"lobby":{"of":"c0v1"}}}"#,
        ),
        (
            Request::Extend {
                conn: conn("c0v1"),
                expires: Some(Time::from_secs(3)),
            },
            r#"{"extend":{"conn":"c0v1","expires":3000000000}}"#,
        ),
        (
            Request::Extend {
                conn: conn("c0v1"),
                expires: None,
            },
            r#"{"extend":{"conn":"c0v1","expires":null}}"#,
        ),
    ] {
        request(call, json);
    }
}

#[test]
fn every_request_to_change_a_limit_has_its_form() {
    for (call, json) in [
        (
            Request::SetLimit {
                limit: Limit::ConnectionsPerSource,
                max: Some(3),
            },
            r#"{"set_limit":{"limit":"connections_per_source","max":3}}"#,
        ),
        (
            Request::SetLimit {
                limit: Limit::Connections,
                max: None,
            },
            r#"{"set_limit":{"limit":"connections","max":null}}"#,
        ),
        (
            Request::SetLimit {
                limit: Limit::MessageBytes,
                max: Some(500),
            },
            r#"{"set_limit":{"limit":"message_bytes","max":500}}"#,
        ),
        (
            Request::SetRate {
                limit: RateLimit::UserMessages,
                rate: Some(Rate {
                    events: 10,
                    per: Duration::from_secs(1),
                    burst: 20,
                }),
            },
            r#"{"set_rate":{"limit":"user_messages","rate":{"events":10,"per":1000000000,"burst":20}}}"#,
        ),
        (
            Request::SetRate {
                limit: RateLimit::Connects,
                rate: None,
            },
            r#"{"set_rate":{"limit":"connects","rate":null}}"#,
        ),
        (
            Request::Drain {
                every: secs(1),
                deadline: Time::from_secs(60),
            },
            r#"{"drain":{"every":1000000000,"deadline":60000000000}}"#,
        ),
    ] {
        request(call, json);
    }
}

#[test]
fn every_request_about_a_reservation_has_its_form() {
    request(
        Request::Reserve(Handshake::new("den", "ann")),
        r#"{"reserve":{"lobby":"den","user":"ann"}}"#,
    );
    let reservation = seat("r0v1");
    request(
        Request::Release { reservation },
        r#"{"release":{"reservation":"r0v1"}}"#,
    );
}

#[test]
fn a_ping_timeout_that_is_missing_is_the_configured_one() {
    let request: Request<'_> = serde_json::from_str(r#"{"ping_user":{"user":"ann"}}"#).unwrap();
    let user = "ann".into();
    assert_eq!(request, Request::PingUser { user, timeout: None });
}

#[test]
fn the_keys_of_an_input_come_in_any_order() {
    let input: Input<'_> =
        serde_json::from_str(r#" {"call": {"event": {"closed": {"cause":"peer", "conn":"c0v1"}}}, "at": 7}"#).unwrap();
    assert_eq!(input.at, Time::from_nanos(7));
}

#[test]
fn a_text_without_escapes_is_borrowed() {
    let json = r#"{"text":"hello"}"#;
    let Frame::Text(text) = serde_json::from_str(json).unwrap() else {
        panic!()
    };
    assert!(matches!(text, std::borrow::Cow::Borrowed("hello")));
}

#[test]
fn every_reply_has_its_form() {
    let mut desk = Desk::with(Config {
        max_connections_per_lobby: Some(1),
        ..Config::default()
    });
    let den = {
        desk.connect("den", "ann");
        desk.manager.lobby_id("den").unwrap()
    };
    let full = desk.try_connect("den", "bob").unwrap_err();
    let receipt = r#"{"seen":1,"threshold":1,"waited":0,"at":0}"#;
    let refusal = format!(
        r#"{{"rule":"lobby_full","close":{{"code":4002,"reason":"lobby_full"}},"retry":{{"after":5000000000}},"receipt":{receipt}}}"#
    );
    written(&full, &refusal);
    for (reply, json) in [
        (
            Reply::Connected(Ok(conn("c0v1"))),
            r#"{"connected":{"Ok":"c0v1"}}"#.to_owned(),
        ),
        (
            Reply::Connected(Err(full.clone())),
            format!(r#"{{"connected":{{"Err":{refusal}}}}}"#),
        ),
        (Reply::Message(Inbound::Deliver), r#"{"message":"deliver"}"#.to_owned()),
        (Reply::Message(Inbound::Handled), r#"{"message":"handled"}"#.to_owned()),
        (Reply::Message(Inbound::Stale), r#"{"message":"stale"}"#.to_owned()),
        (
            Reply::Message(Inbound::Dropped(DropReason::TooBig)),
            r#"{"message":{"dropped":"too_big"}}"#.to_owned(),
        ),
        (
            Reply::Message(Inbound::Dropped(DropReason::Throttled { by: RateScope::User })),
            r#"{"message":{"dropped":{"throttled":{"by":"user"}}}}"#.to_owned(),
        ),
        (Reply::Ticked, r#""ticked""#.to_owned()),
        (Reply::Changed(true), r#"{"changed":true}"#.to_owned()),
        (Reply::Addressed(3), r#"{"addressed":3}"#.to_owned()),
        (Reply::LimitSet(Ok(())), r#"{"limit_set":{"Ok":null}}"#.to_owned()),
        (
            Reply::LimitSet(Err(ConfigError::Zero("max_lobbies_per_connection"))),
            r#"{"limit_set":{"Err":{"zero":"max_lobbies_per_connection"}}}"#.to_owned(),
        ),
        (
            Reply::Reserved(Ok(seat("r0v1"))),
            r#"{"reserved":{"Ok":"r0v1"}}"#.to_owned(),
        ),
        (
            Reply::Reserved(Err(full.clone())),
            format!(r#"{{"reserved":{{"Err":{refusal}}}}}"#),
        ),
        (Reply::Entered(Ok(den)), r#"{"entered":{"Ok":"l0v1"}}"#.to_owned()),
        (
            Reply::Entered(Err(JoinError::UnknownConnection)),
            r#"{"entered":{"Err":"unknown_connection"}}"#.to_owned(),
        ),
        (
            Reply::Entered(Err(JoinError::NotMember)),
            r#"{"entered":{"Err":"not_member"}}"#.to_owned(),
        ),
        (
            Reply::Entered(Err(JoinError::TooManyLobbies(full.receipt()))),
            format!(r#"{{"entered":{{"Err":{{"too_many_lobbies":{receipt}}}}}}}"#),
        ),
        (
            Reply::Entered(Err(JoinError::Refused(full))),
            format!(r#"{{"entered":{{"Err":{{"refused":{refusal}}}}}}}"#),
        ),
    ] {
        written(&reply, &json);
    }
}

/// All that is written when this log is applied, a line each.
fn replay(config: &str, log: &[&str]) -> Vec<String> {
    let mut manager = Manager::new(serde_json::from_str(config).unwrap()).unwrap();
    let mut out = Outbox::new();
    for line in log {
        manager.apply(serde_json::from_str(line).unwrap(), &mut out);
    }
    out.iter()
        .map(|output| serde_json::to_string(&output).unwrap())
        .collect()
}

#[test]
fn every_command_and_notice_has_its_form() {
    let log = [
        r#"{"at":0,"call":{"event":{"connected":{"lobby":"den","user":"ann"}}}}"#,
        r#"{"at":0,"call":{"event":{"connected":{"lobby":"den","user":"bob"}}}}"#,
        r#"{"at":0,"call":{"request":{"broadcast":{"lobby":{"name":"den"},"payload":{"binary":"AP8="},"except":"nobody"}}}}"#,
        r#"{"at":1000000000,"call":{"request":{"ping_user":{"user":"ann","timeout":3000000000}}}}"#,
        r#"{"at":1000000000,"call":{"request":{"ping_user":{"user":"bob"}}}}"#,
        r#"{"at":1080000000,"call":{"event":{"message":{"conn":"c0v1","frame":{"text":"{\"type\":\"health_pong\",\"timestamp\":1000}"}}}}}"#,
        r#"{"at":3000000000,"call":{"event":"tick"}}"#,
        r#"{"at":3000000000,"call":{"request":{"kick":{"conn":"c1v1","close":{"code":4000,"reason":"bye"}}}}}"#,
        r#"{"at":4000000000,"call":{"event":{"closed":{"conn":"c0v1","cause":"send_failed"}}}}"#,
        r#"{"at":8000000000,"call":{"event":"tick"}}"#,
    ];
    assert_eq!(
        replay(r#"{"ping_interval":null}"#, &log),
        [
            r#"{"notice":{"lobby_opened":{"lobby":"l0v1","lobby_name":"den"}}}"#,
            r#"{"notice":{"joined":{"lobby":"l0v1","lobby_name":"den","user":"ann","revision":1}}}"#,
            r#"{"notice":{"joined":{"lobby":"l0v1","lobby_name":"den","user":"bob","revision":2}}}"#,
            r#"{"command":{"send":{"to":["c0v1","c1v1"],"payload":{"binary":"AP8="}}}}"#,
            r#"{"command":{"send":{"to":["c0v1"],"payload":{"text":"{\"type\":\"health_ping\",\"timestamp\":1000}"}}}}"#,
            r#"{"command":{"send":{"to":["c1v1"],"payload":{"text":"{\"type\":\"health_ping\",\"timestamp\":1001}"}}}}"#,
            r#"{"notice":{"pong":{"conn":"c0v1","rtt":80000000,"requested":true}}}"#,
            r#"{"notice":{"ping_timed_out":{"conn":"c1v1"}}}"#,
            r#"{"command":{"close":{"conn":"c1v1","code":4000,"reason":"bye","cause":"requested","receipt":{"seen":0,"threshold":0,"waited":0,"at":3000000000}}}}"#,
            r#"{"notice":{"left":{"lobby":"l0v1","lobby_name":"den","user":"bob","revision":3}}}"#,
            r#"{"notice":{"left":{"lobby":"l0v1","lobby_name":"den","user":"ann","revision":4}}}"#,
            r#"{"notice":{"lobby_closed":{"lobby":"l0v1","lobby_name":"den"}}}"#,
            r#"{"notice":{"ended":{"conn":"c0v1","user":"ann","ending":{"closed":"send_failed"}}}}"#,
            r#"{"command":{"evict":{"conn":"c1v1","cause":"close_timeout","receipt":{"seen":5000000000,"threshold":5000000000,"waited":5000000000,"at":8000000000}}}}"#,
            r#"{"notice":{"ended":{"conn":"c1v1","user":"bob","ending":{"evicted":"close_timeout"}}}}"#,
        ]
    );

    let log = [
        r#"{"at":0,"call":{"request":{"reserve":{"lobby":"den","user":"ann"}}}}"#,
        r#"{"at":1000000000,"call":{"event":"tick"}}"#,
        r#"{"at":1000000000,"call":{"request":{"reserve":{"lobby":"den","user":"ann"}}}}"#,
        r#"{"at":1000000000,"call":{"request":{"kick_user":{"user":"ann","close":{"code":4000,"reason":"bye"}}}}}"#,
    ];
    assert_eq!(
        replay(r#"{"reservation_ttl":1000000000}"#, &log),
        [
            r#"{"notice":{"reservation_lapsed":{"reservation":"r0v1","lobby_name":"den","user":"ann","why":"expired"}}}"#,
            r#"{"notice":{"reservation_lapsed":{"reservation":"r0v2","lobby_name":"den","user":"ann","why":"kicked"}}}"#,
        ]
    );

    // A silence, a pause and a wave, with pings as frames.
    let config = r#"{"ping_format":"web_socket","max_missed":1,"stale_wave_floor":0}"#;
    let connected = r#"{"at":0,"call":{"event":{"connected":{"lobby":"den","user":"ann"}}}}"#;
    let outputs = replay(
        config,
        &[
            connected,
            r#"{"at":500000000000,"call":{"event":"tick"}}"#,
            r#"{"at":510000000000,"call":{"event":"tick"}}"#,
            r#"{"at":520000000000,"call":{"event":"tick"}}"#,
        ],
    );
    let [_, _, paused, ping, wave, again, evict, ..] = &outputs[..] else {
        panic!("{outputs:#?}")
    };
    assert!(paused.starts_with(r#"{"notice":{"paused":{"by":4"#), "{paused}");
    // 500000 and 510000 in base64.
    assert_eq!(
        ping,
        r#"{"command":{"send":{"to":["c0v1"],"payload":{"ping":"NTAwMDAw"}}}}"#
    );
    assert_eq!(wave, r#"{"notice":{"stale_wave":{"missed":1,"open":1}}}"#);
    assert_eq!(
        again,
        r#"{"command":{"send":{"to":["c0v1"],"payload":{"ping":"NTEwMDAw"}}}}"#
    );
    let stale = r#"{"command":{"evict":{"conn":"c0v1","cause":"stale","receipt":{"seen":2,"threshold":1,"waited":"#;
    assert!(
        evict.starts_with(stale) && evict.ends_with(r#","at":520000000000}}}}"#),
        "{evict}"
    );

    let config = r#"{"max_connections_per_user":1,"user_overflow":"replace_oldest"}"#;
    let outputs = replay(config, &[connected; 3]);
    let replaced = r#"{"command":{"evict":{"conn":"c0v1","cause":"replaced","receipt":{"seen":2,"threshold":1,"waited":0,"at":0}}}}"#;
    assert!(outputs.iter().any(|output| output == replaced), "{outputs:#?}");

    // What comes too fast and too long.
    let config =
        r#"{"message_rate":{"events":1,"per":1000000000,"burst":1},"max_violations":1,"max_message_bytes":125}"#;
    let says = r#"{"at":0,"call":{"event":{"message":{"conn":"c0v1","frame":{"text":"hello"}}}}}"#;
    let outputs = replay(config, &[connected, says, says]);
    assert_eq!(
        outputs[2..4],
        [
            r#"{"notice":{"throttled":{"conn":"c0v1","by":"connection","retry_after":1000000000,"violations":1,"receipt":{"seen":1000000000,"threshold":0,"waited":0,"at":0}}}}"#,
            r#"{"command":{"close":{"conn":"c0v1","code":1008,"reason":"rate_limited;retry=5000","cause":"rate_limited","receipt":{"seen":1,"threshold":1,"waited":0,"at":0}}}}"#,
        ]
    );
    let much = says.replace("hello", &"x".repeat(126));
    let outputs = replay(config, &[connected, &much]);
    assert_eq!(
        outputs[2],
        r#"{"command":{"close":{"conn":"c0v1","code":1009,"reason":"message_too_big","cause":"message_too_big","receipt":{"seen":126,"threshold":125,"waited":0,"at":0}}}}"#
    );
}

#[test]
fn the_latency_is_three_numbers_of_nanoseconds() {
    let mut desk = Desk::open();
    let ann = desk.connect("den", "ann");
    desk.wait(secs(0));
    desk.call(|manager, now, out| manager.ping_user(now, "ann", None, out));
    desk.wait(secs(1));
    desk.say(ann, r#"{"type":"health_pong","timestamp":1}"#);
    written(
        &desk.manager.latency(ann).unwrap(),
        r#"{"last":1000000000,"min":1000000000,"smoothed":1000000000}"#,
    );
}

const DEFAULTS: &str = concat!(
    r#"{"max_connections":null,"max_connections_per_lobby":null,"max_connections_per_user":null,"max_connections_per_source":null,"#,
    r#""user_overflow":"reject","max_lobbies_per_connection":1,"max_name_bytes":128,"#,
    r#""ping_interval":20000000000,"ping_timeout":10000000000,"max_missed":2,"ping_format":"json","#,
    r#""ping_user_timeout":2000000000,"stale_wave_floor":20,"close_timeout":5000000000,"#,
    r#""pause_tolerance":1000000000,"#,
    r#""max_backlog_bytes":null,"max_backlog_messages":null,"max_total_backlog_bytes":null,"#,
    r#""message_rate":null,"user_message_rate":null,"max_violations":null,"max_message_bytes":null,"#,
    r#""connect_rate":null,"reservation_ttl":10000000000,"answers":{"#,
    r#""unauthorized":{"code":4001,"reason":"unauthorized"},"#,
    r#""server_full":{"close":{"code":4002,"reason":"server_full"},"retry":{"after":5000000000}},"#,
    r#""lobby_full":{"close":{"code":4002,"reason":"lobby_full"},"retry":{"after":5000000000}},"#,
    r#""user_limit":{"close":{"code":4003,"reason":"user_limit"},"retry":{"after":5000000000}},"#,
    r#""invalid_name":{"close":{"code":4004,"reason":"invalid_name"},"retry":"never"},"#,
    r#""replaced":{"code":4005,"reason":"replaced"},"#,
    r#""lobby_locked":{"close":{"code":4006,"reason":"lobby_locked"},"retry":{"after":30000000000}},"#,
    r#""source_limit":{"close":{"code":4007,"reason":"source_limit"},"retry":{"after":5000000000}},"#,
    r#""expired":{"close":{"code":4008,"reason":"token_expired"},"retry":"never"},"#,
    r#""rate_limited":{"close":{"code":1008,"reason":"rate_limited"},"retry":{"after":5000000000}},"#,
    r#""message_too_big":{"code":1009,"reason":"message_too_big"},"#,
    r#""connect_rate":{"code":1013,"reason":"connect_rate"},"#,
    r#""reservation_void":{"close":{"code":4009,"reason":"reservation_void"},"retry":"now"},"#,
    r#""draining":{"close":{"code":1012,"reason":"draining"},"retry":{"after":5000000000}}},"seed":0}"#,
);

#[test]
fn the_settings_have_the_names_of_their_fields() {
    both(&Config::default(), DEFAULTS);
    assert_eq!(serde_json::from_str::<Config>("{}").unwrap(), Config::default());
    let config = Config {
        max_connections: Some(0),
        max_connections_per_lobby: Some(10),
        max_connections_per_user: Some(u32::MAX),
        max_connections_per_source: Some(7),
        user_overflow: UserOverflow::ReplaceOldest,
        max_lobbies_per_connection: None,
        max_name_bytes: 1,
        ping_interval: None,
        ping_timeout: Duration::from_nanos(1),
        max_missed: 255,
        ping_format: PingFormat::WebSocket,
        ping_user_timeout: secs(3),
        stale_wave_floor: None,
        close_timeout: secs(1),
        pause_tolerance: None,
        max_backlog_bytes: Some(1),
        max_backlog_messages: Some(2),
        max_total_backlog_bytes: Some(u64::MAX),
        message_rate: Some(Rate {
            events: u32::MAX,
            per: Duration::from_nanos(1),
            burst: 1,
        }),
        user_message_rate: Some(Rate {
            events: 1,
            per: Duration::from_nanos(u64::MAX),
            burst: u32::MAX,
        }),
        max_violations: Some(1),
        max_message_bytes: Some(u32::MAX),
        connect_rate: Some(Rate {
            events: 2,
            per: secs(3),
            burst: 4,
        }),
        reservation_ttl: secs(2),
        answers: Answers {
            replaced: frame(4900, "elsewhere"),
            ..Answers::default()
        },
        seed: u64::MAX,
        hash_key: [0, 0],
    };
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<Config>(&json).unwrap(), config);
    let partial: Config =
        serde_json::from_str(r#"{"answers":{"replaced":{"code":4900,"reason":"elsewhere"}}}"#).unwrap();
    assert_eq!(partial.answers, config.answers);
}

#[test]
fn the_hash_key_is_neither_written_nor_read() {
    let config = Config {
        hash_key: [0x1234_5678, 0x9abc_def0],
        ..Config::default()
    };
    written(&config, DEFAULTS);
    assert!(serde_json::from_str::<Config>(r#"{"hash_key":[1,2]}"#).is_err());
}

#[test]
fn a_handshake_tells_where_it_comes_from_and_until_when_it_is_good_or_says_nothing_of_it() {
    let handshake = Handshake::new("den", "ann");
    both(&handshake, r#"{"lobby":"den","user":"ann"}"#);
    let handshake = handshake
        .source(Ipv4Addr::new(192, 0, 2, 1))
        .expires(Time::from_secs(3));
    both(
        &handshake,
        r#"{"lobby":"den","user":"ann","source":"00000000000000000000ffffc0000201","expires":3000000000}"#,
    );
    both(
        &Handshake::new("den", "ann").reservation(seat("r2v5")),
        r#"{"lobby":"den","user":"ann","reservation":"r2v5"}"#,
    );
    is_refused::<Handshake<'_>>(r#"{"lobby":"den","user":"ann","reservation":null}"#);
    is_refused::<Handshake<'_>>(r#"{"lobby":"den","user":"ann","reservation":"c0v1"}"#);
    is_refused::<Handshake<'_>>(r#"{"lobby":"den","user":"ann","source":null}"#);
    is_refused::<Handshake<'_>>(r#"{"lobby":"den","user":"ann","expires":null}"#);
    // Without it, nobody could say whether a limit is to be taken off or was forgotten.
    is_refused::<Request<'_>>(r#"{"set_limit":{"limit":"connections"}}"#);
    is_refused::<Request<'_>>(r#"{"set_rate":{"limit":"messages"}}"#);
    is_refused::<Request<'_>>(r#"{"extend":{"conn":"c0v1"}}"#);
    is_refused::<Request<'_>>(r#"{"drain":{"every":1}}"#);
}

#[test]
fn a_source_has_one_form() {
    let source = Source::from_bits(0xf);
    both(&source, r#""0000000000000000000000000000000f""#);
    assert_eq!(format!("{source:?}"), "0000000000000000000000000000000f");
    for text in [
        "f",
        "0000000000000000000000000000000F",
        "+000000000000000000000000000000f",
        "000000000000000000000000000000000f",
    ] {
        assert_eq!(text.parse::<Source>(), Err(ParseSourceError), "{text}");
        is_refused::<Source>(&format!("{text:?}"));
    }
}

#[test]
fn the_small_values_have_their_forms() {
    both(&Time::from_secs(3), "3000000000");
    both(&conn("c3v17"), r#""c3v17""#);
    both(&seat("r3v17"), r#""r3v17""#);
    both(&Text::from("é\"\u{1}"), r#""é\"\u0001""#);
    both(&Retry::Never, r#""never""#);
    both(&Retry::Now, r#""now""#);
    both(&Retry::After(secs(5)), r#"{"after":5000000000}"#);
    both(&Payload::binary(vec![]), r#"{"binary":""}"#);
    let rate = Rate {
        events: 10,
        per: secs(1),
        burst: 20,
    };
    both(&rate, r#"{"events":10,"per":1000000000,"burst":20}"#);
    // A long duration is the longest that there is.
    written(
        &Retry::After(std::time::Duration::MAX),
        r#"{"after":18446744073709551615}"#,
    );
}

fn is_refused<'a, T: Deserialize<'a> + Debug>(json: &'a str) {
    if let Ok(value) = serde_json::from_str::<T>(json) {
        panic!("{json} was read as {value:?}");
    }
}

#[test]
fn what_is_malformed_gives_an_error() {
    for json in [
        "",
        "null",
        "[]",
        "{}",
        r#"{"at":0}"#,
        r#"{"call":{"event":"tick"}}"#,
        r#"{"at":0,"event":"tick"}"#,
        r#"{"at":0,"call":{"event":"tick"},"note":""}"#,
        r#"{"at":0,"call":{"event":"tick","request":{"leave":{"conn":"c0v1","lobby":{"id":"l0v1"}}}}}"#,
        r#"{"at":0,"call":{"event":{"connected":{"lobby":"den","user":"ann","takes_over":"c0v1"}}}}"#,
        r#"{"at":0,"call":{"event":{"closed":{"conn":"c0v1","cause":"peer","code":1000}}}}"#,
        r#"{"at":0,"call":{"request":{"ping_user":{"user":"ann","timout":1}}}}"#,
        r#"{"at":-1,"call":{"event":"tick"}}"#,
        r#"{"at":0.5,"call":{"event":"tick"}}"#,
        r#"{"at":18446744073709551616,"call":{"event":"tick"}}"#,
        r#"{"at":"0","call":{"event":"tick"}}"#,
        r#"{"at":0,"at":1,"call":{"event":"tick"}}"#,
        r#"{"at":0,"call":{"event":"tock"}}"#,
        r#"{"at":0,"call":{"request":"tick"}}"#,
        r#"{"at":0,"call":{"event":{"connected":{"lobby":"den"}}}}"#,
        r#"{"at":0,"call":{"event":{"connected":{"lobby":"den","user":7}}}}"#,
        r#"{"at":0,"call":{"event":{"connected":{"lobby":"den","user":"\ud800"}}}}"#,
        r#"{"at":0,"call":{"event":{"closed":{"conn":"c0v0","cause":"peer"}}}}"#,
        r#"{"at":0,"call":{"event":{"closed":{"conn":"c0v1","cause":"bored"}}}}"#,
        r#"{"at":0,"call":{"event":{"closed":{"conn":17,"cause":"peer"}}}}"#,
        r#"{"at":0,"call":{"event":{"message":{"conn":"l0v1","frame":{"text":""}}}}}"#,
        r#"{"at":0,"call":{"event":{"message":{"conn":"c0v1","frame":{"close":""}}}}}"#,
        r#"{"at":0,"call":{"event":{"message":{"conn":"c0v1","frame":{"binary":"AP8"}}}}}"#,
        r#"{"at":0,"call":{"event":{"message":{"conn":"c0v1","frame":{"binary":"A P8"}}}}}"#,
        r#"{"at":0,"call":{"event":{"message":{"conn":"c0v1","frame":{"ping":[1]}}}}}"#,
        r#"{"at":0,"call":{"request":{"kick":{"conn":"c0v1","close":{"code":1005,"reason":""}}}}}"#,
        r#"{"at":0,"call":{"request":{"kick":{"conn":"c0v1","close":{"code":65536,"reason":""}}}}}"#,
        r#"{"at":0,"call":{"request":{"kick":{"conn":"c0v1","close":{"code":4000,"reason":"","retry":"now"}}}}}"#,
        r#"{"at":0,"call":{"request":{"broadcast":{"lobby":"den","payload":{"text":""},"except":"nobody"}}}}"#,
        r#"{"at":0,"call":{"request":{"broadcast":{"lobby":{"name":"den"},"payload":{"text":""}}}}}"#,
        r#"{"at":0,"event":"tick""#,
        r#"{"at":0,"event":"tick"} x"#,
    ] {
        is_refused::<Input<'_>>(json);
    }
    // Too deep for any reader, and not for this one's stack.
    let deep = "[".repeat(100_000);
    is_refused::<Input<'_>>(&deep);
    is_refused::<Config>(&deep);
}

#[test]
fn settings_with_an_unknown_or_impossible_field_give_an_error() {
    for json in [
        r#"{"max_conections":5}"#,
        r#"{"answers":{"sorry":null}}"#,
        r#"{"max_connections":-1}"#,
        r#"{"max_connections":4294967296}"#,
        r#"{"ping_interval":"20s"}"#,
        r#"{"ping_timeout":null}"#,
        r#"{"max_missed":256}"#,
        r#"{"message_rate":10}"#,
        r#"{"message_rate":{"events":10,"per":1000000000}}"#,
        r#"{"message_rate":{"events":10,"per":"1s","burst":1}}"#,
        r#"{"message_rate":{"events":10,"per":1000000000,"burst":1,"cost":1}}"#,
        r#"{"answers":{"connect_rate":{"close":{"code":1013,"reason":"x"},"retry":"now"}}}"#,
        r#"{"user_overflow":"replace_newest"}"#,
        r#"{"answers":{"replaced":{"code":1006,"reason":""}}}"#,
        r#"{"answers":{"server_full":{"close":{"code":4002,"reason":"x"}}}}"#,
        r#"{"answers":{"server_full":{"close":{"code":4002,"reason":"x"},"retry":"now","after":1}}}"#,
        r#"{"answers":{"replaced":{"code":4005,"reason":"x","retry":"now"}}}"#,
    ] {
        is_refused::<Config>(json);
    }
    is_refused::<CloseFrame>(r#"{"code":4000}"#);
}
