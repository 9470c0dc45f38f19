//! The event loop: all connections on one thread.
//!
//! A turn reads every readable socket once, into one buffer, and takes the frames where they lie; then it begins the
//! broadcasts that are due; then each socket that has something to send is written once.

use std::io::{self, ErrorKind, Read};
use std::iter;
use std::mem;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::event::Event;
use mio::{Events, Interest, Poll, Token as PollToken};

use super::ledger::{Ledger, Misdelivery, Overdue};
use super::message::{self, Heard, Texts, Token};
use super::socket::{self, Phase, Socket};
use super::{LoadError, Pace, Settings};
use crate::frame::{self, FrameError};

/// How many connections are made at a time. A listener's queue takes 128 and more.
const CONNECTING: usize = 64;

/// How much is read at once.
const BUFFER: usize = 256 * 1024;

/// How often the books are looked through for what is overdue, and the longest that the loop sleeps.
const LOOK: Duration = Duration::from_millis(100);

/// The system's timer wakes this late at worst, so what is due within it is waited for without sleeping.
const TIMER: Duration = Duration::from_millis(2);

/// Nanoseconds up to which latencies are told apart.
const MAX_LATENCY: u64 = 60_000_000_000;

/// Whether and how broadcasts are begun.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sending {
    No,
    /// One for each that is complete; all that are due to a lobby at one time by one member, unless they are scattered.
    Outstanding {
        scattered: bool,
    },
    /// The n-th is due n periods after the start, whatever has come of those before it.
    Paced {
        start: u64,
        period: f64,
        begun: u32,
    },
}

#[derive(Debug)]
pub(super) struct Client<'a> {
    settings: &'a Settings,
    server: SocketAddr,
    poll: Poll,
    sockets: Vec<Socket>,
    open: usize,
    /// Sockets with something new to send.
    unsent: Vec<usize>,
    buffer: Vec<u8>,
    texts: Texts,
    scratch: Vec<u8>,
    ledger: Ledger,
    /// Lobbies of which a broadcast was completed in this turn, once for each of them.
    completed: Vec<usize>,
    sending: Sending,
    origin: Instant,
    /// Nanoseconds since the origin, read when the loop wakes and after each read.
    now: u64,
    /// When something was last read.
    heard: u64,
    looked: u64,
    /// From when on messages count that are to be sent, and from when on no more.
    window: (u64, u64),
    latency: Histogram<u64>,
}

/// What one client cannot go on after.
enum Wrong {
    Frame(FrameError),
    Closed(String),
    Unexpected(String),
    Misdelivered(Token, Misdelivery),
}

impl From<FrameError> for Wrong {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

impl Wrong {
    fn of(self, client: usize) -> LoadError {
        match self {
            Self::Frame(error) => LoadError::Unexpected {
                client,
                what: error.to_string(),
            },
            Self::Closed(farewell) => LoadError::Closed { client, farewell },
            Self::Unexpected(what) => LoadError::Unexpected { client, what },
            Self::Misdelivered(Token { sender, sequence, .. }, problem) => LoadError::Misdelivered {
                recipient: client,
                sender,
                sequence,
                problem,
            },
        }
    }
}

fn failed(what: impl Into<String>) -> impl FnOnce(io::Error) -> LoadError {
    let what = what.into();
    |error| LoadError::Io { what, error }
}

impl<'a> Client<'a> {
    pub(super) fn new(settings: &'a Settings, server: SocketAddr) -> Result<Self, LoadError> {
        Ok(Self {
            settings,
            server,
            poll: Poll::new().map_err(failed("polling"))?,
            sockets: Vec::with_capacity(settings.clients),
            open: 0,
            unsent: Vec::new(),
            buffer: vec![0; BUFFER],
            texts: Texts::new(settings.payload),
            scratch: Vec::new(),
            ledger: Ledger::new(settings.clients / settings.lobby_size, settings.lobby_size),
            completed: Vec::new(),
            sending: Sending::No,
            origin: Instant::now(),
            now: 0,
            heard: 0,
            looked: 0,
            window: (u64::MAX, u64::MAX),
            latency: Histogram::new_with_bounds(1, MAX_LATENCY, 3).expect("the bounds are in order"),
        })
    }

    /// Makes all connections and returns how long that took.
    pub(super) fn connect(&mut self, events: &mut Events) -> Result<Duration, LoadError> {
        self.look_at_clock();
        let start = self.now;
        while self.open < self.settings.clients {
            while self.sockets.len() < self.settings.clients && self.sockets.len() - self.open < CONNECTING {
                let mut socket = Socket::connect(self.server).map_err(failed("connecting"))?;
                let interest = Interest::READABLE | Interest::WRITABLE;
                self.poll
                    .registry()
                    .register(&mut socket.stream, PollToken(self.sockets.len()), interest)
                    .map_err(failed("polling"))?;
                self.sockets.push(socket);
            }
            self.turn(events, LOOK)?;
            if self.since(self.heard) > self.settings.patience {
                return Err(LoadError::NoConnection(self.settings.patience));
            }
        }
        Ok(self.since(start))
    }

    /// Reads until nothing has come for so long, and everything that was sent has arrived.
    pub(super) fn settle(&mut self, events: &mut Events, quiet: Duration) -> Result<(), LoadError> {
        self.sending = Sending::No;
        self.heard = self.now;
        while !self.ledger.is_settled() || self.since(self.heard) < quiet {
            self.turn(events, quiet.min(LOOK))?;
        }
        Ok(())
    }

    /// Begins to send; what is to be sent from `warm_up` until `seconds` after it counts.
    pub(super) fn begin(&mut self, pace: Pace) -> Result<(), LoadError> {
        self.look_at_clock();
        let count = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let from = self.now.saturating_add(count(self.settings.warm_up));
        self.window = (from, from.saturating_add(count(self.settings.measured)));
        match pace {
            Pace::Outstanding { broadcasts, scattered } => {
                self.sending = Sending::Outstanding { scattered };
                for lobby in 0..self.ledger.lobbies() {
                    self.completed.extend(iter::repeat_n(lobby, broadcasts));
                }
                self.say_what_is_due();
                self.flush()
            }
            Pace::Rate(per_second) => {
                self.sending = Sending::Paced {
                    start: self.now,
                    period: 1e9 / per_second,
                    begun: 0,
                };
                Ok(())
            }
        }
    }

    /// Goes on until the measured time begins.
    pub(super) fn warm_up(&mut self, events: &mut Events) -> Result<(), LoadError> {
        self.run_until(events, self.window.0)
    }

    /// Goes on until the measured time ends.
    pub(super) fn measure(&mut self, events: &mut Events) -> Result<(), LoadError> {
        self.run_until(events, self.window.1)
    }

    /// How many messages have arrived.
    pub(super) fn delivered(&self) -> u64 {
        self.ledger.delivered()
    }

    /// Nanoseconds from when messages were to be sent until they arrived.
    pub(super) fn latency(&self) -> &Histogram<u64> {
        &self.latency
    }

    fn run_until(&mut self, events: &mut Events, time: u64) -> Result<(), LoadError> {
        while self.now < time {
            self.turn(events, Duration::from_nanos(time - self.now))?;
        }
        Ok(())
    }

    fn look_at_clock(&mut self) {
        self.now = u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX);
    }

    fn since(&self, time: u64) -> Duration {
        Duration::from_nanos(self.now.saturating_sub(time))
    }

    fn turn(&mut self, events: &mut Events, at_most: Duration) -> Result<(), LoadError> {
        match self.poll.poll(events, Some(self.sleep(at_most))) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            other => other.map_err(failed("polling"))?,
        }
        self.look_at_clock();
        for event in &*events {
            self.handle(event)?;
        }
        self.say_what_is_due();
        self.flush()?;
        if self.since(self.looked) >= LOOK.min(self.settings.patience) {
            self.looked = self.now;
            if let Some(Overdue { lobby, missing, age }) = self.ledger.overdue(self.now, self.settings.patience) {
                return Err(LoadError::Overdue { lobby, missing, age });
            }
        }
        Ok(())
    }

    /// How long to wait for events.
    fn sleep(&self, at_most: Duration) -> Duration {
        let due = match self.sending {
            Sending::Paced { .. } => self.due().saturating_sub(self.now),
            _ => u64::MAX,
        };
        let sleep = at_most.min(LOOK).min(Duration::from_nanos(due));
        match self.sending {
            Sending::Paced { .. } => sleep.saturating_sub(TIMER),
            _ => sleep,
        }
    }

    /// When the next broadcast is to be sent, at a paced rate.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a run's nanoseconds fit and are positive"
    )]
    fn due(&self) -> u64 {
        match self.sending {
            Sending::Paced { start, period, begun } => start + (f64::from(begun) * period) as u64,
            _ => u64::MAX,
        }
    }

    fn say_what_is_due(&mut self) {
        match self.sending {
            Sending::No => {}
            Sending::Outstanding { scattered } => {
                let mut completed = mem::take(&mut self.completed);
                completed.sort_unstable();
                for due in completed.chunk_by(|one, next| one == next && !scattered) {
                    for &lobby in due {
                        self.say(lobby, self.now);
                    }
                    self.ledger.pass(due[0]);
                }
                self.completed = completed;
            }
            Sending::Paced { .. } => {
                while self.due() <= self.now {
                    let due = self.due();
                    let Sending::Paced { begun, .. } = &mut self.sending else {
                        break;
                    };
                    let lobby = *begun as usize % self.ledger.lobbies();
                    *begun += 1;
                    self.say(lobby, due);
                    self.ledger.pass(lobby);
                }
            }
        }
        self.completed.clear();
    }

    /// Queues a broadcast of the member whose turn it is.
    fn say(&mut self, lobby: usize, due: u64) {
        let token = self.ledger.begin(lobby, due);
        self.texts.say(token, &mut self.scratch);
        let sender = token.sender as usize;
        self.sockets[sender].queue(&self.scratch);
        self.unsent.push(sender);
    }

    fn flush(&mut self) -> Result<(), LoadError> {
        for client in self.unsent.drain(..) {
            self.sockets[client]
                .flush()
                .map_err(failed(format!("client {client}: writing")))?;
        }
        Ok(())
    }

    fn handle(&mut self, event: &Event) -> Result<(), LoadError> {
        let PollToken(client) = event.token();
        let socket = &mut self.sockets[client];
        if event.is_writable() {
            if socket.phase == Phase::Connecting {
                let path = socket::path(&self.settings.path, client, self.settings.lobby_size);
                socket
                    .request(&self.settings.host, &path)
                    .map_err(failed(format!("client {client}: connecting")))?;
            }
            socket.flush().map_err(failed(format!("client {client}: writing")))?;
        }
        if event.is_readable() {
            self.read(client)?;
        }
        Ok(())
    }

    fn read(&mut self, client: usize) -> Result<(), LoadError> {
        loop {
            let count = match self.sockets[client].stream.read(&mut self.buffer) {
                Ok(0) => return Err(Wrong::Closed("the stream ended".to_owned()).of(client)),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(failed(format!("client {client}: reading"))(error)),
            };
            self.look_at_clock();
            self.heard = self.now;
            self.received(client, count)?;
            // Less than there was room for: the socket is empty, and the system tells of what comes next.
            if count < self.buffer.len() {
                return Ok(());
            }
        }
    }

    fn received(&mut self, client: usize, count: usize) -> Result<(), LoadError> {
        let socket = &mut self.sockets[client];
        let mut skip = 0;
        match &mut socket.phase {
            Phase::Open => {}
            Phase::Connecting => return Ok(()),
            Phase::Upgrading(answer) => {
                let known = answer.len();
                answer.extend_from_slice(&self.buffer[..count]);
                match socket::accepted(answer) {
                    None => return Ok(()),
                    Some(Err(answer)) => return Err(LoadError::Upgrade { client, answer }),
                    Some(Ok(length)) => skip = length - known,
                }
                socket.phase = Phase::Open;
                self.open += 1;
            }
        }
        let Self {
            texts,
            ledger,
            completed,
            latency,
            ..
        } = self;
        let ((from, until), now) = (self.window, self.now);
        let outgoing = &mut socket.outgoing;
        let unsent = &mut self.unsent;
        // Most that is read at once was sent at once.
        let mut alike = (0, 0);
        socket
            .inbox
            .feed(&mut self.buffer[skip..count], |opcode, payload| {
                match opcode {
                    frame::TEXT => match texts.hear(payload) {
                        Heard::Chat(token) => {
                            let complete = ledger
                                .deliver(client, token)
                                .map_err(|problem| Wrong::Misdelivered(token, problem))?;
                            completed.extend(complete);
                            if (from..until).contains(&token.sent) {
                                if alike.0 != token.sent {
                                    record(latency, now, alike);
                                    alike = (token.sent, 0);
                                }
                                alike.1 += 1;
                            }
                        }
                        Heard::HealthPing(number) => {
                            frame::encode_masked(outgoing, frame::TEXT, &message::health_pong(number));
                            unsent.push(client);
                        }
                        Heard::News => {}
                        Heard::Unexpected => return Err(Wrong::Unexpected(shown(payload))),
                    },
                    frame::PING => {
                        frame::encode_masked(outgoing, frame::PONG, payload);
                        unsent.push(client);
                    }
                    frame::PONG => {}
                    frame::CLOSE => return Err(Wrong::Closed(shown(payload.get(2..).unwrap_or_default()))),
                    other => return Err(Wrong::Unexpected(format!("a frame of type {other}"))),
                }
                Ok(())
            })
            .map_err(|wrong| wrong.of(client))?;
        record(latency, now, alike);
        Ok(())
    }
}

/// Records how long so many messages took that were to be sent at one time.
fn record(latency: &mut Histogram<u64>, now: u64, (sent, count): (u64, u64)) {
    // The histogram takes even none of them for its maximum.
    if count > 0 {
        latency.saturating_record_n(now.saturating_sub(sent), count);
    }
}

fn shown(payload: &[u8]) -> String {
    String::from_utf8_lossy(payload).chars().take(200).collect()
}
