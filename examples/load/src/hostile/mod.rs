//! Hostile load: attacks on a lobby server, one after the other, while healthy clients chat.
//!
//! Each attack runs on threads of its own until it is told to stop, and is bounded in what it holds at a time. The healthy
//! clients are those of the [load client](crate::load), which checks that each message arrives once, whole and in order.

mod attacks;
mod server;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub use attacks::{ATTACKS, Attack};
pub use server::Server;

use crate::load::{self, Latency, LoadError, Pace, Settings};

/// How long an attack may take to get going.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came of a phase.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What the attack did, in words.
    pub deeds: String,
    /// Of the healthy clients' messages, in microseconds.
    pub latency: Latency,
    /// How many of them arrived, each once.
    pub delivered: u64,
    /// The most memory that the server had, in bytes.
    pub peak: u64,
}

/// Why a server has failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum HostileError {
    /// The system refused something.
    Io(io::Error),
    /// The healthy clients did not get what they should.
    Healthy(LoadError),
    /// The attack found that it could do what it should not, or could not do what it should.
    Attack(String),
}

impl fmt::Display for HostileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Healthy(error) => write!(f, "healthy clients suffer: {error}"),
            Self::Attack(problem) => f.write_str(problem),
        }
    }
}

impl core::error::Error for HostileError {}

impl From<io::Error> for HostileError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What an attack shares with those who watch it.
#[derive(Debug)]
pub struct Field {
    /// The server.
    pub address: SocketAddr,
    /// How long the healthy clients are measured.
    pub seconds: Duration,
    under_way: AtomicBool,
    over: AtomicBool,
}

impl Field {
    /// The attack has reached what it is about: the healthy clients are looked at from now on.
    fn begin(&self) {
        self.under_way.store(true, Ordering::Release);
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }
}

/// Lets healthy clients chat for so long, during an attack if there is one.
///
/// # Errors
/// If the healthy clients miss anything, or if the server does what it should not.
///
/// # Panics
/// If the attack does, which would be a mistake in it.
pub fn phase(server: &Server, seconds: Duration, attack: Option<&Attack>) -> Result<Outcome, HostileError> {
    let field = Field {
        address: server.address(),
        seconds,
        under_way: AtomicBool::new(attack.is_none()),
        over: AtomicBool::new(false),
    };
    server.forget_peak()?;
    let (report, deeds) = thread::scope(|scope| {
        let attacker = attack.map(|attack| scope.spawn(|| (attack.run)(&field)));
        let begun = Instant::now();
        while !field.under_way.load(Ordering::Acquire)
            && attacker.as_ref().is_some_and(|attacker| !attacker.is_finished())
            && begun.elapsed() < PATIENCE
        {
            thread::sleep(Duration::from_millis(10));
        }
        let report = load::run(&healthy(&field, "{lobby}", 20, 1_024)).map_err(HostileError::Healthy);
        field.over.store(true, Ordering::Release);
        let deeds = attacker.map_or_else(
            || Ok(String::new()),
            |attacker| attacker.join().expect("an attack does not panic"),
        );
        (report, deeds)
    });
    let (traffic, deeds) = (report?.traffic.expect("they send"), deeds?);
    if !field.under_way.load(Ordering::Acquire) {
        return Err(HostileError::Attack("the attack did not get going".to_owned()));
    }
    Ok(Outcome {
        deeds,
        latency: traffic.latency,
        delivered: traffic.checked,
        peak: server.peak()?,
    })
}

/// Clients in lobbies of ten, each of which says a few words in a second.
fn healthy(field: &Field, lobby: &str, clients: usize, payload: usize) -> Settings {
    Settings {
        host: field.address.to_string(),
        path: format!("/ws/{lobby}?token={{user}}"),
        clients,
        lobby_size: 10,
        payload,
        pace: Some(Pace::Rate(100.0)),
        warm_up: Duration::from_millis(500),
        measured: field.seconds,
        patience: Duration::from_secs(10),
        processes: Vec::new(),
    }
}
