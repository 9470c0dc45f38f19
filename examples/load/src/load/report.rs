//! What a run found out.

use std::fmt;

use serde::Serialize;

/// A run's figures. `None` is what was not asked for or not measured.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Connections.
    pub clients: usize,
    /// Connections in a lobby.
    pub lobby_size: usize,
    /// From the first attempt to the last upgrade.
    pub connects_per_second: f64,
    /// What the messages were like.
    pub traffic: Option<Traffic>,
    /// How much memory the server takes.
    pub memory: Option<Memory>,
}

/// What was sent and how it arrived.
#[derive(Clone, Debug, Serialize)]
pub struct Traffic {
    /// Bytes of a text, without JSON and framing.
    pub payload: usize,
    /// The time measured, without the warm-up.
    pub seconds: f64,
    /// Arrivals in that time. A broadcast to a lobby of k is k - 1 of them.
    pub deliveries: u64,
    /// Arrivals in the whole run, all of which were checked.
    pub checked: u64,
    /// Arrivals per second.
    pub deliveries_per_second: f64,
    /// Of the messages that were to be sent in that time.
    pub latency: Latency,
    /// How much of a core the client took. It does nothing but wait when the rate is paced, so that it is near 1 then.
    pub client_cpu_share: f64,
    /// How many cores the server took.
    pub server_cpu_share: Option<f64>,
    /// CPU seconds of the server per million arrivals.
    pub server_cpu_per_million: Option<f64>,
}

/// From when a message was to be sent until it was read, in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Latency {
    /// The median.
    pub p50: f64,
    /// One in a hundred took longer.
    pub p99: f64,
    /// One in a thousand took longer.
    pub p999: f64,
    /// The longest.
    pub max: f64,
}

/// Resident memory of the server in bytes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Memory {
    /// Before the first connection.
    pub before: u64,
    /// With all connections, when nothing more was sent.
    pub after: u64,
    /// What one connection takes, beside what the kernel has of it.
    pub per_connection: f64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            clients,
            lobby_size,
            connects_per_second,
            ..
        } = self;
        writeln!(
            f,
            "{clients} clients in lobbies of {lobby_size}, {connects_per_second:.0} connects/s"
        )?;
        if let Some(Memory {
            before,
            after,
            per_connection,
        }) = self.memory
        {
            let (before, after) = (before / 1024, after / 1024);
            writeln!(
                f,
                "memory      {per_connection:.0} bytes per connection ({before} KiB before, {after} KiB after)"
            )?;
        }
        if let Some(traffic) = &self.traffic {
            let (deliveries, seconds) = (traffic.deliveries, traffic.seconds);
            let Latency { p50, p99, p999, max } = traffic.latency;
            writeln!(
                f,
                "deliveries  {:.0}/s ({deliveries} in {seconds:.2} s, texts of {} bytes)",
                traffic.deliveries_per_second, traffic.payload
            )?;
            writeln!(
                f,
                "latency     p50 {p50:.0} us, p99 {p99:.0} us, p99.9 {p999:.0} us, max {max:.0} us"
            )?;
            write!(f, "CPU         client {:.0} %", traffic.client_cpu_share * 100.0)?;
            if let (Some(share), Some(cost)) = (traffic.server_cpu_share, traffic.server_cpu_per_million) {
                write!(f, ", server {:.0} %, {cost:.3} s per million deliveries", share * 100.0)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
