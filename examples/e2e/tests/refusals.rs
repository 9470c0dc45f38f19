//! Who may not come in sees why: the upgrade succeeds, and the close frame has a code and a reason.

#[macro_use]
mod common;

use common::{Client, Kind, Server, guard, settings};
use lobbykeeper::Config;
use tokio::net::TcpSocket;
use tokio_tungstenite::{MaybeTlsStream, client_async};

on_each_server! {
    a_full_server_refuses_with_4002_server_full,
    a_full_lobby_refuses_with_4002_lobby_full_and_others_are_open,
    a_seat_that_was_left_is_free_again,
    without_a_token_it_is_4001_unauthorized,
    one_connection_too_many_of_a_user_is_refused_with_advice,
    one_connection_too_many_of_an_address_is_refused_and_another_address_is_not,
    a_name_that_is_empty_or_too_long_is_refused_with_4004,
    a_name_may_hold_any_character,
}

/// Limits, and nobody pinged.
fn config() -> Config {
    settings().config
}

async fn a_full_server_refuses_with_4002_server_full(kind: Kind) {
    let server = Server::with(
        kind,
        Config {
            max_connections: Some(1),
            ..config()
        },
    )
    .await;
    let _ann = server.enter("den", "ann").await;
    let mut bob = server.knock("attic", "bob").await;
    assert_eq!(bob.close_frame().await, (4002, "server_full".into()));
    bob.gone().await;
}

async fn a_full_lobby_refuses_with_4002_lobby_full_and_others_are_open(kind: Kind) {
    let server = Server::with(
        kind,
        Config {
            max_connections_per_lobby: Some(1),
            ..config()
        },
    )
    .await;
    let _ann = server.enter("den", "ann").await;
    let mut bob = server.knock("den", "bob").await;
    assert_eq!(bob.close_frame().await, (4002, "lobby_full".into()));
    server.enter("attic", "bob").await;
}

async fn a_seat_that_was_left_is_free_again(kind: Kind) {
    let server = Server::with(
        kind,
        Config {
            max_connections: Some(1),
            ..config()
        },
    )
    .await;
    let ann = server.enter("den", "ann").await;
    drop(ann);
    server.until_stat("/total_connections", 0).await;
    server.enter("den", "bob").await;
}

async fn without_a_token_it_is_4001_unauthorized(kind: Kind) {
    let server = Server::start(kind, settings()).await;
    for path in [
        "/ws/den",
        "/ws/den?token=",
        "/ws/den?name=ann",
        "/ws/den?token=a&token=b",
    ] {
        let mut client = server.request(path).await;
        assert_eq!(client.close_frame().await, (4001, "unauthorized".into()), "{path}");
        client.gone().await;
    }
    assert_eq!(server.stats().await["admissions"], 0);
}

async fn one_connection_too_many_of_a_user_is_refused_with_advice(kind: Kind) {
    let server = Server::with(
        kind,
        Config {
            max_connections_per_user: Some(1),
            ..config()
        },
    )
    .await;
    let _ann = server.enter("den", "ann").await;
    let mut again = server.knock("attic", "ann").await;
    assert_eq!(again.close_frame().await, (4003, "user_limit;retry=5000".into()));
}

async fn one_connection_too_many_of_an_address_is_refused_and_another_address_is_not(kind: Kind) {
    let server = Server::with(
        kind,
        Config {
            max_connections_per_source: Some(1),
            ..config()
        },
    )
    .await;
    let _ann = server.enter("den", "ann").await;
    let mut bob = server.knock("den", "bob").await;
    assert_eq!(bob.close_frame().await, (4007, "source_limit;retry=5000".into()));

    let socket = TcpSocket::new_v4().unwrap();
    // All of 127.0.0.0/8 is this machine.
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let stream = guard(socket.connect(server.address)).await.unwrap();
    let url = format!("ws://{}/ws/den?token=cid", server.address);
    let (socket, _) = guard(client_async(url, MaybeTlsStream::Plain(stream))).await.unwrap();
    Client { socket }.next("welcome").await;
}

async fn a_name_that_is_empty_or_too_long_is_refused_with_4004(kind: Kind) {
    let server = Server::with(
        kind,
        Config {
            max_name_bytes: 3,
            ..config()
        },
    )
    .await;
    for path in [
        "/ws/?token=ann",
        "/ws/attic?token=ann",
        "/ws/den?token=anna",
        "/ws/%F0%9F%8E%B2?token=ann",
    ] {
        let mut client = server.request(path).await;
        assert_eq!(client.close_frame().await, (4004, "invalid_name".into()), "{path}");
    }
    server.enter("den", "ann").await;
}

async fn a_name_may_hold_any_character(kind: Kind) {
    let server = Server::start(kind, settings()).await;
    let mut client = server.request("/ws/a%2Fb%20%3F?token=%22%3Cann%3E%26%0A").await;
    let welcome = client.next("welcome").await;
    assert_eq!(welcome["lobby"], "a/b ?");
    assert_eq!(welcome["you"], "\"<ann>&\n");
}
