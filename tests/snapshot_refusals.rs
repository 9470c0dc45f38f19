//! Snapshots from strangers: what contradicts itself is refused, and what is accepted never leads to a panic.

mod cases;
mod snapshots;
#[path = "fuzzing/tampering.rs"]
mod tampering;

use std::cell::Cell;

use cases::cases;
use lobbykeeper::testing::Pair;
use lobbykeeper::testing::strategy::{knobs, steps};
use lobbykeeper::{
    Cause, CloseFrame, ConnId, Except, Handshake, Input, Manager, Outbox, Payload, ReservationId, RestoreError,
    Snapshot, Time,
};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use snapshots::{draining, version_1};
use tampering::{Tampering, pointers, tamper};

/// Why this snapshot is refused, by the reader or by the manager; `None` if it is accepted.
fn refusal(snapshot: Value) -> Option<String> {
    match serde_json::from_value::<Snapshot>(snapshot) {
        Ok(snapshot) => Manager::restore(snapshot, [0, 0]).err().map(|error| error.to_string()),
        Err(error) => Some(error.to_string()),
    }
}

#[test]
fn another_version_is_refused_by_its_number_whatever_else_is_in_it() {
    let others = [
        r#"{"version":2}"#,
        r#"{"version":0}"#,
        r#"{"version":2,"clock":"sundial","shape":[{"of":{"things":null}},"to come"]}"#,
        r#"{"clock":"sundial","shape":[{"of":{"things":null}},"to come"],"version":2}"#,
    ];
    for json in others {
        let snapshot: Snapshot = serde_json::from_str(json).unwrap();
        let version = if json.contains('0') { 0 } else { 2 };
        assert_eq!(snapshot.version(), version);
        // What was passed over cannot be written.
        assert!(serde_json::to_string(&snapshot).is_err());
        let error = Manager::restore(snapshot, [0, 0]).map(drop).unwrap_err();
        assert_eq!(error, RestoreError::Version(version));
        assert_eq!(
            error.to_string(),
            format!("a snapshot of version {version} cannot be used, only one of version 1")
        );
    }
}

#[test]
fn a_snapshot_without_a_version_or_with_a_member_twice_cannot_be_read() {
    let whole = version_1().to_string();
    let doubled = |member: &str| format!("{{{member},{}", &whole[1..]);
    for (json, error) in [
        ("{}".into(), "missing field `version`"),
        ("[1]".into(), "expected a snapshot with its version"),
        (whole.replace(r#""version":1"#, r#""version":"1""#), "expected u32"),
        (whole.replace(r#""version":1"#, r#""version":-1"#), "expected u32"),
        (doubled(r#""version":1"#), "unknown field `version`"),
        (doubled(r#""version":1,"last_ping":1"#), "duplicate field `last_ping`"),
        (doubled(r#""last_ping":1"#), "a member that comes twice"),
    ] {
        let found = serde_json::from_str::<Snapshot>(&json).unwrap_err().to_string();
        assert!(found.contains(error), "{found}: {json}");
    }
}

fn objects(snapshot: &Value) -> impl Iterator<Item = String> {
    let all = pointers(snapshot).into_iter();
    // The settings have a form of their own: what is missing there has its default.
    all.filter(|at| snapshot.pointer(at).unwrap().is_object() && !at.starts_with("/config"))
}

#[test]
fn a_member_that_is_missing_is_refused_wherever_it_was() {
    let mut tried = 0;
    for whole in [version_1(), draining()] {
        for at in objects(&whole) {
            for key in whole.pointer(&at).unwrap().as_object().unwrap().keys() {
                let mut less = whole.clone();
                less.pointer_mut(&at).unwrap().as_object_mut().unwrap().remove(key);
                let error = refusal(less).unwrap();
                assert!(error.contains(&format!("missing field `{key}`")), "{at}/{key}: {error}");
                tried += 1;
            }
        }
    }
    assert!(tried > 100, "{tried}");
}

#[test]
fn a_member_that_nobody_knows_is_refused_wherever_it_is() {
    for whole in [version_1(), draining()] {
        for at in objects(&whole).chain(["/config".into()]) {
            let mut more = whole.clone();
            more.pointer_mut(&at).unwrap()["colour"] = json!("red");
            let error = refusal(more).unwrap();
            assert!(error.contains("unknown field `colour`"), "{at}: {error}");
        }
    }
}

#[test]
fn a_contradiction_is_refused_and_named() {
    contradict(&version_1(), include_str!("snapshots/contradictions.txt"));
}

#[test]
fn so_is_one_that_is_about_a_drain() {
    contradict(&draining(), include_str!("snapshots/contradictions_of_drains.txt"));
}

fn contradict(whole: &Value, lines: &str) {
    for line in lines.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (changes, says) = line.split_once(" => ").unwrap();
        let mut snapshot = whole.clone();
        for change in changes.split("; ") {
            let (at, value) = change.split_once(' ').unwrap();
            *snapshot.pointer_mut(at).unwrap() = serde_json::from_str(value).unwrap();
        }
        let error = refusal(snapshot).unwrap_or_else(|| "accepted".into());
        assert!(error.contains(says), "{line}\n{error}");
    }
}

fn tampering() -> impl Strategy<Value = Tampering> {
    let any = any::<usize>;
    prop_oneof![
        3 => any().prop_map(Tampering::Constant),
        3 => prop::sample::select(vec![-1, 1, 1_000, 5_000_000_000]).prop_map(Tampering::Add),
        1 => Just(Tampering::Flip),
        2 => Just(Tampering::Remove),
        1 => Just(Tampering::Double),
        3 => any().prop_map(Tampering::Swap),
        3 => any().prop_map(Tampering::Copy),
    ]
}

/// All that are open or closing.
fn conns(manager: &Manager) -> Vec<ConnId> {
    let snapshot = serde_json::to_value(manager.snapshot()).unwrap();
    let ids = pointers(&snapshot["users"])
        .into_iter()
        .filter(|at| at.ends_with("/id"));
    ids.map(|at| {
        snapshot["users"]
            .pointer(&at)
            .unwrap()
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    })
    .collect()
}

fn reservations(manager: &Manager) -> Vec<ReservationId> {
    let snapshot = serde_json::to_value(manager.snapshot()).unwrap();
    let seats = snapshot["reservations"].as_array().unwrap().iter();
    seats
        .map(|seat| seat["id"].as_str().unwrap().parse().unwrap())
        .collect()
}

/// Whatever comes, then time passes, then everybody goes: if nothing is left, every count was right.
fn lives_and_ends(manager: &mut Manager, inputs: &[Input<'_>]) -> Result<(), TestCaseError> {
    let mut out = Outbox::new();
    for input in inputs {
        manager.apply(input.clone(), &mut out);
    }
    let mut now = inputs.iter().map(|input| input.at).max().unwrap_or(Time::ZERO);
    for _ in 0..30 {
        let Some(deadline) = manager.next_deadline() else { break };
        manager.tick(deadline, &mut out);
        now = now.max(deadline);
        prop_assert!(manager.next_deadline().is_none_or(|next| next > deadline));
    }
    for user in ["ann", "new"] {
        _ = manager.connected(now, Handshake::new("den", user), &mut out);
        manager.broadcast(now, "den", Payload::text("hello"), Except::user("ann"), &mut out);
    }
    let half = manager
        .clone()
        .close_all(now, &CloseFrame::new(1001, "").unwrap(), &mut out)
        / 2;
    for conn in conns(manager).into_iter().skip(half) {
        prop_assert!(manager.closed(now, conn, Cause::Peer, &mut out));
    }
    manager.close_all(now, &CloseFrame::new(1001, "").unwrap(), &mut out);
    for conn in conns(manager) {
        prop_assert!(manager.closed(now, conn, Cause::Peer, &mut out));
    }
    for reservation in reservations(manager) {
        prop_assert!(manager.release(now, reservation, &mut out));
    }
    let stats = manager.stats();
    let left = (
        stats.total_connections,
        stats.open_connections,
        stats.closing_connections,
        stats.users,
    );
    prop_assert_eq!(
        (left, stats.active_lobbies, manager.next_deadline()),
        ((0, 0, 0, 0), 0, None)
    );
    Ok(())
}

#[test]
fn what_was_tampered_with_is_refused_or_lives_and_ends_like_any_other() {
    let tampered = prop::collection::vec((any::<usize>(), tampering()), 1..=2);
    let (accepted, refused) = (Cell::new(0), Cell::new(0));
    let run = TestRunner::new(cases(400, "proptest-regressions/snapshot.txt")).run(
        &(knobs(), steps(), 0_usize..=100, tampered),
        |(knobs, steps, share, tampered)| {
            let (_, inputs) = Pair::after(knobs.into(), &steps);
            let (first, rest) = inputs.split_at(inputs.len() * share / 100);
            let mut manager = Manager::new(knobs.into()).unwrap();
            for input in first {
                manager.apply(input.clone(), &mut Outbox::new());
            }
            let mut value = serde_json::to_value(manager.snapshot()).unwrap();
            for (at, how) in &tampered {
                tamper(&mut value, *at, how);
            }
            let Ok(snapshot) = serde_json::from_value::<Snapshot>(value) else {
                refused.set(refused.get() + 1);
                return Ok(());
            };
            match Manager::restore(snapshot.clone(), [0, 0]) {
                Ok(mut manager) => {
                    accepted.set(accepted.get() + 1);
                    prop_assert_eq!(manager.snapshot(), snapshot, "nothing is mended in silence");
                    lives_and_ends(&mut manager, rest)
                }
                Err(error) => {
                    refused.set(refused.get() + 1);
                    prop_assert!(!error.to_string().is_empty());
                    Ok(())
                }
            }
        },
    );
    if let Err(failure) = run {
        panic!("{failure}");
    }
    // Otherwise nothing would have been shown.
    let (accepted, refused) = (accepted.get(), refused.get());
    assert!(accepted > 0 && refused > 0, "{accepted} accepted, {refused} refused");
}
