//! A server that stops says goodbye.

#[macro_use]
mod common;

use std::time::Duration;

use common::{Kind, Server, guard, settings};
use lobbykeeper::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

on_each_server! {
    every_client_is_closed_with_1001_and_the_server_returns,
    a_client_that_does_not_say_goodbye_is_not_waited_for_beyond_the_time_out,
    nor_is_a_request_that_never_ends_or_one_that_was_refused,
    who_comes_through_the_upgrade_meanwhile_is_turned_away_with_1001,
    an_idle_server_stops_at_once,
}

fn config() -> Config {
    Config {
        close_timeout: Duration::from_millis(500),
        ..settings().config
    }
}

async fn every_client_is_closed_with_1001_and_the_server_returns(kind: Kind) {
    let server = Server::with(
        kind,
        Config {
            close_timeout: Duration::from_secs(3_600),
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
        assert_eq!(client.close_frame().await, (1001, "server going away".into()));
        client.gone().await;
    }
    // Long before the closing time-out: nobody is left to wait for.
    guard(outcome).await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "it no longer listens");
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

async fn who_comes_through_the_upgrade_meanwhile_is_turned_away_with_1001(kind: Kind) {
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
    assert_eq!(deaf.close_frame().await.0, 1001);
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
    assert!(answer.ends_with("server going away"), "{answer}");
    guard(outcome).await.unwrap().unwrap();
}

async fn an_idle_server_stops_at_once(kind: Kind) {
    let server = Server::with(
        kind,
        Config {
            close_timeout: Duration::from_secs(3_600),
            ..config()
        },
    )
    .await;
    guard(server.stop()).await.unwrap().unwrap();
}
