//! Pings, pongs and silence: lines 14 to 17 of the design's rules.

mod timeline;

use std::time::Duration;

use lobbykeeper::{
    CloseFrame, Command, Config, Ending, Eviction, Frame, Inbound, LobbyRef, Output, Payload, PingFormat, Time,
};
use timeline::{Said, Timeline, millis, secs};

const STALE: Ending = Ending::Evicted(Eviction::Stale);

/// Connects one user and jumps to the first ping. Returns its time stamp.
fn pinged(config: Config) -> (Timeline, lobbykeeper::ConnId, u64) {
    let mut timeline = Timeline::new(config);
    let conn = timeline.connect("den", "ann");
    let [Said::Ping(_, timestamp)] = timeline.next()[..] else {
        panic!("a ping")
    };
    (timeline, conn, timestamp)
}

#[test]
fn a_ping_is_the_json_that_clients_know() {
    let mut timeline = Timeline::new(Config::default());
    timeline.connect("den", "ann");
    let first = timeline.manager.next_deadline().unwrap();
    let mut out = lobbykeeper::Outbox::new();
    timeline.manager.tick(first, &mut out);
    let [
        Output::Command(Command::Send {
            payload: Payload::Text(text),
            ..
        }),
    ] = out.iter().collect::<Vec<_>>()[..]
    else {
        panic!("one text message")
    };
    let wanted = format!(r#"{{"type":"health_ping","timestamp":{}}}"#, first.as_millis());
    assert_eq!(text.as_str(), wanted);
}

#[test]
fn a_time_stamp_is_the_clock_in_milliseconds_and_never_the_same_twice() {
    let config = Config {
        ping_interval: Some(millis(2)),
        ping_timeout: millis(1),
        max_missed: 200,
        ..Config::default()
    };
    let mut timeline = Timeline::new(Config {
        ping_timeout: Duration::from_micros(10),
        ..config
    });
    timeline.connect("den", "ann");
    let stamps: Vec<u64> = (0..100)
        .map(|_| match timeline.next()[..] {
            [Said::Ping(_, timestamp)] => timestamp,
            ref other => panic!("{other:?}"),
        })
        .collect();
    assert!(stamps.windows(2).all(|pair| pair[0] < pair[1]), "{stamps:?}");
    // A hundred pings took a millisecond: the stamps run ahead of the clock until it has caught up.
    assert!(stamps[99] > timeline.now.as_millis());
    timeline.sleep_until(Time::from_secs(5));
    assert!(matches!(timeline.tick()[..], [Said::Paused(_), Said::Ping(_, 5_000)]));
}

#[test]
fn a_time_stamp_stays_below_ten_to_the_fourteenth() {
    let mut timeline = Timeline::new(Config::default());
    timeline.connect("den", "ann");
    timeline.sleep_until(Time::from_nanos(u64::MAX - 1_000_000_000));
    let (_, said) = timeline.ping_user("ann", None);
    let Some(Said::Ping(_, timestamp)) = said.last() else {
        panic!("{said:?}")
    };
    assert!(*timestamp < 100_000_000_000_000);
}

#[test]
fn all_who_are_pinged_by_one_call_share_one_message() {
    let mut timeline = Timeline::new(Config::default());
    let crowd = timeline.crowd(50);
    timeline.run_until(Time::from_millis(1));
    // Late by less than the tolerance: several are due at once.
    let first = timeline.manager.next_deadline().unwrap();
    timeline.sleep_until(first + millis(900));
    let said = timeline.tick();
    let [Said::Ping(to, _)] = &said[..] else {
        panic!("{said:?}")
    };
    assert!(to.len() > 1 && to.iter().all(|conn| crowd.contains(conn)), "{to:?}");
}

#[test]
fn first_pings_are_spread_over_the_interval_by_the_seed() {
    let offsets = |seed| {
        let mut timeline = Timeline::new(Config {
            seed,
            ..Config::default()
        });
        (0..200)
            .map(|number| {
                let conn = timeline.connect("den", &format!("user {number}"));
                let deadline = timeline.manager.next_deadline().unwrap();
                timeline.with(|manager, now, out| manager.closed(now, conn, lobbykeeper::Cause::Peer, out));
                deadline
            })
            .collect::<Vec<_>>()
    };
    let first = offsets(1);
    assert_eq!(first, offsets(1));
    assert_ne!(first, offsets(2));
    assert!(
        first
            .iter()
            .all(|&offset| offset > Time::ZERO && offset <= Time::from_secs(20))
    );
    for quarter in 0..4 {
        let within = Time::from_secs(quarter * 5)..Time::from_secs(quarter * 5 + 5);
        let count = first.iter().filter(|offset| within.contains(offset)).count();
        assert!((25..=75).contains(&count), "{count} of 200 in quarter {quarter}");
    }
}

#[test]
fn one_who_answers_is_pinged_each_interval() {
    let (mut timeline, conn, timestamp) = pinged(Config::default());
    timeline.pong(conn, timestamp);
    let first = timeline.now;
    let transcript = timeline.run_answering(first + secs(60), &[conn]);
    let times: Vec<_> = transcript.iter().map(|(time, _)| *time).collect();
    assert_eq!(times, [first + secs(20), first + secs(40), first + secs(60)]);
}

#[test]
fn one_who_talks_is_pinged_each_interval_too_and_lives_without_answering() {
    let (mut timeline, conn, _) = pinged(Config::default());
    let first = timeline.now;
    let mut pings = Vec::new();
    for second in 1..=100 {
        pings.extend(timeline.run_until(first + secs(second)));
        assert_eq!(timeline.say(conn), Inbound::Deliver);
    }
    let times: Vec<_> = pings.iter().map(|(time, _)| *time).collect();
    assert_eq!(times, (1..=5).map(|round| first + secs(20 * round)).collect::<Vec<_>>());
    assert_eq!(timeline.manager.latency(conn), None);
    assert_eq!(timeline.manager.stats().missed_pings, 0);
}

#[test]
fn a_dead_link_is_evicted_after_the_last_miss_and_each_miss_sends_a_ping_at_once() {
    let (mut timeline, conn, _) = pinged(Config::default());
    let first = timeline.now;
    let transcript = timeline.run_until(first + secs(1_000));
    let [(miss, Said::Ping(..)), (gone, Said::Ended(ended, STALE))] = transcript[..] else {
        panic!("{transcript:?}")
    };
    assert_eq!((miss, gone, ended), (first + secs(10), first + secs(20), conn));
    assert_eq!(timeline.manager.stats().missed_pings, 2);
    assert_eq!(timeline.manager.next_deadline(), None);
}

#[test]
fn a_dead_link_is_gone_within_the_interval_and_as_many_time_outs_as_may_be_missed() {
    for max_missed in 1..=5 {
        let (mut timeline, conn, _) = pinged(Config {
            max_missed,
            ..Config::default()
        });
        // The last sign of life comes right after the ping, so that it counts for it.
        timeline.say(conn);
        let last_heard = timeline.now;
        let transcript = timeline.run_until(Time::from_secs(1_000));
        let (gone, said) = transcript.last().unwrap();
        assert_eq!(*said, Said::Ended(conn, STALE));
        assert_eq!(*gone, last_heard + secs(20 + 10 * u64::from(max_missed)));
    }
}

#[test]
fn any_frame_clears_the_misses() {
    for frame in [
        Frame::text("x"),
        Frame::binary(b"x"),
        Frame::ping(b"x"),
        Frame::pong(b"x"),
        Frame::text("{malformed"),
    ] {
        let (mut timeline, conn, _) = pinged(Config::default());
        let first = timeline.now;
        timeline.run_until(first + secs(19));
        timeline.with(|manager, now, out| manager.message(now, conn, frame, out));
        let transcript = timeline.run_until(first + secs(49));
        // Heard after the ping at 10 s, so at 20 s there is no miss but a rest until 30 s.
        assert!(
            matches!(transcript[..], [(time, Said::Ping(..)), (miss, Said::Ping(..))]
            if time == first + secs(30) && miss == first + secs(40)),
            "{transcript:?}"
        );
    }
}

#[test]
fn a_successful_send_proves_nothing() {
    let (mut timeline, conn, _) = pinged(Config::default());
    let first = timeline.now;
    for second in 1..20 {
        timeline.run_until(first + secs(second));
        let (addressed, _) = timeline.with(|manager, now, out| {
            manager.broadcast(now, "den", Payload::text("x"), lobbykeeper::Except::Nobody, out)
        });
        assert_eq!(addressed, 1);
    }
    assert_eq!(
        timeline.run_until(first + secs(20)),
        [(first + secs(20), Said::Ended(conn, STALE))]
    );
}

#[test]
fn a_message_moves_no_timer() {
    let (mut timeline, conn, _) = pinged(Config::default());
    let deadline = timeline.manager.next_deadline();
    timeline.sleep_until(timeline.now + secs(3));
    timeline.say(conn);
    assert_eq!(timeline.manager.next_deadline(), deadline);
}

#[test]
fn the_matching_pong_gives_the_round_trip_time_once() {
    let (mut timeline, conn, timestamp) = pinged(Config::default());
    timeline.sleep_until(timeline.now + millis(80));
    assert_eq!(timeline.pong(conn, timestamp), [Said::Pong(conn, millis(80), false)]);
    timeline.sleep_until(timeline.now + millis(80));
    assert_eq!(timeline.pong(conn, timestamp), [], "repeated");
    assert_eq!(timeline.manager.latency(conn).unwrap().last, millis(80));
    assert_eq!(timeline.manager.stats().pongs, 1);
}

#[test]
fn a_forged_pong_gives_no_time_but_proves_life() {
    let (mut timeline, conn, timestamp) = pinged(Config::default());
    let first = timeline.now;
    timeline.sleep_until(first + secs(1));
    assert_eq!(timeline.pong(conn, timestamp + 1), []);
    assert_eq!(timeline.manager.latency(conn), None);
    let transcript = timeline.run_until(first + secs(20));
    assert!(
        matches!(transcript[..], [(time, Said::Ping(..))] if time == first + secs(20)),
        "{transcript:?}"
    );
}

#[test]
fn a_late_pong_gives_no_time() {
    let (mut timeline, conn, timestamp) = pinged(Config::default());
    let first = timeline.now;
    timeline.run_until(first + secs(11));
    assert_eq!(timeline.pong(conn, timestamp), [], "a newer ping is outstanding");
    assert_eq!(timeline.manager.latency(conn), None);

    let (mut timeline, conn, timestamp) = pinged(Config::default());
    let first = timeline.now;
    timeline.run_until(first + secs(5));
    timeline.say(conn);
    timeline.run_until(first + secs(11));
    assert_eq!(timeline.pong(conn, timestamp), [], "its time-out is over");
    assert_eq!(timeline.manager.latency(conn), None);
}

#[test]
fn a_pong_of_another_connection_answers_for_nobody_else() {
    let mut timeline = Timeline::new(Config::default());
    let (ann, bob) = (timeline.connect("den", "ann"), timeline.connect("den", "bob"));
    let (_, said) = timeline.ping_user("ann", None);
    let [Said::Ping(_, timestamp)] = said[..] else {
        panic!("{said:?}")
    };
    assert_eq!(timeline.pong(bob, timestamp), []);
    assert_eq!(timeline.pong(ann, timestamp).len(), 1);
}

#[test]
fn latency_is_the_last_the_least_and_the_smoothed_round_trip() {
    let mut timeline = Timeline::new(Config {
        ping_interval: None,
        ..Config::default()
    });
    let conn = timeline.connect("den", "ann");
    for round_trip in [80, 160, 40] {
        let (_, said) = timeline.ping_user("ann", None);
        let [Said::Ping(_, timestamp)] = said[..] else {
            panic!("{said:?}")
        };
        timeline.sleep_until(timeline.now + millis(round_trip));
        timeline.pong(conn, timestamp);
    }
    let latency = timeline.manager.latency(conn).unwrap();
    assert_eq!((latency.last, latency.min), (millis(40), millis(40)));
    // 80, then 7/8 * 80 + 160/8 = 90, then 7/8 * 90 + 40/8 = 83.75
    assert_eq!(latency.smoothed, Duration::from_micros(83_750));
}

#[test]
fn in_the_other_mode_pings_and_pongs_are_websocket_frames() {
    let config = Config {
        ping_format: PingFormat::WebSocket,
        ..Config::default()
    };
    let (mut timeline, conn, timestamp) = pinged(config);
    timeline.sleep_until(timeline.now + millis(80));
    let text = format!(r#"{{"type":"health_pong","timestamp":{timestamp}}}"#);
    let (inbound, said) = timeline.with(|manager, now, out| manager.message(now, conn, Frame::text(&text), out));
    assert_eq!(
        (inbound, said),
        (Inbound::Deliver, vec![]),
        "JSON is the application's here"
    );
    let digits = timestamp.to_string();
    let (inbound, said) =
        timeline.with(|manager, now, out| manager.message(now, conn, Frame::pong(digits.as_bytes()), out));
    assert_eq!(
        (inbound, said),
        (Inbound::Handled, vec![Said::Pong(conn, millis(80), false)])
    );
}

#[test]
fn in_json_mode_control_frames_are_handled_and_prove_life() {
    let (mut timeline, conn, timestamp) = pinged(Config::default());
    let digits = timestamp.to_string();
    for frame in [Frame::ping(b""), Frame::pong(digits.as_bytes())] {
        let (inbound, said) = timeline.with(|manager, now, out| manager.message(now, conn, frame, out));
        assert_eq!((inbound, said), (Inbound::Handled, vec![]));
    }
}

#[test]
fn a_pong_is_recognised_in_any_order_of_keys_and_with_any_white_space() {
    for spread in [
        r#"{"timestamp":N,"type":"health_pong"}"#,
        "\r\n{\t\"type\" : \"health_pong\" ,\n \"timestamp\" : N }\n",
        r#"{"client":"x","type":"health_pong","nested":{"timestamp":1},"timestamp":N}"#,
    ] {
        let (mut timeline, conn, timestamp) = pinged(Config::default());
        let text = spread.replace('N', &timestamp.to_string());
        let (inbound, said) = timeline.with(|manager, now, out| manager.message(now, conn, Frame::text(&text), out));
        assert_eq!(inbound, Inbound::Handled, "{text}");
        assert!(matches!(said[..], [Said::Pong(..)]), "{text}");
    }
}

#[test]
fn a_pong_is_recognised_up_to_a_kibibyte() {
    for (bytes, expected) in [(1_024, Inbound::Handled), (1_025, Inbound::Deliver)] {
        let (mut timeline, conn, timestamp) = pinged(Config::default());
        let pong = format!(r#"{{"type":"health_pong","timestamp":{timestamp}}}"#);
        let text = format!("{pong:<bytes$}");
        let (inbound, _) = timeline.with(|manager, now, out| manager.message(now, conn, Frame::text(&text), out));
        assert_eq!(inbound, expected, "{} bytes", text.len());
    }
}

#[test]
fn a_chat_about_pongs_is_delivered() {
    let (mut timeline, conn, timestamp) = pinged(Config::default());
    let pong = format!(r#"{{"type":"health_pong","timestamp":{timestamp}}}"#);
    for text in [
        format!(r#"{{"type":"chat","text":{pong:?}}}"#),
        format!("[{pong}]"),
        format!("{pong}{pong}"),
    ] {
        let (inbound, said) = timeline.with(|manager, now, out| manager.message(now, conn, Frame::text(&text), out));
        assert_eq!((inbound, said), (Inbound::Deliver, vec![]), "{text}");
    }
}

#[test]
fn without_an_interval_nobody_is_pinged_or_evicted_but_on_demand() {
    let config = Config {
        ping_interval: None,
        ..Config::default()
    };
    let mut timeline = Timeline::new(config);
    let conn = timeline.connect("den", "ann");
    assert_eq!(timeline.manager.next_deadline(), None);
    for _ in 0..10 {
        let (asked, said) = timeline.ping_user("ann", None);
        assert!(asked == 1 && matches!(said[..], [Said::Ping(..)]), "{said:?}");
        let start = timeline.now;
        assert_eq!(
            timeline.run_until(start + secs(60)),
            [(start + secs(2), Said::TimedOut(conn))]
        );
        assert_eq!(timeline.manager.next_deadline(), None);
    }
    assert!(timeline.manager.is_open(conn));
}

#[test]
fn a_ping_on_demand_is_answered_once_by_each_connection_of_the_user() {
    let mut timeline = Timeline::new(Config::default());
    let (first, second) = (timeline.connect("den", "ann"), timeline.connect("attic", "ann"));
    timeline.connect("den", "bob");
    let (asked, said) = timeline.ping_user("ann", None);
    let [Said::Ping(ref to, timestamp)] = said[..] else {
        panic!("{said:?}")
    };
    assert_eq!((asked, &to[..]), (2, &[first, second][..]));
    timeline.sleep_until(timeline.now + millis(30));
    assert_eq!(timeline.pong(second, timestamp), [Said::Pong(second, millis(30), true)]);
    let transcript = timeline.run_until(Time::from_secs(2));
    let answers: Vec<_> = transcript
        .into_iter()
        .filter(|(_, said)| !matches!(said, Said::Ping(..)))
        .collect();
    assert_eq!(answers, [(Time::from_secs(2), Said::TimedOut(first))]);
}

#[test]
fn a_demand_attaches_to_the_ping_under_way_and_the_later_deadline_holds() {
    let mut timeline = Timeline::new(Config {
        ping_interval: None,
        ..Config::default()
    });
    let conn = timeline.connect("den", "ann");
    let (_, said) = timeline.ping_user("ann", Some(secs(5)));
    assert!(matches!(said[..], [Said::Ping(..)]));
    timeline.sleep_until(Time::from_secs(1));
    let (asked, said) = timeline.ping_user("ann", Some(secs(2)));
    assert_eq!(
        (asked, said),
        (1, vec![]),
        "no second ping, and 3 s is earlier than 5 s"
    );
    assert_eq!(
        timeline.run_until(Time::from_secs(60)),
        [(Time::from_secs(5), Said::TimedOut(conn))]
    );

    let (_, said) = timeline.ping_user("ann", Some(secs(2)));
    let [Said::Ping(_, timestamp)] = said[..] else {
        panic!("{said:?}")
    };
    timeline.sleep_until(Time::from_secs(61));
    timeline.ping_user("ann", Some(secs(5)));
    timeline.sleep_until(Time::from_secs(64));
    assert_eq!(
        timeline.pong(conn, timestamp),
        [Said::Pong(conn, secs(4), true)],
        "one answer for both"
    );
    assert_eq!(timeline.run_until(Time::from_secs(120)), []);
}

#[test]
fn a_demand_attaches_to_a_periodic_ping_and_measures_from_when_that_was_sent() {
    let (mut timeline, conn, timestamp) = pinged(Config::default());
    let sent = timeline.now;
    timeline.sleep_until(sent + secs(1));
    assert_eq!(timeline.ping_user("ann", None), (1, vec![]));
    timeline.sleep_until(sent + secs(2));
    assert_eq!(timeline.pong(conn, timestamp), [Said::Pong(conn, secs(2), true)]);
}

#[test]
fn the_answer_to_a_demand_comes_even_if_the_connection_goes() {
    for way in 0..4 {
        let mut timeline = Timeline::new(Config {
            ping_interval: None,
            ..Config::default()
        });
        let conn = timeline.connect("den", "ann");
        timeline.ping_user("ann", Some(secs(100)));
        let close = CloseFrame::new(4000, "bye").unwrap();
        let (_, said) = timeline.with(|manager, now, out| match way {
            0 => manager.closed(now, conn, lobbykeeper::Cause::Peer, out),
            1 => manager.kick(now, conn, &close, out),
            2 => manager.close_all(now, &close, out) == 1,
            // Leaving a lobby is not going.
            _ => manager.leave(now, conn, LobbyRef::Of(conn), out),
        });
        let answers = said.iter().filter(|said| **said == Said::TimedOut(conn)).count();
        assert_eq!(answers, usize::from(way < 3), "{said:?}");
        let later = timeline.run_until(Time::from_secs(1_000));
        let answers = later.iter().filter(|(_, said)| *said == Said::TimedOut(conn)).count();
        assert_eq!(answers, usize::from(way == 3), "{later:?}");
    }
}

#[test]
fn silence_on_a_demanded_ping_is_a_miss_like_any_other() {
    let mut timeline = Timeline::new(Config {
        max_missed: 1,
        ..Config::default()
    });
    let conn = timeline.connect("den", "ann");
    timeline.sleep_until(Time::from_millis(1));
    timeline.ping_user("ann", None);
    let asked = timeline.now;
    let transcript = timeline.run_until(Time::from_secs(100));
    assert_eq!(
        transcript,
        [
            (asked + secs(2), Said::TimedOut(conn)),
            (asked + secs(10), Said::Ended(conn, STALE))
        ]
    );
}

#[test]
fn asking_for_nobody_asks_nobody() {
    let mut timeline = Timeline::new(Config::default());
    assert_eq!(timeline.ping_user("nobody", None), (0, vec![]));
    assert_eq!(timeline.ping_user("", Some(secs(1))), (0, vec![]));
}
