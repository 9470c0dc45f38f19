//! A client that does not read is cut off, or does without, and nobody waits for it.

#[macro_use]
mod common;

use common::{Client, Kind, Server, guard, settings};
use lobby_chat::{Settings, SlowClient};
use lobbykeeper::Config;
use serde_json::{Value, json};
use tokio::net::TcpSocket;
use tokio_tungstenite::{MaybeTlsStream, client_async};

on_each_server! {
    a_client_that_stops_reading_is_cut_off_at_its_cap_and_the_others_miss_nothing,
    of_all_who_stop_reading_the_one_that_is_furthest_behind_is_cut_off_for_the_budget,
    a_client_that_may_do_without_stays_and_is_told_how_many_messages_it_missed,
    what_keeps_up_is_not_counted_as_waiting,
}

/// A few of the messages that are said here.
const CAP: u32 = 16 * 60_000;

fn limited(config: Config, slow_client: SlowClient) -> Settings {
    Settings {
        config,
        slow_client,
        ..settings()
    }
}

fn capped() -> Config {
    Config {
        max_backlog_bytes: Some(CAP),
        max_backlog_messages: Some(1_000),
        ..settings().config
    }
}

/// A client for which the system holds little. It has read its welcome.
async fn deaf(server: &Server, user: &str) -> Client {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let stream = guard(socket.connect(server.address)).await.unwrap();
    let url = format!("ws://{}/ws/den?token={user}", server.address);
    let (socket, _) = guard(client_async(url, MaybeTlsStream::Plain(stream))).await.unwrap();
    let mut client = Client { socket };
    client.next("welcome").await;
    client
}

/// Says number after number, each with a lot of text, until this holds. The listener hears each of them, and before the
/// next is said, so that it is never behind itself.
async fn talk_until(server: &Server, talker: &mut Client, listener: &mut Client, pointer: &str, value: u64) -> u32 {
    let text = "x".repeat(60_000);
    for number in 0..2_000 {
        talker.chat(&format!("{number} {text}")).await;
        let heard = listener.next("chat").await;
        assert_eq!(number_of(&heard), number);
        if server.stats().await.pointer(pointer).and_then(Value::as_u64) >= Some(value) {
            return number + 1;
        }
    }
    panic!("{pointer} never comes to {value}");
}

fn number_of(chat: &Value) -> u32 {
    let text = chat["text"].as_str().unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

async fn a_client_that_stops_reading_is_cut_off_at_its_cap_and_the_others_miss_nothing(kind: Kind) {
    let server = Server::start(kind, limited(capped(), SlowClient::Evict)).await;
    let mut ann = server.enter("den", "ann").await;
    let mut bob = server.enter("den", "bob").await;
    let mut deaf = deaf(&server, "deaf").await;
    talk_until(&server, &mut ann, &mut bob, "/evictions/slow_consumer", 1).await;
    assert_eq!(bob.next("left").await["user"], "deaf");
    let stats = server.stats().await;
    assert_eq!(stats["total_connections"], 2, "its seat is free");
    assert_eq!(stats["dropped_messages"], 0, "nobody does without");
    // The socket is gone as well: after what the system held for it there is an end.
    deaf.gone().await;
}

async fn of_all_who_stop_reading_the_one_that_is_furthest_behind_is_cut_off_for_the_budget(kind: Kind) {
    let budget = Config {
        max_backlog_bytes: None,
        max_total_backlog_bytes: Some(CAP.into()),
        ..settings().config
    };
    let server = Server::start(kind, limited(budget, SlowClient::Evict)).await;
    let mut ann = server.enter("den", "ann").await;
    let mut bob = server.enter("den", "bob").await;
    let mut deaf = deaf(&server, "deaf").await;
    talk_until(&server, &mut ann, &mut bob, "/evictions/over_budget", 1).await;
    assert_eq!(bob.next("left").await["user"], "deaf");
    deaf.gone().await;
}

async fn a_client_that_may_do_without_stays_and_is_told_how_many_messages_it_missed(kind: Kind) {
    let server = Server::start(kind, limited(capped(), SlowClient::Skip)).await;
    let mut ann = server.enter("den", "ann").await;
    let mut bob = server.enter("den", "bob").await;
    let mut slow = deaf(&server, "slow").await;
    let said = talk_until(&server, &mut ann, &mut bob, "/dropped_messages", 3).await;
    // It reads on, and so does the server.
    let mut heard = Vec::new();
    let dropped = loop {
        let message = slow.receive().await;
        match message["type"].as_str() {
            Some("chat") => heard.push(number_of(&message)),
            Some("gap") => break message["dropped"].as_u64().unwrap(),
            _ => {}
        }
    };
    assert_eq!(dropped, 3);
    // What came is the beginning, without a hole, and all of it.
    assert_eq!(heard, (0..said - 3).collect::<Vec<_>>());
    ann.chat("what did I miss?").await;
    assert_eq!(slow.next("chat").await["text"], "what did I miss?");
    assert_eq!(server.stats().await["evictions"]["slow_consumer"], 0);
}

async fn what_keeps_up_is_not_counted_as_waiting(kind: Kind) {
    let server = Server::start(kind, limited(capped(), SlowClient::Evict)).await;
    let mut ann = server.enter("den", "ann").await;
    let mut bob = server.enter("den", "bob").await;
    for number in 0..100 {
        ann.chat(&format!("{number} {}", "x".repeat(60_000))).await;
        assert_eq!(number_of(&bob.next("chat").await), number);
    }
    guard(async {
        while server.stats().await["backlog"] != json!({"bytes": 0, "messages": 0}) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
    assert_eq!(server.stats().await["excess_flushes"], 0, "nothing is counted twice");
}
