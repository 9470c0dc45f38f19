//! How long a message may be.

mod support;

use lobbykeeper::{Answers, Closing, Command, Config, ConfigError, DropReason, Frame, Inbound, PingFormat, Rate, Time};
use support::{Desk, frame, secs};

const TOO_BIG: Inbound = Inbound::Dropped(DropReason::TooBig);

fn settings(max: u32) -> Config {
    Config {
        max_message_bytes: Some(max),
        ..Config::default()
    }
}

#[test]
fn a_message_that_is_too_long_is_dropped_and_its_connection_closed() {
    let mut desk = Desk::with(settings(200));
    let ann = desk.connect("den", "ann");
    desk.wait(secs(2));
    assert_eq!(desk.say(ann, &"x".repeat(200)), Inbound::Deliver);
    assert_eq!(desk.say(ann, &"x".repeat(201)), TOO_BIG);
    let receipts = desk.out.commands().filter_map(|command| match command {
        Command::Close { cause, receipt, .. } => Some((cause, receipt.seen, receipt.threshold, receipt.at)),
        _ => None,
    });
    let told = (Closing::MessageTooBig, 201, 200, Time::from_secs(2));
    assert_eq!(receipts.collect::<Vec<_>>(), [told]);
    assert_eq!(
        desk.said(),
        ["close c0v1 1009 message_too_big", "left den ann 2", "closed den"]
    );
    assert_eq!(desk.say(ann, "sorry"), Inbound::Stale);
    let stats = desk.manager.stats();
    assert_eq!((stats.drops.too_big, stats.closes, stats.violations), (1, 1, 0));
    assert_eq!(
        (stats.messages_in, stats.bytes_in),
        (2, 401),
        "what was dropped came in, too"
    );
}

#[test]
fn bytes_count_and_not_characters_and_those_of_every_kind_of_message() {
    let long = "\u{1f980}".repeat(50);
    for (frame, inbound) in [
        (Frame::text(&long), TOO_BIG),
        (Frame::Binary(vec![0; 200].into()), TOO_BIG),
        (Frame::Ping(vec![0; 126].into()), TOO_BIG),
        (Frame::Pong(vec![0; 126].into()), TOO_BIG),
        (Frame::Ping(vec![0; 125].into()), Inbound::Handled),
        (Frame::Pong(vec![0; 125].into()), Inbound::Handled),
    ] {
        let mut desk = Desk::with(settings(125));
        let ann = desk.connect("den", "ann");
        let found = desk.call(|manager, now, out| manager.message(now, ann, frame.clone(), out));
        assert_eq!(found, inbound, "{frame:?}");
    }
}

#[test]
fn a_health_pong_always_fits() {
    for format in [PingFormat::Json, PingFormat::WebSocket] {
        let mut desk = Desk::with(Config {
            ping_format: format,
            ..settings(125)
        });
        let ann = desk.connect("den", "ann");
        // The longest that there is.
        desk.now = Time::MAX;
        let pong = match format {
            PingFormat::Json => Frame::text(r#"{"type":"health_pong","timestamp":99999999999999}"#),
            PingFormat::WebSocket => Frame::Pong(b"99999999999999"[..].into()),
        };
        let inbound = desk.call(|manager, now, out| manager.message(now, ann, pong, out));
        assert_eq!(inbound, Inbound::Handled);
    }
}

#[test]
fn what_is_too_long_pays_for_nothing_and_closes_whatever_the_rates_say() {
    let rate = Rate {
        events: 1,
        per: secs(1_000),
        burst: 1,
    };
    let mut desk = Desk::with(Config {
        user_message_rate: Some(rate),
        ..settings(125)
    });
    let [phone, laptop] = ["den", "hall"].map(|lobby| desk.connect(lobby, "ann"));
    assert_eq!(desk.say(phone, &"x".repeat(126)), TOO_BIG);
    assert_eq!(desk.say(laptop, "hello"), Inbound::Deliver, "nothing was charged");
    assert_eq!(
        desk.say(laptop, &"x".repeat(126)),
        TOO_BIG,
        "though a short one would be throttled"
    );
    assert_eq!(desk.manager.stats().violations, 0);
}

#[test]
fn without_a_limit_nothing_is_too_long() {
    let mut desk = Desk::open();
    let ann = desk.connect("den", "ann");
    assert_eq!(desk.say(ann, &"x".repeat(1 << 20)), Inbound::Deliver);
}

#[test]
fn the_answer_is_a_setting() {
    let mut desk = Desk::with(Config {
        answers: Answers {
            message_too_big: frame(4009, "shorter, please"),
            ..Answers::default()
        },
        ..settings(125)
    });
    let ann = desk.connect("den", "ann");
    desk.say(ann, &"x".repeat(126));
    assert_eq!(desk.said()[0], "close c0v1 4009 shorter, please");
}

#[test]
fn a_limit_that_would_cut_off_control_frames_is_refused() {
    assert_eq!(settings(125).validate(), Ok(()));
    let error = settings(124).validate().unwrap_err();
    assert_eq!(error, ConfigError::MessageBytes(124));
    assert_eq!(error.to_string(), "max_message_bytes must be at least 125, not 124");
}
