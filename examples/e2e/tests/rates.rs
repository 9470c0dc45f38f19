//! Who says too much in too little time is not heard, is told so, and goes if that does not help.

#[macro_use]
mod common;

use std::time::Duration;

use common::{Kind, Server, guard, settings};
use futures_util::{SinkExt, StreamExt};
use lobbykeeper::{Config, Rate};
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

on_each_server! {
    what_is_too_much_is_dropped_and_its_sender_is_told_when_to_go_on,
    who_goes_on_all_the_same_is_closed_with_1008,
    a_user_has_one_rate_over_all_connections,
    connections_are_admitted_at_a_rate_and_the_others_told_when_to_come,
    a_flood_is_throttled_and_the_others_talk_on,
}

/// So many, and for the rest of a test no more.
fn only(burst: u32) -> Rate {
    Rate {
        events: 1,
        per: Duration::from_secs(3_600),
        burst,
    }
}

async fn what_is_too_much_is_dropped_and_its_sender_is_told_when_to_go_on(kind: Kind) {
    let config = Config {
        message_rate: Some(only(3)),
        ..settings().config
    };
    let server = Server::with(kind, config).await;
    let mut ann = server.enter("den", "ann").await;
    let mut bob = server.enter("den", "bob").await;
    for number in 0..5 {
        ann.chat(&number.to_string()).await;
    }
    for _ in 0..2 {
        let delay = ann.next("throttled").await["milliseconds"].as_u64().unwrap();
        assert!((1..=3_600_000).contains(&delay), "{delay}");
    }
    let heard = bob.so_far("bob").await;
    let chats: Vec<_> = heard.iter().filter(|message| message["type"] == "chat").collect();
    assert_eq!(
        chats.iter().map(|chat| &chat["text"]).collect::<Vec<_>>(),
        ["0", "1", "2"]
    );
}

async fn who_goes_on_all_the_same_is_closed_with_1008(kind: Kind) {
    let config = Config {
        message_rate: Some(only(3)),
        max_violations: Some(4),
        ..settings().config
    };
    let server = Server::with(kind, config).await;
    let mut bob = server.enter("den", "bob").await;
    let mut ann = server.enter("den", "ann").await;
    for number in 0..7 {
        ann.chat(&number.to_string()).await;
    }
    assert_eq!(ann.close_frame().await, (1008, "rate_limited;retry=5000".into()));
    assert_eq!(bob.next("left").await["user"], "ann");
}

async fn a_user_has_one_rate_over_all_connections(kind: Kind) {
    let config = Config {
        user_message_rate: Some(only(3)),
        ..settings().config
    };
    let server = Server::with(kind, config).await;
    let mut here = server.enter("den", "ann").await;
    let mut there = server.enter("den", "ann").await;
    let mut bob = server.enter("den", "bob").await;
    here.chat("one").await;
    assert_eq!(bob.next("chat").await["text"], "one");
    there.chat("two").await;
    assert_eq!(bob.next("chat").await["text"], "two");
    here.chat("three").await;
    assert_eq!(bob.next("chat").await["text"], "three");
    there.chat("four").await;
    there.next("throttled").await;
}

async fn connections_are_admitted_at_a_rate_and_the_others_told_when_to_come(kind: Kind) {
    let config = Config {
        connect_rate: Some(only(2)),
        ..settings().config
    };
    let server = Server::with(kind, config).await;
    let _ann = server.enter("den", "ann").await;
    let _bob = server.enter("den", "bob").await;
    let (code, reason) = server.knock("den", "cid").await.close_frame().await;
    assert_eq!(code, 1013);
    let delay: u64 = reason.strip_prefix("connect_rate;retry=").unwrap().parse().unwrap();
    assert!((1..=3_600_000).contains(&delay), "{delay}");
}

async fn a_flood_is_throttled_and_the_others_talk_on(kind: Kind) {
    let config = Config {
        message_rate: Some(Rate {
            events: 1_000,
            per: Duration::from_secs(1),
            burst: 100,
        }),
        ..settings().config
    };
    let server = Server::with(kind, config).await;
    let mut ann = server.enter("den", "ann").await;
    let mut bob = server.enter("den", "bob").await;
    let url = format!("ws://{}/ws/flood?token=flooder", server.address);
    let (socket, _) = guard(tokio_tungstenite::connect_async(url)).await.unwrap();
    let (mut sink, mut stream) = socket.split();
    let flooder = tokio::spawn(async move {
        tokio::spawn(async move { while stream.next().await.is_some() {} });
        let flood = Message::text(r#"{"type":"chat","text":"and on and on"}"#);
        loop {
            // Not more at a time: the runtime of this test looks after its other sockets between these.
            for _ in 0..20 {
                sink.feed(flood.clone()).await.unwrap();
            }
            sink.flush().await.unwrap();
        }
    });
    let throttled = async || server.stats().await["violations"].as_u64().unwrap();
    let mut said = 0;
    // At least while two thousand messages of the flood are dropped.
    while said < 50 || throttled().await < 2_000 {
        assert!(said < 20_000, "the flood is not throttled");
        ann.chat(&said.to_string()).await;
        let heard: Value = bob.next("chat").await;
        assert_eq!(heard["text"], said.to_string());
        said += 1;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(!flooder.is_finished(), "cut off");
    flooder.abort();
}
