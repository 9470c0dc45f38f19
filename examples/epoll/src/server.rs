//! The loop. In each turn every socket that is ready is read and the chat is told all of it with one outbox; then each
//! frame is encoded once, and each socket that has something to write is written once.

use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind};
use std::mem;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lobby_chat::{Admission, Asked, CLIENT, Chat, PAGE, Settings, Visitor, asked, failure, log_command};
use lobby_operator::{Door, Orders};
use lobby_socket::{Flushed, Frames, Heard, Listener, Request, Socket, frame};
use lobbykeeper::{Cause, Command, ConnId, ConnMap, LobbyId, Outbox, Output, Time};
use mio::{Events, Poll, Token, Waker};
use slab::Slab;

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const LISTENER: Token = Token(usize::MAX);
const WAKER: Token = Token(usize::MAX - 1);
/// How many sockets are read in one turn.
const MAX_EVENTS: usize = 1_024;
/// After how many bytes of one lobby a turn writes what they have led to, before it reads on: so much a client always has
/// room for.
const MAX_HEARD: usize = 128 * 1_024;
/// How much may wait for a client beside what the manager counts: frames' headers and answers to pings.
const UNCOUNTED: usize = 1 << 20;

/// A server that listens, and serves in [`run`](Self::run).
pub struct Server {
    poll: Poll,
    listener: Listener,
    /// What other threads wake it with, to stop or for an order.
    waker: Arc<Waker>,
    stop: Arc<AtomicBool>,
    /// `None` if no operator can come in.
    orders: Option<Orders>,
    /// When it ends at the latest, once it is drained.
    stop_at: Option<Time>,
    origin: Instant,
    /// How long after an event it does not sleep, and when that ends.
    busy_poll: Duration,
    busy_until: Time,
    settings: Settings,
    clients: Slab<Client>,
    conns: ConnMap<usize>,
    /// Those that were not read to the end in the last turn.
    unread: Vec<usize>,
    /// How much was read of each lobby since it was last carried out.
    heard: HashMap<Option<LobbyId>, usize>,
    /// Those that have something to write in this turn.
    dirty: Vec<usize>,
    frames: Frames,
    /// Until when a socket has to be admitted, or to have gone after its goodbye, in order of time.
    deadlines: VecDeque<(Time, usize)>,
    chat: Chat,
    /// What the chat writes to, also while the other is read.
    out: Outbox,
    spare: Outbox,
}

struct Client {
    socket: Socket,
    /// Once it is admitted, and until it has said goodbye.
    conn: Option<ConnId>,
    /// When it is dropped, unless it is admitted by then.
    deadline: Time,
    /// It is among those that have something to write in this turn.
    dirty: bool,
}

impl Server {
    /// A server with nobody in it. Operators come in by the door, if there is one.
    ///
    /// # Errors
    /// If the settings contradict each other, if the recording cannot be started, or if the system refuses.
    pub fn new(tcp: TcpListener, settings: Settings, operator: Option<Door>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let bell = Arc::clone(&waker);
        // Who cannot ring waits until something else wakes the loop.
        let orders = operator.map(|door| door.open(move || drop(bell.wake()))).transpose()?;
        Ok(Self {
            listener: Listener::new(tcp, poll.registry(), LISTENER)?,
            poll,
            waker,
            stop: Arc::default(),
            orders,
            stop_at: None,
            origin: Instant::now(),
            busy_poll: Duration::ZERO,
            busy_until: Time::ZERO,
            chat: Chat::new(&settings)?,
            settings,
            clients: Slab::new(),
            conns: ConnMap::new(),
            unread: Vec::new(),
            heard: HashMap::new(),
            dirty: Vec::new(),
            frames: Frames::default(),
            deadlines: VecDeque::new(),
            out: Outbox::new(),
            spare: Outbox::new(),
        })
    }

    /// Lets it look for events all the time, without sleeping, for so long after each: it answers sooner, since a core
    /// that sleeps takes a while to wake, and keeps that core busy. By default it sleeps at once.
    #[must_use]
    pub fn busy_poll(self, busy_poll: Duration) -> Self {
        Self { busy_poll, ..self }
    }

    /// What stops it, from any thread. It fails if the loop cannot be woken.
    pub fn stopper(&self) -> impl Fn() -> io::Result<()> + Send + Sync + use<> {
        let (stop, waker) = (Arc::clone(&self.stop), Arc::clone(&self.waker));
        move || {
            stop.store(true, Ordering::Relaxed);
            waker.wake()
        }
    }

    /// Serves until it is stopped, or an operator drains it. Then it closes one client after the other and refuses
    /// everyone who comes; when nobody is left it waits for the goodbyes of those who were refused up to
    /// [`Config::close_timeout`](lobbykeeper::Config::close_timeout).
    ///
    /// # Errors
    /// If the system no longer tells what is ready.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(MAX_EVENTS);
        loop {
            match self.poll.poll(&mut events, self.patience()) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => self.turn(self.now(), &events),
            }
            if !events.is_empty() {
                self.busy_until = self.now() + self.busy_poll;
            }
            // Nobody is left but those who were refused, or never became a client.
            if self
                .stop_at
                .is_some_and(|at| self.clients.is_empty() || self.now() >= at)
            {
                return Ok(());
            }
        }
    }

    /// The driver's clock, read anew for each turn.
    fn now(&self) -> Time {
        Time::since(self.origin, Instant::now())
    }

    /// How long there is nothing to do unless something comes.
    fn patience(&self) -> Option<Duration> {
        let now = self.now();
        if !self.unread.is_empty() || now < self.busy_until {
            return Some(Duration::ZERO);
        }
        let own = self.deadlines.front().map(|&(deadline, _)| deadline);
        let wake = [self.chat.next_deadline(), own, self.listener.again(), self.stop_at];
        Some(wake.into_iter().flatten().min()?.saturating_since(now))
    }

    fn turn(&mut self, now: Time, events: &Events) {
        for key in mem::take(&mut self.unread) {
            self.read(now, key);
        }
        if self.listener.again().is_some_and(|again| again <= now) {
            self.accept(now);
        }
        for event in events {
            match event.token() {
                LISTENER => self.accept(now),
                WAKER => self.woken(now),
                // It writes what waits, too, when it can.
                Token(key) => {
                    if let Some(Client { socket, .. }) = self.clients.get_mut(key) {
                        // One that has used up its credit waits for the next turn.
                        let waits = socket.is_unread();
                        socket.is_ready(event);
                        if !waits {
                            self.read(now, key);
                        }
                    }
                }
            }
        }
        while let Some(&(deadline, key)) = self.deadlines.front()
            && deadline <= now
        {
            self.deadlines.pop_front();
            let is_late = |client: &Client| client.conn.is_none() && client.deadline == deadline;
            if self.clients.get(key).is_some_and(is_late) {
                self.lose(now, key, Cause::Error);
            }
        }
        self.chat.tick(now, &mut self.out);
        while let Some((key, admission)) = self.chat.decided(now, &mut self.out) {
            self.admit(now, key, admission);
        }
        self.carry_out(now);
        self.chat.end_turn();
        if self.chat.is_drained() && self.stop_at.is_none() {
            self.listener.close();
            self.stop_at = Some(now + self.chat.config().close_timeout);
        }
    }

    fn woken(&mut self, now: Time) {
        if self.stop.load(Ordering::Relaxed) {
            self.chat.drain(now, &mut self.out);
        }
        while let Some(order) = self.orders.as_mut().and_then(Orders::take) {
            order.carry_out(now, &mut self.chat, &mut self.out);
        }
    }

    fn accept(&mut self, now: Time) {
        loop {
            let entry = self.clients.vacant_entry();
            let (registry, token) = (self.poll.registry(), Token(entry.key()));
            let Some(socket) = self.listener.accept(now, registry, token) else {
                return;
            };
            let key = entry.key();
            entry.insert(Client {
                socket,
                conn: None,
                deadline: Time::MAX,
                dirty: false,
            });
            self.limit(now, key);
        }
    }

    /// From now on it has only so long.
    fn limit(&mut self, now: Time, key: usize) {
        let deadline = now + self.settings.handshake_timeout;
        self.clients[key].deadline = deadline;
        self.deadlines.push_back((deadline, key));
    }

    /// Tells the chat what a client says, as much of it as is read in one turn.
    fn read(&mut self, now: Time, key: usize) {
        if let Some(client) = self.clients.get_mut(key) {
            client.socket.begin_turn();
        }
        while let Some(client) = self.clients.get_mut(key) {
            match (client.socket.hear(), client.conn) {
                (Ok(Heard::Message(message)), Some(conn)) => {
                    if let Some(frame) = frame(&message) {
                        self.chat.message(now, conn, frame, &mut self.out);
                    }
                }
                (Ok(Heard::Request(request)), _) => self.answer(now, key, &request),
                (Ok(Heard::BadRequest(status)), _) => client.socket.refuse(status),
                (Ok(Heard::Failure(error)), conn) => match (failure(&error), conn) {
                    (Some(close), Some(conn)) => self.chat.kick(now, conn, close, &mut self.out),
                    (Some(close), None) => {
                        self.chat.gave_up(now, key, &mut self.out);
                        self.admit(now, key, Err(close));
                    }
                    (None, _) => return self.lose(now, key, Cause::Peer),
                },
                (Ok(Heard::Goodbye), Some(conn)) => {
                    client.conn = None;
                    self.conns.remove(conn);
                    self.limit(now, key);
                    self.chat.closed(now, conn, Cause::Peer, &mut self.out);
                }
                // One who is not admitted has nothing to say.
                (Ok(Heard::Message(_)), None) => {}
                (Ok(Heard::Goodbye), None) => self.chat.gave_up(now, key, &mut self.out),
                (Ok(Heard::End), _) => return self.lose(now, key, Cause::Peer),
                (Err(error), _) if error.kind() == ErrorKind::WouldBlock => {
                    let (is_unread, wants_flush) = (client.socket.is_unread(), client.socket.wants_flush());
                    if is_unread {
                        self.unread.push(key);
                    }
                    let lobby = client.conn.and_then(|conn| self.chat.lobbies_of(conn).next());
                    let heard = self.heard.entry(lobby).or_default();
                    *heard += client.socket.heard_bytes();
                    let is_much = *heard > MAX_HEARD || self.chat.is_backlog_high();
                    if wants_flush {
                        self.mark(key);
                    }
                    if is_much {
                        self.carry_out(now);
                    }
                    return;
                }
                (Err(_), _) => return self.lose(now, key, Cause::Error),
            }
        }
    }

    fn answer(&mut self, now: Time, key: usize, request: &Request) {
        let client = &mut self.clients[key];
        let (lobby, token) = match asked(request.uri()) {
            Ok(Asked::Lobby { lobby, token }) => (lobby, token),
            Ok(Asked::Page) => return client.socket.respond("200 OK", HTML, PAGE.as_bytes()),
            Ok(Asked::Client) => return client.socket.respond("200 OK", SCRIPT, CLIENT.as_bytes()),
            Ok(Asked::Stats) => {
                let json = serde_json::to_vec(&self.chat.stats()).expect("numbers and names are JSON");
                return client.socket.respond("200 OK", "application/json", &json);
            }
            Err(status) => return client.socket.refuse(&status.to_string()),
        };
        let max_bytes = self.settings.max_message_bytes as usize;
        if client.socket.upgrade(request, max_bytes).is_err() {
            return client.socket.refuse("400 Bad Request");
        }
        // As long as it waits for a word, that is the chat's.
        client.deadline = Time::MAX;
        let visitor = Visitor {
            key,
            lobby: &lobby,
            token: &token,
            address: self.settings.proxies.client(client.socket.peer(), request.headers()),
        };
        if let Some(admission) = self.chat.knock(now, visitor, &mut self.out) {
            self.admit(now, key, admission);
        }
    }

    fn admit(&mut self, now: Time, key: usize, admission: Admission) {
        match admission {
            Ok(conn) => {
                self.clients[key].conn = Some(conn);
                // Whose index this was may be evicted by an output that has not been read.
                if let Some(evicted) = self.conns.insert(conn, key) {
                    self.clients.remove(evicted);
                }
            }
            Err(close) => {
                self.clients[key]
                    .socket
                    .close(close.code(), close.reason(), &self.frames);
                self.mark(key);
                self.limit(now, key);
            }
        }
    }

    /// Does what the chat says until it says nothing more and everything is written. What follows from doing it goes to
    /// the other outbox.
    fn carry_out(&mut self, now: Time) {
        self.heard.clear();
        while !self.out.is_empty() || !self.dirty.is_empty() {
            let mut reading = mem::replace(&mut self.out, mem::take(&mut self.spare));
            for output in &reading {
                self.obey(now, output);
            }
            reading.clear();
            self.spare = reading;
            if self.out.is_empty() {
                self.write(now);
            }
        }
    }

    fn obey(&mut self, now: Time, output: Output<'_>) {
        if let Output::Command(command) = &output {
            log_command(command);
        }
        match output {
            Output::Command(Command::Send { to, payload }) => {
                let frame = self.frames.encode(payload);
                for &conn in to {
                    // One that is not in the map has ended since the command was written.
                    if let Some(&key) = self.conns.get(conn) {
                        self.clients[key].socket.push(&frame, &self.frames);
                        self.mark(key);
                    }
                }
                if self.frames.is_full() {
                    self.write(now);
                }
            }
            Output::Command(Command::Close { conn, code, reason, .. }) => {
                if let Some(&key) = self.conns.get(conn) {
                    self.clients[key].socket.close(code, reason, &self.frames);
                    self.mark(key);
                }
            }
            Output::Command(Command::Evict { conn, .. }) => {
                if let Some(key) = self.conns.remove(conn) {
                    self.clients.remove(key);
                }
            }
            Output::Notice(notice) => self.chat.noticed(now, notice, &mut self.out),
        }
    }

    /// It has something to write.
    fn mark(&mut self, key: usize) {
        if !mem::replace(&mut self.clients[key].dirty, true) {
            self.dirty.push(key);
        }
    }

    /// Writes each socket that has something to write, once.
    fn write(&mut self, now: Time) {
        let max_backlog = self.chat.config().max_backlog_bytes;
        let max_waiting = max_backlog.map_or(usize::MAX, |bytes| 2 * bytes as usize + UNCOUNTED);
        for key in mem::take(&mut self.dirty) {
            let Some(client) = self.clients.get_mut(key) else {
                continue;
            };
            client.dirty = false;
            match (client.socket.flush(&self.frames, max_waiting), client.conn) {
                (Err(_), _) => self.lose(now, key, Cause::SendFailed),
                (Ok(Flushed { messages: 0, .. }), _) | (_, None) => {}
                (Ok(Flushed { bytes, messages }), Some(conn)) => {
                    self.chat.flushed(now, conn, bytes, messages, &mut self.out);
                }
            }
        }
        self.frames.clear();
    }

    /// A socket is gone.
    fn lose(&mut self, now: Time, key: usize, cause: Cause) {
        if let Some(conn) = self.clients.remove(key).conn {
            self.conns.remove(conn);
            self.chat.closed(now, conn, cause, &mut self.out);
        } else {
            self.chat.gave_up(now, key, &mut self.out);
        }
    }
}
