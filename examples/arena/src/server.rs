//! The loop: sleep until the next step is due, read all sockets, one frame of the game, write all sockets.

use std::io::{self, ErrorKind};
use std::mem;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lobby_chat::{failure, log_command};
use lobby_socket::{Flushed, Frames, Heard, Listener, Request, Socket, frame};
use lobbykeeper::{Cause, Command, Config, ConnId, ConnMap, Handshake, Notice, Outbox, Output, Time};
use mio::{Events, Poll, Token};
use slab::Slab;
use socket2::{Domain, Protocol, Type};
use tracing::{debug, info};

use crate::arena::Arena;
use crate::http::{Asked, asked};
use crate::settings::MAX_MESSAGE_BYTES;
use crate::ticker::Ticker;

const PAGE: &str = include_str!("page.html");
const LISTENER: Token = Token(usize::MAX);
/// How many sockets the system names at once. It names the others in the next frame.
const MAX_EVENTS: usize = 4_096;
/// What the system keeps for one client, about. By default it grows to megabytes, and who is slow sees a game of long ago.
const SEND_BUFFER: usize = 8 * 1_024;
/// How long a client may take to ask for something, or to go after its goodbye.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much may wait for a client beside what the manager counts: the page, frames' headers and answers to pings.
const UNCOUNTED: usize = 1 << 20;
/// Between two closes of a drain, and when it ends.
const DRAIN_EVERY: Duration = Duration::from_millis(20);
const DRAIN_WITHIN: Duration = Duration::from_secs(5);

/// A server that listens, and serves in [`run`](Self::run).
pub struct Server {
    poll: Poll,
    listener: Listener,
    stop: Arc<AtomicBool>,
    is_draining: bool,
    /// When it ends at the latest, once it is drained.
    stop_at: Option<Time>,
    origin: Instant,
    ticker: Ticker,
    config: Config,
    arena: Arena,
    clients: Slab<Client>,
    conns: ConnMap<usize>,
    frames: Frames,
    /// What the arena writes to, also while the other is read.
    out: Outbox,
    spare: Outbox,
}

struct Client {
    socket: Socket,
    /// Once it is admitted, and until it has said goodbye.
    conn: Option<ConnId>,
    /// When it is dropped, unless it is admitted.
    deadline: Time,
    /// It has something to write.
    is_dirty: bool,
}

/// Listens there, for clients for whom the system keeps little.
///
/// # Errors
/// If the system refuses.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    // Those who are accepted have what the listener has.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(&address.into())?;
    socket.listen(1_024)?;
    Ok(socket.into())
}

impl Server {
    /// A server with nobody in it, which drains when `stop` becomes true.
    ///
    /// # Errors
    /// If the settings contradict each other, or if the system refuses.
    pub fn new(tcp: TcpListener, config: Config, seed: u64, stop: Arc<AtomicBool>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let invalid = |error| io::Error::new(ErrorKind::InvalidInput, error);
        Ok(Self {
            listener: Listener::new(tcp, poll.registry(), LISTENER)?,
            poll,
            stop,
            is_draining: false,
            stop_at: None,
            origin: Instant::now(),
            ticker: Ticker::default(),
            arena: Arena::new(config.clone(), seed).map_err(invalid)?,
            config,
            clients: Slab::new(),
            conns: ConnMap::new(),
            frames: Frames::default(),
            out: Outbox::new(),
            spare: Outbox::new(),
        })
    }

    /// Serves until it is told to stop. Then it closes one client after the other and refuses everyone who comes; when
    /// nobody is left it waits for their goodbyes up to [`Config::close_timeout`].
    ///
    /// # Errors
    /// If the system no longer tells what is ready.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(MAX_EVENTS);
        loop {
            thread::sleep(self.ticker.next().saturating_since(self.now()));
            let now = self.now();
            let steps = self.ticker.due(now);
            match self.poll.poll(&mut events, Some(Duration::ZERO)) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => self.frame(now, steps, &events),
            }
            if self.stop_at.is_some_and(|at| self.clients.is_empty() || now >= at) {
                return Ok(());
            }
        }
    }

    /// The driver's clock, read once for each frame.
    fn now(&self) -> Time {
        Time::since(self.origin, Instant::now())
    }

    fn frame(&mut self, now: Time, steps: u32, events: &Events) {
        if self.stop.load(Ordering::Relaxed) && !mem::replace(&mut self.is_draining, true) {
            info!(clients = self.clients.len(), "draining");
            self.arena.drain(now, DRAIN_EVERY, DRAIN_WITHIN, &mut self.out);
        }
        for event in events {
            let Token(key) = event.token();
            if let Some(client) = self.clients.get_mut(key) {
                client.socket.is_ready(event);
            }
        }
        // Without a client that is ready neither costs a call to the system.
        self.accept(now);
        self.read_all(now);
        self.carry_out(now);
        self.arena.frame(now, steps, &mut self.out, |_| {});
        self.carry_out(now);
        self.write_all(now);
        if self.arena.is_drained() && self.stop_at.is_none() {
            self.listener.close();
            self.stop_at = Some(now + self.config.close_timeout);
        }
    }

    fn accept(&mut self, now: Time) {
        loop {
            let entry = self.clients.vacant_entry();
            let (registry, token) = (self.poll.registry(), Token(entry.key()));
            let Some(socket) = self.listener.accept(now, registry, token) else {
                return;
            };
            entry.insert(Client {
                socket,
                conn: None,
                deadline: now + PATIENCE,
                is_dirty: false,
            });
        }
    }

    fn read_all(&mut self, now: Time) {
        for key in 0..self.clients.capacity() {
            if let Some(client) = self.clients.get_mut(key) {
                if client.conn.is_none() && client.deadline <= now {
                    self.clients.remove(key);
                    continue;
                }
                client.socket.begin_turn();
                self.read(now, key);
            }
        }
    }

    /// Tells the arena what a client says, as much of it as is read in one frame.
    fn read(&mut self, now: Time, key: usize) {
        while let Some(client) = self.clients.get_mut(key) {
            match (client.socket.hear(), client.conn) {
                (Ok(Heard::Message(message)), Some(conn)) => {
                    if let Some(frame) = frame(&message) {
                        self.arena.message(now, conn, frame, &mut self.out);
                    }
                }
                (Ok(Heard::Request(request)), _) => self.answer(now, key, &request),
                (Ok(Heard::BadRequest(status)), _) => client.socket.refuse(status),
                (Ok(Heard::Failure(error)), conn) => match (failure(&error), conn) {
                    (Some(close), Some(conn)) => self.arena.kick(now, conn, &close, &mut self.out),
                    (Some(_), None) => {}
                    (None, _) => return self.lose(now, key, Cause::Peer),
                },
                (Ok(Heard::Goodbye), Some(conn)) => {
                    client.conn = None;
                    client.deadline = now + PATIENCE;
                    self.conns.remove(conn);
                    self.arena.closed(now, conn, Cause::Peer, &mut self.out);
                }
                // One who is not admitted has nothing to say.
                (Ok(Heard::Message(_) | Heard::Goodbye), None) => {}
                (Ok(Heard::End), _) => return self.lose(now, key, Cause::Peer),
                (Err(error), _) if error.kind() == ErrorKind::WouldBlock => return,
                (Err(_), _) => return self.lose(now, key, Cause::Error),
            }
        }
    }

    fn answer(&mut self, now: Time, key: usize, request: &Request) {
        let client = &mut self.clients[key];
        let (room, name) = match asked(request) {
            Ok(Asked::Play { room, name }) => (room, name),
            Ok(Asked::Page) => {
                return client
                    .socket
                    .respond("200 OK", "text/html; charset=utf-8", PAGE.as_bytes());
            }
            Ok(Asked::Stats) => {
                let stats = serde_json::json!({
                    "manager": self.arena.manager().stats(),
                    "steps_left_out": self.ticker.left_out(),
                });
                return client
                    .socket
                    .respond("200 OK", "application/json", stats.to_string().as_bytes());
            }
            Err(status) => return client.socket.refuse(status),
        };
        if client.socket.upgrade(request, MAX_MESSAGE_BYTES as usize).is_err() {
            return client.socket.refuse("400 Bad Request");
        }
        let handshake = Handshake::new(room.as_str(), name.as_str());
        match self.arena.connected(now, handshake, &mut self.out) {
            Ok(conn) => {
                client.conn = Some(conn);
                // Whose index this was may be evicted by an output that has not been read.
                if let Some(evicted) = self.conns.insert(conn, key) {
                    self.clients.remove(evicted);
                }
            }
            Err(refusal) => {
                info!(user = ?name, lobby = ?room, rule = %refusal.rule(), receipt = %refusal.receipt(), "refused");
                let close = refusal.close_frame();
                client.socket.close(close.code(), close.reason(), &self.frames);
            }
        }
    }

    /// Does what the arena says until it says nothing more. What follows from doing it goes to the other outbox.
    fn carry_out(&mut self, now: Time) {
        while !self.out.is_empty() {
            let mut reading = mem::replace(&mut self.out, mem::take(&mut self.spare));
            for output in &reading {
                self.obey(now, output);
            }
            reading.clear();
            self.spare = reading;
        }
    }

    fn obey(&mut self, now: Time, output: Output<'_>) {
        match output {
            Output::Command(command) => {
                log_command(&command);
                self.command(command);
            }
            Output::Notice(notice) => {
                log(&notice);
                self.arena.noticed(now, notice, &mut self.out);
            }
        }
    }

    fn command(&mut self, command: Command<'_>) {
        match command {
            Command::Send { to, payload } => {
                let frame = self.frames.encode(payload);
                for &conn in to {
                    // One that is not in the map has ended since the command was written.
                    if let Some(&key) = self.conns.get(conn) {
                        let client = &mut self.clients[key];
                        client.socket.push(&frame, &self.frames);
                        client.is_dirty = true;
                    }
                }
            }
            Command::Close { conn, code, reason, .. } => {
                if let Some(&key) = self.conns.get(conn) {
                    self.clients[key].socket.close(code, reason, &self.frames);
                }
            }
            Command::Evict { conn, .. } => {
                if let Some(key) = self.conns.remove(conn) {
                    self.clients.remove(key);
                }
            }
        }
    }

    /// Writes each socket that has something to write, once. What it comes to is carried out in the next frame.
    fn write_all(&mut self, now: Time) {
        let max_backlog = self.config.max_backlog_bytes.map_or(0, |bytes| 2 * bytes as usize);
        for key in 0..self.clients.capacity() {
            let Some(client) = self.clients.get_mut(key) else {
                continue;
            };
            if !mem::take(&mut client.is_dirty) && !client.socket.wants_flush() {
                continue;
            }
            match (client.socket.flush(&self.frames, max_backlog + UNCOUNTED), client.conn) {
                (Err(_), _) => self.lose(now, key, Cause::SendFailed),
                (Ok(Flushed { messages: 0, .. }), _) | (_, None) => {}
                (Ok(Flushed { bytes, messages }), Some(conn)) => {
                    self.arena.flushed(now, conn, bytes, messages, &mut self.out);
                }
            }
        }
        self.frames.clear();
    }

    /// A socket is gone.
    fn lose(&mut self, now: Time, key: usize, cause: Cause) {
        if let Some(conn) = self.clients.remove(key).conn {
            self.conns.remove(conn);
            self.arena.closed(now, conn, cause, &mut self.out);
        }
    }
}

fn log(notice: &Notice<'_>) {
    match notice {
        Notice::Joined { .. } | Notice::Left { .. } | Notice::Paused { .. } | Notice::Drained { .. } => {
            info!("{notice}");
        }
        _ => debug!("{notice}"),
    }
}
