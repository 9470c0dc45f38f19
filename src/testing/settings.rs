//! Small settings, under which everything happens soon.

use std::time::Duration;

use crate::{Answers, Config, PingFormat, Rate, Retry, UserOverflow};

/// How many numbers choose settings.
pub(crate) const KNOBS: usize = 22;

/// Where those of the message rates are; an odd number there is a rate.
pub(crate) const RATES: usize = KNOBS - 4;

/// Numbers that choose small settings, under which everything happens soon; all zeros choose the defaults. All of them
/// are valid. A failure shows the numbers in a line, and the settings in its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Knobs(pub [u8; KNOBS]);

impl From<Knobs> for Config {
    fn from(Knobs(knobs): Knobs) -> Self {
        settings(knobs)
    }
}

fn settings(knobs: [u8; KNOBS]) -> Config {
    let [
        server,
        lobby,
        user,
        overflow,
        lobbies,
        name,
        interval,
        timeout,
        missed,
        format,
        floor,
        close,
        tolerance,
        other,
        source,
        backlog_bytes,
        backlog_messages,
        budget,
        message_rate,
        user_rate,
        connect_rate,
        rest,
    ] = knobs;
    let default = Config::default();
    let secs = Duration::from_secs;
    let limit = |number| {
        let few = [None, None, None, Some(2), Some(2), Some(3), Some(1), Some(1)];
        // A limit that refuses all leaves nothing to be seen, so it is rare.
        if number == u8::MAX { Some(0) } else { pick(number, few) }
    };
    let ping_interval = pick(
        interval,
        [Some(secs(20)), Some(secs(10)), None, Some(Duration::from_micros(3))],
    );
    let ping_timeout = pick(
        timeout,
        [
            secs(10),
            secs(3),
            Duration::from_millis(1_500),
            Duration::from_micros(2),
        ],
    );
    let mut answers = Answers::default();
    if other & 2 != 0 {
        answers.user_limit.retry = Retry::Now;
        answers.lobby_full.retry = Retry::Now;
        answers.invalid_name.retry = Retry::After(Duration::from_nanos(1_999_999));
        answers.expired.retry = Retry::Now;
        answers.rate_limited.retry = Retry::After(Duration::from_nanos(1));
    }
    Config {
        max_connections: limit(server).map(|max| max * 3),
        max_connections_per_lobby: limit(lobby),
        max_connections_per_user: limit(user),
        max_connections_per_source: limit(source),
        user_overflow: pick(overflow, [UserOverflow::Reject, UserOverflow::ReplaceOldest]),
        max_lobbies_per_connection: pick(lobbies, [Some(1), Some(2), Some(3), None]),
        max_name_bytes: pick(name, [128, 3, 4, 20]),
        ping_interval,
        ping_timeout: ping_timeout.min(ping_interval.unwrap_or(ping_timeout)),
        max_missed: 1 + (missed % 3 + 1) % 3,
        ping_format: pick(format, [PingFormat::Json, PingFormat::WebSocket]),
        ping_user_timeout: pick(other / 4, [secs(2), secs(15), Duration::from_nanos(1)]),
        stale_wave_floor: pick(floor, [Some(20), Some(0), None, Some(1), Some(2)]),
        close_timeout: pick(close, [secs(5), secs(60), Duration::from_nanos(1)]),
        pause_tolerance: pick(tolerance, [Some(secs(1)), None, Some(Duration::ZERO), Some(secs(8))]),
        max_backlog_bytes: pick(backlog_bytes, [None, Some(90), Some(30), Some(0), Some(u32::MAX)]),
        max_backlog_messages: pick(backlog_messages, [None, Some(3), Some(1), Some(5), Some(0)]),
        max_total_backlog_bytes: pick(budget, [None, Some(100), Some(300), Some(20)]),
        answers,
        seed: u64::from(other & 1),
        message_rate: rate(message_rate),
        user_message_rate: rate(user_rate),
        connect_rate: pick(connect_rate, [None, None, None, rate(1), None, None, rate(3), rate(5)]),
        max_violations: pick(rest, [None, Some(1), Some(2), Some(4)]),
        max_message_bytes: pick(rest / 4, [None, None, Some(125)]),
        ..default
    }
}

/// Off half of the time; in words: events, nanoseconds, burst.
pub(super) fn rate(number: u8) -> Option<Rate> {
    let some = |events, nanos, burst| {
        let per = Duration::from_nanos(nanos);
        Some(Rate { events, per, burst })
    };
    let rates = [
        None,
        some(1, 1_000_000_000, 2),
        None,
        some(3, 1_000_000_000, 4),
        None,
        some(1, 10_000_000_000, 3),
        None,
        some(2, 3, 1),
        None,
        some(1, 1_000_000_000, 1),
        None,
        some(1, 3_600_000_000_000, 5),
    ];
    pick(number, rates)
}

fn pick<T, const N: usize>(number: u8, choices: [T; N]) -> T {
    let index = usize::from(number) % N;
    choices.into_iter().nth(index).unwrap()
}
