//! While a client's token is looked at, its seat is held: nobody else gets it, and nothing is left of one who leaves.

#[macro_use]
mod common;

use std::time::Duration;

use common::{Client, Kind, Server, settings};
use lobby_chat::Settings;
use lobbykeeper::Config;
use serde_json::json;

on_each_server! {
    one_whose_token_has_been_looked_at_is_welcome,
    a_seat_is_held_while_a_token_is_looked_at_and_free_when_its_client_leaves,
    one_who_says_goodbye_meanwhile_frees_the_seat_too,
    one_about_whom_no_word_comes_is_sent_away_when_the_seat_lapses,
    one_without_a_token_does_not_wait,
    one_who_is_kicked_meanwhile_is_sent_away_at_once,
    a_server_that_drains_sends_those_away_who_wait,
}

/// Longer than a test takes.
const FOR_EVER: Duration = Duration::from_secs(3_600);

fn with(auth_delay: Duration, config: Config) -> Settings {
    Settings {
        config,
        auth_delay,
        // Who waits for a word is not late with their request.
        handshake_timeout: Duration::from_secs(1),
        ..settings()
    }
}

/// One seat, and a service that never answers.
fn one_seat() -> Settings {
    let config = Config {
        max_connections: Some(1),
        reservation_ttl: FOR_EVER,
        ..settings().config
    };
    with(FOR_EVER, config)
}

/// The only seat is held for somebody.
async fn waiting(server: &Server, user: &str) -> Client {
    let client = server.knock("den", user).await;
    server.until_stat("/reserved_seats", 1).await;
    client
}

async fn one_whose_token_has_been_looked_at_is_welcome(kind: Kind) {
    let settings = with(Duration::from_millis(100), settings().config);
    let server = Server::start(kind, settings).await;
    let mut ann = server.enter("den", "ann").await;
    let mut bob = server.enter("den", "bob").await;
    ann.next("joined").await;
    bob.chat("hello").await;
    assert_eq!(ann.next("chat").await["text"], "hello");
    let stats = server.stats().await;
    let expected = json!({"made": 2, "used": 2, "released": 0, "lapsed": 0});
    assert_eq!(
        (&stats["reservations"], &stats["reserved_seats"]),
        (&expected, &json!(0))
    );
}

async fn a_seat_is_held_while_a_token_is_looked_at_and_free_when_its_client_leaves(kind: Kind) {
    let server = Server::start(kind, one_seat()).await;
    let ann = waiting(&server, "ann").await;
    let mut bob = server.knock("attic", "bob").await;
    assert_eq!(bob.close_frame().await, (4002, "server_full".into()));
    drop(ann);
    server.until_stat("/reserved_seats", 0).await;
    assert_eq!(server.stats().await["reservations"]["released"], 1);
    waiting(&server, "bob").await;
}

async fn one_who_says_goodbye_meanwhile_frees_the_seat_too(kind: Kind) {
    let server = Server::start(kind, one_seat()).await;
    let mut ann = waiting(&server, "ann").await;
    ann.socket.close(None).await.unwrap();
    ann.gone().await;
    server.until_stat("/reserved_seats", 0).await;
    assert_eq!(server.stats().await["reservations"]["released"], 1);
}

async fn one_about_whom_no_word_comes_is_sent_away_when_the_seat_lapses(kind: Kind) {
    let config = Config {
        reservation_ttl: Duration::from_millis(50),
        ..settings().config
    };
    let server = Server::start(kind, with(FOR_EVER, config)).await;
    let mut ann = server.knock("den", "ann").await;
    assert_eq!(ann.close_frame().await, (4009, "reservation_void;retry=0".into()));
    ann.gone().await;
    assert_eq!(server.stats().await["reservations"]["lapsed"], 1);
}

async fn one_without_a_token_does_not_wait(kind: Kind) {
    let server = Server::start(kind, one_seat()).await;
    let mut nobody = server.knock("den", "").await;
    assert_eq!(nobody.close_frame().await, (4001, "unauthorized".into()));
    assert_eq!(server.stats().await["reservations"]["made"], 0);
}

async fn one_who_is_kicked_meanwhile_is_sent_away_at_once(kind: Kind) {
    let (server, operator) = Server::with_operator(kind, one_seat()).await;
    let mut ann = waiting(&server, "ann").await;
    let kick = json!({"kick_user": {"user": "ann", "close": {"code": 4100, "reason": "be nice"}}});
    assert_eq!(operator.order(kick).await.0, 200);
    assert_eq!(ann.close_frame().await, (4009, "reservation_void;retry=0".into()));
    server.until_stat("/reserved_seats", 0).await;
}

async fn a_server_that_drains_sends_those_away_who_wait(kind: Kind) {
    let server = Server::start(kind, one_seat()).await;
    let mut ann = waiting(&server, "ann").await;
    let ended = server.stop();
    assert_eq!(ann.close_frame().await, (1012, "draining;retry=5000".into()));
    ann.gone().await;
    common::guard(ended).await.unwrap().unwrap();
}
