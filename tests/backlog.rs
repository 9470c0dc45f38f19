//! Outbound flow control: line 20. What is written and not yet flushed is counted, and limited for each connection and
//! for all together; who is too slow goes or does without.

mod cases;
mod support;

use std::collections::BTreeMap;

use cases::cases;
use lobbykeeper::testing::strategy::{knobs, slow_step};
use lobbykeeper::testing::{Pair, Steps, check_invariants};
use lobbykeeper::{
    Command, Config, ConnId, Delivery, Except, Limit, Manager, Notice, Outbox, Outgoing, Output, Payload, Time,
};
use proptest::collection::vec;
use proptest::prelude::*;
use support::{Desk, hi};

/// A desk whose driver reports, and which pings nobody by itself.
fn desk(config: Config) -> Desk {
    let mut desk = Desk::with(Config {
        ping_interval: None,
        ..config
    });
    let nobody: ConnId = "c9v9".parse().unwrap();
    assert!(!desk.flushed(nobody, 0, 0), "the first report counts, whosever it is");
    desk
}

impl Desk {
    fn flushed(&mut self, conn: ConnId, bytes: u64, messages: u32) -> bool {
        self.call(|manager, now, out| manager.flushed(now, conn, bytes, messages, out))
    }

    fn send(&mut self, conn: ConnId, message: impl Into<Outgoing>) -> usize {
        self.call(|manager, now, out| manager.send_to(now, conn, message, out))
    }

    fn queued(&self, conn: ConnId) -> (u64, u64) {
        let backlog = self.manager.backlog(conn).unwrap();
        (backlog.bytes, backlog.messages)
    }

    fn total(&self) -> (u64, u64) {
        let backlog = self.manager.stats().backlog.unwrap();
        (backlog.bytes, backlog.messages)
    }
}

fn bytes(count: usize) -> Payload {
    Payload::binary(vec![0; count])
}

/// The backlogs of all connections, as one who reads the outboxes knows them.
#[derive(Default)]
struct Ledger {
    reported: bool,
    queues: BTreeMap<ConnId, (u64, u64)>,
}

impl Ledger {
    /// Reads what was written, and looks after each message whether the limits, as they are now, are kept.
    fn read(&mut self, out: &Outbox, config: &Config) -> Result<(), TestCaseError> {
        let pings = u64::from(config.max_missed) + 1;
        let within =
            |queued: u64, cap: Option<u32>, ping: u64| cap.is_none_or(|cap| queued <= u64::from(cap) + pings * ping);
        for output in out {
            match output {
                Output::Command(Command::Send { to, payload }) if self.reported => {
                    for &conn in to {
                        let (bytes, messages) = self.queues.entry(conn).or_default();
                        *bytes += payload.len() as u64;
                        *messages += 1;
                        prop_assert!(within(*bytes, config.max_backlog_bytes, 64));
                        prop_assert!(within(*messages, config.max_backlog_messages, 1));
                    }
                    let queued: u64 = self.queues.values().map(|(bytes, _)| bytes).sum();
                    let budget = config.max_total_backlog_bytes;
                    prop_assert!(budget.is_none_or(|budget| queued <= budget), "{} queued", queued);
                }
                Output::Command(Command::Close { conn, .. } | Command::Evict { conn, .. })
                | Output::Notice(Notice::Ended { conn, .. }) => _ = self.queues.remove(&conn),
                _ => {}
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(cases(300, "proptest-regressions/backlog.txt"))]

    #[test]
    fn all_backlogs_together_are_what_the_stats_say_and_no_message_takes_them_beyond_their_limits(
        knobs in knobs(),
        steps in vec(slow_step(), 1..=120),
    ) {
        let config = Config::from(knobs);
        let (_, inputs) = Pair::after(config.clone(), &Steps(steps));
        let (mut manager, mut ledger) = (Manager::new(config).unwrap(), Ledger::default());
        let mut out = Outbox::new();
        for input in inputs {
            if let lobbykeeper::Call::Event(lobbykeeper::Event::Flushed { conn, bytes, messages }) = input.call {
                ledger.reported = true;
                if let Some(queue) = ledger.queues.get_mut(&conn) {
                    *queue = (queue.0.saturating_sub(bytes), queue.1.saturating_sub(messages.into()));
                }
            }
            manager.apply(input, &mut out);
            ledger.read(&out, manager.config())?;
            out.clear();
            let sum = ledger.queues.values().fold((0, 0), |sum, queue| (sum.0 + queue.0, sum.1 + queue.1));
            let told = manager.stats().backlog.map(|backlog| (backlog.bytes, backlog.messages));
            prop_assert_eq!(told, ledger.reported.then_some(sum));
            for (&conn, &(bytes, messages)) in &ledger.queues {
                let told = manager.backlog(conn).map(|backlog| (backlog.bytes, backlog.messages));
                prop_assert_eq!(told, Some((bytes, messages)));
            }
            prop_assert_eq!(check_invariants(&manager), Ok(()));
        }
    }
}

#[test]
fn without_reports_nothing_is_limited_and_the_stats_say_so() {
    let mut desk = Desk::with(Config {
        max_backlog_bytes: Some(1),
        max_backlog_messages: Some(1),
        max_total_backlog_bytes: Some(1),
        ..Config::default()
    });
    let ann = desk.connect("den", "ann");
    for _ in 0..10 {
        assert_eq!(desk.hail("den", Except::Nobody), 1);
    }
    assert_eq!(desk.manager.stats().backlog, None);
    assert_eq!(desk.manager.backlog(ann), None);
    // From the first report on they hold. What was written before is not counted, so the report is of too much.
    assert!(desk.flushed(ann, 2, 1));
    assert_eq!((desk.queued(ann), desk.manager.stats().excess_flushes), ((0, 0), 1));
    assert_eq!(desk.hail("den", Except::Nobody), 0);
    assert!(!desk.manager.is_open(ann));
}

#[test]
fn every_send_counts_its_bytes_and_one_message_for_each_recipient() {
    let mut desk = desk(Config::default());
    let [ann, bob, cid] = ["ann", "bob", "cid"].map(|user| desk.connect("den", user));
    desk.hail("den", Except::Conn(cid));
    desk.call(|manager, now, out| manager.broadcast_all(now, bytes(10), Except::Nobody, out));
    desk.call(|manager, now, out| manager.send_to_user(now, "bob", bytes(100), out));
    desk.send(cid, bytes(0).droppable());
    desk.call(|manager, now, out| manager.ping_user(now, "ann", None, out));
    let ping = r#"{"type":"health_ping","timestamp":1}"#.len() as u64;
    assert_eq!(
        [desk.queued(ann), desk.queued(bob), desk.queued(cid)],
        [(12 + ping, 3), (112, 3), (10, 2)]
    );
    assert_eq!(desk.total(), (134 + ping, 8));
    // Closes are no messages.
    desk.kick(ann);
    assert_eq!((desk.manager.backlog(ann), desk.total()), (None, (122, 5)));
    assert!(!desk.flushed(ann, 12, 2), "one that is closing has no backlog");
    desk.closed(bob);
    assert_eq!(desk.total(), (10, 2));
    // Whoever comes into the same slot has nothing to do with it.
    let dan = desk.connect("den", "dan");
    assert_eq!((dan.index(), desk.queued(dan)), (bob.index(), (0, 0)));
}

#[test]
fn a_report_of_more_than_there_is_is_taken_for_what_there_is_and_counted() {
    let mut desk = desk(Config::default());
    let ann = desk.connect("den", "ann");
    desk.send(ann, bytes(10));
    desk.send(ann, bytes(10));
    assert!(desk.flushed(ann, 11, 1));
    assert_eq!((desk.queued(ann), desk.manager.stats().excess_flushes), ((9, 1), 0));
    for (reported, left, excess) in [
        ((10, 0), (0, 1), 1),
        ((0, 2), (0, 0), 2),
        ((u64::MAX, u32::MAX), (0, 0), 3),
    ] {
        assert!(desk.flushed(ann, reported.0, reported.1));
        assert_eq!((desk.queued(ann), desk.manager.stats().excess_flushes), (left, excess));
    }
    let stale = desk.manager.stats().stale_ids;
    desk.closed(ann);
    assert!(!desk.flushed(ann, 1, 1));
    assert_eq!(desk.manager.stats().stale_ids, stale + 1);
    assert_eq!(desk.total(), (0, 0));
}

#[test]
fn what_was_written_before_a_close_frame_is_flushed_without_being_stale() {
    let mut desk = desk(Config::default());
    let ann = desk.connect("den", "ann");
    desk.send(ann, bytes(10));
    desk.kick(ann);
    let stats = desk.manager.stats();
    assert!(!desk.flushed(ann, 10, 1));
    assert_eq!(desk.manager.stats(), stats);
    desk.closed(ann);
    assert!(!desk.flushed(ann, 10, 1));
    assert_eq!(desk.manager.stats().stale_ids, stats.stale_ids + 1, "it is gone");
}

#[test]
fn a_backlog_reaches_its_cap_and_the_next_message_evicts() {
    let caps = [
        (Some(20), None, "saw 30, threshold 20, at 0ns"),
        (None, Some(2), "saw 3, threshold 2, at 0ns"),
        (Some(29), Some(2), "saw 30, threshold 29, at 0ns"),
    ];
    for (max_backlog_bytes, max_backlog_messages, receipt) in caps {
        let mut desk = desk(Config {
            max_backlog_bytes,
            max_backlog_messages,
            ..Config::default()
        });
        let [ann, bob] = ["ann", "bob"].map(|user| desk.connect("den", user));
        for _ in 0..2 {
            assert_eq!(desk.send(ann, bytes(10)), 1);
        }
        desk.out.clear();
        assert_eq!(
            desk.call(|manager, now, out| manager.broadcast(now, "den", bytes(10), Except::Nobody, out)),
            1
        );
        let commands: Vec<_> = desk.out.commands().collect();
        let [
            Command::Evict {
                conn, receipt: told, ..
            },
            Command::Send { to, .. },
        ] = commands[..]
        else {
            panic!("{commands:?}");
        };
        assert_eq!((conn, to, told.to_string()), (ann, &[bob][..], receipt.to_owned()));
        let stats = desk.manager.stats();
        assert_eq!(
            (
                stats.evictions.slow_consumer,
                stats.messages_out,
                stats.dropped_messages
            ),
            (1, 3, 0)
        );
        assert_eq!(desk.total(), (10, 1));
    }
}

#[test]
fn evictions_come_in_the_order_of_the_run_and_with_all_that_follows_before_the_message() {
    let mut desk = desk(Config {
        max_backlog_messages: Some(1),
        ..Config::default()
    });
    let conns = ["ann", "bob", "cid", "dan"].map(|user| desk.connect("den", user));
    for conn in [conns[2], conns[0]] {
        desk.send(conn, hi());
    }
    desk.out.clear();
    assert_eq!(desk.hail("den", Except::Nobody), 2);
    assert_eq!(
        desk.said(),
        [
            "evict c0v1 slow consumer",
            "left den ann 5",
            "ended c0v1 ann: evicted: slow consumer",
            "evict c2v1 slow consumer",
            "left den cid 6",
            "ended c2v1 cid: evicted: slow consumer",
            "send c1v1 c3v1: hi",
        ]
    );
    // Nobody is left: the lobby closes, and nothing is sent.
    assert_eq!(desk.hail("den", Except::Nobody), 0);
    assert_eq!(desk.said().last().unwrap(), "ended c3v1 dan: evicted: slow consumer");
    assert_eq!(desk.manager.lobby_id("den"), None);
}

#[test]
fn a_droppable_message_is_dropped_for_the_slow_alone() {
    let mut desk = desk(Config {
        max_backlog_messages: Some(2),
        ..Config::default()
    });
    let [ann, bob, cid] = ["ann", "bob", "cid"].map(|user| desk.connect("den", user));
    for _ in 0..2 {
        desk.send(bob, hi());
    }
    desk.out.clear();
    let broadcast = |desk: &mut Desk| {
        desk.call(|manager, now, out| manager.broadcast(now, "den", hi().droppable(), Except::Nobody, out))
    };
    assert_eq!((broadcast(&mut desk), desk.recipients()), (2, vec![ann, cid]));
    assert_eq!((broadcast(&mut desk), broadcast(&mut desk)), (2, 0));
    let stats = desk.manager.stats();
    assert_eq!(
        (
            stats.dropped_messages,
            stats.evictions.slow_consumer,
            stats.messages_out
        ),
        (5, 0, 6)
    );
    // A message that must not be dropped comes later, and evicts.
    assert_eq!(desk.hail("den", Except::Nobody), 0);
    assert_eq!(desk.manager.stats().evictions.slow_consumer, 3);
}

#[test]
fn who_did_without_is_told_once_that_there_is_room_at_half_of_each_cap() {
    let mut desk = desk(Config {
        max_backlog_bytes: Some(100),
        max_backlog_messages: Some(5),
        ..Config::default()
    });
    let ann = desk.connect("den", "ann");
    for _ in 0..4 {
        desk.send(ann, bytes(25));
    }
    for _ in 0..3 {
        assert_eq!(desk.send(ann, bytes(25).droppable()), 0);
    }
    desk.out.clear();
    // 75 bytes in 2 messages, 50 bytes in 3, and half of each.
    desk.flushed(ann, 25, 2);
    desk.send(ann, bytes(0));
    desk.flushed(ann, 25, 0);
    desk.out.clear();
    assert_eq!(desk.queued(ann), (50, 3));
    desk.flushed(ann, 0, 1);
    assert_eq!(desk.said(), ["c0v1 has room again, after 3 dropped"]);
    desk.flushed(ann, 50, 2);
    assert!(desk.said().is_empty());
    // Dropped while there is room: the very next report says so.
    assert_eq!(desk.send(ann, bytes(101).droppable()), 0);
    desk.flushed(ann, 0, 0);
    assert_eq!(desk.said(), ["c0v1 has room again, after 1 dropped"]);
    // Who has gone is told nothing.
    desk.send(ann, bytes(101).droppable());
    desk.closed(ann);
    let bob = desk.connect("den", "bob");
    assert_eq!(bob.index(), ann.index());
    desk.flushed(bob, 0, 0);
    assert!(desk.said().is_empty());
}

#[test]
fn pings_are_never_dropped_and_have_room_of_their_own() {
    let mut desk = desk(Config {
        max_backlog_messages: Some(1),
        max_backlog_bytes: Some(2),
        max_missed: 2,
        ..Config::default()
    });
    let ann = desk.connect("den", "ann");
    desk.send(ann, hi());
    let ping = |desk: &mut Desk| {
        desk.call(|manager, now, out| manager.ping_user(now, "ann", None, out));
        // Nothing is read, but something is said, so that the next ping is another one.
        desk.wait(support::secs(3));
        desk.tick();
        desk.say(ann, "hello");
        desk.queued(ann).1
    };
    assert_eq!([ping(&mut desk), ping(&mut desk), ping(&mut desk)], [2, 3, 4]);
    // They are not in the way of one another, but of messages.
    assert_eq!(desk.send(ann, hi().droppable()), 0);
    desk.out.clear();
    desk.call(|manager, now, out| manager.ping_user(now, "ann", None, out));
    assert_eq!(
        desk.said(),
        [
            "evict c0v1 slow consumer",
            "c0v1 did not answer",
            "left den ann 2",
            "closed den",
            "ended c0v1 ann: evicted: slow consumer",
        ]
    );
    assert_eq!(
        (desk.manager.stats().pings, desk.manager.stats().evictions.slow_consumer),
        (3, 1)
    );
}

#[test]
fn over_the_budget_the_greatest_go_until_it_fits_and_the_rest_get_the_message() {
    let mut desk = desk(Config {
        max_total_backlog_bytes: Some(100),
        ..Config::default()
    });
    let [ann, bob, cid] = ["ann", "bob", "cid"].map(|user| desk.connect("den", user));
    let outsider = desk.connect("attic", "dan");
    for (conn, queued) in [(ann, 16), (bob, 20), (cid, 3), (outsider, 31)] {
        desk.send(conn, bytes(queued));
    }
    desk.out.clear();
    // 100 is within it.
    let broadcast = |desk: &mut Desk, count| {
        desk.call(|manager, now, out| manager.broadcast(now, "den", bytes(count), Except::Nobody, out))
    };
    assert_eq!((broadcast(&mut desk, 10), desk.total().0), (3, 100));
    desk.out.clear();
    // 26, 30, 13 and 31 bytes become 27, 31, 14 and 31: with five bits each, the lowest slot goes.
    assert_eq!((broadcast(&mut desk, 1), desk.total().0), (2, 76));
    let commands: Vec<_> = desk.out.commands().collect();
    let [Command::Evict { conn, receipt, .. }, Command::Send { to, .. }] = commands[..] else {
        panic!("{commands:?}");
    };
    assert_eq!((conn, to), (ann, &[bob, cid][..]));
    assert_eq!(receipt.to_string(), "saw 103, threshold 100, at 0ns");
    desk.out.clear();
    // 32 bytes more: Bob has 63 and the outsider 31, six bits and five; without Bob it fits.
    assert_eq!((broadcast(&mut desk, 32), desk.recipients()), (1, vec![cid]));
    assert_eq!((desk.total().0, desk.manager.stats().evictions.over_budget), (77, 2));
    assert!(desk.manager.is_open(outsider));
    // Too much for everybody.
    assert_eq!(broadcast(&mut desk, 101), 0);
    assert_eq!(desk.manager.stats().evictions.over_budget, 3);
    assert_eq!((desk.total().0, desk.manager.is_open(outsider)), (31, true));
}

#[test]
fn over_the_budget_it_counts_what_is_queued_now_and_not_what_once_was() {
    let mut desk = desk(Config {
        max_total_backlog_bytes: Some(100),
        ..Config::default()
    });
    let [ann, bob] = ["ann", "bob"].map(|user| desk.connect("den", user));
    desk.send(ann, bytes(90));
    desk.flushed(ann, 89, 1);
    desk.send(bob, bytes(70));
    assert_eq!(desk.send(ann, bytes(31)), 1);
    assert_eq!((desk.manager.is_open(bob), desk.total()), (false, (32, 1)));
}

#[test]
fn over_the_budget_a_droppable_message_goes_to_the_first_and_drives_nobody_out() {
    let mut desk = desk(Config {
        max_total_backlog_bytes: Some(10),
        ..Config::default()
    });
    let conns = ["ann", "bob", "cid", "dan"].map(|user| desk.connect("den", user));
    let broadcast = |desk: &mut Desk, count| {
        desk.out.clear();
        desk.call(|manager, now, out| manager.broadcast(now, "den", bytes(count).droppable(), Except::Nobody, out))
    };
    assert_eq!((broadcast(&mut desk, 4), desk.recipients()), (2, conns[..2].to_vec()));
    assert_eq!(broadcast(&mut desk, 3), 0);
    assert_eq!(broadcast(&mut desk, 0), 4);
    assert_eq!((desk.total().0, desk.manager.stats().dropped_messages), (8, 6));
    assert_eq!(desk.manager.stats().open_connections, 4);
}

#[test]
fn a_ping_makes_room_in_the_budget() {
    let mut desk = desk(Config {
        max_total_backlog_bytes: Some(100),
        ..Config::default()
    });
    let [ann, bob] = ["ann", "bob"].map(|user| desk.connect("den", user));
    desk.send(bob, bytes(99));
    desk.out.clear();
    assert_eq!(
        desk.call(|manager, now, out| manager.ping_user(now, "ann", None, out)),
        1
    );
    assert_eq!(desk.recipients(), [ann]);
    assert_eq!(
        (desk.manager.is_open(bob), desk.manager.stats().evictions.over_budget),
        (false, 1)
    );
}

#[test]
fn an_eviction_leaves_the_sends_before_it_as_they_were_written() {
    let mut desk = desk(Config {
        max_backlog_messages: Some(1),
        ..Config::default()
    });
    let conns = ["ann", "bob"].map(|user| desk.connect("den", user));
    desk.hail("den", Except::Nobody);
    desk.flushed(conns[1], 2, 1);
    desk.hail("den", Except::Nobody);
    let sends: Vec<_> = desk
        .said()
        .into_iter()
        .filter(|line| line.starts_with("send"))
        .collect();
    assert_eq!(sends, ["send c0v1 c1v1: hi", "send c1v1: hi"]);
}

#[test]
fn a_limit_of_zero_lets_nothing_through_and_no_limit_everything() {
    let mut strict = desk(Config {
        max_backlog_messages: Some(0),
        ..Config::default()
    });
    let ann = strict.connect("den", "ann");
    assert_eq!(strict.send(ann, bytes(0).droppable()), 0);
    assert_eq!(strict.send(ann, bytes(0)), 0);
    assert!(!strict.manager.is_open(ann));

    let mut open = desk(Config::default());
    let ann = open.connect("den", "ann");
    for _ in 0..1_000 {
        assert_eq!(open.send(ann, bytes(1_000)), 1);
    }
    assert_eq!(open.queued(ann), (1_000_000, 1_000));
}

/// Ann has 20 bytes in two messages and Bob nothing, under no limit.
fn behind() -> (Desk, [ConnId; 2]) {
    let mut desk = desk(Config::default());
    let conns = ["ann", "bob"].map(|user| desk.connect("den", user));
    for _ in 0..2 {
        desk.send(conns[0], bytes(10));
    }
    desk.out.clear();
    (desk, conns)
}

const LIMITS: [(Limit, u32); 3] = [
    (Limit::BacklogBytes, 15),
    (Limit::BacklogMessages, 1),
    (Limit::TotalBacklogBytes, 15),
];

#[test]
fn a_lowered_limit_evicts_nobody_before_a_message_that_must_not_be_dropped() {
    for (limit, max) in LIMITS {
        let (mut desk, [ann, bob]) = behind();
        desk.set_limit(limit, max);
        assert!(desk.said().is_empty());
        desk.manager = Manager::restore(desk.manager.snapshot(), [0, 0]).unwrap();
        assert_eq!(
            (desk.send(ann, bytes(0).droppable()), desk.queued(ann)),
            (0, (20, 2)),
            "{limit}"
        );
        // A message to nobody is none.
        desk.connect("attic", "cid");
        let alone = Except::User("cid".into());
        assert_eq!(
            desk.call(|manager, now, out| manager.broadcast(now, "attic", hi(), alone, out)),
            0
        );
        assert!(desk.manager.is_open(ann), "{limit}");
        assert_eq!(desk.hail("den", Except::Nobody), 1, "{limit}");
        assert_eq!(
            (desk.manager.is_open(ann), desk.queued(bob)),
            (false, (2, 1)),
            "{limit}"
        );
    }
}

#[test]
fn who_has_caught_up_with_a_lowered_limit_before_the_next_message_stays() {
    for (limit, max) in LIMITS {
        let (mut desk, [ann, _]) = behind();
        desk.set_limit(limit, max);
        desk.flushed(ann, 10, 2);
        assert_eq!(desk.hail("den", Except::Nobody), 2, "{limit}");
    }
}

#[test]
fn a_raised_limit_makes_room_at_once() {
    for (limit, max) in LIMITS {
        let (mut desk, [ann, _]) = behind();
        desk.set_limit(limit, max);
        assert_eq!(desk.send(ann, hi().droppable()), 0);
        for raised in [Some(100), None] {
            desk.set_limit(limit, raised);
            assert_eq!(desk.send(ann, hi()), 1, "{limit}");
        }
    }
}

#[test]
fn a_budget_that_comes_later_knows_who_has_the_greatest_backlog_by_then() {
    let mut desk = desk(Config::default());
    let conns = ["ann", "bob", "cid", "dan"].map(|user| desk.connect("den", user));
    for (conn, queued) in conns.into_iter().zip([3, 40, 90, 5]) {
        desk.send(conn, bytes(queued));
    }
    let open = |desk: &Desk| conns.map(|conn| desk.manager.is_open(conn));
    desk.set_limit(Limit::TotalBacklogBytes, 100);
    desk.send(conns[0], bytes(1));
    assert_eq!((open(&desk), desk.total().0), ([true, true, false, true], 49));
    // Without one nobody goes; who has what is known again when there is one.
    desk.set_limit(Limit::TotalBacklogBytes, None);
    desk.send(conns[3], bytes(200));
    desk.flushed(conns[1], 40, 1);
    desk.set_limit(Limit::TotalBacklogBytes, 200);
    desk.send(conns[1], bytes(1));
    assert_eq!((open(&desk), desk.total().0), ([true, true, false, false], 5));
    assert_eq!(check_invariants(&desk.manager), Ok(()));
}

#[test]
fn a_restored_manager_knows_the_backlogs() {
    let config = Config {
        max_backlog_messages: Some(2),
        max_total_backlog_bytes: Some(100),
        ..Config::default()
    };
    let mut before = desk(config);
    let conns = ["ann", "bob"].map(|user| before.connect("den", user));
    for _ in 0..3 {
        before.send(conns[0], bytes(30).droppable());
    }
    let mut after = Desk {
        manager: Manager::restore(before.manager.snapshot(), [1, 2]).unwrap(),
        ..before.clone()
    };
    for desk in [&mut before, &mut after] {
        desk.out.clear();
        assert_eq!((desk.queued(conns[0]), desk.total()), ((60, 2), (60, 2)));
        desk.send(conns[1], bytes(41));
        desk.flushed(conns[1], 0, 0);
    }
    assert_eq!(before.said(), after.said());
    assert!(!after.manager.is_open(conns[0]), "one byte too many");
    // One that never heard a report comes back as one.
    let quiet = Desk::open();
    let restored = Manager::restore(quiet.manager.snapshot(), [0, 0]).unwrap();
    assert_eq!(restored.stats().backlog, None);
}

#[test]
fn the_forms_of_a_droppable_message_and_of_what_follows() {
    let droppable: Outgoing = serde_json::from_str(r#"{"droppable":{"text":"hi"}}"#).unwrap();
    assert_eq!((droppable.delivery, &droppable.payload), (Delivery::Droppable, &hi()));
    let reliable: Outgoing = serde_json::from_str(r#"{"text":"hi"}"#).unwrap();
    assert_eq!((reliable.delivery, &reliable.payload), (Delivery::Reliable, &hi()));
    for message in [droppable, reliable, bytes(3).into()] {
        let json = serde_json::to_string(&message).unwrap();
        assert_eq!(serde_json::from_str::<Outgoing>(&json).unwrap(), message);
    }
    assert!(serde_json::from_str::<Outgoing>(r#"{"droppable":{"droppable":{"text":"hi"}}}"#).is_err());
    let conn = "c0v1".parse().unwrap();
    assert_eq!(
        serde_json::to_string(&Notice::Writable { conn, dropped: 3 }).unwrap(),
        r#"{"writable":{"conn":"c0v1","dropped":3}}"#
    );
    let event = lobbykeeper::Input {
        at: Time::ZERO,
        call: lobbykeeper::Call::Event(lobbykeeper::Event::Flushed {
            conn,
            bytes: 128,
            messages: 1,
        }),
    };
    let json = r#"{"at":0,"call":{"event":{"flushed":{"conn":"c0v1","bytes":128,"messages":1}}}}"#;
    assert_eq!(serde_json::to_string(&event).unwrap(), json);
    assert_eq!(serde_json::from_str::<lobbykeeper::Input<'_>>(json).unwrap(), event);
}
