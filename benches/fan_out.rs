//! What a broadcast costs per recipient: written to the outbox, read back, and handed recipient by recipient to a sink.
//! Beside it the floor: a dense `Vec<u32>` through the same sink, in the same run. Criterion's times are those of one
//! recipient.

#![allow(missing_docs, reason = "criterion's macros make an undocumented function")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use lobbykeeper::{Command, Config, ConnId, Except, Handshake, LobbyId, Manager, Outbox, Payload, Time};

const MEMBERS: [u32; 4] = [10, 100, 1_000, 10_000];

/// Stands for what a driver does with a recipient: it looks its socket up by this index.
fn sink(index: u32) {
    black_box(index);
}

struct Lobby {
    manager: Manager,
    out: Outbox,
    payload: Payload,
    sender: ConnId,
    id: LobbyId,
}

impl Lobby {
    fn new(members: u32) -> Self {
        let mut manager = Manager::new(Config::default()).expect("the defaults are valid");
        let mut out = Outbox::new();
        let mut last = None;
        for number in 0..members {
            let handshake = Handshake::new("den", format!("user {number}"));
            last = manager.connected(Time::ZERO, handshake, &mut out).ok();
        }
        out.clear();
        let id = manager.lobby_id("den").expect("it has members");
        Self {
            manager,
            out,
            payload: Payload::text("x".repeat(128)),
            sender: last.expect("one member at least"),
            id,
        }
    }

    /// Broadcasts once and reads the outbox as a driver does.
    fn broadcast(&mut self, by_name: bool, except: Except<'_>) {
        let Self {
            manager,
            out,
            payload,
            id,
            ..
        } = self;
        if by_name {
            manager.broadcast(Time::ZERO, black_box("den"), payload.clone(), except, out);
        } else {
            manager.broadcast(Time::ZERO, *id, payload.clone(), except, out);
        }
        for command in out.commands() {
            if let Command::Send { to, payload } = command {
                black_box(payload);
                for conn in to {
                    sink(conn.index());
                }
            }
        }
        out.clear();
    }
}

/// The time of so many calls, divided by the recipients of each.
fn per_recipient(iterations: u64, members: u32, mut call: impl FnMut()) -> Duration {
    let start = Instant::now();
    for _ in 0..iterations {
        call();
    }
    start.elapsed() / members
}

fn fan_out(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ns per recipient");
    group
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    for members in MEMBERS {
        let dense: Vec<u32> = (0..members).collect();
        group.bench_function(BenchmarkId::new("floor", members), |bencher| {
            bencher.iter_custom(|iterations| {
                per_recipient(iterations, members, || black_box(&dense).iter().copied().for_each(sink))
            });
        });
        let mut lobby = Lobby::new(members);
        let sender = lobby.sender;
        let cases = [
            ("by id", false, Except::Nobody),
            ("by name", true, Except::Nobody),
            ("by id, sender's user excluded", false, Except::UserOf(sender)),
        ];
        for (name, by_name, except) in cases {
            group.bench_function(BenchmarkId::new(name, members), |bencher| {
                bencher.iter_custom(|iterations| {
                    per_recipient(iterations, members, || lobby.broadcast(by_name, except.clone()))
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, fan_out);
criterion_main!(benches);
