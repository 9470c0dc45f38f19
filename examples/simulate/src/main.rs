//! draft
use lobbykeeper::Config;
use lobbykeeper::testing::{Network, Scenario, Sim, Stalls};
use std::time::{Duration, Instant};
fn main() {
    let secs = Duration::from_secs;
    let hours: u64 = std::env::args().nth(1).map_or(1, |h| h.parse().unwrap());
    let scenario = Scenario {
        config: Config {
            max_connections: Some(8000),
            max_connections_per_lobby: Some(10),
            ..Config::default()
        },
        seed: 1,
        duration: secs(hours * 3600),
        clients: 100_000,
        lobbies: 1_000,
        arrivals: secs(8 * 3600),
        stay: secs(2400),
        away: secs(8 * 3600),
        talk_every: Some(secs(60)),
        network: Network {
            cut_after: Some(secs(7200)),
            ..Network::default()
        },
        stalls: Some(Stalls {
            every: secs(3600),
            last: secs(20),
        }),
        ..Scenario::default()
    };
    let start = Instant::now();
    let report = Sim::new(scenario).unwrap().run();
    println!("{report}");
    eprintln!(
        "{:?} {} events/s",
        start.elapsed(),
        (report.events + report.ticks) as u128 * 1000 / start.elapsed().as_millis()
    );
}
