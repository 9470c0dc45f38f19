//! A server in this process on a port of its own, and WebSocket clients for it.
//!
//! Time-outs here are guards against a test that hangs, never something that is measured.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use lobby_chat::{Proxies, Settings, SlowClient};
use lobby_operator::Door;
use lobby_server::Window;
use lobbykeeper::Config;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

const GUARD: Duration = Duration::from_secs(60);

/// Fails the test if it hangs.
pub async fn guard<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(GUARD, what).await.expect("this hangs")
}

/// The servers under test.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `lobby-server`, on axum and tokio.
    Axum,
    /// `lobby-epoll`, one thread and no runtime.
    Epoll,
}

/// Runs each of these tests against each server.
macro_rules! on_each_server {
    ($($test:ident),+ $(,)?) => {
        mod on_axum {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(super::Kind::Axum).await;
            })+
        }

        mod on_epoll {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(super::Kind::Epoll).await;
            })+
        }
    };
}

/// Settings under which nobody is pinged while a test runs.
pub fn settings() -> Settings {
    Settings {
        config: Config {
            ping_interval: None,
            ..Config::default()
        },
        max_message_bytes: 65_536,
        slow_client: SlowClient::Evict,
        handshake_timeout: Duration::from_secs(60),
        auth_delay: Duration::ZERO,
        proxies: Proxies::none(),
        drain_every: Duration::from_millis(1),
        drain_within: Duration::from_secs(60),
        record: None,
        echo: false,
    }
}

pub struct Server {
    pub address: SocketAddr,
    stop: Option<Box<dyn FnOnce() + Send + Sync>>,
    served: Option<JoinHandle<io::Result<()>>>,
}

impl Server {
    pub async fn start(kind: Kind, settings: Settings) -> Self {
        Self::launch(kind, settings, None, None).await
    }

    /// One with an operators' door.
    pub async fn with_operator(kind: Kind, settings: Settings) -> (Self, Operator) {
        let door = Door::bind("127.0.0.1:0".parse().unwrap(), TOKEN.parse().unwrap()).unwrap();
        let address = door.address();
        let server = Self::launch(kind, settings, Some(door), None).await;
        (server, Operator { address })
    }

    /// A `lobby-server` that can be watched at this address.
    pub async fn with_window(config: Config) -> (Self, SocketAddr) {
        let window = Window::bind("127.0.0.1:0".parse().unwrap(), TOKEN.parse().unwrap()).unwrap();
        let address = window.address();
        let settings = Settings { config, ..settings() };
        let server = Self::launch(Kind::Axum, settings, None, Some(window)).await;
        (server, address)
    }

    async fn launch(kind: Kind, settings: Settings, operator: Option<Door>, window: Option<Window>) -> Self {
        match kind {
            Kind::Axum => {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap();
                let (stop, stopped) = oneshot::channel::<()>();
                let shutdown = async {
                    let _ = stopped.await;
                };
                let served = async move { lobby_server::serve(listener, &settings, operator, window, shutdown).await };
                Self {
                    address,
                    stop: Some(Box::new(|| drop(stop))),
                    served: Some(tokio::spawn(served)),
                }
            }
            Kind::Epoll => {
                let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
                let address = listener.local_addr().unwrap();
                let server = lobby_epoll::Server::new(listener, settings, operator);
                let stopper = server.as_ref().ok().map(lobby_epoll::Server::stopper);
                let (ended, outcome) = oneshot::channel();
                // A thread of its own, which the end of the test does not wait for.
                std::thread::spawn(|| ended.send(server.and_then(lobby_epoll::Server::run)));
                let stop = move || stopper.iter().for_each(|stop| stop().unwrap());
                Self {
                    address,
                    stop: Some(Box::new(stop)),
                    served: Some(tokio::spawn(async { outcome.await.expect("it panicked") })),
                }
            }
        }
    }

    pub async fn with(kind: Kind, config: Config) -> Self {
        Self::start(kind, Settings { config, ..settings() }).await
    }

    /// Comes in with a token; whether it is let in shows in what it receives.
    pub async fn knock(&self, lobby: &str, token: &str) -> Client {
        self.request(&format!("/ws/{lobby}?token={token}")).await
    }

    pub async fn request(&self, path: &str) -> Client {
        let url = format!("ws://{}{path}", self.address);
        let (socket, _) = guard(connect_async(url)).await.unwrap();
        Client { socket }
    }

    /// Comes in and has read the welcome.
    pub async fn enter(&self, lobby: &str, user: &str) -> Client {
        let mut client = self.knock(lobby, user).await;
        client.next("welcome").await;
        client
    }

    /// The whole answer to a plain GET.
    pub async fn get(&self, path: &str) -> String {
        http(
            self.address,
            &format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n"),
        )
        .await
    }

    pub async fn stats(&self) -> Value {
        let answer = self.get("/stats").await;
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap()
    }

    /// Waits until a number of `/stats` has this value.
    pub async fn until_stat(&self, pointer: &str, value: u64) {
        guard(async {
            while self.stats().await.pointer(pointer) != Some(&json!(value)) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    }

    /// It ends by itself.
    pub async fn ends(mut self) -> Result<io::Result<()>, tokio::task::JoinError> {
        self.served.take().expect("it ends once").await
    }

    pub fn stop(mut self) -> JoinHandle<io::Result<()>> {
        self.served.take().expect("it is stopped once")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop();
        }
    }
}

/// The whole answer to a request over HTTP.
pub async fn http(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // What answers before it has read everything may reset the stream behind the answer.
    let _ = guard(stream.read_to_end(&mut answer)).await;
    String::from_utf8(answer).unwrap()
}

/// The operators' token of every server under test.
pub const TOKEN: &str = "operators-open-sesame";

/// Somebody at the operators' door.
pub struct Operator {
    pub address: SocketAddr,
}

impl Operator {
    /// Asks for something with these headers: the status and the JSON of the answer.
    pub async fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, Value) {
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: test\r\n{headers}content-length: {length}\r\n\r\n");
        let answer = http(self.address, &(head + body)).await;
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let (_, json) = answer.split_once("\r\n\r\n").unwrap();
        (status, serde_json::from_str(json).unwrap_or_default())
    }

    /// Gives an order, with the token.
    pub async fn order(&self, request: Value) -> (u16, Value) {
        self.ask("POST", "/requests", &bearer(TOKEN), &request.to_string())
            .await
    }

    pub async fn lobbies(&self) -> Value {
        let (status, lobbies) = self.ask("GET", "/lobbies", &bearer(TOKEN), "").await;
        assert_eq!(status, 200);
        lobbies
    }
}

/// The header that a token comes in.
pub fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}\r\n")
}

pub struct Client {
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Client {
    pub async fn send(&mut self, message: impl Into<Message>) {
        guard(self.socket.send(message.into())).await.unwrap();
    }

    pub async fn say(&mut self, message: Value) {
        self.send(message.to_string()).await;
    }

    pub async fn chat(&mut self, text: &str) {
        self.say(json!({"type": "chat", "text": text})).await;
    }

    /// The next message of the server, whatever it is.
    pub async fn receive(&mut self) -> Value {
        loop {
            match guard(self.socket.next()).await.expect("the server closed").unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    /// The next message of this type; others before it are passed over.
    pub async fn next(&mut self, kind: &str) -> Value {
        loop {
            let message = self.receive().await;
            if message["type"] == kind {
                return message;
            }
        }
    }

    /// What came so far, pings aside: all up to a message to oneself, which the server sends after all that it sent
    /// before.
    pub async fn so_far(&mut self, me: &str) -> Vec<Value> {
        static FENCES: AtomicU32 = AtomicU32::new(0);
        let fence = format!("fence {}", FENCES.fetch_add(1, Ordering::Relaxed));
        self.say(json!({"type": "direct", "to": me, "text": fence})).await;
        let mut all = Vec::new();
        loop {
            let message = self.receive().await;
            if message["text"] == *fence {
                return all;
            }
            if message["type"] != "health_ping" {
                all.push(message);
            }
        }
    }

    /// Whether a message of this type came so far.
    pub async fn has_heard(&mut self, me: &str, kind: &str) -> bool {
        self.so_far(me).await.iter().any(|message| message["type"] == kind)
    }

    /// The close frame; messages before it are passed over. The client answers it.
    pub async fn close_frame(&mut self) -> (u16, String) {
        loop {
            let message = guard(self.socket.next()).await.expect("no close frame").unwrap();
            if let Message::Close(frame) = message {
                let frame = frame.expect("a close frame without a code");
                return (frame.code.into(), frame.reason.to_string());
            }
        }
    }

    /// Reads on until the stream ends.
    pub async fn gone(&mut self) {
        guard(async { while let Some(Ok(_)) = self.socket.next().await {} }).await;
    }
}
