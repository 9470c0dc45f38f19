//! The laws of the deadline: it is always ahead, nothing happens before it, and a driver that keeps it is never late.

mod cases;

use std::time::Duration;

use cases::cases;
use lobbykeeper::testing::strategy::{knobs, patient_steps, steps};
use lobbykeeper::testing::{Difference, Outcome, Pair, Reference, Subject, View};
use lobbykeeper::{Call, Event, Input, Manager, Outbox, Time};
use proptest::prelude::*;

fn tick(at: Time) -> Input<'static> {
    Input {
        at,
        call: Call::Event(Event::Tick),
    }
}

/// Gives one input and returns all that comes of it.
fn apply(manager: &mut Manager, input: &Input<'_>) -> Outcome {
    let mut out = Outbox::new();
    let reply = manager.apply(input.clone(), &mut out);
    Outcome::of(&reply, &out)
}

/// Ticks at every deadline up to an instant, each of which is later than the one before.
fn keep_deadlines(pair: &mut Pair, until: Time) -> Result<(), Difference> {
    while let Some(deadline) = pair
        .subject
        .manager
        .next_deadline()
        .filter(|&deadline| deadline <= until)
    {
        pair.feed(&tick(deadline))?;
        let next = pair.subject.manager.next_deadline();
        assert!(
            next.is_none_or(|next| next > deadline),
            "{next:?} after a tick at {deadline}"
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(120, "proptest-regressions/deadlines.txt"))]

    #[test]
    fn after_a_tick_the_deadline_is_later_than_now(knobs in knobs(), steps in steps(), late in 0..u64::MAX) {
        let (mut pair, _) = Pair::after(knobs.into(), &steps);
        let last = pair.reference.seen.last_call().as_nanos();
        for now in [last, last.saturating_add(1), last.saturating_add(late), u64::MAX - 1, u64::MAX] {
            let now = Time::from_nanos(now);
            pair.subject.manager.tick(now, &mut Outbox::new());
            let deadline = pair.subject.manager.next_deadline();
            prop_assert!(deadline.is_none_or(|deadline| deadline > now), "{deadline:?} after a tick at {now}");
        }
    }

    #[test]
    fn a_tick_before_the_deadline_writes_nothing_and_changes_nothing(
        knobs in knobs(),
        steps in steps(),
        shares in prop::collection::vec(0.0..1.0, 1..5),
    ) {
        let (Pair { subject: Subject { mut manager, .. }, reference: Reference { seen, .. } }, _) =
            Pair::after(knobs.into(), &steps);
        let before = View::of(&manager, &seen).timeless();
        let mut now = seen.last_call().as_nanos();
        for share in shares {
            let end = manager.next_deadline().map_or(u64::MAX, Time::as_nanos);
            #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "any instant before the end will do")]
            let wait = (end.saturating_sub(now) as f64 * share) as u64;
            if now + wait >= end {
                break;
            }
            now += wait;
            let outcome = apply(&mut manager, &tick(Time::from_nanos(now)));
            prop_assert!(outcome.is_silent(), "{outcome:?}");
            prop_assert_eq!(View::of(&manager, &seen).timeless(), before.clone());
        }
    }

    #[test]
    fn ticks_before_the_deadline_change_nothing_that_follows(knobs in knobs(), steps in patient_steps()) {
        let (there, inputs) = Pair::after(knobs.into(), &steps);
        let mut plain = Manager::new(knobs.into()).unwrap();
        let mut eager = Manager::new(knobs.into()).unwrap();
        let mut last = Time::ZERO;
        for input in &inputs {
            // As late as possible: just before whatever comes first, the deadline or the input.
            let deadline = eager.next_deadline().unwrap_or(Time::MAX);
            if let Some(early) = deadline.as_nanos().checked_sub(1) {
                let early = Time::from_nanos(early).min(input.at);
                if early >= last {
                    let outcome = apply(&mut eager, &tick(early));
                    prop_assert!(outcome.is_silent(), "{outcome:?}");
                }
            }
            prop_assert_eq!(apply(&mut eager, input), apply(&mut plain, input));
            last = last.max(input.at);
        }
        prop_assert_eq!(View::of(&eager, &there.reference.seen), View::of(&plain, &there.reference.seen));
    }

    #[test]
    fn a_tick_at_every_deadline_never_finds_a_pause(knobs in knobs(), steps in patient_steps()) {
        let mut pair = Pair::new(knobs.into()).unwrap();
        for step in &steps.0 {
            let input = pair.reference.input(step);
            // A long way from deadline to deadline shows nothing that a shorter one does not.
            let ahead = pair.subject.manager.next_deadline().map_or(Duration::ZERO, |due| input.at.saturating_since(due));
            if ahead <= pair.subject.manager.config().ping_timeout * 50 {
                keep_deadlines(&mut pair, input.at).map_err(|difference| TestCaseError::fail(difference.to_string()))?;
                pair.feed(&input).map_err(|difference| TestCaseError::fail(difference.to_string()))?;
            }
        }
        prop_assert_eq!(pair.subject.manager.stats().pauses, 0);
    }
}
