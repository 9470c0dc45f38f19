//! What a broadcast costs: written to the outbox, read back, and handed recipient by recipient to a sink. Beside it, in
//! the same run and with the same sink, the floor, which is a dense `Vec<u32>`, and what others do.
//!
//! Criterion's times are those of a whole broadcast, its throughput counts the recipients.

#![allow(missing_docs, reason = "criterion's macros make an undocumented function")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

mod crowd;
mod peers;

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lobbykeeper::{Cause, Command, ConnId, Except, Handshake, LobbyId, LobbyRef, Manager, Outbox, Payload};

use crowd::{Crowd, NOW, Random, user_name};
use peers::channel::Channel;
use peers::local_adapter::Adapter;
use peers::usual_manager::UsualManager;

const MEMBERS: [u32; 5] = [10, 100, 1_000, 10_000, 100_000];

/// Stands for what a driver does with a recipient: it looks its socket up by this.
fn sink<I>(id: I) {
    black_box(id);
}

/// Hands a run of recipients to the sink, eight at a time: a loop as small as that over one takes twice as long where it
/// happens to lie across two cache lines.
fn hand_out<T: Copy, I>(to: &[T], id: impl Fn(T) -> I) {
    let (eights, rest) = to.as_chunks::<8>();
    for eight in eights {
        for &recipient in eight {
            sink(id(recipient));
        }
    }
    for &recipient in rest {
        sink(id(recipient));
    }
}

/// What a peer does with a recipient: each is given a payload of its own, since it goes into a queue or into a call.
fn sink_with_payload<I, P>(id: I, payload: P) {
    black_box(payload);
    sink(id);
}

fn text() -> String {
    "x".repeat(128)
}

struct Lobby {
    manager: Manager,
    out: Outbox,
    payload: Payload,
    conns: Vec<ConnId>,
    id: LobbyId,
}

impl Lobby {
    fn new(members: u32) -> Self {
        Self::of(Crowd::in_one("den", members))
    }

    fn of(Crowd { manager, out, conns }: Crowd) -> Self {
        let id = manager.lobby_id("den").expect("it has members");
        Self {
            manager,
            out,
            payload: Payload::text(text()),
            conns,
            id,
        }
    }

    /// Broadcasts once and reads the outbox as a driver does.
    fn broadcast<'a>(&mut self, lobby: impl Into<LobbyRef<'a>>, except: Except<'_>) -> usize {
        let payload = self.payload.clone();
        let addressed = self.manager.broadcast(NOW, lobby, payload, except, &mut self.out);
        for command in self.out.commands() {
            if let Command::Send { to, payload } = command {
                black_box(payload);
                hand_out(to, ConnId::index);
            }
        }
        self.out.clear();
        addressed
    }

    /// A member leaves and comes again.
    fn replace(&mut self, number: u32) {
        let conn = &mut self.conns[number as usize];
        self.manager.closed(NOW, *conn, Cause::Peer, &mut self.out);
        let handshake = Handshake::new("den", user_name(number));
        let again = self.manager.connected(NOW, handshake, &mut self.out);
        *conn = again.expect("there is no limit");
        self.out.clear();
    }
}

/// The cases of one lobby size.
struct Cases<'a, 'b> {
    group: &'a mut BenchmarkGroup<'b, WallTime>,
    members: u32,
}

impl Cases<'_, '_> {
    /// A case whose broadcast returns the number of recipients.
    fn add(&mut self, name: &str, mut broadcast: impl FnMut() -> usize) {
        self.group.throughput(Throughput::Elements(broadcast() as u64));
        self.group
            .bench_function(BenchmarkId::new(name, self.members), |bencher| {
                bencher.iter(&mut broadcast);
            });
    }

    fn lobbykeeper(&mut self) {
        let mut lobby = Lobby::new(self.members);
        let (id, sender) = (lobby.id, self.members / 2);
        let (conn, user) = (lobby.conns[sender as usize], user_name(sender));
        self.add("by id", || lobby.broadcast(black_box(id), Except::Nobody));
        self.add("by id, but a connection", || {
            lobby.broadcast(black_box(id), Except::Conn(black_box(conn)))
        });
        self.add("by id, but a connection's user", || {
            lobby.broadcast(black_box(id), Except::UserOf(black_box(conn)))
        });
        self.add("by id, but a user", || {
            lobby.broadcast(black_box(id), Except::user(black_box(user.as_str())))
        });
        self.add("by name", || lobby.broadcast(black_box("den"), Except::Nobody));
        self.add("by name, but a user", || {
            lobby.broadcast(black_box("den"), Except::user(black_box(user.as_str())))
        });
        self.first_after_a_leave(&mut lobby);
        self.with_accounting("by id, with accounting", None);
        self.with_accounting("by id, with accounting and a budget", Some(1 << 40));
    }

    /// Broadcasts into backlogs, which are flushed between the rounds: what is timed is the broadcast, and what it reads
    /// is what a hundred of them leave in the cache.
    fn with_accounting(&mut self, name: &str, budget: Option<u64>) {
        const ROUND: u64 = 100;

        let members = self.members;
        let mut lobby = Lobby::of(Crowd::in_one_with_accounting("den", members, budget));
        self.group.throughput(Throughput::Elements(members.into()));
        self.group.bench_function(BenchmarkId::new(name, members), |bencher| {
            bencher.iter_custom(|iterations| {
                let (mut spent, mut left) = (Duration::ZERO, iterations);
                while left > 0 {
                    let round = left.min(ROUND);
                    let start = Instant::now();
                    for _ in 0..round {
                        lobby.broadcast(black_box(lobby.id), Except::Nobody);
                    }
                    spent += start.elapsed();
                    for &conn in &lobby.conns {
                        lobby.manager.flushed(NOW, conn, u64::MAX, u32::MAX, &mut lobby.out);
                    }
                    left -= round;
                }
                spent
            });
        });
    }

    /// The broadcast that closes the gap of a random member. The time has the two readings of the clock in it.
    fn first_after_a_leave(&mut self, lobby: &mut Lobby) {
        let members = self.members;
        let mut random = Random::new();
        self.group.throughput(Throughput::Elements(members.into()));
        let id = BenchmarkId::new("by id, first after a leave", members);
        self.group.bench_function(id, |bencher| {
            bencher.iter_custom(|iterations| {
                let mut spent = Duration::ZERO;
                for _ in 0..iterations {
                    lobby.replace(random.below(members));
                    let start = Instant::now();
                    lobby.broadcast(lobby.id, Except::Nobody);
                    spent += start.elapsed();
                }
                spent
            });
        });
    }

    fn peers(&mut self) {
        let members = self.members;
        let dense: Vec<u32> = (0..members).collect();
        self.add("floor", || {
            hand_out(black_box(&dense), |index| index);
            dense.len()
        });

        let payload = Payload::text(text());
        self.add("a clone of the payload", || {
            drop(black_box(payload.clone()));
            dense.len()
        });

        let payload = Bytes::from(text());
        let sender = user_name(members / 2);
        let usual = UsualManager::new("den", members);
        self.add("HashMap and HashSet, but a user", || {
            usual.broadcast(black_box("den"), &payload, black_box(&sender), sink_with_payload)
        });
        drop(usual);

        let mut channel = Channel::new(members);
        self.add("tokio::sync::broadcast", || {
            channel.broadcast(payload.clone(), sink_with_payload)
        });
        drop(channel);

        let adapter = Adapter::new("den", members, text(), sink_with_payload);
        self.add("socketioxide-core, but a connection", || {
            adapter.broadcast(black_box("den"))
        });
    }
}

fn fan_out(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fan-out");
    group
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_500))
        .nresamples(10_000);
    for members in MEMBERS {
        let group = &mut group;
        let mut cases = Cases { group, members };
        cases.lobbykeeper();
        cases.peers();
    }
    group.finish();
}

criterion_group!(benches, fan_out);
criterion_main!(benches);
