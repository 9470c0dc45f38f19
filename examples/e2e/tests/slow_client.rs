//! A client that does not read is cut off, and nobody waits for it.

#[macro_use]
mod common;

use common::{Kind, Server, guard, settings};
use futures_util::StreamExt;
use tokio::net::TcpSocket;

on_each_server! {
    a_client_that_stops_reading_is_cut_off_and_the_others_miss_nothing,
}

async fn a_client_that_stops_reading_is_cut_off_and_the_others_miss_nothing(kind: Kind) {
    let server = Server::with_backlog(kind, settings(), 16, 16 * 60_000).await;
    let mut ann = server.enter("den", "ann").await;
    let mut bob = server.enter("den", "bob").await;

    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let stream = guard(socket.connect(server.address)).await.unwrap();
    let url = format!("ws://{}/ws/den?token=deaf", server.address);
    let (mut deaf, _) = guard(tokio_tungstenite::client_async(url, stream)).await.unwrap();
    while bob.next("joined").await["user"] != "deaf" {}

    // Each chat is awaited before the next, so that bob himself is never behind. What the system holds for the deaf one
    // comes first.
    let text = "x".repeat(60_000);
    let mut sent = 0;
    'told: loop {
        assert!(sent < 2_000, "never cut off");
        ann.chat(&format!("{sent} {text}")).await;
        loop {
            let message = bob.receive().await;
            match message["type"].as_str() {
                Some("left") => {
                    assert_eq!(message["user"], "deaf");
                    break 'told;
                }
                Some("chat") => {
                    let heard = message["text"].as_str().unwrap();
                    assert!(heard.starts_with(&format!("{sent} ")), "{}", &heard[..10]);
                    sent += 1;
                    break;
                }
                _ => {}
            }
        }
    }
    server.until_stat("/open_connections", 2).await;
    assert_eq!(server.stats().await["total_connections"], 2);
    // The socket is gone as well: after what the system held for it there is an end.
    guard(async { while let Some(Ok(_)) = deaf.next().await {} }).await;
}
