//! A server that is emptied while another stands ready, and how its clients come to the other.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::queue::{Nanos, Queue};
use super::rng::Rng;
use crate::config::{Config, ConfigError};
use crate::conn_map::ConnMap;
use crate::event::{Cause, Handshake};
use crate::id::ConnId;
use crate::manager::Manager;
use crate::outbox::{Command, Notice, Outbox, Output};
use crate::payload::Frame;
use crate::refusal::CloseFrame;
use crate::time::{Time, duration_nanos};

const SECOND: Nanos = 1_000_000_000;

/// A server that is emptied while another stands ready: a closed loop. Each client does what its close frame says, to the
/// millisecond, and connects to the second server, which is a manager of its own.
///
/// Plain data, like [`Scenario`](super::Scenario); the same gives the same report on every machine.
///
/// ```
/// use std::time::Duration;
/// use lobbykeeper::testing::{Goodbye, Handover};
///
/// // Who takes over can take 100 clients each second. A margin of a tenth is for what the network does to them.
/// let every = Duration::from_secs(1) / 100 * 11 / 10;
/// let drain = Goodbye::Drain { every, within: Duration::from_secs(10) };
/// let report = Handover { clients: 1_000, goodbye: drain, ..Handover::default() }.run()?;
/// assert!(report.most_returns_per_second <= 100, "{report:?}");
/// assert_eq!((report.returned, report.drained), (1_000, 1));
///
/// let report = Handover { clients: 1_000, goodbye: Goodbye::AllAtOnce, ..Handover::default() }.run()?;
/// assert!(report.most_returns_per_second > 400, "{report:?}");
/// # Ok::<(), lobbykeeper::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    /// The settings of both managers.
    pub config: Config,
    /// What chance is made of.
    pub seed: u64,
    /// How many clients there are, each with a connection. Default: 100.
    pub clients: u32,
    /// How the first server ends. Default: it closes all at once.
    pub goodbye: Goodbye,
    /// How long a packet takes in one direction at least. Default: 20 ms.
    pub latency: Duration,
    /// How much longer it takes at most; each packet draws anew. Default: 20 ms.
    pub jitter: Duration,
    /// How many in a hundred leave by themselves, for good, at some time in the first half of a minute after the
    /// goodbye has begun. Default: none.
    pub leave_percent: u8,
    /// How many in a hundred never answer a close, so that the server has to drop them. Default: none.
    pub deaf_percent: u8,
    /// For how long the first server stands still, from five seconds after the goodbye has begun. Default: not at all.
    pub pause: Duration,
}

/// How a server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goodbye {
    /// It closes everybody and says nothing of returning. Whoever is told nothing comes within two seconds.
    AllAtOnce,
    /// It is [drained](Manager::drain).
    Drain {
        /// Between two closes.
        every: Duration,
        /// After this time all are closed that are left.
        within: Duration,
    },
}

/// What came of a [`Handover`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandoverReport {
    /// Clients that came to the second server, ...
    pub returned: u64,
    /// ... how many of them within one second at most, wherever that second begins, and ...
    pub most_returns_per_second: u64,
    /// ... how long after the goodbye began the last one came.
    pub last_return: Duration,
    /// Clients that left by themselves before they were told to.
    pub left: u64,
    /// Clients that the first server closed, and how many of them within one second at most.
    pub closed: u64,
    /// As `most_returns_per_second`, of those.
    pub most_closes_per_second: u64,
    /// The longest that a client was without a server.
    pub longest_absence: Duration,
    /// Clients that the first server dropped because they had not closed in time.
    pub dropped: u64,
    /// How often the first server said that it was empty: once, unless it was not drained or has a defect.
    pub drained: u64,
    /// How long after the goodbye began its last connection ended.
    pub empty_after: Duration,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Goodbye,
    /// Something comes to a server, by its number, from a client.
    Up(usize, u32, Up),
    /// A close frame comes to a client; what it says of returning, in milliseconds.
    Told(u32, Option<u64>),
    /// A client comes to the second server.
    Return(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Up {
    /// An answer to a ping.
    Alive,
    /// An answer to a close.
    Close,
    /// A close of the client's own.
    Leave,
}

#[derive(Debug)]
struct Server {
    manager: Manager,
    sockets: ConnMap<u32>,
    conns: Vec<Option<ConnId>>,
}

struct World {
    handover: Handover,
    now: Nanos,
    queue: Queue<Event>,
    rng: Rng,
    out: Outbox,
    servers: [Server; 2],
    /// Since when a client has been without a server.
    absent: Vec<Nanos>,
    closes: Vec<Nanos>,
    returns: Vec<Nanos>,
    report: HandoverReport,
}

/// When the goodbye begins: all have been pinged.
const BEGIN: Nanos = 30 * SECOND;
const PAUSE: Nanos = BEGIN + 5 * SECOND;

impl Default for Handover {
    fn default() -> Self {
        Self {
            config: Config::default(),
            seed: 0,
            clients: 100,
            goodbye: Goodbye::AllAtOnce,
            latency: Duration::from_millis(20),
            jitter: Duration::from_millis(20),
            leave_percent: 0,
            deaf_percent: 0,
            pause: Duration::ZERO,
        }
    }
}

impl Handover {
    /// Plays it until everybody who wants to is with the second server and the first is empty.
    ///
    /// # Errors
    /// If the manager refuses its settings.
    ///
    /// # Panics
    /// If a manager refuses a client (the settings have to have room for all of them), or if it names a deadline that a
    /// tick should have dealt with.
    pub fn run(self) -> Result<HandoverReport, ConfigError> {
        let (first, second) = (Server::new(&self)?, Server::new(&self)?);
        let mut world = World {
            now: 0,
            queue: Queue::new(),
            rng: Rng::new(self.seed, 0),
            out: Outbox::new(),
            servers: [first, second],
            absent: vec![0; self.clients as usize],
            closes: Vec::new(),
            returns: Vec::new(),
            report: HandoverReport::default(),
            handover: self,
        };
        world.begin();
        while world.step() {}
        Ok(world.report())
    }
}

impl Server {
    fn new(handover: &Handover) -> Result<Self, ConfigError> {
        Ok(Self {
            manager: Manager::new(handover.config.clone())?,
            sockets: ConnMap::new(),
            conns: vec![None; handover.clients as usize],
        })
    }
}

impl World {
    fn begin(&mut self) {
        self.queue.push(BEGIN, Event::Goodbye);
        for client in 0..self.handover.clients {
            self.connect(0, client);
            if self.rng.percent(self.handover.leave_percent) {
                let at = BEGIN + self.rng.below(30 * SECOND);
                self.queue.push(at, Event::Up(0, client, Up::Leave));
            }
        }
    }

    /// The next event or deadline. False if the first server is empty and nobody is on the way to the second.
    fn step(&mut self) -> bool {
        if self.now > BEGIN && self.servers[0].sockets.is_empty() && self.returns.len() as u64 == self.wanted() {
            return false;
        }
        let deadline = |server: usize| {
            let due = self.servers[server].manager.next_deadline()?;
            let due = self.awake(server, due.as_nanos());
            Some((due, server))
        };
        let deadline = [deadline(0), deadline(1)].into_iter().flatten().min();
        match (self.queue.next_time(), deadline) {
            (event, Some((due, server))) if event.is_none_or(|event| event > due) => {
                self.now = self.now.max(due);
                let (now, manager) = (Time::from_nanos(self.now), &mut self.servers[server].manager);
                manager.tick(now, &mut self.out);
                let next = manager.next_deadline();
                assert!(
                    next.is_none_or(|next| next > now),
                    "after a tick the deadline lies ahead: {next:?}"
                );
                self.carry_out(server);
            }
            (None, _) => return false,
            (Some(_), _) => {
                let Some((at, event)) = self.queue.pop() else {
                    return false;
                };
                self.now = at;
                self.happen(event);
            }
        }
        true
    }

    /// How many come back.
    fn wanted(&self) -> u64 {
        u64::from(self.handover.clients) - self.report.left
    }

    /// When a server is awake that would do something at this instant.
    fn awake(&self, server: usize, at: Nanos) -> Nanos {
        let end = PAUSE.saturating_add(duration_nanos(self.handover.pause));
        if server == 0 && (PAUSE..end).contains(&at) {
            end
        } else {
            at
        }
    }

    fn happen(&mut self, event: Event) {
        let now = Time::from_nanos(self.now);
        match event {
            Event::Goodbye => {
                let manager = &mut self.servers[0].manager;
                match self.handover.goodbye {
                    Goodbye::AllAtOnce => {
                        let close = CloseFrame::new(1001, "shutdown").expect("it can be sent");
                        manager.close_all(now, &close, &mut self.out);
                    }
                    Goodbye::Drain { every, within } => {
                        manager.drain(now, every, now + within, &mut self.out);
                    }
                }
                self.carry_out(0);
            }
            Event::Up(server, client, up) => {
                let awake = self.awake(server, self.now);
                if awake > self.now {
                    self.queue.push(awake, event);
                } else {
                    self.come_in(server, client, up);
                }
            }
            Event::Told(client, retry) => {
                self.absent[client as usize] = self.now;
                if !self.rng.percent(self.handover.deaf_percent) {
                    let at = self.arrival();
                    self.queue.push(at, Event::Up(0, client, Up::Close));
                }
                let wait = match retry {
                    Some(millis) => millis.saturating_mul(1_000_000),
                    None => self.rng.around(SECOND),
                };
                let at = self.arrival().saturating_add(wait);
                self.queue.push(at, Event::Return(client));
            }
            Event::Return(client) => {
                self.returns.push(self.now);
                let absence = Duration::from_nanos(self.now - self.absent[client as usize]);
                self.report.longest_absence = self.report.longest_absence.max(absence);
                self.connect(1, client);
            }
        }
    }

    fn connect(&mut self, server: usize, client: u32) {
        let Server {
            manager,
            sockets,
            conns,
        } = &mut self.servers[server];
        let handshake = Handshake::new(format!("lobby {}", client / 10), format!("user {client}"));
        let conn = manager.connected(Time::from_nanos(self.now), handshake, &mut self.out);
        let conn = conn.expect("there is room for everybody");
        sockets.insert(conn, client);
        conns[client as usize] = Some(conn);
        self.carry_out(server);
    }

    fn come_in(&mut self, server: usize, client: u32, up: Up) {
        let now = Time::from_nanos(self.now);
        let Server {
            manager,
            sockets,
            conns,
        } = &mut self.servers[server];
        let Some(conn) = conns[client as usize] else {
            return;
        };
        match up {
            Up::Alive => {
                manager.message(now, conn, Frame::text("here"), &mut self.out);
            }
            // Whoever has been told to go does that.
            Up::Leave if !manager.is_open(conn) => {}
            Up::Leave | Up::Close => {
                sockets.remove(conn);
                let ended = manager.closed(now, conn, Cause::Peer, &mut self.out);
                self.report.left += u64::from(ended && up == Up::Leave);
            }
        }
        self.carry_out(server);
    }

    /// Does what a manager wrote.
    fn carry_out(&mut self, server: usize) {
        let mut out = core::mem::take(&mut self.out);
        for output in &out {
            match output {
                Output::Command(Command::Send { to, .. }) => {
                    for &conn in to {
                        if let Some(&client) = self.servers[server].sockets.get(conn) {
                            let at = self.arrival() + self.arrival() - self.now;
                            self.queue.push(at, Event::Up(server, client, Up::Alive));
                        }
                    }
                }
                Output::Command(Command::Close { conn, reason, .. }) => {
                    self.closes.push(self.now);
                    if let Some(&client) = self.servers[server].sockets.get(conn) {
                        let at = self.arrival();
                        self.queue.push(at, Event::Told(client, advice(reason)));
                    }
                }
                Output::Command(Command::Evict { conn, .. }) => {
                    self.servers[server].sockets.remove(conn);
                    self.report.dropped += 1;
                }
                Output::Notice(Notice::Drained { .. }) => self.report.drained += 1,
                Output::Notice(Notice::Ended { .. }) => {
                    self.report.empty_after = Duration::from_nanos(self.now.saturating_sub(BEGIN));
                }
                Output::Notice(_) => {}
            }
        }
        out.clear();
        self.out = out;
    }

    /// When a packet arrives that is sent now.
    fn arrival(&mut self) -> Nanos {
        let (latency, jitter) = (self.handover.latency, self.handover.jitter);
        let taken = duration_nanos(latency).saturating_add(self.rng.below(duration_nanos(jitter)));
        self.now.saturating_add(taken)
    }

    fn report(self) -> HandoverReport {
        HandoverReport {
            returned: self.returns.len() as u64,
            most_returns_per_second: most_per_second(&self.returns),
            last_return: Duration::from_nanos(self.returns.last().map_or(0, |last| last - BEGIN)),
            closed: self.closes.len() as u64,
            most_closes_per_second: most_per_second(&self.closes),
            ..self.report
        }
    }
}

/// What a close frame says of returning, as a client reads it.
fn advice(reason: &str) -> Option<u64> {
    let (_, millis) = reason.split_once(";retry=")?;
    millis.parse().ok()
}

/// The most of these instants, which ascend, that lie within one second.
fn most_per_second(instants: &[Nanos]) -> u64 {
    let (mut first, mut most) = (0, 0);
    for (position, &instant) in instants.iter().enumerate() {
        while instants[first] + SECOND <= instant {
            first += 1;
        }
        most = most.max(position + 1 - first);
    }
    most as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_begins_anywhere_and_ends_before_it_is_over() {
        assert_eq!(most_per_second(&[]), 0);
        assert_eq!(
            most_per_second(&[5, 5, 900_000_000, SECOND + 4, SECOND + 5, SECOND + 6]),
            4
        );
        assert_eq!(most_per_second(&[0, SECOND, 2 * SECOND]), 1);
    }

    #[test]
    fn a_client_reads_the_delay_behind_the_reason() {
        assert_eq!(advice("draining;retry=1500"), Some(1_500));
        assert_eq!(advice("shutdown"), None);
    }
}
