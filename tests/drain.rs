//! A server that is to end: nobody new, everybody goes one after the other, and is told when to return elsewhere.

mod cases;
mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use cases::cases;
use lobbykeeper::testing::check_invariants;
use lobbykeeper::{
    Answer, Answers, Closing, Command, Config, ConnId, Ending, Eviction, Handshake, Inbound, Notice, RefusalRule,
    Retry, Time, UserOverflow,
};
use proptest::prelude::*;
use support::{Desk, at, frame, secs, without_pings};

/// So many users with a connection each.
fn crowd(config: Config, count: usize) -> (Desk, Vec<ConnId>) {
    let mut desk = Desk::with(config);
    let conns = (0..count).map(|number| desk.connect("den", &format!("user {number}")));
    let conns = conns.collect();
    (desk, conns)
}

fn drain(desk: &mut Desk, every: Duration, deadline: Time) -> bool {
    desk.call(|manager, now, out| manager.drain(now, every, deadline, out))
}

/// One whom the drain closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    conn: ConnId,
    at: Time,
    /// Until it may return.
    delay: Duration,
}

impl Told {
    fn returns(self) -> Time {
        self.at + self.delay
    }
}

/// Takes what was written: whom the drain closed, and how often it was said that all have gone.
fn take(desk: &mut Desk) -> (Vec<Told>, usize) {
    let closes = desk.out.commands().filter_map(|command| match command {
        Command::Close {
            conn,
            code,
            reason,
            cause: Closing::Draining,
            ..
        } => {
            let millis = reason.strip_prefix("draining;retry=").unwrap();
            assert_eq!(code, 1012);
            Some(Told {
                conn,
                at: desk.now,
                delay: Duration::from_millis(millis.parse().unwrap()),
            })
        }
        _ => None,
    });
    let closes = closes.collect();
    let drained = desk
        .out
        .notices()
        .filter(|notice| matches!(notice, Notice::Drained { .. }));
    let drained = drained.count();
    desk.out.clear();
    (closes, drained)
}

/// Ticks at each deadline up to an instant, and goes there. Returns whom the drain closed.
fn run_until(desk: &mut Desk, end: Time) -> Vec<Told> {
    let mut told = Vec::new();
    while let Some(deadline) = desk.manager.next_deadline().filter(|&deadline| deadline <= end) {
        desk.now = desk.now.max(deadline);
        desk.tick();
        told.extend(take(desk).0);
    }
    desk.now = end;
    told
}

/// What may happen in a drain.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The driver sleeps so many milliseconds longer than until the deadline; then it ticks.
    Tick(u64),
    Leave(prop::sample::Index),
    Kick(prop::sample::Index),
    Expire(prop::sample::Index),
    /// So many milliseconds between two closes, and until the deadline.
    Drain(u64, u64),
}

fn step() -> impl Strategy<Value = Step> {
    let late = prop_oneof![3 => Just(0), 1 => 0_u64..50, 1 => 0_u64..20_000];
    prop_oneof![
        6 => late.prop_map(Step::Tick),
        1 => any::<prop::sample::Index>().prop_map(Step::Leave),
        1 => any::<prop::sample::Index>().prop_map(Step::Kick),
        1 => any::<prop::sample::Index>().prop_map(Step::Expire),
        1 => (0_u64..2_000, 0_u64..60_000).prop_map(|(every, within)| Step::Drain(every, within)),
    ]
}

proptest! {
    #![proptest_config(cases(200, "proptest-regressions/drain.txt"))]

    /// The law of the next server: however late the driver is, whoever leaves, and however often the drain is tightened,
    /// those who are told come back in the order in which they were told, and no two of them within less than the pace,
    /// but for the millisecond that is rounded; nor does one come before the slot that all who went before have left.
    #[test]
    fn returns_are_never_closer_to_each_other_than_the_pace(
        count in 1_usize..20, every in 0_u64..2_000, within in 0_u64..60_000, steps in prop::collection::vec(step(), 0..60),
    ) {
        let millis = Duration::from_millis;
        let (mut desk, _) = crowd(without_pings(), count);
        desk.now = at(7);
        let (mut pace, mut end) = (millis(every), desk.now + millis(within));
        prop_assert!(drain(&mut desk, pace, end));
        let (mut gone, mut last, mut drained) = (0, None::<Told>, 0);
        let begin = desk.now;
        for step in steps.into_iter().chain([Step::Tick(0); 60]) {
            let open: Vec<_> = desk.members("den");
            let some = |index: prop::sample::Index| (!open.is_empty()).then(|| open[index.index(open.len())]);
            match step {
                Step::Tick(late) => {
                    let Some(deadline) = desk.manager.next_deadline() else { continue };
                    let due = desk.now.max(deadline);
                    desk.now = due + millis(late);
                    desk.tick();
                    prop_assert!(desk.manager.next_deadline().is_none_or(|next| next > desk.now));
                }
                Step::Leave(who) => if let Some(conn) = some(who) {
                    desk.closed(conn);
                },
                Step::Kick(who) => if let Some(conn) = some(who) {
                    desk.kick(conn);
                },
                Step::Expire(who) => if let Some(conn) = some(who) {
                    let expires = desk.now;
                    desk.call(|manager, now, out| manager.extend(now, conn, Some(expires), out));
                    desk.tick();
                },
                Step::Drain(every, within) => {
                    let (faster, earlier) = (millis(every) < pace, desk.now + millis(within) < end);
                    let deadline = desk.now + millis(within);
                    prop_assert_eq!(drain(&mut desk, millis(every), deadline), faster || earlier);
                    pace = pace.min(millis(every));
                    end = end.min(deadline);
                }
            }
            let (told, said) = take(&mut desk);
            drained += said;
            if desk.now >= end && matches!(step, Step::Tick(_)) {
                prop_assert_eq!(desk.manager.stats().open_connections, 0, "at the deadline all go");
            }
            for told in told {
                prop_assert!(told.returns() >= begin + pace * u32::try_from(gone).unwrap());
                if let Some(last) = last {
                    prop_assert!(told.returns() + millis(1) > last.returns() + pace, "{:?} after {:?}", told, last);
                }
                last = Some(told);
            }
            gone = usize::try_from(desk.manager.stats().admissions).unwrap() - desk.members("den").len();
            prop_assert_eq!(check_invariants(&desk.manager), Ok(()));
            prop_assert_eq!(drained, usize::from(desk.manager.stats().total_connections == 0));
        }
        prop_assert_eq!(drained, 1);
        prop_assert_eq!(desk.manager.next_deadline(), None);
    }

    /// With a driver that is in time, the `k`-th close comes at its slot to the nanosecond, or at the deadline.
    #[test]
    fn each_is_closed_at_its_slot_or_at_the_deadline(
        count in 1_usize..30, every in 0_u64..3_000_000_000, within in 0_u64..40_000_000_000, seed in any::<u64>(),
    ) {
        let (mut desk, conns) = crowd(Config { seed, ..without_pings() }, count);
        desk.now = at(3);
        let (begin, end) = (desk.now, desk.now + Duration::from_nanos(within));
        drain(&mut desk, Duration::from_nanos(every), end);
        let told = run_until(&mut desk, at(1_000));
        let closed: BTreeSet<_> = told.iter().map(|told| told.conn).collect();
        prop_assert_eq!(closed, conns.into_iter().collect::<BTreeSet<_>>());
        for (told, number) in told.into_iter().zip(0_u64..) {
            let slot = begin + Duration::from_nanos(every * number);
            prop_assert_eq!(told.at, slot.min(end));
            let delay = slot.saturating_since(told.at).as_nanos().div_ceil(1_000_000);
            prop_assert_eq!(told.delay.as_millis(), delay);
        }
    }
}

#[test]
fn a_newcomer_is_refused_first_of_all_and_told_to_come_again() {
    let (mut desk, _) = crowd(
        Config {
            max_connections: Some(1),
            ..without_pings()
        },
        1,
    );
    desk.now = at(2);
    assert!(!desk.manager.is_draining());
    drain(&mut desk, secs(1), at(60));
    assert!(desk.manager.is_draining());
    desk.now = at(5);
    for (lobby, user) in [("den", "ann"), ("", ""), ("hall", "user 0")] {
        let expired = Handshake::new(lobby, user).expires(at(1));
        for handshake in [Handshake::new(lobby, user), expired] {
            let refusal = desk.admit(handshake).unwrap_err();
            assert_eq!(refusal.rule(), RefusalRule::Draining);
            assert_eq!(refusal.close_frame(), frame(1012, "draining;retry=5000"));
            assert_eq!(refusal.retry(), Retry::After(secs(5)));
            let receipt = refusal.receipt();
            let seen = (receipt.seen, receipt.threshold, receipt.at);
            assert_eq!(seen, (at(5).as_nanos(), at(2).as_nanos(), at(5)));
        }
    }
    let hint = desk.manager.can_accept("den", "ann").unwrap_err();
    assert_eq!(hint.rule(), RefusalRule::Draining);
    assert_eq!(desk.manager.stats().refusals.draining, 6);
    assert_eq!(desk.said(), [""; 0]);
}

#[test]
fn nobody_is_replaced_by_one_who_is_refused() {
    let (mut desk, conns) = crowd(
        Config {
            max_connections_per_user: Some(1),
            user_overflow: UserOverflow::ReplaceOldest,
            ..without_pings()
        },
        2,
    );
    drain(&mut desk, secs(1), at(60));
    assert_eq!(desk.refused("den", "user 0"), Some(RefusalRule::Draining));
    assert!(desk.manager.is_open(conns[0]));
}

#[test]
fn whose_turn_it_is_is_shuffled_by_the_seed_and_by_nothing_else() {
    let order = |seed, hash_key, every| {
        let config = Config {
            seed,
            hash_key,
            ..without_pings()
        };
        let (mut desk, conns) = crowd(config, 50);
        drain(&mut desk, every, Time::MAX);
        let told = run_until(&mut desk, at(100));
        assert_eq!(told.len(), conns.len());
        told.into_iter().map(|told| told.conn).collect::<Vec<_>>()
    };
    let first = order(1, [0, 0], secs(1));
    assert_eq!(first, order(1, [3, 4], secs(1)));
    assert_eq!(first, order(1, [0, 0], Duration::ZERO));
    assert_ne!(first, order(2, [0, 0], secs(1)));
    assert!(!first.is_sorted(), "{first:?}");
}

#[test]
fn a_close_has_a_receipt_and_the_words_of_the_table() {
    let answers = Answers {
        draining: Answer {
            close: frame(4900, "moving"),
            retry: Retry::Never,
        },
        ..Answers::default()
    };
    let (mut desk, _) = crowd(
        Config {
            answers,
            ..without_pings()
        },
        2,
    );
    desk.now = at(1);
    drain(&mut desk, secs(10), at(3));
    assert_eq!(desk.refused("den", "ann"), Some(RefusalRule::Draining));
    let refusal = desk.try_connect("den", "ann").unwrap_err();
    assert_eq!(refusal.close_frame(), frame(4900, "moving"));
    let mut closes = Vec::new();
    for now in [1, 4] {
        desk.now = at(now);
        desk.tick();
        for command in desk.out.commands() {
            if let Command::Close {
                code, reason, receipt, ..
            } = command
            {
                assert_eq!((code, receipt.waited), (4900, Duration::ZERO));
                let seen = [receipt.seen, receipt.threshold, receipt.at.as_nanos()];
                closes.push((reason.to_owned(), seen.map(|nanos| nanos / 1_000_000_000)));
            }
        }
        desk.out.clear();
    }
    // The second waited for its slot at 11 s and was closed at the deadline, which the driver has overslept.
    let expected = [("moving;retry=0", [1, 1, 1]), ("moving;retry=7000", [4, 3, 4])];
    assert_eq!(closes, expected.map(|(reason, seen)| (reason.to_owned(), seen)));
    let stats = desk.manager.stats();
    assert_eq!((stats.drained, stats.closes, stats.draining), (2, 2, true));
}

#[test]
fn until_it_is_closed_a_connection_has_all_its_rights() {
    let (mut desk, conns) = crowd(without_pings(), 3);
    drain(&mut desk, secs(10), at(600));
    desk.tick();
    let (told, _) = take(&mut desk);
    let [first] = told[..] else { panic!("{told:?}") };
    let open: Vec<_> = conns.into_iter().filter(|&conn| conn != first.conn).collect();
    desk.wait(secs(1));
    assert_eq!(desk.say(open[0], "hello"), Inbound::Deliver);
    assert_eq!(desk.say(first.conn, "hello"), Inbound::Stale);
    assert_eq!(desk.hail("den", lobbykeeper::Except::Nobody), 2);
    assert_eq!(desk.recipients(), open);
    desk.call(|manager, now, out| manager.switch_lobby(now, open[0], "den", "hall", out))
        .unwrap();
    assert_eq!(desk.members("hall"), [open[0]]);
    let asked = desk.call(|manager, now, out| {
        let user = manager.user_of(open[1]).unwrap().to_owned();
        manager.ping_user(now, &user, None, out)
    });
    assert_eq!(asked, 1);
}

#[test]
fn whoever_goes_in_another_way_uses_up_the_slot_in_both_sequences() {
    let (mut desk, conns) = crowd(without_pings(), 8);
    drain(&mut desk, secs(10), at(45));
    let first = run_until(&mut desk, at(5));
    let [first] = first[..] else { panic!("{first:?}") };
    let mut others = conns.into_iter().filter(|&conn| conn != first.conn);
    // Slots 1 to 3, which lie at 10 s, 20 s and 30 s.
    let [left, kicked, expired] = [(); 3].map(|()| others.next().unwrap());
    assert!(desk.closed(left) && desk.kick(kicked));
    desk.call(|manager, now, out| manager.extend(now, expired, Some(at(5)), out));
    assert_eq!(run_until(&mut desk, at(39)), []);
    // Slot 4 at 40 s; at 45 s those that would be at 50 s, 60 s and 70 s.
    let rest = run_until(&mut desk, at(50));
    let when: Vec<_> = rest.iter().map(|told| (told.at, told.delay)).collect();
    let expected = [(40, 0), (45, 5), (45, 15), (45, 25)];
    assert_eq!(when, expected.map(|(now, delay)| (at(now), secs(delay))));
}

#[test]
fn a_second_drain_may_only_tighten() {
    let config = Config {
        close_timeout: secs(10_000),
        ..without_pings()
    };
    let (mut desk, _) = crowd(config, 9);
    assert!(drain(&mut desk, secs(10), at(100)));
    assert_eq!(run_until(&mut desk, at(15)).len(), 2);
    // Slower, later, or the same: nothing.
    for (every, deadline) in [(11, 200), (10, 100), (11, 100), (10, 101)] {
        assert!(!drain(&mut desk, secs(every), at(deadline)));
    }
    assert_eq!(desk.manager.next_deadline(), Some(at(20)));
    // Faster and later: faster, and from the last slot on, not from now.
    assert!(drain(&mut desk, secs(7), at(200)));
    assert_eq!(desk.manager.next_deadline(), Some(at(17)));
    assert_eq!(run_until(&mut desk, at(19)).len(), 1);
    // Slower and earlier: earlier.
    assert!(drain(&mut desk, secs(8), at(23)));
    assert_eq!(desk.manager.next_deadline(), Some(at(23)));
    let told: Vec<_> = run_until(&mut desk, at(60))
        .iter()
        .map(|told| told.delay.as_secs())
        .collect();
    assert_eq!(told, [1, 8, 15, 22, 29, 36], "the slots are at 24 s, 31 s and so on");
}

#[test]
fn a_faster_pace_does_not_make_up_for_what_would_have_been_due() {
    let (mut desk, _) = crowd(without_pings(), 9);
    drain(&mut desk, secs(100), Time::MAX);
    assert_eq!(run_until(&mut desk, at(50)).len(), 1);
    drain(&mut desk, secs(10), Time::MAX);
    let told: Vec<_> = run_until(&mut desk, at(75))
        .iter()
        .map(|told| (told.at, told.delay))
        .collect();
    assert_eq!(told, [50, 60, 70].map(|now| (at(now), Duration::ZERO)));
}

#[test]
fn drained_is_said_once_when_the_last_id_has_ended() {
    let (mut desk, conns) = crowd(without_pings(), 2);
    desk.now = at(1);
    drain(&mut desk, Duration::ZERO, Time::MAX);
    desk.tick();
    desk.said();
    desk.now = at(3);
    assert!(desk.closed(conns[0]));
    assert_eq!(take(&mut desk).1, 0, "one is still closing");
    desk.now = at(6);
    desk.tick();
    let ended = Ending::Evicted(Eviction::CloseTimeout);
    assert_eq!(
        desk.said(),
        [
            format!("evict {} close timeout", conns[1]),
            format!("ended {} user 1: {ended}", conns[1]),
            "drained within 5s: nobody is left".into()
        ]
    );
    desk.now = at(9);
    drain(&mut desk, Duration::ZERO, at(0));
    desk.tick();
    assert!(!desk.closed(conns[0]));
    assert_eq!(desk.said(), [""; 0]);
    assert_eq!(
        desk.refused("den", "ann"),
        Some(RefusalRule::Draining),
        "it is not taken back"
    );
}

#[test]
fn an_empty_server_is_drained_at_once() {
    let mut desk = Desk::open();
    assert!(drain(&mut desk, secs(1), at(60)));
    assert_eq!(desk.said(), ["drained within 0ns: nobody is left"]);
    assert_eq!(desk.manager.next_deadline(), None);
    assert!(drain(&mut desk, secs(1), at(50)));
    assert_eq!(desk.said(), [""; 0]);
}

#[test]
fn one_that_is_closing_when_it_begins_is_waited_for_and_uses_no_slot() {
    let (mut desk, conns) = crowd(without_pings(), 2);
    desk.kick(conns[0]);
    desk.out.clear();
    drain(&mut desk, secs(10), Time::MAX);
    desk.tick();
    let (told, _) = take(&mut desk);
    assert_eq!((told[0].conn, told[0].delay), (conns[1], Duration::ZERO));
    desk.closed(conns[1]);
    assert_eq!(take(&mut desk).1, 0);
    desk.closed(conns[0]);
    assert_eq!(take(&mut desk).1, 1);
}

#[test]
fn a_pause_of_the_server_postpones_neither_the_closes_nor_the_deadline_and_makes_no_stampede() {
    let config = Config {
        close_timeout: secs(30),
        ..without_pings()
    };
    let (mut desk, _) = crowd(config, 10);
    drain(&mut desk, secs(1), at(7));
    let before = run_until(&mut desk, at(1));
    assert_eq!(before.len(), 2);
    assert_eq!(desk.manager.next_deadline(), Some(at(2)));
    desk.now = at(5);
    desk.tick();
    let (late, _) = take(&mut desk);
    let told: Vec<_> = late.iter().map(|told| told.delay.as_secs()).collect();
    assert_eq!(
        told,
        [0, 1, 2, 3],
        "slots 2 to 5 are overdue, and returns keep their distance"
    );
    desk.now = at(4_000);
    desk.tick();
    let paused = desk.out.notices().any(|notice| matches!(notice, Notice::Paused { .. }));
    assert!(paused);
    let (rest, _) = take(&mut desk);
    let told: Vec<_> = rest.iter().map(|told| told.delay.as_secs()).collect();
    assert_eq!(told, [0, 1, 2, 3], "the deadline has passed meanwhile");
    let stats = desk.manager.stats();
    assert_eq!(stats.open_connections, 0);
    assert_eq!(stats.evictions.close_timeout, 1, "of the others patience slept, too");
}

#[test]
fn a_drain_that_is_overslept_is_no_sign_of_a_pause() {
    let (mut desk, _) = crowd(without_pings(), 1);
    drain(&mut desk, secs(10), at(20));
    desk.now = at(4_000);
    desk.tick();
    assert_eq!(take(&mut desk).0.len(), 1);
    assert_eq!(desk.manager.stats().pauses, 0);
}

#[test]
fn in_a_tick_before_its_turn_nothing_happens() {
    let (mut desk, _) = crowd(without_pings(), 2);
    desk.now = at(1);
    drain(&mut desk, secs(10), at(60));
    desk.tick();
    desk.said();
    for due in [at(6), at(11)] {
        assert_eq!(
            desk.manager.next_deadline(),
            Some(due),
            "the first has its time to close"
        );
        desk.now = Time::from_nanos(due.as_nanos() - 1);
        desk.tick();
        assert!(desk.out.is_empty());
        desk.now = due;
        desk.tick();
        assert!(!desk.said().is_empty());
    }
}

#[test]
fn who_has_expired_goes_with_those_words() {
    let mut desk = Desk::with(without_pings());
    desk.admit(Handshake::new("den", "ann").expires(at(5))).unwrap();
    desk.admit(Handshake::new("den", "bob").expires(at(5))).unwrap();
    desk.out.clear();
    drain(&mut desk, secs(1), at(5));
    desk.now = at(5);
    desk.tick();
    assert_eq!(take(&mut desk).0, []);
    let stats = desk.manager.stats();
    assert_eq!((stats.expired, stats.drained, stats.open_connections), (2, 0, 0));
}
