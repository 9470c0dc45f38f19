//! Clients that go without a word leave nothing behind.

#[macro_use]
mod common;

use std::time::Duration;

use common::{Kind, Server, settings};
use lobbykeeper::Config;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::MaybeTlsStream;

on_each_server! {
    a_client_whose_stream_ends_has_left,
    a_client_that_says_goodbye_is_answered_and_has_left,
    those_who_go_between_the_upgrade_and_the_admission_leave_nothing,
    one_who_breaks_the_protocol_and_resets_the_stream_has_left_then,
}

async fn a_client_whose_stream_ends_has_left(kind: Kind) {
    let server = Server::start(kind, settings()).await;
    let mut ann = server.enter("den", "ann").await;
    let bob = server.enter("den", "bob").await;
    drop(bob);
    assert_eq!(ann.next("left").await["user"], "bob");
}

async fn a_client_that_says_goodbye_is_answered_and_has_left(kind: Kind) {
    let server = Server::start(kind, settings()).await;
    let mut ann = server.enter("den", "ann").await;
    let mut bob = server.enter("den", "bob").await;
    bob.socket.close(None).await.unwrap();
    bob.gone().await;
    assert_eq!(ann.next("left").await["user"], "bob");
}

async fn those_who_go_between_the_upgrade_and_the_admission_leave_nothing(kind: Kind) {
    let server = Server::start(kind, settings()).await;
    for number in 0..200 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let request = format!(
            "GET /ws/den?token=ghost{number} HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        if number % 2 == 0 {
            // Some are gone before the server has read their request, others a little later.
            tokio::task::yield_now().await;
        }
    }
    let ann = server.enter("den", "ann").await;
    server.until_stat("/total_connections", 1).await;
    drop(ann);
    server.until_stat("/total_connections", 0).await;
    assert_eq!(server.stats().await["active_lobbies"], 0);
}

async fn one_who_breaks_the_protocol_and_resets_the_stream_has_left_then(kind: Kind) {
    // Nothing else would end it while the test runs.
    let config = Config {
        close_timeout: Duration::from_secs(3_600),
        ..settings().config
    };
    let server = Server::with(kind, config).await;
    let mut ann = server.enter("den", "ann").await;
    let MaybeTlsStream::Plain(stream) = ann.socket.get_mut() else {
        panic!("there is no TLS here");
    };
    // An opcode that there is not, with a mask.
    stream.write_all(&[0x83, 0x80, 0, 0, 0, 0]).await.unwrap();
    stream.set_zero_linger().unwrap();
    assert_eq!(ann.close_frame().await, (1002, "protocol error".into()));
    drop(ann);
    server.until_stat("/total_connections", 0).await;
}
