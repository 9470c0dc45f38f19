//! A message that makes no sense is answered with an error; the connection stays.

#[macro_use]
mod common;

use common::{Kind, Server, settings};
use tokio_tungstenite::tungstenite::Message;

on_each_server! {
    nonsense_gets_an_error_and_its_sender_stays,
    text_that_is_deeply_nested_is_malformed_and_no_more,
}

async fn nonsense_gets_an_error_and_its_sender_stays(kind: Kind) {
    let server = Server::start(kind, settings()).await;
    let mut ann = server.enter("den", "ann").await;
    let mut bob = server.enter("den", "bob").await;
    for (nonsense, code) in [
        ("", "malformed"),
        ("{", "malformed"),
        ("null", "malformed"),
        ("[]", "malformed"),
        (r#"{"text":"hello"}"#, "malformed"),
        (r#"{"type":"chat"}"#, "malformed"),
        (r#"{"type":"chat","text":7}"#, "malformed"),
        (r#"{"type":"direct","text":"to whom?"}"#, "malformed"),
        (r#"{"type":"dance"}"#, "unknown_type"),
    ] {
        ann.send(nonsense).await;
        assert_eq!(ann.next("error").await["code"], code, "{nonsense}");
    }
    ann.send(Message::binary(vec![0xff; 10])).await;
    assert_eq!(ann.next("error").await["code"], "binary");
    ann.chat("sense").await;
    assert_eq!(bob.next("chat").await["text"], "sense");
}

async fn text_that_is_deeply_nested_is_malformed_and_no_more(kind: Kind) {
    let server = Server::start(kind, settings()).await;
    let mut ann = server.enter("den", "ann").await;
    ann.send(format!(r#"{{"type":"chat","text":{}"#, "[".repeat(50_000)))
        .await;
    assert_eq!(ann.next("error").await["code"], "malformed");
}
