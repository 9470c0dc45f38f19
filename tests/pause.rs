//! A pause of the server evicts nobody, and a clock that steps back harms nobody: line 18 and law 5.

mod timeline;

use lobbykeeper::{Cause, CloseFrame, Config, Ending, Eviction, Time};
use timeline::{Said, Timeline, millis, secs};

const STALE: Ending = Ending::Evicted(Eviction::Stale);

fn evicted(transcript: &[(Time, Said)]) -> usize {
    transcript
        .iter()
        .filter(|(_, said)| matches!(said, Said::Ended(_, Ending::Evicted(_))))
        .count()
}

#[test]
fn an_hours_sleep_evicts_nobody() {
    let mut timeline = Timeline::new(Config::default());
    let crowd = timeline.crowd(500);
    timeline.run_answering(Time::from_secs(65), &crowd);
    timeline.sleep_until(timeline.now + secs(3_600));
    let awake = timeline.tick();
    assert!(
        matches!(awake[0], Said::Paused(by) if by > secs(3_599) && by <= secs(3_600)),
        "{:?}",
        awake[0]
    );
    assert!(!awake.iter().any(|said| matches!(said, Said::Ended(..))), "{awake:?}");
    let stats = timeline.manager.stats();
    assert_eq!((stats.pauses, stats.open_connections, stats.missed_pings), (1, 500, 0));
    // They were asleep as well, or their packets wait in the kernel: within the usual patience they answer.
    let transcript = timeline.run_answering(timeline.now + secs(3_600), &crowd);
    assert_eq!(evicted(&transcript), 0);
    assert_eq!(timeline.manager.stats().open_connections, 500);
}

#[test]
fn whoever_died_in_a_pause_is_still_found_out() {
    let mut timeline = Timeline::new(Config::default());
    let crowd = timeline.crowd(10);
    timeline.run_answering(Time::from_secs(65), &crowd);
    timeline.sleep_until(timeline.now + secs(3_600));
    let awake = timeline.now;
    timeline.run_until(awake + secs(40));
    assert_eq!(timeline.manager.stats().evictions.stale, 10);
}

#[test]
fn a_ping_from_before_a_pause_is_no_miss_and_is_sent_again_at_its_time_out() {
    let mut timeline = Timeline::new(Config {
        max_missed: 1,
        ..Config::default()
    });
    let conn = timeline.connect("den", "ann");
    timeline.next();
    let sent = timeline.now;
    timeline.sleep_until(sent + secs(1_000));
    // The time-out was due at 10 s: 990 s are suspended, and the deadline is now.
    let said = timeline.tick();
    assert!(
        matches!(&said[..], [Said::Paused(by), Said::Ping(to, _)] if *by == secs(990) && *to == [conn]),
        "{said:?}"
    );
    assert_eq!(timeline.manager.stats().missed_pings, 0);
    // From here on silence counts.
    let again = timeline.now;
    assert_eq!(
        timeline.run_until(again + secs(100)),
        [(again + secs(10), Said::Ended(conn, STALE))]
    );
}

#[test]
fn the_pong_to_a_ping_from_before_a_pause_proves_life_but_gives_no_time() {
    let mut timeline = Timeline::new(Config {
        max_missed: 1,
        ..Config::default()
    });
    let conn = timeline.connect("den", "ann");
    let [Said::Ping(_, timestamp)] = timeline.next()[..] else {
        panic!()
    };
    let sent = timeline.now;
    timeline.sleep_until(sent + secs(1_000));
    assert_eq!(timeline.pong(conn, timestamp), [Said::Paused(secs(990))]);
    assert_eq!(timeline.manager.latency(conn), None);
    // Heard at active time sent + 10 s, so the next ping is at active time sent + 20 s.
    let transcript = timeline.run_until(timeline.now + secs(10));
    assert!(
        matches!(transcript[..], [(time, Said::Ping(..))] if time == sent + secs(1_010)),
        "{transcript:?}"
    );
}

#[test]
fn a_pause_shows_at_whatever_call_comes_first() {
    let close = CloseFrame::new(4000, "bye").unwrap();
    for call in 0..5 {
        let mut timeline = Timeline::new(Config::default());
        let conn = timeline.connect("den", "ann");
        let due = timeline.manager.next_deadline().unwrap();
        timeline.sleep_until(due + secs(100));
        let ((), said) = timeline.with(|manager, now, out| match call {
            0 => drop(manager.connected(now, lobbykeeper::Handshake::new("den", "bob"), out)),
            1 => drop(manager.message(now, conn, lobbykeeper::Frame::text("x"), out)),
            2 => drop(manager.closed(now, conn, Cause::Peer, out)),
            3 => drop(manager.kick(now, conn, &close, out)),
            _ => drop(manager.send_to(now, conn, lobbykeeper::Payload::text("x"), out)),
        });
        assert_eq!(said[0], Said::Paused(secs(100)), "call {call}");
        let stats = timeline.manager.stats();
        assert_eq!((stats.pauses, stats.suspended), (1, secs(100)));
    }
}

#[test]
fn a_delay_within_the_tolerance_is_no_pause() {
    let mut timeline = Timeline::new(Config {
        max_missed: 1,
        ..Config::default()
    });
    let conn = timeline.connect("den", "ann");
    timeline.next();
    timeline.sleep_until(timeline.now + secs(11));
    assert_eq!(timeline.tick(), [Said::Ended(conn, STALE)]);
    assert_eq!(timeline.manager.stats().pauses, 0);
}

#[test]
fn without_a_tolerance_no_pause_is_seen() {
    let mut timeline = Timeline::new(Config {
        max_missed: 1,
        pause_tolerance: None,
        ..Config::default()
    });
    let conn = timeline.connect("den", "ann");
    timeline.next();
    timeline.sleep_until(timeline.now + secs(3_600));
    assert_eq!(timeline.tick(), [Said::Ended(conn, STALE)]);
}

#[test]
fn a_pause_of_the_closing_handshake_counts_for_nobody() {
    let mut timeline = Timeline::new(Config {
        ping_interval: None,
        ..Config::default()
    });
    let conn = timeline.connect("den", "ann");
    let close = CloseFrame::new(4000, "bye").unwrap();
    timeline.with(|manager, now, out| manager.kick(now, conn, &close, out));
    timeline.sleep_until(Time::from_secs(3));
    timeline.tick();
    timeline.sleep_until(Time::from_secs(1_000));
    // It was due at 5 s, so now it is; closing evictions are not held.
    let said = timeline.tick();
    assert_eq!(
        said,
        [
            Said::Paused(secs(995)),
            Said::Ended(conn, Ending::Evicted(Eviction::CloseTimeout))
        ]
    );
}

#[test]
fn a_demand_from_before_a_pause_is_asked_again_with_the_same_patience() {
    let mut timeline = Timeline::new(Config {
        ping_interval: None,
        ..Config::default()
    });
    let conn = timeline.connect("den", "ann");
    timeline.ping_user("ann", Some(secs(3)));
    timeline.sleep_until(Time::from_secs(1_000));
    let said = timeline.tick();
    let [Said::Paused(by), Said::Ping(_, timestamp)] = said[..] else {
        panic!("{said:?}")
    };
    assert_eq!(by, secs(997));
    timeline.sleep_until(Time::from_secs(1_002));
    assert_eq!(timeline.pong(conn, timestamp), [Said::Pong(conn, secs(2), true)]);
    assert_eq!(timeline.run_until(Time::from_secs(2_000)), []);
}

#[test]
fn a_pause_does_not_take_back_what_was_lived_through_before_it() {
    let mut timeline = Timeline::new(Config::default());
    let conn = timeline.connect("den", "ann");
    // The driver is late, but within the tolerance, when it hears from the client. Then it sleeps.
    timeline.sleep_until(timeline.manager.next_deadline().unwrap() + millis(900));
    timeline.say(conn);
    timeline.sleep_until(timeline.now + secs(3_600));
    let said = timeline.tick();
    assert_eq!(said[0], Said::Paused(secs(3_600)));
    assert_eq!(timeline.manager.stats().suspended, secs(3_600));
}

#[test]
fn a_clock_that_steps_back_is_clamped_and_counted() {
    let mut timeline = Timeline::new(Config::default());
    let conn = timeline.connect("den", "ann");
    let [Said::Ping(_, timestamp)] = timeline.next()[..] else {
        panic!()
    };
    let sent = timeline.now;
    timeline.sleep_until(sent + millis(500));
    timeline.tick();
    timeline.sleep_until(Time::ZERO);
    assert_eq!(
        timeline.pong(conn, timestamp),
        [Said::Pong(conn, millis(500), false)],
        "taken for the call before"
    );
    assert_eq!(timeline.tick(), []);
    assert_eq!(timeline.manager.stats().clock_steps_back, 2);
    let late = timeline.connect("den", "bob");
    assert!(timeline.manager.is_open(late));
    assert!(timeline.manager.next_deadline().unwrap() > sent);
    timeline.sleep_until(sent + millis(500));
    timeline.tick();
    assert_eq!(
        timeline.manager.stats().clock_steps_back,
        3,
        "an equal time is no step back"
    );
}

#[test]
fn a_clock_that_swings_evicts_nobody_who_talks() {
    let mut timeline = Timeline::new(Config {
        max_missed: 1,
        ..Config::default()
    });
    let conn = timeline.connect("den", "ann");
    for second in 0..1_000_u64 {
        let swing = if second % 7 == 3 { 5 } else { 0 };
        timeline.sleep_until(Time::from_secs(second.saturating_sub(swing)));
        timeline.say(conn);
        timeline.tick();
    }
    assert!(timeline.manager.is_open(conn));
}

#[test]
fn the_end_of_time_is_survived() {
    let mut timeline = Timeline::new(Config::default());
    timeline.sleep_until(Time::MAX);
    let conn = timeline.connect("den", "ann");
    assert_eq!(timeline.manager.next_deadline(), None);
    assert_eq!(timeline.ping_user("ann", Some(std::time::Duration::MAX)).0, 1);
    let close = CloseFrame::new(4000, "bye").unwrap();
    timeline.with(|manager, now, out| manager.kick(now, conn, &close, out));
    assert_eq!(timeline.tick(), []);
    assert_eq!(timeline.manager.next_deadline(), None);
}
