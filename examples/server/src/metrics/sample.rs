//! What the dashboard is told each second, as JSON. Times are in milliseconds there.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::report::{self, Clients, Report};

#[derive(Serialize)]
struct Sample<'a> {
    seats: Seats,
    lobbies: u32,
    users: u32,
    draining: bool,
    messages_in: u64,
    messages_out: u64,
    bytes_in: u64,
    bytes_out: u64,
    backlog_bytes: Option<u64>,
    pauses: u64,
    admissions: u64,
    /// Since the server was started, by reason.
    refusals: BTreeMap<String, u64>,
    /// How many open connections answer within so many milliseconds, and not within fewer; the last bound is none.
    latencies: Vec<(Option<f64>, u64)>,
    slowest: Vec<Client<'a>>,
    furthest_behind: Vec<Client<'a>>,
}

/// What counts for the limit, and which.
#[derive(Serialize)]
struct Seats {
    occupied: u32,
    open: u32,
    closing: u32,
    max: Option<u32>,
}

#[derive(Serialize)]
struct Client<'a> {
    conn: String,
    user: &'a str,
    lobby: Option<&'a str>,
    smoothed: Option<f64>,
    last: Option<f64>,
    best: Option<f64>,
    backlog_bytes: u64,
    backlog_messages: u64,
}

pub(crate) fn json(report: &Report, clients: &Clients) -> String {
    let stats = &report.stats;
    let bound = |bound: Option<u64>| bound.map(|nanos| milliseconds(Duration::from_nanos(nanos)));
    let sample = Sample {
        seats: Seats {
            occupied: stats.total_connections,
            open: stats.open_connections,
            closing: stats.closing_connections,
            max: stats.max_connections,
        },
        lobbies: stats.active_lobbies,
        users: stats.users,
        draining: stats.draining,
        messages_in: stats.messages_in,
        messages_out: stats.messages_out,
        bytes_in: stats.bytes_in,
        bytes_out: stats.bytes_out,
        backlog_bytes: stats.backlog.map(|backlog| backlog.bytes),
        pauses: stats.pauses,
        admissions: stats.admissions,
        refusals: report.refusals().into_iter().collect(),
        latencies: clients
            .latencies
            .places()
            .map(|(most, count)| (bound(most), count))
            .collect(),
        slowest: clients.slowest.iter().map(Client::from).collect(),
        furthest_behind: clients.furthest_behind.iter().map(Client::from).collect(),
    };
    serde_json::to_string(&sample).expect("names and numbers are JSON")
}

impl<'a> From<&'a report::Client> for Client<'a> {
    fn from(client: &'a report::Client) -> Self {
        let latency = client.latency;
        Self {
            conn: client.conn.to_string(),
            user: &client.user,
            lobby: client.lobby.as_deref(),
            smoothed: latency.map(|latency| milliseconds(latency.smoothed)),
            last: latency.map(|latency| milliseconds(latency.last)),
            best: latency.map(|latency| milliseconds(latency.min)),
            backlog_bytes: client.backlog.bytes,
            backlog_messages: client.backlog.messages,
        }
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
