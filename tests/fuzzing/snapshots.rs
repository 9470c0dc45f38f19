//! Snapshots, sound and tampered with.

use lobbykeeper::testing::{Outcome, Seen, View, check_invariants};
use lobbykeeper::{Call, Event, Input, Manager, Outbox, Reply, RestoreError, Snapshot};

use super::bytes::Bytes;
use super::reading::read;
use super::tampering::{Tampering, tamper};

/// So many steps go on after a snapshot.
const MOST_STEPS: usize = 60;

/// Restores a snapshot, which is refused with words, or accepted: then it is the restored manager's own, and another
/// manager of it goes on alike, with the invariants, whatever comes. A text that starts with a brace is a snapshot with
/// inputs, a line each; from anything else a manager is grown, and its snapshot tampered with, or not: then it is
/// accepted, and goes on as the first manager does.
pub fn snapshots(data: &[u8]) {
    match std::str::from_utf8(data) {
        Ok(text) if text.starts_with('{') => written(text),
        _ => grown(Bytes(data)),
    }
}

fn written(text: &str) {
    let (text, inputs) = text.split_once('\n').unwrap_or((text, ""));
    let mut inputs = inputs.lines();
    if let Some(twins) = accepted(text) {
        go_on(twins, |_, _| {
            inputs.find_map(|line| serde_json::from_str::<Input<'_>>(line).ok())
        });
    }
}

fn grown(mut bytes: Bytes<'_>) {
    let Ok(mut manager) = Manager::new(bytes.knobs().into()) else {
        return;
    };
    let tamperings: Vec<_> = (0..bytes.next() % 5).map(|_| tampering(&mut bytes)).collect();
    let mut seen = Seen::new(manager.config());
    for _ in 0..bytes.next() {
        if bytes.is_empty() {
            break;
        }
        let input = bytes.step().input(&seen, manager.next_deadline());
        let (reply, out) = apply(&mut manager, &input);
        seen.record(&input, &reply, &out);
    }

    let text = serde_json::to_string(&manager.snapshot()).expect("a snapshot is JSON");
    let twins = if tamperings.is_empty() {
        let Some(Twins { first, .. }) = accepted(&text) else {
            panic!("a sound snapshot was refused: {text}");
        };
        assert_eq!(View::of(&first, &seen), View::of(&manager, &seen));
        Twins {
            first,
            second: manager,
            seen,
        }
    } else {
        let mut value = serde_json::from_str(&text).expect("a snapshot is JSON");
        for (at, how) in &tamperings {
            tamper(&mut value, *at, how);
        }
        let Some(twins) = accepted(&value.to_string()) else {
            return;
        };
        Twins { seen, ..twins }
    };
    go_on(twins, |manager, seen| {
        (!bytes.is_empty()).then(|| bytes.step().input(seen, manager.next_deadline()))
    });
}

fn tampering(bytes: &mut Bytes<'_>) -> (usize, Tampering) {
    let at = bytes.index();
    let how = match bytes.next() % 10 {
        0 | 1 => Tampering::Constant(bytes.index()),
        2 => Tampering::Add(1),
        3 => Tampering::Add(-1),
        4 => Tampering::Add(i64::from(bytes.next()) * 100_000_000),
        5 => Tampering::Flip,
        6 => Tampering::Remove,
        7 => Tampering::Double,
        8 => Tampering::Swap(bytes.index()),
        _ => Tampering::Copy(bytes.index()),
    };
    (at, how)
}

/// Two managers that must go on alike.
struct Twins {
    first: Manager,
    second: Manager,
    seen: Seen,
}

/// The managers of this snapshot, under two hash keys, if it is read and accepted.
fn accepted(text: &str) -> Option<Twins> {
    let foreign = serde_json::from_str(text)
        .ok()
        .filter(|found: &Snapshot| found.version() != 1);
    if let Some(snapshot) = foreign {
        let version = RestoreError::Version(snapshot.version());
        assert_eq!(Manager::restore(snapshot, [0, 0]).map(drop), Err(version));
        return None;
    }
    let snapshot: Snapshot = read(text)?;
    let first = match Manager::restore(snapshot.clone(), [1, 2]) {
        Ok(manager) => manager,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return None;
        }
    };
    check_invariants(&first).expect("what was accepted is sound");
    assert_eq!(first.snapshot(), snapshot, "nothing is mended in silence");
    let second = Manager::restore(snapshot, [3, 4]).expect("the hash key has no part in it");
    let seen = Seen::new(first.config());
    Some(Twins { first, second, seen })
}

/// Both get the same inputs, as many as there are; then time passes, and both are saved again.
fn go_on<'a>(mut twins: Twins, mut next: impl FnMut(&Manager, &Seen) -> Option<Input<'a>>) {
    for _ in 0..MOST_STEPS {
        let Some(input) = next(&twins.first, &twins.seen) else {
            break;
        };
        twins.step(&input);
    }
    for _ in 0..6 {
        let Some(at) = twins.first.next_deadline() else { break };
        twins.step(&Input {
            at,
            call: Call::Event(Event::Tick),
        });
        assert!(
            twins.first.next_deadline().is_none_or(|next| next > at),
            "nothing is left to do"
        );
    }
    let Twins { first, second, seen } = &twins;
    assert_eq!(View::of(first, seen), View::of(second, seen));
    let snapshot = first.snapshot();
    assert_eq!(snapshot, second.snapshot());
    if let Err(error) = Manager::restore(snapshot, [5, 6]) {
        // Whoever was restored at the end of all counting has counted on.
        assert!(error.to_string().contains("can have been counted"), "{error}");
    }
}

impl Twins {
    fn step(&mut self, input: &Input<'_>) {
        let (reply, out) = apply(&mut self.first, input);
        check_invariants(&self.first).expect("whatever comes, the invariants hold");
        let (other_reply, other_out) = apply(&mut self.second, input);
        let (found, other) = (Outcome::of(&reply, &out), Outcome::of(&other_reply, &other_out));
        assert_eq!(found, other, "{input:?}");
        self.seen.record(input, &reply, &out);
    }
}

fn apply(manager: &mut Manager, input: &Input<'_>) -> (Reply, Outbox) {
    let mut out = Outbox::new();
    (manager.apply(input.clone(), &mut out), out)
}
