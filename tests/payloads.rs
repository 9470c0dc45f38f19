//! What is said on the wire shares its bytes and knows their length.

use std::time::Duration;

use bytes::Bytes;
use lobbykeeper::{Config, Frame, Handshake, Manager, Outbox, Payload, PingFormat, Text, Time};

#[test]
fn a_text_is_the_bytes_that_it_was_made_of() {
    let shared = Bytes::from("hällo".to_owned());
    let text = Text::try_from(shared.clone()).unwrap();
    assert_eq!(text.as_bytes().as_ptr(), shared.as_ptr(), "shared, not copied");
    assert_eq!((text.as_str(), text.to_string()), ("hällo", "hällo".to_owned()));
    assert_eq!(format!("{text:?}"), "\"hällo\"");
    assert_eq!(text.into_bytes(), shared);
    assert!(Text::try_from(Bytes::from_static(b"\xff")).is_err());
    assert_eq!(Text::from_static("hi").as_str(), "hi");
    assert_eq!(Text::from("hi"), Text::from("hi".to_owned()));
}

#[test]
fn payloads_and_frames_know_their_length() {
    let (text, binary) = (Payload::text("äb"), Payload::binary(vec![1, 2]));
    assert_eq!((text.len(), binary.len()), (3, 2));
    assert!(!text.is_empty() && !binary.is_empty() && Payload::text("").is_empty());
    assert_eq!(&binary.as_bytes()[..], [1, 2]);
    let frames = [
        Frame::text("äb"),
        Frame::binary(&[1, 2]),
        Frame::ping(&[3]),
        Frame::pong(&[4, 5, 6, 7]),
    ];
    assert_eq!(frames.each_ref().map(Frame::len), [3, 2, 1, 4]);
    assert!(frames.iter().all(|frame| !frame.is_empty()) && Frame::text("").is_empty());
}

#[test]
fn a_ping_frame_hands_its_data_on() {
    let mut manager = Manager::new(Config {
        ping_format: PingFormat::WebSocket,
        ..Config::default()
    })
    .unwrap();
    let mut out = Outbox::new();
    let now = Time::from_millis(1_500);
    manager.connected(now, Handshake::new("den", "ann"), &mut out).unwrap();
    manager.ping_user(now, "ann", None, &mut out);
    let pings = out.commands().filter_map(|command| match command {
        lobbykeeper::Command::Send {
            payload: Payload::Ping(data),
            ..
        } => Some(data.clone()),
        _ => None,
    });
    let pings: Vec<_> = pings.collect();
    assert_eq!(pings.len(), 1);
    assert_eq!(&pings[0].as_bytes()[..], b"1500");
    assert_eq!(pings[0].clone().into_bytes(), Bytes::from_static(b"1500"));
}

#[test]
fn a_ping_that_is_passed_on_is_read_from_a_log_and_one_that_no_frame_holds_is_not() {
    let json = r#"{"ping":"MTUwMA=="}"#;
    let ping: Payload = serde_json::from_str(json).unwrap();
    assert!(matches!(&ping, Payload::Ping(data) if data.as_bytes() == "1500"));
    assert_eq!(serde_json::to_string(&ping).unwrap(), json);
    // Three bytes each, and two in the end.
    let (longest, longer) = ("AAAA".repeat(41) + "AAA=", "AAAA".repeat(42));
    let read = |data: &str| serde_json::from_str::<Payload>(&format!(r#"{{"ping":"{data}"}}"#));
    assert_eq!(read(&longest).unwrap().len(), 125);
    let error = read(&longer).unwrap_err();
    assert!(error.to_string().contains("126, expected at most 125 bytes"), "{error}");
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "what is tested is the way from the system's clock"
)]
fn an_instant_of_the_systems_clock_is_one_of_ours_and_back() {
    let origin = std::time::Instant::now();
    let later = origin + Duration::from_millis(1_500);
    assert_eq!(Time::since(origin, later), Time::from_millis(1_500));
    assert_eq!(Time::since(later, origin), Time::ZERO);
    assert_eq!(Time::from_millis(1_500).to_instant(origin), Some(later));
    assert_eq!(Time::from_millis(1_500).to_string(), "1.5s");
}
