//! The operators' door: who may come in, and what they can do.

#[macro_use]
mod common;

use common::{Kind, Server, TOKEN, bearer, guard, settings};
use lobbykeeper::Config;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

on_each_server! {
    without_the_token_it_is_401_and_nothing_happens,
    a_connection_is_kicked_with_the_operators_words,
    a_user_is_kicked_out_of_everywhere,
    a_lobby_is_cleared,
    a_locked_lobby_lets_nobody_new_in_until_it_is_unlocked,
    a_limit_changes_for_those_who_come,
    a_rate_and_the_length_of_a_message_change_for_those_who_are_there,
    the_lobbies_are_listed_with_their_sizes,
    what_is_not_an_operators_business_is_refused,
    nonsense_is_refused_and_the_door_stays_open,
    visitors_who_say_nothing_do_not_keep_others_out,
    the_door_is_not_the_clients_and_closes_with_the_server,
}

fn kick(user: &str) -> Value {
    json!({"kick_user": {"user": user, "close": {"code": 4100, "reason": "be nice"}}})
}

async fn without_the_token_it_is_401_and_nothing_happens(kind: Kind) {
    let (server, operator) = Server::with_operator(kind, settings()).await;
    let mut ann = server.enter("den", "ann").await;
    let basic = "authorization: Basic b3BlcmF0b3JzLW9wZW4tc2VzYW1l\r\n";
    let longer = format!("{TOKEN}x");
    for headers in [
        String::new(),
        basic.to_owned(),
        bearer(""),
        bearer(&TOKEN[1..]),
        bearer(&longer),
        bearer(&TOKEN.to_uppercase()),
        format!("authorization: {TOKEN}\r\n"),
    ] {
        for (method, path) in [("POST", "/requests"), ("GET", "/lobbies"), ("GET", "/elsewhere")] {
            let (status, answer) = operator.ask(method, path, &headers, &kick("ann").to_string()).await;
            assert_eq!(status, 401, "{method} {path} {headers}");
            assert_eq!(answer, json!({"error": "Authorization: Bearer TOKEN"}));
        }
    }
    // The answer to this comes after whatever the server might have been told before.
    assert_eq!(operator.lobbies().await[0]["connections"], 1);
    assert!(!ann.has_heard("ann", "left").await);
}

async fn a_connection_is_kicked_with_the_operators_words(kind: Kind) {
    let (server, operator) = Server::with_operator(kind, settings()).await;
    let mut first = server.enter("den", "ann").await;
    let mut second = server.enter("den", "ann").await;
    // Slots are given out in order, and each has been used once.
    let close = json!({"code": 4100, "reason": "be nice"});
    let kick = json!({"kick": {"conn": "c1v1", "close": close}});
    assert_eq!(operator.order(kick.clone()).await, (200, json!({"changed": true})));
    assert_eq!(second.close_frame().await, (4100, "be nice".into()));
    assert!(!first.has_heard("ann", "left").await, "the user is still there");
    second.gone().await;
    server.until_stat("/total_connections", 1).await;
    assert_eq!(operator.order(kick).await, (200, json!({"changed": false})));
}

async fn a_user_is_kicked_out_of_everywhere(kind: Kind) {
    let (server, operator) = Server::with_operator(kind, settings()).await;
    let mut here = server.enter("den", "ann").await;
    let mut there = server.enter("attic", "ann").await;
    let mut bob = server.enter("den", "bob").await;
    assert_eq!(operator.order(kick("ann")).await, (200, json!({"addressed": 2})));
    for client in [&mut here, &mut there] {
        assert_eq!(client.close_frame().await, (4100, "be nice".into()));
    }
    assert_eq!(bob.next("left").await["user"], "ann");
    assert_eq!(operator.order(kick("ann")).await, (200, json!({"addressed": 0})));
}

async fn a_lobby_is_cleared(kind: Kind) {
    let (server, operator) = Server::with_operator(kind, settings()).await;
    let mut ann = server.enter("den", "ann").await;
    let mut bob = server.enter("den", "bob").await;
    let mut cid = server.enter("attic", "cid").await;
    let close = json!({"code": 4100, "reason": "the den is closed"});
    let clear = json!({"kick_lobby": {"lobby": {"name": "den"}, "close": close}});
    assert_eq!(operator.order(clear).await, (200, json!({"addressed": 2})));
    for client in [&mut ann, &mut bob] {
        assert_eq!(client.close_frame().await, (4100, "the den is closed".into()));
    }
    assert!(!cid.has_heard("cid", "left").await, "nobody in the attic hears of it");
}

async fn a_locked_lobby_lets_nobody_new_in_until_it_is_unlocked(kind: Kind) {
    let (server, operator) = Server::with_operator(kind, settings()).await;
    let _ann = server.enter("den", "ann").await;
    let lock = json!({"lock_lobby": {"lobby": {"name": "den"}}});
    assert_eq!(operator.order(lock).await, (200, json!({"changed": true})));
    assert_eq!(operator.lobbies().await[0]["locked"], true);
    let mut bob = server.knock("den", "bob").await;
    assert_eq!(bob.close_frame().await, (4006, "lobby_locked;retry=30000".into()));
    // Who sits in it may come with another device.
    server.enter("den", "ann").await;
    let unlock = json!({"unlock_lobby": {"lobby": {"name": "den"}}});
    assert_eq!(operator.order(unlock).await, (200, json!({"changed": true})));
    server.enter("den", "bob").await;
}

async fn a_limit_changes_for_those_who_come(kind: Kind) {
    let (server, operator) = Server::with_operator(kind, settings()).await;
    let mut ann = server.enter("den", "ann").await;
    let limit = |max: Value| json!({"set_limit": {"limit": "connections", "max": max}});
    assert_eq!(
        operator.order(limit(json!(1))).await,
        (200, json!({"limit_set": {"Ok": null}}))
    );
    let mut bob = server.knock("den", "bob").await;
    assert_eq!(bob.close_frame().await, (4002, "server_full".into()));
    assert_eq!(server.stats().await["max_connections"], 1);
    assert_eq!(operator.order(limit(json!(null))).await.0, 200);
    server.enter("den", "bob").await;
    while ann.next("joined").await["user"] != "bob" {}
    let impossible = json!({"set_limit": {"limit": "lobbies_per_connection", "max": 0}});
    let (status, answer) = operator.order(impossible).await;
    assert_eq!(status, 422);
    assert!(
        answer["error"].as_str().unwrap().contains("max_lobbies_per_connection"),
        "{answer}"
    );
}

async fn a_rate_and_the_length_of_a_message_change_for_those_who_are_there(kind: Kind) {
    let (server, operator) = Server::with_operator(kind, settings()).await;
    let mut ann = server.enter("den", "ann").await;
    let hourly = json!({"events": 1, "per": 3_600_000_000_000_u64, "burst": 1});
    let order = json!({"set_rate": {"limit": "messages", "rate": hourly}});
    assert_eq!(operator.order(order).await, (200, json!({"limit_set": {"Ok": null}})));
    ann.chat("this is all").await;
    ann.chat("and this is too much").await;
    assert!(ann.next("throttled").await["milliseconds"].as_u64().unwrap() > 3_000_000);
    let order = json!({"set_limit": {"limit": "message_bytes", "max": 200}});
    assert_eq!(operator.order(order).await.0, 200);
    ann.chat(&"x".repeat(200)).await;
    assert_eq!(ann.close_frame().await, (1009, "message_too_big".into()));
}

async fn the_lobbies_are_listed_with_their_sizes(kind: Kind) {
    let (server, operator) = Server::with_operator(kind, settings()).await;
    assert_eq!(operator.lobbies().await, json!([]));
    let _ann = server.enter("den", "ann").await;
    let _again = server.enter("den", "ann").await;
    let _bob = server.enter("attic", "bob").await;
    let expected = json!([
        {"id": "l0v1", "name": "den", "connections": 2, "users": 1, "locked": false},
        {"id": "l1v1", "name": "attic", "connections": 1, "users": 1, "locked": false},
    ]);
    assert_eq!(operator.lobbies().await, expected);
}

async fn what_is_not_an_operators_business_is_refused(kind: Kind) {
    let (server, operator) = Server::with_operator(kind, settings()).await;
    let mut ann = server.enter("den", "ann").await;
    for request in [
        json!({"broadcast_all": {"payload": {"text": "no JSON"}, "except": "nobody"}}),
        json!({"send_to_user": {"user": "ann", "payload": {"text": "no JSON"}}}),
        json!({"switch_lobby": {"conn": "c0v1", "from": {"of": "c0v1"}, "to": "attic"}}),
    ] {
        let (status, answer) = operator.order(request.clone()).await;
        assert_eq!(status, 403, "{request}");
        assert!(answer["error"].is_string());
    }
    assert!(!ann.has_heard("ann", "left").await);
    assert_eq!(operator.lobbies().await[0]["name"], "den");
}

async fn nonsense_is_refused_and_the_door_stays_open(kind: Kind) {
    let (server, operator) = Server::with_operator(
        kind,
        lobby_chat::Settings {
            config: Config {
                max_connections: Some(1),
                ..settings().config
            },
            ..settings()
        },
    )
    .await;
    let _ann = server.enter("den", "ann").await;
    let long = json!({"kick_user": {"user": "x".repeat(20_000), "close": {"code": 4000, "reason": ""}}}).to_string();
    for (method, path, body, expected) in [
        ("POST", "/requests", "", 400),
        ("POST", "/requests", "{", 400),
        ("POST", "/requests", r#"{"explode":{}}"#, 400),
        (
            "POST",
            "/requests",
            r#"{"kick_user":{"user":"ann","close":{"code":1006,"reason":""}}}"#,
            400,
        ),
        ("POST", "/requests", long.as_str(), 413),
        ("GET", "/requests", "", 405),
        ("GET", "/", "", 404),
    ] {
        let (status, _) = operator.ask(method, path, &bearer(TOKEN), body).await;
        assert_eq!(status, expected, "{method} {path} {body:.60}");
    }
    assert_eq!(operator.lobbies().await[0]["users"], 1);
}

async fn visitors_who_say_nothing_do_not_keep_others_out(kind: Kind) {
    let (_server, operator) = Server::with_operator(kind, settings()).await;
    let mut silent = Vec::new();
    // More than come in at a time: the last of them wait until the first have had their time.
    for _ in 0..20 {
        let mut visitor = TcpStream::connect(operator.address).await.unwrap();
        visitor.write_all(b"GET /lobbies HTT").await.unwrap();
        silent.push(visitor);
    }
    assert_eq!(guard(operator.lobbies()).await, json!([]));
}

async fn the_door_is_not_the_clients_and_closes_with_the_server(kind: Kind) {
    let (server, operator) = Server::with_operator(kind, settings()).await;
    let answer = server.get("/lobbies").await;
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    guard(server.stop()).await.unwrap().unwrap();
    guard(async {
        while TcpStream::connect(operator.address).await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
}
