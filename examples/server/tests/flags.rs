//! Flags: what they mean, and what is said of wrong ones.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use clap::Parser;
use clap::error::ErrorKind;
use lobby_chat::{Forwarded, Proxies, SlowClient};
use lobby_server::Args;
use lobbykeeper::{Config, ConfigError, PingFormat, Rate, UserOverflow};

fn parse(flags: &[&str]) -> Result<Args, clap::Error> {
    Args::try_parse_from([&["lobby-server"], flags].concat())
}

fn per_second(events: u32, burst: u32) -> Rate {
    Rate {
        events,
        per: Duration::from_secs(1),
        burst,
    }
}

#[test]
fn the_defaults_limit_connections_and_what_waits_and_are_else_the_librarys() {
    let settings = parse(&[]).unwrap().flags.settings().unwrap();
    let expected = Config {
        max_connections: Some(500),
        max_connections_per_lobby: Some(10),
        message_rate: Some(per_second(20, 60)),
        user_message_rate: Some(per_second(40, 120)),
        max_violations: Some(100),
        max_message_bytes: Some(65_536),
        connect_rate: Some(per_second(100, 500)),
        max_backlog_bytes: Some(1 << 20),
        max_backlog_messages: Some(8_192),
        max_total_backlog_bytes: Some(64 << 20),
        hash_key: settings.config.hash_key,
        ..Config::default()
    };
    assert_eq!(settings.config, expected);
    assert_eq!(settings.max_message_bytes, 65_536);
    assert_eq!(settings.auth_delay, Duration::ZERO);
    let networks = ["127.0.0.1", "::1"].map(|network| network.parse().unwrap());
    assert_eq!(settings.proxies, Proxies::new(Forwarded::Off, networks.to_vec()));
    assert_eq!(parse(&[]).unwrap().listen, "127.0.0.1:8080".parse().unwrap());
}

#[test]
fn the_hash_key_is_drawn_anew_each_time() {
    let key = || parse(&[]).unwrap().flags.settings().unwrap().config.hash_key;
    assert_ne!(key(), key());
}

#[test]
fn every_limit_and_time_has_a_flag() {
    let args = parse(&[
        "--max-connections=off",
        "--max-per-lobby=0",
        "--max-per-user=3",
        "--max-per-source=4",
        "--user-overflow=replace-oldest",
        "--max-name-bytes=32",
        "--max-message-bytes=1000",
        "--message-rate=1",
        "--message-burst=2",
        "--user-message-rate=off",
        "--max-violations=off",
        "--connect-rate=3",
        "--connect-burst=4",
        "--max-backlog-bytes=1000",
        "--max-backlog-messages=8",
        "--max-total-backlog-bytes=off",
        "--slow-client=skip",
        "--handshake-timeout=3s",
        "--ping-interval=1m",
        "--ping-timeout=1500ms",
        "--max-missed=5",
        "--ping-format=web-socket",
        "--ping-user-timeout=3s",
        "--stale-wave-floor=off",
        "--close-timeout=1s",
        "--drain-every=1s",
        "--drain-within=1m",
        "--pause-tolerance=off",
        "--auth-delay=200ms",
        "--reservation-ttl=4s",
        "--forwarded=x-forwarded-for",
        "--trusted-proxies=10.0.0.0/8,fd00::1",
        "--record=flight.log",
    ]);
    let settings = args.unwrap().flags.settings().unwrap();
    let expected = Config {
        max_connections: None,
        max_connections_per_lobby: Some(0),
        max_connections_per_user: Some(3),
        max_connections_per_source: Some(4),
        message_rate: Some(per_second(1, 2)),
        user_message_rate: None,
        max_violations: None,
        max_message_bytes: Some(1_000),
        connect_rate: Some(per_second(3, 4)),
        max_backlog_bytes: Some(1_000),
        max_backlog_messages: Some(8),
        max_total_backlog_bytes: None,
        user_overflow: UserOverflow::ReplaceOldest,
        max_name_bytes: 32,
        ping_interval: Some(Duration::from_secs(60)),
        ping_timeout: Duration::from_millis(1_500),
        max_missed: 5,
        ping_format: PingFormat::WebSocket,
        ping_user_timeout: Duration::from_secs(3),
        stale_wave_floor: None,
        close_timeout: Duration::from_secs(1),
        pause_tolerance: None,
        reservation_ttl: Duration::from_secs(4),
        hash_key: settings.config.hash_key,
        ..Config::default()
    };
    assert_eq!(settings.config, expected);
    assert_eq!(settings.max_message_bytes, 1_000);
    assert!(matches!(settings.slow_client, SlowClient::Skip));
    assert_eq!(settings.drain_every, Duration::from_secs(1));
    assert_eq!(settings.drain_within, Duration::from_secs(60));
    assert_eq!(settings.handshake_timeout, Duration::from_secs(3));
    assert_eq!(settings.auth_delay, Duration::from_millis(200));
    let networks = ["10.0.0.0/8", "fd00::1"].map(|network| network.parse().unwrap());
    assert_eq!(
        settings.proxies,
        Proxies::new(Forwarded::XForwardedFor, networks.to_vec())
    );
    assert_eq!(settings.record.unwrap(), Path::new("flight.log"));
}

#[test]
fn wrong_flags_get_claps_error() {
    for (flag, kind) in [
        ("--max-conections=5", ErrorKind::UnknownArgument),
        ("--max-connections=many", ErrorKind::ValueValidation),
        ("--max-connections=-1", ErrorKind::ValueValidation),
        ("--ping-interval=20", ErrorKind::ValueValidation),
        ("--ping-timeout=off", ErrorKind::ValueValidation),
        ("--max-backlog-bytes=-1", ErrorKind::ValueValidation),
        ("--slow-client=shout", ErrorKind::InvalidValue),
        ("--forwarded=via", ErrorKind::InvalidValue),
        ("--trusted-proxies=10.0.0.0/33", ErrorKind::ValueValidation),
        ("--user-overflow=fight", ErrorKind::InvalidValue),
        ("--listen=here", ErrorKind::ValueValidation),
    ] {
        assert_eq!(parse(&[flag]).unwrap_err().kind(), kind, "{flag}");
    }
}

#[test]
fn settings_that_contradict_each_other_are_an_error() {
    let contradiction = parse(&["--ping-timeout=30s"]).unwrap().flags.settings();
    assert_eq!(contradiction.unwrap_err(), ConfigError::PingTimeoutBeyondInterval);
    let zero = parse(&["--max-missed=0"]).unwrap().flags.settings();
    assert_eq!(zero.unwrap_err(), ConfigError::Zero("max_missed"));
}

#[test]
fn the_command_ends_with_the_error_and_a_code_that_says_so() {
    let command = || Command::new(env!("CARGO_BIN_EXE_lobby-server"));
    let output = command().args(["--ping-timeout", "30s"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("ping_timeout must not be longer than ping_interval"),
        "{said}"
    );

    let output = command().env("LOBBY_MAX_CONNECTIONS", "many").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("--max-connections"), "{said}");

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = command().args(["--listen", &address]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
}

#[test]
fn there_is_no_operators_door_without_a_good_token() {
    let command = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lobby-server"));
        command
            .env_remove("LOBBY_OPERATOR_TOKEN")
            .args(["--operator", "127.0.0.1:0"]);
        command
    };
    let output = command().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("--operator needs a token"), "{said}");
    let output = command().env("LOBBY_OPERATOR_TOKEN", "guess me").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("less than 16 characters") && !said.contains("guess me"),
        "{said}"
    );
    let output = command().args(["--operator-token-file", "/nowhere"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn nobody_watches_without_a_good_token() {
    let command = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lobby-server"));
        command
            .env_remove("LOBBY_METRICS_TOKEN")
            .args(["--metrics", "127.0.0.1:0"]);
        command
    };
    let said = |mut command: Command| {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    let without = said(command());
    assert!(
        without.contains("--metrics needs a token, in --metrics-token-file or LOBBY_METRICS_TOKEN"),
        "{without}"
    );
    let mut guessable = command();
    guessable.env("LOBBY_METRICS_TOKEN", "guess me");
    let refused = said(guessable);
    assert!(
        refused.contains("less than 16 characters") && !refused.contains("guess me"),
        "{refused}"
    );
    let mut nowhere = command();
    nowhere.args(["--metrics-token-file", "/nowhere"]);
    let unread = said(nowhere);
    assert!(unread.contains("/nowhere"), "{unread}");
}
