//! What is no WebSocket: it costs its sender the connection, with the code of RFC 6455, section 7.4.1, and nobody else
//! anything.

#[macro_use]
mod common;

use std::time::Duration;

use common::{Client, Kind, Server, guard, settings};
use lobby_chat::Settings;
use lobbykeeper::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

on_each_server! {
    a_half_handshake_times_out,
    a_request_that_is_too_long_or_none_is_turned_away,
    a_half_frame_times_out_and_the_others_stay,
    garbage_is_closed_with_1002,
    an_unmasked_frame_is_closed_with_1002,
    a_reserved_opcode_is_closed_with_1002,
    a_reserved_bit_is_closed_with_1002,
    a_text_that_is_not_utf_8_is_closed_with_1007,
    an_oversize_frame_is_closed_with_1009_before_it_has_come,
}

const MASK: [u8; 4] = [0; 4];

/// A stream that has asked for the upgrade and read the answer and the welcome.
async fn upgraded(server: &Server, user: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = format!(
        "GET /ws/den?token={user} HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.windows(7).any(|bytes| bytes == b"welcome") {
        let read = guard(stream.read_buf(&mut answer)).await.unwrap();
        assert!(read > 0, "closed instead of a welcome");
    }
    stream
}

/// Sends these bytes as one who is in a lobby with Ann, and expects to be closed with this code while Ann hears of
/// nothing but the coming and going.
async fn expect_close(kind: Kind, bytes: &[u8], code: u16) {
    let server = Server::start(kind, settings()).await;
    let mut ann = server.enter("den", "ann").await;
    let mut stream = upgraded(&server, "bad").await;
    stream.write_all(bytes).await.unwrap();
    let mut said = Vec::new();
    let close = [0x88_u8, 0, code.to_be_bytes()[0], code.to_be_bytes()[1]];
    let is_close = |bytes: &[u8]| bytes[0] == close[0] && bytes[2..] == close[2..];
    while !said.windows(4).any(is_close) {
        let read = guard(stream.read_buf(&mut said)).await.unwrap();
        assert!(read > 0, "ended without the close frame: {said:?}");
    }
    drop(stream);
    while ann.next("left").await["user"] != "bad" {}
    server.until_stat("/total_connections", 1).await;
    ann.so_far("ann").await;
}

fn impatient() -> Settings {
    Settings {
        handshake_timeout: Duration::from_millis(200),
        ..settings()
    }
}

async fn a_half_handshake_times_out(kind: Kind) {
    let server = Server::start(kind, impatient()).await;
    let mut ann = server.enter("den", "ann").await;
    for start in ["", "G", "GET /ws/den?token=bad HTTP/1.1\r\nhost: te"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // Ended or reset, but not for ever open.
        let _ = guard(stream.read_to_end(&mut answer)).await;
    }
    ann.so_far("ann").await;
}

async fn a_request_that_is_too_long_or_none_is_turned_away(kind: Kind) {
    let server = Server::start(kind, settings()).await;
    let long = format!("GET / HTTP/1.1\r\nhost: test\r\nlong: {}\r\n\r\n", "x".repeat(1 << 20));
    for request in [
        &long,
        "\u{0}\u{1}\u{2}\r\n\r\n",
        "GET /nowhere HTTP/1.1\r\nhost: test\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        // It may be turned away before it has said everything.
        let _ = stream.write_all(request.as_bytes()).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = guard(stream.read_to_end(&mut answer)).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    server.enter("den", "ann").await;
}

async fn a_half_frame_times_out_and_the_others_stay(kind: Kind) {
    let config = Config {
        ping_interval: Some(Duration::from_millis(500)),
        ping_timeout: Duration::from_millis(500),
        pause_tolerance: Some(Duration::from_millis(100)),
        ..settings().config
    };
    let server = Server::with(kind, config).await;
    let mut ann = server.enter("den", "ann").await;
    let mut stream = upgraded(&server, "half").await;
    stream.write_all(&[0x81, 0x85]).await.unwrap();
    guard(answer_pings_until_left(&mut ann, "half")).await;
    let mut rest = Vec::new();
    let _ = guard(stream.read_to_end(&mut rest)).await;
    assert_eq!(server.stats().await["evictions"]["stale"], 1);
}

async fn answer_pings_until_left(client: &mut Client, user: &str) {
    loop {
        let message = client.receive().await;
        if message["type"] == "health_ping" {
            client
                .say(serde_json::json!({"type": "health_pong", "timestamp": message["timestamp"]}))
                .await;
        } else if message["type"] == "left" {
            assert_eq!(message["user"], user);
            return;
        }
    }
}

async fn garbage_is_closed_with_1002(kind: Kind) {
    expect_close(kind, b"GET / HTTP/1.1\r\n\r\n", 1002).await;
}

async fn an_unmasked_frame_is_closed_with_1002(kind: Kind) {
    expect_close(kind, b"\x81\x05hello", 1002).await;
}

async fn a_reserved_opcode_is_closed_with_1002(kind: Kind) {
    expect_close(kind, &[&[0x83, 0x80], &MASK[..]].concat(), 1002).await;
}

async fn a_reserved_bit_is_closed_with_1002(kind: Kind) {
    expect_close(kind, &[&[0xc1, 0x80], &MASK[..]].concat(), 1002).await;
}

async fn a_text_that_is_not_utf_8_is_closed_with_1007(kind: Kind) {
    expect_close(kind, &[&[0x81, 0x81], &MASK[..], &[0xff]].concat(), 1007).await;
}

async fn an_oversize_frame_is_closed_with_1009_before_it_has_come(kind: Kind) {
    let header = [&[0x81, 0xff][..], &(1_u64 << 40).to_be_bytes(), &MASK[..]].concat();
    expect_close(kind, &header, 1009).await;
}
