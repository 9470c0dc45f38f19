//! Everything that can happen to three users in two lobbies within a few events: not some sequences, but all of them, up
//! to renamings and to what leads to the same state.
//!
//! A plain `cargo test` goes 4 events deep. All of it, 7 events deep, in release mode:
//! `SMALL_SCOPE_DEPTH=7 cargo test --release --test small_scope -- --nocapture`

mod scope;

use std::time::Duration;

use lobbykeeper::testing::{Meeting, When};
use lobbykeeper::{Config, PingFormat, UserOverflow};
use scope::{Alphabet, Search};

/// At which all the rules meet that a search is for.
const FULL_DEPTH: usize = 7;

const TWO_LOBBIES: Alphabet = Alphabet {
    lobbies: 2,
    times: &[When::Deadline],
    readings: &[],
};

/// Searches, prints how far that came, and sees to it that these rules met, if it went deep enough for that.
fn search(name: &str, alphabet: Alphabet, config: Config, meetings: &[Meeting]) {
    let depth = std::env::var("SMALL_SCOPE_DEPTH").map_or(4, |depth| depth.parse().expect("a number of events"));
    let tally = Search { config, alphabet }.run(depth);
    println!("{name}: {tally}");
    assert!(depth < FULL_DEPTH || tally.has_met(meetings), "{}", tally.meetings);
}

#[test]
fn a_newer_connection_replaces_the_one_before_and_lobbies_hold_two() {
    let config = Config {
        max_connections_per_user: Some(1),
        user_overflow: UserOverflow::ReplaceOldest,
        max_connections_per_lobby: Some(2),
        ..Config::default()
    };
    let meetings = [
        Meeting::ClosingUserLimit,
        Meeting::ClosingMessage,
        Meeting::ClosingKick,
        Meeting::SwitchOwn,
        Meeting::SwitchLastMember,
    ];
    search("replace oldest", TWO_LOBBIES, config, &meetings);
}

/// Without an interval there are pings on demand only, so all deadlines are those of demands and of closing.
#[test]
fn of_two_connections_a_newer_one_replaces_the_older() {
    let config = Config {
        max_connections_per_user: Some(2),
        user_overflow: UserOverflow::ReplaceOldest,
        max_connections: Some(3),
        ping_interval: None,
        ..Config::default()
    };
    let meetings = [
        Meeting::ReplaceUserLimit,
        Meeting::ClosingServerLimit,
        Meeting::ClosingUserLimit,
    ];
    search("replace the oldest of two", TWO_LOBBIES, config, &meetings);
}

#[test]
fn a_second_connection_of_a_user_is_refused_and_so_is_a_third_of_the_server() {
    let config = Config {
        max_connections_per_user: Some(1),
        max_connections: Some(2),
        ..Config::default()
    };
    let meetings = [
        Meeting::ClosingServerLimit,
        Meeting::ClosingUserLimit,
        Meeting::ClosingMessage,
    ];
    search("reject", TWO_LOBBIES, config, &meetings);
}

/// No interval here either.
#[test]
fn a_connection_is_in_two_lobbies_at_once() {
    let config = Config {
        max_lobbies_per_connection: Some(2),
        max_connections_per_lobby: Some(2),
        ping_interval: None,
        ..Config::default()
    };
    let meetings = [
        Meeting::BroadcastOfSeveral,
        Meeting::SwitchFull,
        Meeting::SwitchLastMember,
    ];
    search("two lobbies each", TWO_LOBBIES, config, &meetings);
}

/// There is one lobby here, and nobody moves, since no rule about health looks at lobbies. In exchange each event may
/// also come long after the deadline, which is a pause, and the clock may be read late, but within the tolerance.
#[test]
fn silence_is_judged_by_one_ping_and_the_breaker_knows_no_floor() {
    const LATE: Alphabet = Alphabet {
        lobbies: 1,
        times: &[When::Deadline, When::Late(7_000_000_000)],
        readings: &[When::Late(500_000_000)],
    };
    let config = Config {
        max_missed: 1,
        ping_format: PingFormat::WebSocket,
        stale_wave_floor: Some(0),
        pause_tolerance: Some(Duration::from_secs(1)),
        ..Config::default()
    };
    search(
        "breaker and pauses",
        LATE,
        config,
        &[Meeting::PauseBreaker, Meeting::BreakerCloseTimeout],
    );
}
