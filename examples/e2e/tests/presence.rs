//! Who is there: the roster in the welcome, and the changes after it.

#[macro_use]
mod common;

use common::{Kind, Server, settings};
use serde_json::json;

on_each_server! {
    the_welcome_has_the_roster_and_later_changes_have_later_revisions,
    a_second_connection_of_a_user_changes_nothing_for_the_others,
}

async fn the_welcome_has_the_roster_and_later_changes_have_later_revisions(kind: Kind) {
    let server = Server::start(kind, settings()).await;
    let mut ann = server.knock("den", "ann").await;
    assert_eq!(
        ann.receive().await,
        json!({
            "type": "welcome",
            "lobby": "den",
            "you": "ann",
            "roster": {"revision": 1, "users": [{"user": "ann", "milliseconds": null}]},
        })
    );
    let mut bob = server.knock("den", "bob").await;
    let welcome = bob.receive().await;
    assert_eq!(welcome["roster"]["revision"], 2);
    let users: Vec<_> = welcome["roster"]["users"]
        .as_array()
        .unwrap()
        .iter()
        .map(|person| person["user"].as_str().unwrap())
        .collect();
    assert_eq!(users, ["ann", "bob"]);

    let changes = |all: Vec<serde_json::Value>| {
        all.into_iter()
            .filter(|message| message["type"] == "joined" || message["type"] == "left")
            .collect::<Vec<_>>()
    };
    let own = json!({"type": "joined", "user": "ann", "revision": 1});
    let joined = json!({"type": "joined", "user": "bob", "revision": 2});
    // Each also hears of itself; the revision tells it that its roster has that already.
    assert_eq!(changes(ann.so_far("ann").await), [own, joined.clone()]);
    assert_eq!(changes(bob.so_far("bob").await), [joined]);
    drop(bob);
    assert_eq!(
        ann.next("left").await,
        json!({"type": "left", "user": "bob", "revision": 3})
    );
}

async fn a_second_connection_of_a_user_changes_nothing_for_the_others(kind: Kind) {
    let server = Server::start(kind, settings()).await;
    let mut ann = server.enter("den", "ann").await;
    let phone = server.enter("den", "bob").await;
    ann.next("joined").await;
    ann.next("joined").await;
    let _desk = server.enter("den", "bob").await;
    drop(phone);
    server.until_stat("/open_connections", 2).await;
    assert_eq!(ann.so_far("ann").await, Vec::<serde_json::Value>::new());
}
