//! A server that stops refuses who comes, closes one client after the other, and tells each when to return.

#[macro_use]
mod common;

use std::time::Duration;

use common::{Kind, Server, TOKEN, bearer, guard, settings};
use lobby_chat::Settings;
use lobbykeeper::Config;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

on_each_server! {
    every_client_is_closed_with_1012_and_the_server_returns,
    who_is_closed_at_the_deadline_gets_a_time_of_its_own_to_return,
    who_waits_for_its_turn_talks_on_and_newcomers_are_refused_with_1012,
    a_client_that_does_not_say_goodbye_is_not_waited_for_beyond_the_time_out,
    nor_is_a_request_that_never_ends_or_one_that_was_refused,
    who_comes_through_the_upgrade_meanwhile_is_turned_away_with_1012,
    an_idle_server_stops_at_once,
    an_operator_stops_it_as_a_signal_does,
}

const HOUR: Duration = Duration::from_secs(3_600);

fn config() -> Config {
    Config {
        close_timeout: Duration::from_millis(500),
        ..settings().config
    }
}

/// Waits for nobody's goodbye, and closes one client each hour, the rest at the deadline.
fn slowly(deadline: Duration) -> Settings {
    Settings {
        config: Config {
            close_timeout: HOUR,
            ..config()
        },
        drain_every: HOUR,
        drain_within: deadline,
        ..settings()
    }
}

/// When one who is closed is to return, in milliseconds.
fn slot(close: (u16, String)) -> u64 {
    let (code, reason) = close;
    assert_eq!(code, 1012);
    let delay = reason.strip_prefix("draining;retry=");
    delay.unwrap_or_else(|| panic!("{reason}")).parse().unwrap()
}

async fn every_client_is_closed_with_1012_and_the_server_returns(kind: Kind) {
    let server = Server::with(
        kind,
        Config {
            close_timeout: HOUR,
            ..config()
        },
    )
    .await;
    let address = server.address;
    let mut clients = Vec::new();
    for (lobby, user) in [("den", "ann"), ("den", "bob"), ("attic", "cid")] {
        clients.push(server.enter(lobby, user).await);
    }
    let outcome = server.stop();
    for client in &mut clients {
        slot(client.close_frame().await);
        client.gone().await;
    }
    // Long before the closing time-out: nobody is left to wait for.
    guard(outcome).await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "it no longer listens");
}

async fn who_is_closed_at_the_deadline_gets_a_time_of_its_own_to_return(kind: Kind) {
    let server = Server::start(kind, slowly(Duration::ZERO)).await;
    let mut clients = Vec::new();
    for user in ["ann", "bob", "cid"] {
        clients.push(server.enter("den", user).await);
    }
    let outcome = server.stop();
    let mut slots = Vec::new();
    for client in &mut clients {
        slots.push(slot(client.close_frame().await));
        client.gone().await;
    }
    slots.sort_unstable();
    // The first at once, and then one each hour, less what had passed of it.
    let hours: Vec<_> = slots.iter().map(|slot| slot.div_ceil(3_600_000)).collect();
    assert_eq!((slots[0], hours), (0, vec![0, 1, 2]));
    guard(outcome).await.unwrap().unwrap();
}

async fn who_waits_for_its_turn_talks_on_and_newcomers_are_refused_with_1012(kind: Kind) {
    let (server, operator) = Server::with_operator(kind, slowly(Duration::from_secs(5))).await;
    let mut witness = server.enter("den", "witness").await;
    let mut others = Vec::new();
    for user in ["ann", "bob"] {
        others.push(server.enter("den", user).await);
    }
    let (status, _) = operator.ask("POST", "/drain", &bearer(TOKEN), "").await;
    assert_eq!(status, 200);
    // One of the three goes at once. The others have their seats and hear each other until the deadline.
    server.until_stat("/drained", 1).await;
    let mut late = server.knock("den", "late").await;
    assert_eq!(late.close_frame().await, (1012, "draining;retry=5000".into()));
    late.gone().await;
    assert_eq!(operator.lobbies().await[0]["connections"], 2);
    for client in others.iter_mut().chain([&mut witness]) {
        client.close_frame().await;
        client.gone().await;
    }
    guard(server.stop()).await.unwrap().unwrap();
}

async fn a_client_that_does_not_say_goodbye_is_not_waited_for_beyond_the_time_out(kind: Kind) {
    let server = Server::with(kind, config()).await;
    let _deaf = server.enter("den", "ann").await;
    guard(server.stop()).await.unwrap().unwrap();
}

async fn nor_is_a_request_that_never_ends_or_one_that_was_refused(kind: Kind) {
    let server = Server::with(
        kind,
        Config {
            max_connections: Some(0),
            ..config()
        },
    )
    .await;
    let mut half = TcpStream::connect(server.address).await.unwrap();
    half.write_all(b"GET / HTTP/1.1\r\nhost: te").await.unwrap();
    let _refused = server.knock("den", "ann").await;
    guard(server.stop()).await.unwrap().unwrap();
}

async fn who_comes_through_the_upgrade_meanwhile_is_turned_away_with_1012(kind: Kind) {
    let server = Server::with(
        kind,
        Config {
            close_timeout: Duration::from_secs(2),
            ..config()
        },
    )
    .await;
    let mut deaf = server.enter("den", "ann").await;
    let mut late = TcpStream::connect(server.address).await.unwrap();
    late.write_all(b"GET /ws/den?token=late HTTP/1.1\r\nhost: test\r\n")
        .await
        .unwrap();
    // The server has read that much: it answers what came later.
    server.stats().await;
    let outcome = server.stop();
    // Ann has been told and does not answer, so the server waits for her.
    slot(deaf.close_frame().await);
    late.write_all(
        b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
          sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )
    .await
    .unwrap();
    let mut answer = Vec::new();
    let _ = guard(late.read_to_end(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    assert!(answer.ends_with("draining;retry=5000"), "{answer}");
    guard(outcome).await.unwrap().unwrap();
}

async fn an_idle_server_stops_at_once(kind: Kind) {
    let server = Server::with(
        kind,
        Config {
            close_timeout: HOUR,
            ..config()
        },
    )
    .await;
    guard(server.stop()).await.unwrap().unwrap();
}

async fn an_operator_stops_it_as_a_signal_does(kind: Kind) {
    let (server, operator) = Server::with_operator(kind, settings()).await;
    let mut ann = server.enter("den", "ann").await;
    let answer = operator.ask("POST", "/drain", &bearer(TOKEN), "").await;
    assert_eq!(answer, (200, json!({"changed": true})));
    slot(ann.close_frame().await);
    ann.gone().await;
    // It ends without being told again.
    guard(server.ends()).await.unwrap().unwrap();
}
