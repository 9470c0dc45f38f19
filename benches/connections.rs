//! What a call about one connection costs among 1,000, 100,000 and 1,000,000 of them.
//!
//! "hot" are the same 64 connections in turn; "random" are all of them in an order that no cache foresees, so that what
//! a call touches has to come from far away.

#![allow(missing_docs, reason = "criterion's macros make an undocumented function")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

mod crowd;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main};
use lobbykeeper::{Cause, ConnId, Frame, Inbound};

use crowd::{Crowd, NOW, Random, lobby_name, user_name};

const COUNTS: [u32; 3] = [1_000, 100_000, 1_000_000];

/// How many connections are hot, and how many calls are made between two readings of the clock.
const HOT: u32 = 64;

/// How many random connections are pinged before the first of them answers: so many that what the pings have touched
/// is out of the near caches by then.
const PINGED: u32 = 16_384;

const CHAT_40: &str = r#"{"type":"chat","text":"gg, well played"}"#;
const CHAT_128: &str = r#"{"type":"chat","text":"I think we should go left at the bridge, then wait for the others behind the old mill at the riverside."}"#;

/// A crowd and the numbers of its connections in random order.
struct Cases<'a, 'b> {
    group: &'a mut BenchmarkGroup<'b, WallTime>,
    count: u32,
    crowd: Crowd,
    random: Vec<u32>,
}

impl Cases<'_, '_> {
    fn id(&self, name: &str) -> BenchmarkId {
        BenchmarkId::new(name, self.count)
    }

    fn tick(&mut self) {
        let id = self.id("tick, nothing due");
        let Crowd { manager, out, .. } = &mut self.crowd;
        self.group
            .bench_function(id, |bencher| bencher.iter(|| manager.tick(black_box(NOW), out)));
        assert!(out.is_empty(), "nothing is due");
    }

    fn messages(&mut self) {
        let stale = self.crowd.connect("lobby 0", "gone");
        self.crowd.manager.closed(NOW, stale, Cause::Peer, &mut self.crowd.out);
        self.crowd.out.clear();
        self.message("message of a stale id", &[stale], &Frame::binary(b""), Inbound::Stale);

        let hot = self.conns(&self.random[..HOT as usize]);
        let random = self.conns(&self.random);
        let binary = [b'x'; 128];
        for (what, frame) in [
            ("empty binary", Frame::binary(b"")),
            ("binary of 128 bytes", Frame::binary(&binary)),
            ("text of 40 bytes", Frame::text(CHAT_40)),
            ("text of 128 bytes", Frame::text(CHAT_128)),
        ] {
            self.message(&format!("message, {what}, hot"), &hot, &frame, Inbound::Deliver);
            self.message(&format!("message, {what}, random"), &random, &frame, Inbound::Deliver);
        }
        self.pongs("message, matching health_pong, hot", HOT);
        self.pongs("message, matching health_pong, random", PINGED.min(self.count));
    }

    fn conns(&self, numbers: &[u32]) -> Vec<ConnId> {
        let conns = numbers.iter().map(|&number| self.crowd.conns[number as usize]);
        conns.collect()
    }

    /// The same frame from each of these connections in turn.
    fn message(&mut self, name: &str, from: &[ConnId], frame: &Frame<'_>, answer: Inbound) {
        let id = self.id(name);
        let Crowd { manager, out, .. } = &mut self.crowd;
        let mut next = from.iter().copied().cycle();
        let mut message = || {
            let conn = next.next().expect("it never ends");
            manager.message(NOW, conn, black_box(frame).clone(), out)
        };
        assert_eq!(message(), answer);
        self.group.bench_function(id, |bencher| bencher.iter(&mut message));
        assert!(out.is_empty());
    }

    /// So many connections are pinged, each with a ping of its own; then, which alone is timed, each of them answers.
    fn pongs(&mut self, name: &str, batch: u32) {
        let id = self.id(name);
        let crowd = &mut self.crowd;
        let random = if batch == HOT {
            &self.random[..HOT as usize]
        } else {
            &self.random
        };
        let mut numbers = random.iter().copied().cycle();
        let mut answers = Vec::new();
        self.group.bench_function(id, |bencher| {
            bencher.iter_custom(|iterations| {
                in_batches(iterations, batch, |size| {
                    answers.clear();
                    for number in numbers.by_ref().take(size) {
                        let pong = crowd.ping(number);
                        answers.push((crowd.conns[number as usize], pong));
                    }
                    let start = Instant::now();
                    for (conn, pong) in &answers {
                        black_box(crowd.manager.message(NOW, *conn, Frame::text(pong), &mut crowd.out));
                    }
                    let spent = start.elapsed();
                    assert_eq!(crowd.out.notices().count(), size, "each answers its ping");
                    crowd.out.clear();
                    spent
                })
            });
        });
    }

    /// Somebody comes and goes, into a lobby with a hundred others.
    fn newcomers(&mut self) {
        let names: Vec<String> = (0..1 << 16).map(|number| format!("newcomer {number}")).collect();
        for (name, names) in [
            ("connect + close, the same newcomer", &names[..1]),
            ("connect + close, ever another newcomer", &names),
        ] {
            let id = self.id(name);
            let crowd = &mut self.crowd;
            let mut names = names.iter().cycle();
            self.group.bench_function(id, |bencher| {
                bencher.iter(|| {
                    let name = names.next().expect("it never ends");
                    let conn = crowd.connect(black_box("lobby 0"), name);
                    let ended = crowd.manager.closed(NOW, conn, Cause::Peer, &mut crowd.out);
                    black_box(&crowd.out);
                    crowd.out.clear();
                    ended
                });
            });
        }
    }

    /// Random connections close and connect again, under the same user into the same lobby.
    fn victims(&mut self) {
        for (name, closing) in [("close, random", true), ("connect, random", false)] {
            let id = self.id(name);
            let crowd = &mut self.crowd;
            let mut numbers = self.random.iter().copied().cycle();
            self.group.bench_function(id, |bencher| {
                bencher.iter_custom(|iterations| {
                    in_batches(iterations, HOT, |size| {
                        let victims: Vec<_> = numbers.by_ref().take(size).map(Victim::new).collect();
                        let (closes, connects) = replace(crowd, &victims);
                        if closing { closes } else { connects }
                    })
                });
            });
        }
    }
}

/// A connection that goes and comes again.
struct Victim {
    number: u32,
    lobby: String,
    user: String,
}

impl Victim {
    fn new(number: u32) -> Self {
        Self {
            number,
            lobby: lobby_name(number),
            user: user_name(number),
        }
    }
}

/// All of them close, then all of them connect again. How long the one and the other takes.
fn replace(crowd: &mut Crowd, victims: &[Victim]) -> (Duration, Duration) {
    let mut conns: Vec<_> = victims
        .iter()
        .map(|victim| crowd.conns[victim.number as usize])
        .collect();
    let start = Instant::now();
    for &conn in &conns {
        crowd.manager.closed(NOW, conn, Cause::Peer, &mut crowd.out);
    }
    let closes = start.elapsed();
    crowd.out.clear();
    let start = Instant::now();
    for (conn, victim) in conns.iter_mut().zip(victims) {
        *conn = crowd.connect(&victim.lobby, &victim.user);
    }
    let connects = start.elapsed();
    crowd.out.clear();
    for (&conn, victim) in conns.iter().zip(victims) {
        crowd.conns[victim.number as usize] = conn;
    }
    (closes, connects)
}

/// The sum of what batches of at most this size take, which together have so many iterations.
fn in_batches(iterations: u64, batch: u32, mut run: impl FnMut(usize) -> Duration) -> Duration {
    let mut spent = Duration::ZERO;
    let mut left = iterations;
    while left > 0 {
        let size = left.min(batch.into());
        spent += run(usize::try_from(size).expect("a batch is small"));
        left -= size;
    }
    spent
}

fn connections(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("connections");
    group
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_500))
        .nresamples(10_000);
    for count in COUNTS {
        let mut cases = Cases {
            group: &mut group,
            count,
            crowd: Crowd::new(count),
            random: Random::new().shuffled(count),
        };
        cases.tick();
        cases.messages();
        cases.newcomers();
        cases.victims();
    }
    group.finish();
}

criterion_group!(benches, connections);
criterion_main!(benches);
