//! When everybody falls silent at once it is rather the server that is deaf: line 19.

mod timeline;

use lobbykeeper::{CloseFrame, Config, ConnId, Ending, Eviction, Time};
use timeline::{Said, Timeline, secs};

/// So many who answered for a minute and then all fall silent.
fn deaf(count: usize, config: Config) -> (Timeline, Vec<ConnId>) {
    let mut timeline = Timeline::new(config);
    let crowd = timeline.crowd(count);
    timeline.run_answering(Time::from_secs(60), &crowd);
    (timeline, crowd)
}

fn count(transcript: &[(Time, Said)], which: impl Fn(&Said) -> bool) -> usize {
    transcript.iter().filter(|(_, said)| which(said)).count()
}

fn is_stale(said: &Said) -> bool {
    matches!(said, Said::Ended(_, Ending::Evicted(Eviction::Stale)))
}

fn is_wave(said: &Said) -> bool {
    matches!(said, Said::StaleWave(..))
}

#[test]
fn a_deaf_server_gives_each_silence_one_more_ping_and_says_so_once() {
    let (mut timeline, crowd) = deaf(100, Config::default());
    let transcript = timeline.run_until(Time::from_secs(60 + 40));
    // By now the first ones are two misses down, and more than a quarter has missed a ping.
    assert_eq!(count(&transcript, is_wave), 1, "{transcript:?}");
    let Some((_, Said::StaleWave(missed, open))) = transcript.iter().find(|(_, said)| is_wave(said)) else {
        panic!()
    };
    assert!(*missed > 20 && *missed * 4 > *open, "{missed} of {open}");
    // The network is back before the extra pings time out: all are heard.
    let gone = count(&transcript, is_stale);
    for &conn in &crowd {
        timeline.say(conn);
    }
    let transcript = timeline.run_answering(Time::from_secs(600), &crowd);
    assert_eq!(count(&transcript, is_stale), 0);
    assert_eq!(timeline.manager.stats().open_connections as usize, 100 - gone);
}

#[test]
fn a_crowd_that_is_really_gone_is_evicted_one_time_out_later() {
    let config = Config {
        stale_wave_floor: Some(0),
        ..Config::default()
    };
    let (mut timeline, _) = deaf(4, config.clone());
    let with = timeline.run_until(Time::from_secs(600));
    let (mut timeline, _) = deaf(
        4,
        Config {
            stale_wave_floor: None,
            ..config
        },
    );
    let without = timeline.run_until(Time::from_secs(600));
    let first = |transcript: &[(Time, Said)]| transcript.iter().find(|(_, said)| is_stale(said)).unwrap().0;
    assert_eq!(first(&with), first(&without) + secs(10));
    assert_eq!((count(&with, is_stale), count(&without, is_stale)), (4, 4));
    assert_eq!((count(&with, is_wave), count(&without, is_wave)), (1, 0));
}

#[test]
fn the_floor_must_be_exceeded_not_only_reached() {
    // All pings at once: everybody is late together.
    let all_silent = |floor| {
        let config = Config {
            stale_wave_floor: Some(floor),
            max_missed: 2,
            ..Config::default()
        };
        let (mut timeline, _) = deaf(10, config);
        count(&timeline.run_until(Time::from_secs(600)), is_wave)
    };
    assert_eq!(all_silent(10), 0);
    assert_eq!(all_silent(20), 0);
    assert_eq!(all_silent(3), 1);
}

#[test]
fn a_quarter_of_the_open_ones_must_be_exceeded_too() {
    for (silent, waves) in [(25, 0), (26, 1)] {
        let mut timeline = Timeline::new(Config {
            ping_interval: Some(secs(3_600)),
            ..Config::default()
        });
        let crowd = timeline.crowd(100);
        // A ping on demand for the silent ones, all at one instant and after they were heard.
        timeline.sleep_until(Time::from_nanos(1));
        for number in 0..silent {
            timeline.ping_user(&format!("user {number}"), None);
        }
        let mut transcript = Vec::new();
        for _ in 0..4 {
            let until = timeline.now + secs(6);
            transcript.extend(timeline.run_answering(until, &crowd[silent..]));
            for &conn in &crowd[silent..] {
                timeline.say(conn);
            }
        }
        assert_eq!(
            count(&transcript, is_wave),
            waves,
            "{silent} of 100 silent: {transcript:?}"
        );
        assert_eq!(
            count(&transcript, is_stale),
            if waves == 0 { silent } else { 0 },
            "{transcript:?}"
        );
    }
}

#[test]
fn a_silence_is_held_once_and_a_new_silence_again() {
    let config = Config {
        stale_wave_floor: Some(0),
        max_missed: 1,
        ..Config::default()
    };
    let mut timeline = Timeline::new(config);
    let conn = timeline.connect("den", "ann");
    timeline.next();
    for wave in 0..2 {
        // A miss, held with one more ping.
        let said = timeline.next();
        assert!(
            matches!(&said[..], [Said::StaleWave(1, 1), Said::Ping(..)]),
            "{wave}: {said:?}"
        );
        // Heard: the silence is over, and so is the wave.
        timeline.say(conn);
        timeline.next();
        assert!(matches!(timeline.next()[..], [Said::Ping(..)]));
    }
    assert!(matches!(timeline.next()[..], [Said::StaleWave(1, 1), Said::Ping(..)]));
    assert_eq!(timeline.next(), [Said::Ended(conn, Ending::Evicted(Eviction::Stale))]);
}

#[test]
fn closing_evictions_are_never_held_nor_counted() {
    let config = Config {
        stale_wave_floor: Some(0),
        ..Config::default()
    };
    let (mut timeline, crowd) = deaf(8, config);
    let start = timeline.now;
    timeline.run_until(start + secs(31));
    let missed = timeline.manager.stats().missed_pings;
    assert!(missed > 0);
    let close = CloseFrame::new(4000, "bye").unwrap();
    timeline.with(|manager, now, out| manager.close_all(now, &close, out));
    let transcript = timeline.run_until(start + secs(36));
    let closed = count(&transcript, |said| {
        matches!(said, Said::Ended(_, Ending::Evicted(Eviction::CloseTimeout)))
    });
    assert_eq!(closed as u64, timeline.manager.stats().evictions.close_timeout);
    assert!(closed > 0 && closed <= crowd.len());
    assert_eq!(count(&transcript, is_wave), 0);
}

#[test]
fn one_dead_link_among_many_is_no_wave() {
    let (mut timeline, crowd) = deaf(100, Config::default());
    let transcript = timeline.run_answering(Time::from_secs(600), &crowd[1..]);
    assert_eq!((count(&transcript, is_wave), count(&transcript, is_stale)), (0, 1));
}

#[test]
fn pings_that_a_pause_voided_make_no_wave() {
    let config = Config {
        stale_wave_floor: Some(0),
        max_missed: 1,
        ..Config::default()
    };
    let (mut timeline, crowd) = deaf(8, config);
    for _ in 0..20 {
        timeline.sleep_until(timeline.now + secs(3_600));
        let said = timeline.tick();
        assert!(!said.iter().any(|said| is_wave(said) || is_stale(said)), "{said:?}");
    }
    for &conn in &crowd {
        assert!(timeline.manager.is_open(conn));
    }
}
