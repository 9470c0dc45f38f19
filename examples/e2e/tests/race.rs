//! A limit holds however many come at once.

#[macro_use]
mod common;

use std::sync::Arc;

use common::{Kind, Server, guard, settings};
use futures_util::StreamExt;
use lobbykeeper::Config;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

on_each_server! {
    of_a_hundred_clients_who_race_for_a_lobby_of_ten_exactly_ten_get_in,
}

async fn of_a_hundred_clients_who_race_for_a_lobby_of_ten_exactly_ten_get_in(kind: Kind) {
    let config = Config {
        max_connections_per_lobby: Some(10),
        ..settings().config
    };
    let server = Arc::new(Server::with(kind, config).await);
    let start = Arc::new(Barrier::new(100));
    let mut racers = JoinSet::new();
    for number in 0..100 {
        let (server, start) = (Arc::clone(&server), Arc::clone(&start));
        racers.spawn(async move {
            start.wait().await;
            let mut client = server.knock("den", &format!("racer{number}")).await;
            let first = guard(client.socket.next()).await.unwrap().unwrap();
            let entered = match first {
                Message::Text(text) => {
                    assert!(text.contains("welcome"), "{text}");
                    true
                }
                Message::Close(Some(frame)) => {
                    assert_eq!((frame.code.into(), frame.reason.as_str()), (4002_u16, "lobby_full"));
                    false
                }
                other => panic!("unexpected {other:?}"),
            };
            // Who is in stays, so that nobody gets a seat that was left.
            (entered, client)
        });
    }
    let outcomes = guard(racers.join_all()).await;
    assert_eq!(outcomes.iter().filter(|(entered, _)| *entered).count(), 10);
    let stats = server.stats().await;
    assert_eq!(stats["total_connections"], 10);
    assert_eq!(stats["refusals"]["lobby_full"], 90);
}
