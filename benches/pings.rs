//! What a tick that pings costs for each ping, among 1,000, 100,000 and 1,000,000 connections that all answer. It
//! includes the look at the answer, ten seconds later, and the two readings of the clock for each tick.

#![allow(missing_docs, reason = "criterion's macros make an undocumented function")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

mod crowd;

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use lobbykeeper::{Command, Frame, Outbox, Time};

use crowd::{Crowd, NOW};

const COUNTS: [u32; 3] = [1_000, 100_000, 1_000_000];

/// Everybody is there and answers. Time goes on from tick to tick, with about as many pings due at each.
struct Pinging {
    crowd: Crowd,
    answers: Outbox,
    now: Time,
    per_tick: u32,
}

impl Pinging {
    /// How often each connection is pinged.
    const INTERVAL: Duration = Duration::from_secs(20);

    /// Ticks, and lets those who were pinged answer. How long the tick took, and how many it pinged.
    fn tick(&mut self) -> (Duration, u64) {
        let Crowd { manager, out, conns } = &mut self.crowd;
        self.now = if self.per_tick == 1 {
            manager.next_deadline().expect("there are connections")
        } else {
            self.now + Self::INTERVAL * self.per_tick / u32::try_from(conns.len()).expect("there are not so many")
        };
        let start = Instant::now();
        manager.tick(self.now, out);
        let spent = start.elapsed();
        let mut pinged = 0;
        for command in out.commands() {
            let Command::Send { to, .. } = command else {
                panic!("nobody is closed: {command:?}")
            };
            for &conn in to {
                manager.message(self.now, conn, Frame::binary(b""), &mut self.answers);
            }
            pinged += to.len() as u64;
        }
        out.clear();
        (spent, pinged)
    }

    /// The time of so many pings, measured over the ticks that it takes to send at least as many.
    fn pings(&mut self, iterations: u64) -> Duration {
        let (mut spent, mut pinged) = (Duration::ZERO, 0);
        while pinged < iterations {
            let (tick, pings) = self.tick();
            spent += tick;
            pinged += pings;
        }
        let nanos = spent.as_nanos() * u128::from(iterations) / u128::from(pinged);
        Duration::from_nanos(u64::try_from(nanos).expect("nobody waits so long"))
    }
}

fn pings(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pings");
    group
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_500))
        .nresamples(10_000);
    for count in COUNTS {
        let mut pinging = Pinging {
            crowd: Crowd::new(count),
            answers: Outbox::new(),
            now: NOW,
            per_tick: 1,
        };
        for per_tick in [1, 100, 10_000].into_iter().filter(|&per_tick| per_tick < count) {
            pinging.per_tick = per_tick;
            // After two rounds those who are due at the same tick are due at the same instant.
            pinging.pings(2 * u64::from(count));
            group.bench_function(BenchmarkId::new(format!("{per_tick} in a tick"), count), |bencher| {
                bencher.iter_custom(|iterations| pinging.pings(iterations));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, pings);
criterion_main!(benches);
