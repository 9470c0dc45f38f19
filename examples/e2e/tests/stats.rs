//! `GET /stats`.

#[macro_use]
mod common;

use common::{Kind, Server, settings};
use lobbykeeper::Config;
use serde_json::Value;

on_each_server! {
    the_numbers_stand_at_the_top_level,
    a_limit_that_is_off_is_null_and_one_of_zero_is_full,
    it_is_json,
}

async fn the_numbers_stand_at_the_top_level(kind: Kind) {
    let server = Server::with(
        kind,
        Config {
            max_connections: Some(500),
            ..settings().config
        },
    )
    .await;
    let _ann = server.enter("den", "ann").await;
    let _bob = server.enter("den", "bob").await;
    let _cid = server.enter("attic", "cid").await;
    let stats = server.stats().await;
    assert_eq!(stats["total_connections"], 3);
    assert_eq!(stats["max_connections"], 500);
    assert_eq!(stats["capacity_percent"], 0.6);
    assert_eq!(stats["active_lobbies"], 2);
}

async fn a_limit_that_is_off_is_null_and_one_of_zero_is_full(kind: Kind) {
    let off = Server::start(kind, settings()).await;
    let stats = off.stats().await;
    assert_eq!(stats["max_connections"], Value::Null);
    assert_eq!(stats["capacity_percent"], Value::Null);
    let none = Server::with(
        kind,
        Config {
            max_connections: Some(0),
            ..settings().config
        },
    )
    .await;
    assert_eq!(none.stats().await["capacity_percent"], 100.0);
    let mut ann = none.knock("den", "ann").await;
    assert_eq!(ann.close_frame().await, (4002, "server_full".into()));
}

async fn it_is_json(kind: Kind) {
    let server = Server::start(kind, settings()).await;
    let answer = server.get("/stats").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("content-type: application/json"), "{answer}");
}
