//! Servers for the load client: one that misbehaves on demand, and the floors.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use lobby_load::floor::{self, Mode};
use lobby_load::load::{Pace, Settings};
use serde_json::Value;
use tungstenite::handshake::server::{Request, Response};
use tungstenite::{Error, Message, WebSocket};

/// Six clients in two lobbies, four broadcasts under way in each, so that a sender has two.
pub fn settings(server: SocketAddr) -> Settings {
    Settings {
        host: server.to_string(),
        path: "/ws/{lobby}?token={user}".to_owned(),
        clients: 6,
        lobby_size: 3,
        payload: 64,
        pace: Some(Pace::Outstanding {
            broadcasts: 4,
            scattered: true,
        }),
        warm_up: Duration::from_millis(50),
        measured: Duration::from_millis(200),
        patience: Duration::from_secs(20),
        processes: vec![std::process::id()],
    }
}

/// Starts a floor that serves until the tests end.
pub fn floor(mode: Mode) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || floor::serve(listener, mode));
    address
}

/// A chat message that has come to the server.
pub struct Said {
    /// The client, counted from 0.
    pub sender: usize,
    /// How many it had said before.
    pub sequence: usize,
    /// What is going to be sent, and to whom. A server that behaves leaves it alone.
    pub deliveries: Vec<(usize, Message)>,
}

/// What the server saw.
#[derive(Default)]
pub struct Log {
    pub relayed: u64,
    pub health_pongs: Vec<(usize, String)>,
    pub pongs: Vec<(usize, Vec<u8>)>,
}

/// A server on a WebSocket library of its own, whose deliveries go through `conduct`. It greets with `greetings`.
pub fn server(greetings: &[Message], conduct: impl FnMut(&mut Said) + Send + 'static) -> (SocketAddr, Arc<Mutex<Log>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let log = Arc::new(Mutex::new(Log::default()));
    let server = Server {
        listener,
        greetings: greetings.to_vec(),
        members: Vec::new(),
        log: log.clone(),
    };
    thread::spawn(move || server.serve(conduct));
    (address, log)
}

struct Member {
    client: usize,
    user: String,
    lobby: String,
    said: usize,
    socket: WebSocket<TcpStream>,
}

struct Server {
    listener: TcpListener,
    greetings: Vec<Message>,
    members: Vec<Member>,
    log: Arc<Mutex<Log>>,
}

impl Server {
    fn serve(mut self, mut conduct: impl FnMut(&mut Said)) {
        loop {
            let mut idle = !self.accept();
            for index in 0..self.members.len() {
                while let Some(message) = self.read(index) {
                    idle = false;
                    self.receive(index, &message, &mut conduct);
                }
            }
            if idle {
                thread::sleep(Duration::from_micros(100));
            }
        }
    }

    fn accept(&mut self) -> bool {
        let Ok((stream, _)) = self.listener.accept() else {
            return false;
        };
        stream.set_nonblocking(false).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut target = String::new();
        #[expect(clippy::result_large_err, reason = "the type is the library's")]
        let note = |request: &Request, response: Response| {
            target = request.uri().to_string();
            Ok(response)
        };
        let mut socket = tungstenite::accept_hdr(stream, note).unwrap();
        let (lobby, user) = target.strip_prefix("/ws/").unwrap().split_once("?token=").unwrap();
        for greeting in &self.greetings {
            socket.send(greeting.clone()).unwrap();
        }
        socket.get_ref().set_nonblocking(true).unwrap();
        self.members.push(Member {
            client: usize::from_str_radix(&user[1..], 16).unwrap(),
            user: user.to_owned(),
            lobby: lobby.to_owned(),
            said: 0,
            socket,
        });
        true
    }

    fn read(&mut self, index: usize) -> Option<Message> {
        match self.members[index].socket.read() {
            Ok(message) => Some(message),
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => None,
            // The client has ended, with an error perhaps.
            Err(_) => None,
        }
    }

    fn receive(&mut self, index: usize, message: &Message, conduct: &mut impl FnMut(&mut Said)) {
        let member = &mut self.members[index];
        let (client, sequence) = (member.client, member.said);
        let mut log = self.log.lock().unwrap();
        match message {
            Message::Pong(data) => log.pongs.push((client, data.to_vec())),
            Message::Text(text) => {
                let json: Value = serde_json::from_str(text).unwrap();
                if json["type"] == "health_pong" {
                    log.health_pongs.push((client, text.to_string()));
                    return;
                }
                assert_eq!(json["type"], "chat");
                member.said += 1;
                let (user, text) = (&member.user, json["text"].as_str().unwrap());
                let relayed = Message::text(format!(r#"{{"type":"chat","from":"{user}","text":"{text}"}}"#));
                let lobby = member.lobby.clone();
                let others = self
                    .members
                    .iter()
                    .filter(|other| other.lobby == lobby && other.client != client);
                let mut said = Said {
                    sender: client,
                    sequence,
                    deliveries: others.map(|other| (other.client, relayed.clone())).collect(),
                };
                conduct(&mut said);
                log.relayed += said.deliveries.len() as u64;
                drop(log);
                for (recipient, message) in said.deliveries {
                    let member = self.members.iter_mut().find(|member| member.client == recipient);
                    // It may have ended with an error.
                    let _ = member.unwrap().socket.send(message);
                }
            }
            _ => {}
        }
    }
}
