//! A user who comes back while their old socket still looks open.

#[macro_use]
mod common;

use common::{Kind, Server, settings};
use lobbykeeper::{Config, UserOverflow};
use serde_json::json;

on_each_server! {
    the_new_connection_is_in_the_old_one_is_told_and_the_lobby_sees_nothing,
    the_late_end_of_the_old_socket_does_not_touch_the_new_one,
    nobody_is_locked_out_of_a_full_server_by_his_own_ghost,
}

fn config() -> Config {
    Config {
        max_connections_per_user: Some(1),
        user_overflow: UserOverflow::ReplaceOldest,
        ..settings().config
    }
}

async fn the_new_connection_is_in_the_old_one_is_told_and_the_lobby_sees_nothing(kind: Kind) {
    let server = Server::with(kind, config()).await;
    let mut bob = server.enter("den", "bob").await;
    let mut old = server.enter("den", "ann").await;
    while bob.next("joined").await["user"] != "ann" {}

    let mut new = server.knock("den", "ann").await;
    let welcome = new.next("welcome").await;
    assert_eq!(welcome["roster"]["revision"], 2);
    assert_eq!(old.close_frame().await, (4005, "replaced".into()));
    old.gone().await;

    bob.chat("still here?").await;
    assert_eq!(new.next("chat").await["text"], "still here?");
    let seen = bob.so_far("bob").await;
    assert!(
        seen.iter()
            .all(|message| message["type"] != "left" && message["type"] != "joined"),
        "{seen:?}"
    );
}

async fn the_late_end_of_the_old_socket_does_not_touch_the_new_one(kind: Kind) {
    let server = Server::with(kind, config()).await;
    let old = server.enter("den", "ann").await;
    let mut new = server.enter("den", "ann").await;
    drop(old);
    server.until_stat("/closing_connections", 0).await;
    let mut bob = server.enter("den", "bob").await;
    bob.say(json!({"type": "direct", "to": "ann", "text": "psst"})).await;
    assert_eq!(new.next("direct").await["text"], "psst");
    assert_eq!(server.stats().await["open_connections"], 2);
}

async fn nobody_is_locked_out_of_a_full_server_by_his_own_ghost(kind: Kind) {
    let server = Server::with(
        kind,
        Config {
            max_connections: Some(1),
            max_connections_per_lobby: Some(1),
            ..config()
        },
    )
    .await;
    let _ghost = server.enter("den", "ann").await;
    let _back = server.enter("den", "ann").await;
    let mut bob = server.knock("den", "bob").await;
    assert_eq!(bob.close_frame().await, (4002, "server_full".into()));
}
