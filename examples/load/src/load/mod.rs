//! The load client: many connections on one thread, without a runtime, and cheap, so that what is measured is the
//! server.
//!
//! It speaks lobby-server's messages. The members of a lobby take turns in saying something; everybody else in the
//! lobby must get it, exactly once and in the order that its sender said it, and the sender must not. Anything else
//! ends the run with a [`LoadError`].

mod client;
mod error;
mod ledger;
mod message;
mod process;
mod report;
mod socket;

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::{Duration, Instant};

use mio::Events;

use client::Client;
pub use error::LoadError;
pub use ledger::Misdelivery;
pub use message::MIN_PAYLOAD;
pub use report::{Latency, Memory, Report, Traffic};

/// How long nothing must have come before the traffic or a measurement of memory begins.
const QUIET: Duration = Duration::from_millis(100);

/// How long nothing must have come before idle connections are said to be idle.
const IDLE: Duration = Duration::from_secs(1);

/// What to do.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server's host and port.
    pub host: String,
    /// The path of a client's address, in which `{lobby}` and `{user}` are replaced.
    pub path: String,
    /// How many connections, a multiple of `lobby_size`.
    pub clients: usize,
    /// How many connections to a lobby, at least 2.
    pub lobby_size: usize,
    /// Bytes of a text, at least [`MIN_PAYLOAD`].
    pub payload: usize,
    /// What is sent, or `None` to connect and measure memory only.
    pub pace: Option<Pace>,
    /// How long messages are sent before it counts.
    pub warm_up: Duration,
    /// How long it counts.
    pub measured: Duration,
    /// After how long what has not come is lost.
    pub patience: Duration,
    /// The server's processes, whose CPU time and memory are read.
    pub processes: Vec<u32>,
}

/// When broadcasts are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Some are under way in each lobby at any time. Of those that are due at the same moment each can be another
    /// member's; else a member says them all, in one write, and the next member those that are due next.
    Outstanding {
        /// How many, in each lobby.
        broadcasts: usize,
        /// Whether each is another member's.
        scattered: bool,
    },
    /// So many per second in all, one lobby after the other, and one member of it after the other. A latency counts from
    /// when the message was to be sent.
    Rate(f64),
}

/// Connects, sends, checks and measures.
///
/// # Errors
/// If a message is lost, doubled, out of order or at the wrong client, if the server closes a connection, or if the
/// system refuses something.
pub fn run(settings: &Settings) -> Result<Report, LoadError> {
    let server = check(settings)?;
    let before = of_server(settings, process::resident)?;
    let mut events = Events::with_capacity(1024);
    let mut client = Client::new(settings, server)?;
    let connecting = client.connect(&mut events)?;
    let mut memory = None;
    let mut traffic = None;
    if let Some(pace) = settings.pace {
        client.settle(&mut events, QUIET)?;
        traffic = Some(send(settings, pace, &mut client, &mut events)?);
    } else {
        client.settle(&mut events, IDLE)?;
        let after = of_server(settings, process::resident)?;
        memory = before
            .zip(after)
            .map(|(before, after)| memory_report(settings, before, after));
    }
    Ok(Report {
        clients: settings.clients,
        lobby_size: settings.lobby_size,
        connects_per_second: as_f64(settings.clients as u64) / connecting.as_secs_f64(),
        traffic,
        memory,
    })
}

fn check(settings: &Settings) -> Result<SocketAddr, LoadError> {
    let Settings {
        clients,
        lobby_size,
        payload,
        ..
    } = settings;
    let problem = if *lobby_size < 2 {
        "nobody hears anything in a lobby of less than 2"
    } else if *clients == 0 || clients % lobby_size != 0 {
        "the number of clients must be a multiple of the lobby's size"
    } else if u32::try_from(*clients).is_err() {
        "so many clients cannot be counted"
    } else if *payload < MIN_PAYLOAD {
        "the payload must have room for what messages are told apart by"
    } else if matches!(settings.pace, Some(Pace::Rate(rate)) if !(rate.is_finite() && rate > 0.0)) {
        "the rate must be more than 0"
    } else {
        let resolved = settings.host.to_socket_addrs().map(|mut addresses| addresses.next());
        return match resolved {
            Ok(Some(address)) => Ok(address),
            Ok(None) => Err(LoadError::Settings(format!("{} has no address", settings.host))),
            Err(error) => Err(LoadError::Io {
                what: settings.host.clone(),
                error,
            }),
        };
    };
    Err(LoadError::Settings(problem.to_owned()))
}

/// A figure of the server's processes, if they are known.
fn of_server<T>(settings: &Settings, figure: impl FnOnce(&[u32]) -> io::Result<T>) -> Result<Option<T>, LoadError> {
    if settings.processes.is_empty() {
        return Ok(None);
    }
    figure(&settings.processes).map(Some).map_err(|error| LoadError::Io {
        what: "the server's processes".to_owned(),
        error,
    })
}

fn memory_report(settings: &Settings, before: u64, after: u64) -> Memory {
    Memory {
        before,
        after,
        per_connection: (as_f64(after) - as_f64(before)) / as_f64(settings.clients as u64),
    }
}

/// What has been used up and delivered until a moment.
struct Reading {
    at: Instant,
    server: Option<f64>,
    client: f64,
    delivered: u64,
}

impl Reading {
    fn take(settings: &Settings, client: &Client<'_>) -> Result<Self, LoadError> {
        let own = process::cpu_time(&[std::process::id()]).map_err(|error| LoadError::Io {
            what: "this process".to_owned(),
            error,
        })?;
        Ok(Self {
            at: Instant::now(),
            server: of_server(settings, process::cpu_time)?,
            client: own,
            delivered: client.delivered(),
        })
    }
}

/// Sends and measures.
fn send(settings: &Settings, pace: Pace, client: &mut Client<'_>, events: &mut Events) -> Result<Traffic, LoadError> {
    client.begin(pace)?;
    client.warm_up(events)?;
    let begin = Reading::take(settings, client)?;
    client.measure(events)?;
    let end = Reading::take(settings, client)?;
    // What is under way must still arrive.
    client.settle(events, Duration::ZERO)?;
    let seconds = (end.at - begin.at).as_secs_f64();
    let deliveries = end.delivered - begin.delivered;
    let server = begin.server.zip(end.server).map(|(begin, end)| end - begin);
    let latency = client.latency();
    let quantile = |quantile| as_f64(latency.value_at_quantile(quantile)) / 1_000.0;
    Ok(Traffic {
        payload: settings.payload,
        seconds,
        deliveries,
        checked: client.delivered(),
        deliveries_per_second: as_f64(deliveries) / seconds,
        latency: Latency {
            p50: quantile(0.5),
            p99: quantile(0.99),
            p999: quantile(0.999),
            max: as_f64(latency.max()) / 1_000.0,
        },
        client_cpu_share: (end.client - begin.client) / seconds,
        server_cpu_share: server.map(|server| server / seconds),
        server_cpu_per_million: server
            .filter(|_| deliveries > 0)
            .map(|server| server * 1e6 / as_f64(deliveries)),
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts and sizes here are far below 2^53")]
fn as_f64(count: u64) -> f64 {
    count as f64
}
