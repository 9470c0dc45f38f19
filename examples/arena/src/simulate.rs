//! The arena with simulated players: in memory, without sockets, on a clock of its own. Only what it costs is measured
//! with a real one.

use std::fmt;
use std::mem;
use std::time::{Duration, Instant};

use lobby_socket::Frames;
use lobbykeeper::{Command, Config, ConnId, Frame, Handshake, Outbox, Output, Payload, Stats};

use crate::arena::{Arena, Part};
use crate::random::Random;
use crate::settings::config;
use crate::ticker::Ticker;
use crate::world::STEPS_PER_SECOND;

/// How many ticks lie between two changes of mind of a player, on average: five a second.
const TICKS_PER_STEERING: i32 = 6;

/// What a tick costs: how long each part of it took, tick by tick.
#[derive(Debug, Default)]
struct Costs {
    messages: Vec<Duration>,
    game: Vec<Duration>,
    encoding: Vec<Duration>,
    framing: Vec<Duration>,
    broadcasts: Vec<Duration>,
    tick: Vec<Duration>,
    flushed: Vec<Duration>,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    players: u32,
    ticks: u32,
    /// What the manager has counted.
    pub stats: Stats,
    costs: Costs,
}

/// Lets so many players play for so many ticks, in rooms of so many.
///
/// # Panics
/// If the manager does not admit them.
pub fn simulate(players: u32, max_per_room: u32, ticks: u32) -> Report {
    let config = Config {
        // All come at once.
        connect_rate: None,
        ..config(players, max_per_room)
    };
    let mut arena = Arena::new(config, 1).expect("the settings are those of the server");
    let (mut ticker, mut hands) = (Ticker::default(), Random::new(2));
    let mut driver = Driver::default();
    let mut conns: Vec<ConnId> = Vec::new();
    let mut costs = Costs::default();
    for player in 0..players {
        let (room, name) = (format!("room {}", player / max_per_room), format!("player {player}"));
        let conn = arena.connected(ticker.next(), Handshake::new(room, name), &mut driver.out);
        conns.push(conn.expect("there is room for all"));
    }
    for _ in 0..ticks {
        let now = ticker.next();
        let steps = ticker.due(now);
        let mut said = mem::take(&mut driver.pongs);
        for &conn in &conns {
            if hands.below(TICKS_PER_STEERING) == 0 {
                let [x, y] = [0; 2].map(|_| hands.below(256).to_le_bytes()[0]);
                said.push((conn, Payload::binary(vec![x, y])));
            }
        }
        let mut watch = Watch::start();
        for (conn, payload) in &said {
            let frame = match payload {
                Payload::Text(text) => Frame::text(text.as_str()),
                other => Frame::binary(other.as_bytes().as_ref()),
            };
            arena.message(now, *conn, frame, &mut driver.out);
        }
        costs.messages.push(watch.lap());
        driver.carry_out(&mut arena, now);

        watch.lap();
        arena.frame(now, steps, &mut driver.out, |part| {
            let part = match part {
                Part::Game => &mut costs.game,
                Part::Encoding => &mut costs.encoding,
                Part::Broadcasts => &mut costs.broadcasts,
                Part::Tick => &mut costs.tick,
            };
            part.push(watch.lap());
        });
        driver.framing = Duration::ZERO;
        driver.carry_out(&mut arena, now);
        costs.framing.push(driver.framing);

        // Everybody reads all of it at once.
        watch.lap();
        for (conn, bytes, messages) in driver.written.drain(..) {
            arena.flushed(now, conn, bytes, messages, &mut driver.out);
        }
        costs.flushed.push(watch.lap());
        driver.frames.clear();
    }
    Report {
        players,
        ticks,
        stats: arena.manager().stats(),
        costs,
    }
}

struct Watch(Instant);

impl Watch {
    fn start() -> Self {
        Self(Instant::now())
    }

    /// Since the last time, or the start.
    fn lap(&mut self) -> Duration {
        let now = Instant::now();
        now - mem::replace(&mut self.0, now)
    }
}

/// What takes the place of the sockets.
#[derive(Default)]
struct Driver {
    out: Outbox,
    spare: Outbox,
    frames: Frames,
    /// How long it took to encode the frames.
    framing: Duration,
    /// What is written for whom, in payload bytes and messages, by index.
    written: Vec<(ConnId, u64, u32)>,
    /// Answers to pings, which come with the next tick.
    pongs: Vec<(ConnId, Payload)>,
}

impl Driver {
    fn carry_out(&mut self, arena: &mut Arena, now: lobbykeeper::Time) {
        while !self.out.is_empty() {
            let mut reading = mem::replace(&mut self.out, mem::take(&mut self.spare));
            for output in &reading {
                match output {
                    Output::Command(Command::Send { to, payload }) => self.send(to, payload),
                    Output::Command(other) => unreachable!("nobody gives cause for {other:?}"),
                    Output::Notice(notice) => arena.noticed(now, notice, &mut self.out),
                }
            }
            reading.clear();
            self.spare = reading;
        }
        // One report for each connection, as a driver that writes once a frame has it.
        self.written.sort_unstable_by_key(|&(conn, ..)| conn);
        self.written.dedup_by(|later, first| {
            let is_same = later.0 == first.0;
            if is_same {
                first.1 += later.1;
                first.2 += later.2;
            }
            is_same
        });
    }

    fn send(&mut self, to: &[ConnId], payload: &Payload) {
        let mut watch = Watch::start();
        self.frames.encode(payload);
        self.framing += watch.lap();
        let bytes = payload.len() as u64;
        self.written.extend(to.iter().map(|&conn| (conn, bytes, 1)));
        if let Payload::Text(text) = payload
            && text.as_str().contains("health_ping")
        {
            let pong = Payload::text(text.as_str().replace("health_ping", "health_pong"));
            self.pongs.extend(to.iter().map(|&conn| (conn, pong.clone())));
        }
    }
}

impl Costs {
    /// The rows of a table; the first of those that are summed up come right after their sum.
    fn rows(&self) -> [(&'static str, Vec<Duration>); 10] {
        let manager = [&self.messages, &self.broadcasts, &self.tick, &self.flushed];
        let encoding = [&self.encoding, &self.framing];
        let all = manager.into_iter().chain(encoding).chain([&self.game]);
        [
            ("a tick in all", sum(&all.collect::<Vec<_>>())),
            ("manager", sum(&manager)),
            ("  messages", self.messages.clone()),
            ("  broadcasts", self.broadcasts.clone()),
            ("  tick", self.tick.clone()),
            ("  flushed", self.flushed.clone()),
            ("game", self.game.clone()),
            ("encoding", sum(&encoding)),
            ("  states", self.encoding.clone()),
            ("  frames", self.framing.clone()),
        ]
    }
}

fn sum(parts: &[&Vec<Duration>]) -> Vec<Duration> {
    let ticks = parts.first().map_or(0, |part| part.len());
    let of_tick = |tick: usize| parts.iter().map(|part| part[tick]).sum();
    (0..ticks).map(of_tick).collect()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            players, ticks, stats, ..
        } = self;
        let rooms = stats.active_lobbies;
        writeln!(
            f,
            "{players} players in {rooms} rooms, {ticks} ticks of 1/{STEPS_PER_SECOND} s"
        )?;
        writeln!(
            f,
            "in each tick on average: {} messages in, {} out, {} bytes to each player",
            stats.messages_in / u64::from(*ticks),
            stats.messages_out / u64::from(*ticks),
            stats.bytes_out / u64::from(*ticks) / u64::from(*players),
        )?;
        writeln!(f, "\n| microseconds  |  median |     p99 |")?;
        writeln!(f, "|---------------|---------|---------|")?;
        for (name, mut times) in self.costs.rows() {
            times.sort_unstable();
            let at = |percent: usize| {
                let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
                times.get(index).map_or(0, Duration::as_nanos)
            };
            let [median, p99] = [50, 99].map(|percent| {
                let tenths = at(percent) / 100;
                format!("{}.{}", tenths / 10, tenths % 10)
            });
            writeln!(f, "| {name:<13} | {median:>7} | {p99:>7} |")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_gets_every_state_and_nobody_is_lost() {
        let (players, ticks) = (40, 900);
        let Report { stats, .. } = simulate(players, 8, ticks);
        assert_eq!((stats.open_connections, stats.active_lobbies), (players, 5));
        assert_eq!(
            (stats.dropped_messages, stats.violations, stats.missed_pings),
            (0, 0, 0)
        );
        assert!(stats.pongs > 0);
        // A welcome, the players of the room, and a state in each tick.
        let expected = u64::from(players) * (u64::from(ticks) + 2) + stats.pings;
        assert_eq!(stats.messages_out, expected);
    }

    #[test]
    fn the_same_players_lead_to_the_same_everywhere() {
        let [first, second] = [(); 2].map(|()| simulate(20, 8, 200).stats);
        assert_eq!(first, second);
    }
}
