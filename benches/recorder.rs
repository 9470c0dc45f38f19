//! What recording costs: the same calls through `Manager::apply` and through `Recorder::apply`, in the same run. A call's
//! outputs are dropped unread, and its line is dropped as soon as it is written.

#![allow(missing_docs, reason = "criterion's macros make an undocumented function")]

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main};
use lobbykeeper::{
    Call, Config, ConnId, Event, Except, Frame, Handshake, Input, Manager, Outbox, Payload, Recorder, Request, Time,
};

const MEMBERS: [u32; 3] = [10, 100, 1_000];

const CHAT: &str = r#"{"type":"chat","text":"hello, is anybody there?"}"#;

fn event(event: Event<'_>) -> Input<'_> {
    Input {
        at: Time::ZERO,
        call: Call::Event(event),
    }
}

fn connect(number: u32) -> Input<'static> {
    event(Event::Connected(Handshake::new("den", format!("user {number}"))))
}

/// The same lobby behind both doors.
struct Doors {
    plain: Manager,
    recorded: Recorder,
    out: Outbox,
    log: Vec<u8>,
}

impl Doors {
    fn new(members: u32) -> Self {
        let mut log = Vec::new();
        let mut doors = Self {
            plain: Manager::new(Config::default()).expect("the defaults are valid"),
            recorded: Recorder::new(Config::default(), &mut log).expect("the defaults are valid"),
            out: Outbox::new(),
            log,
        };
        for number in 0..members {
            doors.plain(connect(number));
            doors.recorded(connect(number));
        }
        doors
    }

    fn plain(&mut self, input: Input<'_>) {
        black_box(self.plain.apply(input, &mut self.out));
        self.out.clear();
    }

    fn recorded(&mut self, input: Input<'_>) {
        black_box(self.recorded.apply(input, &mut self.out, &mut self.log));
        self.out.clear();
        black_box(&self.log);
        self.log.clear();
    }

    fn compare(&mut self, group: &mut BenchmarkGroup<'_, WallTime>, name: &str, input: &Input<'_>) {
        group.bench_function(BenchmarkId::new("plain", name), |bencher| {
            bencher.iter(|| self.plain(black_box(input).clone()));
        });
        group.bench_function(BenchmarkId::new("recorded", name), |bencher| {
            bencher.iter(|| self.recorded(black_box(input).clone()));
        });
    }
}

fn recorder(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a call");
    group
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    let conn: ConnId = "c0v1".parse().expect("an id");
    let message = event(Event::Message {
        conn,
        frame: Frame::text(CHAT),
    });
    let mut doors = Doors::new(10);
    doors.compare(&mut group, "tick", &event(Event::Tick));
    doors.compare(&mut group, "message", &message);
    for members in MEMBERS {
        let broadcast = Input {
            at: Time::ZERO,
            call: Call::Request(Request::Broadcast {
                lobby: "den".into(),
                payload: Payload::text(CHAT).into(),
                except: Except::UserOf(conn),
            }),
        };
        Doors::new(members).compare(&mut group, &format!("broadcast to {members}"), &broadcast);
    }
    group.finish();
}

criterion_group!(benches, recorder);
criterion_main!(benches);
