//! The worlds that are simulated, apart from what befalls them.

use std::time::Duration;

use lobbykeeper::testing::{Authentication, Departure, Network, Operator, Reconnect, Scenario, Stalls};
use lobbykeeper::{Config, UserOverflow};

use crate::args::Args;

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A population that comes and goes. One in 28 or so is there at once; the server and the lobbies are nearly full.
pub(crate) fn day(args: Args) -> Scenario {
    let clients = args.clients;
    Scenario {
        config: Config {
            max_connections: Some((clients / 25).max(1)),
            max_connections_per_lobby: Some(10),
            max_connections_per_user: Some(1),
            user_overflow: UserOverflow::ReplaceOldest,
            ..Config::default()
        },
        seed: args.seed,
        duration: secs(3_600) * args.hours,
        clients,
        lobbies: (clients / 100).max(1),
        arrivals: secs(12 * 3_600),
        stay: secs(18 * 60),
        away: secs(8 * 3_600),
        talk_every: Some(secs(60)),
        network: Network {
            jitter: millis(100),
            cut_after: Some(secs(2 * 3_600)),
            ..Network::default()
        },
        stalls: Some(Stalls {
            every: secs(3_600),
            last: secs(15),
        }),
        authentication: Some(Authentication::default()),
        ..Scenario::default()
    }
}

/// A busy server whose clients stay, but for a few who vanish: what is evicted is evicted for what befalls all.
pub(crate) fn evening(args: Args) -> Scenario {
    Scenario {
        seed: args.seed,
        clients: if args.quick { 200 } else { 2_000 },
        lobbies: if args.quick { 20 } else { 200 },
        stay: secs(3_600),
        network: Network {
            jitter: millis(100),
            cut_after: Some(secs(3_600)),
            ..Network::default()
        },
        ..Scenario::default()
    }
}

/// A server that is nearly full, with a token service that is sometimes slower than a seat is held, and an operator who is
/// never content.
pub(crate) fn supervised(args: Args) -> Scenario {
    let evening = evening(args);
    let clients = evening.clients;
    Scenario {
        config: Config {
            max_connections: Some(clients / 10 * 9),
            max_connections_per_lobby: Some(12),
            max_connections_per_user: Some(2),
            ..Config::default()
        },
        devices_per_user: 2,
        stay: secs(300),
        authentication: Some(Authentication {
            takes: secs(6),
            ..Authentication::default()
        }),
        operator: Some(Operator { every: millis(500) }),
        ..evening
    }
}

/// A server with a seat for each of its clients and none beside, all of whom are there and want to stay.
pub(crate) fn full_house(args: Args) -> Scenario {
    let clients = if args.quick { 100 } else { 1_000 };
    Scenario {
        config: Config {
            max_connections: Some(clients),
            max_connections_per_user: Some(1),
            ..Config::default()
        },
        seed: args.seed,
        duration: secs(300),
        clients,
        lobbies: clients / 10,
        stay: secs(10_000_000),
        departure: Departure {
            crash_percent: 0,
            vanish_percent: 0,
        },
        reconnect: Reconnect::AtOnce,
        ..Scenario::default()
    }
}
