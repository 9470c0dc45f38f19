//! The binary on a port of its own, and real clients.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use tungstenite::{Message, WebSocket};

/// Far longer than anything here takes: a test that hangs is to fail.
const GUARD: Duration = Duration::from_secs(60);

pub(crate) struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    pub(crate) fn start(flags: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_lobby-arena"))
            .args(["--listen", "127.0.0.1:0"])
            .args(flags)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        let stdout = process.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut url).unwrap();
        let address = url.trim_end().strip_prefix("http://").unwrap().parse().unwrap();
        Self { process, address }
    }

    /// Whoever connects may be refused.
    pub(crate) fn connect(&self, room: &str, name: &str) -> Client {
        self.connect_by(self.stream(None), room, name)
    }

    /// A client for whom the system keeps so little that the server soon sees that it does not read.
    pub(crate) fn connect_narrow(&self, room: &str, name: &str) -> Client {
        self.connect_by(self.stream(Some(2_048)), room, name)
    }

    fn connect_by(&self, stream: TcpStream, room: &str, name: &str) -> Client {
        let url = format!("ws://{}/play?room={room}&name={name}", self.address);
        let (socket, _) = tungstenite::client(url, stream).unwrap();
        Client { socket }
    }

    fn stream(&self, receive_buffer: Option<usize>) -> TcpStream {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes).unwrap();
        }
        socket.connect(&self.address.into()).unwrap();
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(GUARD)).unwrap();
        stream.set_write_timeout(Some(GUARD)).unwrap();
        stream
    }

    /// What is at this path, head and body.
    pub(crate) fn get(&self, path: &str) -> String {
        let mut stream = self.stream(None);
        write!(stream, "GET {path} HTTP/1.1\r\nhost: arena\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// What the manager has counted.
    pub(crate) fn stats(&self) -> serde_json::Value {
        let answer = self.get("/stats");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str::<serde_json::Value>(body).unwrap()["manager"].take()
    }

    #[cfg(unix)]
    pub(crate) fn terminate(&self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    pub(crate) fn wait(mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < GUARD, "it does not end");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// In a minute there are so many states: whatever has not come by then does not come.
pub(crate) const ENOUGH: usize = 30 * 60;

/// The part of a state that tests look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) step: u32,
    /// By seat.
    pub(crate) places: Vec<(u8, (u16, u16))>,
}

impl State {
    fn read(bytes: &[u8]) -> Self {
        let u16_at = |at: usize| u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap());
        let count = usize::from(bytes[12]);
        let player = |at: usize| (bytes[at], (u16_at(at + 1), u16_at(at + 3)));
        Self {
            step: u32::from_le_bytes(bytes[..4].try_into().unwrap()),
            places: (0..count).map(|index| player(13 + 7 * index)).collect(),
        }
    }

    pub(crate) fn place(&self, seat: u8) -> (u16, u16) {
        self.places.iter().find(|place| place.0 == seat).unwrap().1
    }
}

#[derive(Debug)]
pub(crate) enum Heard {
    State(State),
    Told(serde_json::Value),
    Closed(u16, String),
}

pub(crate) struct Client {
    socket: WebSocket<TcpStream>,
}

impl Client {
    /// The next thing that is no ping.
    pub(crate) fn hear(&mut self) -> Heard {
        loop {
            match self.socket.read().unwrap() {
                Message::Binary(bytes) => return Heard::State(State::read(&bytes)),
                Message::Text(text) if text.contains("health_ping") => {
                    let pong = text.replace("health_ping", "health_pong");
                    self.socket.send(Message::text(pong)).unwrap();
                }
                Message::Text(text) => return Heard::Told(serde_json::from_str(&text).unwrap()),
                Message::Close(frame) => {
                    let frame = frame.expect("a code and a reason");
                    return Heard::Closed(frame.code.into(), frame.reason.to_string());
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// The next thing of this kind, whatever comes before.
    fn next<T>(&mut self, mut wanted: impl FnMut(&Heard) -> Option<T>) -> T {
        for _ in 0..ENOUGH {
            let heard = self.hear();
            if let Some(found) = wanted(&heard) {
                return found;
            }
            assert!(!matches!(heard, Heard::Closed(..)), "{heard:?}");
        }
        panic!("it does not come");
    }

    pub(crate) fn state(&mut self) -> State {
        self.next(|heard| match heard {
            Heard::State(state) => Some(state.clone()),
            _ => None,
        })
    }

    /// What it is told of this type.
    pub(crate) fn told(&mut self, wanted: &str) -> serde_json::Value {
        self.next(|heard| match heard {
            Heard::Told(told) if told["type"] == wanted => Some(told.clone()),
            _ => None,
        })
    }

    /// The seat that it is welcomed to.
    pub(crate) fn seat(&mut self) -> u8 {
        u8::try_from(self.told("welcome")["seat"].as_u64().unwrap()).unwrap()
    }

    /// The names in the next list of players.
    pub(crate) fn players(&mut self) -> Vec<String> {
        let told = self.told("players");
        let players = told["players"].as_array().unwrap();
        let names = players.iter().map(|player| player["name"].as_str().unwrap());
        names.map(str::to_owned).collect()
    }

    /// How it is closed.
    pub(crate) fn closed(&mut self) -> (u16, String) {
        self.next(|heard| match heard {
            Heard::Closed(code, reason) => Some((*code, reason.clone())),
            _ => None,
        })
    }

    pub(crate) fn steer(&mut self, x: i8, y: i8) {
        let bytes = [x.to_le_bytes()[0], y.to_le_bytes()[0]];
        self.say(Message::binary(bytes.to_vec()));
    }

    pub(crate) fn say(&mut self, message: Message) {
        self.socket.send(message).unwrap();
    }
}
