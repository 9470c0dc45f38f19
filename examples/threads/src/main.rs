//! lobbykeeper without async: one thread owns the manager, and each socket has a thread that reads and one that writes.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use std::{env, mem, slice, thread};

use lobbykeeper::{Cause, Command, Config, ConnId, ConnMap, Except, Frame, Handshake, Inbound, Manager};
use lobbykeeper::{Outbox, Output, Payload, PingFormat, Time};
use tungstenite::handshake::server::{Request, Response};
use tungstenite::protocol::{CloseFrame, Message, Role, WebSocket, WebSocketConfig};

/// How long a client may be silent in the handshake, and how long it may refuse to take what is written.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many frames may wait for a client. One who falls further behind is dropped, and delays nobody.
const QUEUE: usize = 256;
/// How many bytes a message has. One who sends more is dropped.
const LONGEST: Option<usize> = Some(65_536);

/// Reads from the stream, and writes to the queue of the thread that writes to the stream. Where that is full, writing
/// fails.
#[derive(Clone)]
struct Socket(Arc<TcpStream>, mpsc::SyncSender<Vec<u8>>);

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, frame: &[u8]) -> io::Result<usize> {
        self.1.try_send(frame.to_vec()).map_err(io::Error::other)?;
        Ok(frame.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum Event {
    /// A socket for this path, `/LOBBY/NAME`, which waits for its id. If it is refused, the sender is dropped.
    Connected(Box<WebSocket<Socket>>, String, mpsc::Sender<ConnId>),
    Message(ConnId, Message),
    Closed(ConnId, Cause),
}

fn main() -> io::Result<()> {
    let listener = TcpListener::bind(env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8081".into()))?;
    println!("ws://{}/LOBBY/NAME", listener.local_addr()?);
    let config = Config {
        max_connections_per_lobby: Some(10),
        ping_format: PingFormat::WebSocket,
        hash_key: [(); 2].map(|()| RandomState::new().hash_one(())),
        ..Config::default()
    };
    // Bounded: when the manager falls behind, the readers wait for it, and their clients for them.
    let (events, inbox) = mpsc::sync_channel(QUEUE);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let events = events.clone();
            let serve = |stream| thread::Builder::new().spawn(move || serve(stream, &events));
            if stream.and_then(serve).is_err() {
                thread::sleep(PATIENCE / 100); // out of descriptors or threads
            }
        }
    });
    run(Manager::new(config).map_err(io::Error::other)?, &inbox)
}

/// The life of a socket, in a thread of its own: a slow handshake delays nobody.
fn serve(stream: TcpStream, events: &mpsc::SyncSender<Event>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    let ((queue, frames), (answer, admitted)) = (mpsc::sync_channel(QUEUE), mpsc::channel());
    let (socket, mut path) = (Socket(Arc::new(stream), queue), String::new());
    let stream = socket.0.clone();
    thread::Builder::new().spawn(move || write(&stream, &frames)).ok()?;
    let limits = WebSocketConfig::default().read_buffer_size(4_096);
    let config = Some(limits.max_frame_size(LONGEST).max_message_size(LONGEST));
    let callback = |request: &Request, response: Response| {
        path = request.uri().path().into();
        Ok(response)
    };
    let mut reader = tungstenite::accept_hdr_with_config(socket.clone(), callback, config).ok()?;
    let writer = Box::new(WebSocket::from_raw_socket(socket, Role::Server, config));
    events.send(Event::Connected(writer, path, answer)).ok()?;
    let Ok(conn) = admitted.recv() else {
        // Refused: its close waits in the queue. The client answers that, or is cut off soon.
        return (0..QUEUE).find(|_| reader.read().is_err()).map(drop);
    };
    reader.get_ref().0.set_read_timeout(None).ok()?;
    let mut cause = Cause::Error;
    while let Ok(message) = reader.read() {
        cause = if message.is_close() { Cause::Peer } else { cause };
        events.send(Event::Message(conn, message)).ok()?;
    }
    events.send(Event::Closed(conn, cause)).ok()
}

/// Writes up to a close frame, after which nothing may follow.
fn write(mut stream: &TcpStream, frames: &mpsc::Receiver<Vec<u8>>) {
    for frame in frames {
        let written = stream.write_all(&frame);
        if written.is_err() || frame.first() == Some(&0x88) {
            return drop(stream.shutdown(written.map_or(Shutdown::Both, |()| Shutdown::Write)));
        }
    }
}

fn run(mut manager: Manager, inbox: &mpsc::Receiver<Event>) -> io::Result<()> {
    let origin = Instant::now();
    let clock = || Time::since(origin, Instant::now());
    let (mut sockets, mut out, mut next) = (ConnMap::new(), Outbox::new(), Outbox::new());
    loop {
        let first = match manager.next_deadline() {
            Some(deadline) => inbox.recv_timeout(deadline.saturating_since(clock())).ok(),
            None => Some(inbox.recv().map_err(io::Error::other)?),
        };
        // What has come is one turn. However much it is, the clock ticks after so many.
        let now = clock();
        for event in first.into_iter().chain(inbox.try_iter().take(QUEUE)) {
            match event {
                Event::Connected(mut socket, path, answer) => {
                    let (lobby, user) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
                    match manager.connected(now, Handshake::new(lobby, user), &mut out) {
                        // Whose index this was may be evicted by an output that has not been read.
                        Ok(conn) => drop((cut(sockets.insert(conn, socket)), answer.send(conn))),
                        Err(refusal) => drop(socket.send(close(refusal.code(), refusal.close_frame().reason()))),
                    }
                }
                Event::Message(conn, message) => {
                    let frame = match &message {
                        Message::Text(text) => Frame::text(text),
                        Message::Binary(data) => Frame::binary(data),
                        Message::Ping(data) => Frame::ping(data),
                        Message::Pong(data) => Frame::pong(data),
                        Message::Close(_) | Message::Frame(_) => continue,
                    };
                    let inbound = manager.message(now, conn, frame, &mut out);
                    if let (Inbound::Deliver, Message::Text(text)) = (inbound, message) {
                        let line = format!("{}: {text}", manager.user_of(conn).unwrap_or_default());
                        manager.broadcast(now, conn, Payload::text(line), Except::Conn(conn), &mut out);
                    }
                }
                Event::Closed(conn, cause) => {
                    sockets.remove(conn);
                    manager.closed(now, conn, cause, &mut out);
                }
            }
        }
        manager.tick(now, &mut out);
        // The driver's rule: read one outbox while the calls write the other; then clear, swap, repeat until empty.
        while !out.is_empty() {
            for output in &out {
                let (to, message) = match &output {
                    Output::Command(Command::Send { to, payload }) => (*to, encode(payload)),
                    Output::Command(Command::Close { conn, code, reason, .. }) => {
                        (slice::from_ref(conn), close(*code, reason))
                    }
                    Output::Command(Command::Evict { conn, .. }) => {
                        cut(sockets.remove(*conn));
                        continue;
                    }
                    Output::Notice(_) => continue,
                };
                for &conn in to {
                    let failed = |socket: &mut Box<WebSocket<_>>| socket.send(message.clone()).is_err();
                    if sockets.get_mut(conn).is_some_and(failed) {
                        cut(sockets.remove(conn));
                        manager.closed(now, conn, Cause::SendFailed, &mut next);
                    }
                }
            }
            out.clear();
            mem::swap(&mut out, &mut next);
        }
    }
}

fn encode(payload: &Payload) -> Message {
    match payload {
        Payload::Text(text) => Message::Text(text.as_bytes().clone().try_into().unwrap_or_default()),
        Payload::Binary(bytes) => Message::Binary(bytes.clone()),
        Payload::Ping(data) => Message::Ping(data.as_bytes().clone()),
    }
}

fn close(code: u16, reason: &str) -> Message {
    let (code, reason) = (code.into(), reason.into());
    Message::Close(Some(CloseFrame { code, reason }))
}

fn cut(socket: Option<Box<WebSocket<Socket>>>) {
    drop(socket.map(|socket| socket.get_ref().0.shutdown(Shutdown::Both)));
}
