//! What came of it.

use core::fmt;
use core::time::Duration;

use serde::Serialize;

use super::round_trips::RoundTrips;
use crate::stats::{Evictions, Refusals, Reservations};
use crate::time::{nanos, optional_nanos};

/// The figures of a run, counted by the simulated world; the manager's own counters are not asked. All are whole
/// numbers, and the same scenario and seed give the same ones. `Display` writes a line for each.
///
/// JSON form: an object with the names of the fields, durations as whole nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The world's time at the end.
    #[serde(with = "nanos")]
    pub simulated: Duration,
    /// What happened in the world: packets, clients' doings, faults.
    pub events: u64,
    /// Deadlines that the driver slept until.
    pub ticks: u64,
    /// Visits of clients; a client that comes back after it was cut off or turned away is on the same visit.
    pub visits: u64,
    /// Connections admitted.
    pub admissions: u64,
    /// Connections refused, by rule.
    pub refusals: Refusals,
    /// The most connections at once, with the seats that are reserved, and ...
    pub peak_connections: u64,
    /// ... how many there were on average over the scenario's duration.
    pub average_connections: u64,
    /// Connections that their clients closed.
    pub left: u64,
    /// Connections whose reading failed.
    pub crashed: u64,
    /// Connections that fell too far behind.
    pub send_failed: u64,
    /// Evictions by what the command said.
    pub evictions: Evictions,
    /// What was true of those that were evicted as stale.
    pub stale: StaleTruth,
    /// [`Config::ping_interval`](crate::Config::ping_interval) + `max_missed` × `ping_timeout`; `None` without pings.
    #[serde(with = "optional_nanos")]
    pub ghost_bound: Option<Duration>,
    /// The longest that a connection stayed open after its link was cut, from when the server last heard it, in active
    /// time: pauses of the server, and steps of its clock, do not count.
    #[serde(with = "nanos")]
    pub oldest_ghost: Duration,
    /// The same among those in whose silence there was nothing that gives a silence more time: no pause and no step
    /// forward (which voids a ping that is under way), and no suspicion against the server's own network (one ping
    /// more). `ghost_bound` holds for it.
    #[serde(with = "nanos")]
    pub oldest_undisturbed_ghost: Duration,
    /// Ghosts that stayed open for longer than `ghost_bound` and one `ping_timeout` more for each such pause, and one
    /// for a suspicion. 0 unless the manager has a defect.
    pub ghosts_over_bound: u64,
    /// Connections evicted as stale that had been silent, by the server's clock, for less than `max_missed` ×
    /// `ping_timeout`, whoever they were. 0 unless the manager has a defect.
    pub evicted_early: u64,
    /// How often a limit was found overrun: of the server, of a lobby, of a user, of a backlog, of all backlogs together.
    /// 0 unless the manager has a defect.
    pub limits_overrun: u64,
    /// The most bytes that waited for open connections at once, if backlogs are limited.
    pub peak_backlog: u64,
    /// Messages that the driver handed to the manager, pongs included.
    pub messages_in: u64,
    /// Messages that the driver took on for a client, one for each recipient, pings included.
    pub messages_out: u64,
    /// Pings among them.
    pub pings: u64,
    /// Pongs that answered the last ping.
    pub pongs: u64,
    /// How long those took, from the write of the ping to the reading of its pong, pauses included.
    pub round_trips: RoundTrips,
    /// How often the manager told a round-trip time when the last ping had not been answered. 0 unless it has a defect.
    pub false_round_trips: u64,
    /// How often the manager said that the server had been paused, ...
    pub pauses_noticed: u64,
    /// ... and that its network was suspect.
    pub waves_noticed: u64,
    /// Connections that the driver still held when nothing more was left to happen; 0 unless nobody is evicted for
    /// silence.
    pub left_over: u64,
    /// What became of reservations.
    pub reservations: Reservations,
    /// Reserved seats that lapsed before [`Config::reservation_ttl`](crate::Config::reservation_ttl) was over, or were held
    /// for longer, in active time, and once more as long for each pause and step forward meanwhile. 0 unless the manager
    /// has a defect.
    pub seats_mistimed: u64,
    /// Seats that were still reserved when nothing more was left to happen. 0 unless the manager has a defect.
    pub seats_left_over: u64,
    /// What an operator did.
    pub orders: Orders,
    /// Orders that were not obeyed: somebody new in a locked lobby; a kicked user of whom a connection or a seat was left;
    /// a lock, its end or a kick, the answer to which was not what the world knew. 0 unless the manager has a defect.
    pub orders_defied: u64,
    /// Of all outputs and their times, in order: equal for equal runs.
    pub digest: u64,
}

/// What an operator did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Orders {
    /// Users that were to be kicked, ...
    pub kicks: u64,
    /// ... those among them who had no connection, ...
    pub kicks_of_nobody: u64,
    /// ... and the connections of the others.
    pub kicked: u64,
    /// Lobbies that were locked, ...
    pub locks: u64,
    /// ... and unlocked.
    pub unlocks: u64,
    /// Limits that were changed.
    pub limits: u64,
}

/// What was true of the connections that were evicted as stale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StaleTruth {
    /// Their links had been cut.
    pub ghosts: u64,
    /// They lived, but no packet got through to the server or from it: an outage.
    pub cut_off: u64,
    /// They lived and did not read.
    pub not_reading: u64,
    /// They had left, and their goodbye was under way.
    pub leaving: u64,
    /// None of these: the client was there, its link was whole, and it answered every ping that reached it. A round
    /// trip longer than `ping_timeout` does it, or settings that cannot bear the pauses of the scenario.
    pub innocent: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_traffic(f)?;
        self.write_verdict(f)?;
        line(f, "left over", self.left_over)?;
        line(f, "digest", format_args!("{:016x}", self.digest))
    }
}

impl Report {
    /// Who came and went, and what was said.
    fn write_traffic(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, "simulated time", Seconds(self.simulated))?;
        line(f, "events, ticks", format_args!("{}, {}", self.events, self.ticks))?;
        line(
            f,
            "visits, admissions",
            format_args!("{}, {}", self.visits, self.admissions),
        )?;
        let (average, peak) = (self.average_connections, self.peak_connections);
        line(
            f,
            "connections",
            format_args!("{average} on average, {peak} at the peak"),
        )?;
        let Refusals {
            invalid_name,
            server_full,
            lobby_full,
            user_limit,
            lobby_locked,
            connect_rate,
            // Nobody here comes with a source or an expiry, or with a reservation that has lapsed.
            ..
        } = self.refusals;
        line(
            f,
            "refusals",
            format_args!(
                "server full {server_full}, lobby full {lobby_full}, user limit {user_limit}, invalid name {invalid_name}, \
                 locked {lobby_locked}, connect rate {connect_rate}"
            ),
        )?;
        let Reservations {
            made,
            used,
            released,
            lapsed,
        } = self.reservations;
        line(
            f,
            "reservations",
            format_args!("made {made}, used {used}, released {released}, lapsed {lapsed}"),
        )?;
        let Orders {
            kicks,
            kicks_of_nobody,
            kicked,
            locks,
            unlocks,
            limits,
        } = self.orders;
        line(
            f,
            "orders",
            format_args!(
                "kicks {kicks} ({kicks_of_nobody} of nobody, {kicked} connections), locks {locks}, unlocks {unlocks}, \
                 limits {limits}"
            ),
        )?;
        let (left, crashed, too_slow) = (self.left, self.crashed, self.send_failed);
        line(
            f,
            "closed",
            format_args!("left {left}, crashed {crashed}, too slow {too_slow}"),
        )?;
        line(
            f,
            "messages in, out",
            format_args!("{}, {}", self.messages_in, self.messages_out),
        )?;
        line(f, "pings, pongs", format_args!("{}, {}", self.pings, self.pongs))?;
        let [p50, p99, p999, max] = self.round_trips.quantiles().map(Seconds);
        line(
            f,
            "round trips",
            format_args!("p50 {p50}, p99 {p99}, p99.9 {p999}, max {max}"),
        )
    }

    /// Whom the manager evicted, and whether that was right.
    fn write_verdict(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Evictions {
            stale,
            close_timeout,
            replaced,
            slow_consumer,
            over_budget,
        } = self.evictions;
        line(
            f,
            "evicted",
            format_args!(
                "stale {stale}, close time-out {close_timeout}, replaced {replaced}, slow {slow_consumer}, \
                 over budget {over_budget}"
            ),
        )?;
        let StaleTruth {
            ghosts,
            cut_off,
            not_reading,
            leaving,
            innocent,
        } = self.stale;
        line(
            f,
            "the stale in truth",
            format_args!("ghosts {ghosts}, cut off {cut_off}, not reading {not_reading}, leaving {leaving}"),
        )?;
        line(f, "false evictions", innocent)?;
        if let Some(bound) = self.ghost_bound {
            let [oldest, undisturbed, bound] = [self.oldest_ghost, self.oldest_undisturbed_ghost, bound].map(Seconds);
            line(
                f,
                "oldest ghost",
                format_args!("{oldest}, undisturbed {undisturbed}, bound {bound}"),
            )?;
        }
        line(f, "ghosts over the bound", self.ghosts_over_bound)?;
        line(f, "evicted too early", self.evicted_early)?;
        line(f, "limits overrun", self.limits_overrun)?;
        line(f, "orders defied", self.orders_defied)?;
        let (mistimed, left) = (self.seats_mistimed, self.seats_left_over);
        line(
            f,
            "reserved seats",
            format_args!("mistimed {mistimed}, left over {left}"),
        )?;
        line(f, "backlog", format_args!("{} bytes at the peak", self.peak_backlog))?;
        line(f, "false round trips", self.false_round_trips)?;
        let (pauses, waves) = (self.pauses_noticed, self.waves_noticed);
        line(f, "noticed", format_args!("pauses {pauses}, waves {waves}"))
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, value: impl fmt::Display) -> fmt::Result {
    writeln!(f, "{name:<22} {value}")
}

/// With milliseconds.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03} s", self.0.as_secs(), self.0.subsec_millis())
    }
}
