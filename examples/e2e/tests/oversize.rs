//! A message beyond the limit ends its sender's connection with 1009, and nobody else's.

#[macro_use]
mod common;

use common::{Client, Kind, Server, guard, settings};
use futures_util::{SinkExt, StreamExt};
use lobby_chat::Settings;
use lobbykeeper::Config;
use serde_json::json;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

on_each_server! {
    a_message_at_the_limit_passes,
    a_message_beyond_the_limit_is_closed_with_1009_and_its_sender_has_left,
    a_client_that_is_still_sending_megabytes_sees_1009,
}

const LIMIT: usize = 1_000;

async fn server(kind: Kind) -> Server {
    Server::start(
        kind,
        Settings {
            max_message_bytes: 1_000,
            config: Config {
                close_timeout: Duration::from_secs(2),
                ..settings().config
            },
            ..settings()
        },
    )
    .await
}

/// A chat of exactly so many bytes.
fn chat_of(bytes: usize) -> String {
    let frame = json!({"type": "chat", "text": ""}).to_string();
    json!({"type": "chat", "text": "x".repeat(bytes - frame.len())}).to_string()
}

async fn a_message_at_the_limit_passes(kind: Kind) {
    let server = server(kind).await;
    let mut ann = server.enter("den", "ann").await;
    let mut bob = server.enter("den", "bob").await;
    ann.send(chat_of(LIMIT)).await;
    bob.next("chat").await;
}

async fn a_message_beyond_the_limit_is_closed_with_1009_and_its_sender_has_left(kind: Kind) {
    let server = server(kind).await;
    let mut bob = server.enter("den", "bob").await;
    let mut ann = server.enter("den", "ann").await;
    ann.send(chat_of(LIMIT + 1)).await;
    assert_eq!(ann.close_frame().await, (1009, "message too long".into()));
    assert_eq!(bob.next("left").await["user"], "ann");
    server.until_stat("/total_connections", 1).await;
    bob.so_far("bob").await;
}

async fn a_client_that_is_still_sending_megabytes_sees_1009(kind: Kind) {
    let server = server(kind).await;
    let Client { socket } = server.enter("den", "ann").await;
    let (mut sink, mut stream) = socket.split();
    let sending = tokio::spawn(async move {
        // Whether all of it gets out does not matter.
        let _ = sink.send(Message::text(chat_of(8 << 20))).await;
    });
    let close = async {
        loop {
            if let Message::Close(frame) = stream.next().await.unwrap().unwrap() {
                return frame.unwrap().code;
            }
        }
    };
    assert_eq!(u16::from(guard(close).await), 1009);
    server.until_stat("/total_connections", 0).await;
    guard(sending).await.unwrap();
}
