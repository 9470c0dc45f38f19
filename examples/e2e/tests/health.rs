//! Pings, latency and silence.

#[macro_use]
mod common;

use std::time::Duration;

use common::{Kind, Server, guard, settings};
use futures_util::{SinkExt, StreamExt};
use lobbykeeper::{Config, PingFormat};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

on_each_server! {
    an_unresponsive_client_is_evicted_and_a_chatty_one_that_ignores_pings_stays,
    a_flood_of_messages_does_not_put_off_the_eviction_of_the_silent,
    the_answer_to_a_ping_tells_the_lobby_the_latency,
    a_pong_nobody_asked_for_tells_nothing,
    ping_frames_are_answered_by_every_client_by_itself,
}

/// A server that gives silence a second.
fn impatient() -> Config {
    Config {
        ping_interval: Some(Duration::from_millis(500)),
        ping_timeout: Duration::from_millis(500),
        // On a loaded machine this process stands still now and then, and that is to cost nobody their seat.
        pause_tolerance: Some(Duration::from_millis(100)),
        ..settings().config
    }
}

async fn an_unresponsive_client_is_evicted_and_a_chatty_one_that_ignores_pings_stays(kind: Kind) {
    let server = Server::with(kind, impatient()).await;
    let mut chatty = server.enter("den", "chatty").await;
    let mut silent = server.enter("den", "silent").await;
    let mut pings = 0;
    let mut left = false;
    guard(async {
        let mut pause = tokio::time::interval(Duration::from_millis(50));
        // With five pings that nobody answered, silence would have cost the chatty one its seat as well.
        while pings < 5 || !left {
            tokio::select! {
                _ = pause.tick() => chatty.chat("la la la").await,
                message = chatty.receive() => {
                    pings += u32::from(message["type"] == "health_ping");
                    left |= message["type"] == "left" && message["user"] == "silent";
                }
            }
        }
    })
    .await;
    let stats = server.stats().await;
    assert_eq!(stats["evictions"]["stale"], 1);
    assert_eq!(stats["open_connections"], 1);
    chatty.so_far("chatty").await;
    silent.gone().await;
}

async fn a_flood_of_messages_does_not_put_off_the_eviction_of_the_silent(kind: Kind) {
    let server = Server::with(kind, impatient()).await;
    let mut bob = server.enter("den", "bob").await;
    let flooders: Vec<_> = (0..4)
        .map(|number| {
            let url = format!("ws://{}/ws/flood?token=flooder{number}", server.address);
            tokio::spawn(async move {
                let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
                let (mut sink, mut stream) = socket.split();
                let flood = Message::text(r#"{"type":"health_pong"}"#);
                tokio::spawn(async move { while stream.next().await.is_some() {} });
                loop {
                    // Not more at a time: the runtime of this test looks after its other sockets between these.
                    for _ in 0..20 {
                        sink.feed(flood.clone()).await.unwrap();
                    }
                    sink.flush().await.unwrap();
                }
            })
        })
        .collect();
    while server.stats().await["open_connections"] != 5 {}
    let _silent = server.enter("den", "silent").await;
    guard(async {
        loop {
            let message = bob.receive().await;
            if message["type"] == "left" {
                assert_eq!(message["user"], "silent");
                break;
            }
            bob.say(json!({"type": "health_pong", "timestamp": message["timestamp"]}))
                .await;
        }
    })
    .await;
    for flooder in flooders {
        assert!(!flooder.is_finished(), "cut off");
        flooder.abort();
    }
}

async fn the_answer_to_a_ping_tells_the_lobby_the_latency(kind: Kind) {
    let server = Server::start(kind, settings()).await;
    let mut ann = server.enter("den", "ann").await;
    let mut bob = server.enter("den", "bob").await;
    let ping = bob.next("health_ping").await;
    bob.say(json!({"timestamp": ping["timestamp"], "type": "health_pong"}))
        .await;
    for client in [&mut ann, &mut bob] {
        let latency = client.next("latency").await;
        assert_eq!(latency["user"], "bob");
        assert!(latency["milliseconds"].as_f64().unwrap() >= 0.0);
    }
    // Who comes later finds it in the roster.
    let welcome = server.knock("den", "cid").await.next("welcome").await;
    let users = &welcome["roster"]["users"];
    assert_eq!(users[0]["milliseconds"], serde_json::Value::Null);
    assert!(users[1]["milliseconds"].is_f64(), "{users}");
}

async fn a_pong_nobody_asked_for_tells_nothing(kind: Kind) {
    let server = Server::start(kind, settings()).await;
    let mut ann = server.enter("den", "ann").await;
    ann.say(json!({"type": "health_pong", "timestamp": 1_234_567})).await;
    ann.say(json!({"type": "health_pong"})).await;
    let heard = ann.so_far("ann").await;
    assert!(
        heard
            .iter()
            .all(|message| message["type"] != "latency" && message["type"] != "error"),
        "{heard:?}"
    );
}

async fn ping_frames_are_answered_by_every_client_by_itself(kind: Kind) {
    let server = Server::with(
        kind,
        Config {
            ping_format: PingFormat::WebSocket,
            ..settings().config
        },
    )
    .await;
    let mut ann = server.enter("den", "ann").await;
    assert_eq!(ann.next("latency").await["user"], "ann");
}
