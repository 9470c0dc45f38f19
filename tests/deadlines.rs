//! The laws of the deadline: it is always ahead, nothing happens before it, and a driver that keeps it is never late.

use std::time::Duration;

use lobbykeeper::testing::pair::Pair;
use lobbykeeper::testing::strategy::{cases, knobs, patient_steps, steps};
use lobbykeeper::testing::told::{Answered, Told, told};
use lobbykeeper::testing::view::View;
use lobbykeeper::{Call, Event, Input, Outbox, Time};
use proptest::prelude::*;

fn tick(at: Time) -> Input<'static> {
    Input {
        at,
        call: Call::Event(Event::Tick),
    }
}

/// Gives one input and returns all that comes of it.
fn apply(pair: &mut Pair, input: &Input<'_>) -> (Answered, Vec<Told>) {
    pair.out.clear();
    let reply = pair.manager.apply(input.clone(), &mut pair.out);
    (Answered::from(&reply), told(&pair.out))
}

/// Ticks at every deadline up to an instant, each of which is later than the one before.
fn keep_deadlines(pair: &mut Pair, until: Time) -> Result<(), String> {
    while let Some(deadline) = pair.manager.next_deadline().filter(|&deadline| deadline <= until) {
        pair.feed(&tick(deadline))?;
        if pair.manager.next_deadline().is_some_and(|next| next <= deadline) {
            return Err(format!("a deadline that is not later than {deadline}"));
        }
    }
    Ok(())
}

/// All queries, without the time of the latest call that a hint tells.
fn timeless_view(pair: &Pair) -> View {
    let mut view = View::of(&pair.manager, &pair.watched);
    for (.., answer) in &mut view.can_accept {
        if let Err(refusal) = answer {
            refusal.receipt.at = Time::ZERO;
        }
    }
    view
}

proptest! {
    #![proptest_config(cases(120))]

    #[test]
    fn after_a_tick_the_deadline_is_later_than_now(knobs in knobs(), steps in steps(), late in 0..u64::MAX) {
        let (mut pair, _) = Pair::after(knobs.into(), &steps);
        let last = pair.last_call().as_nanos();
        for now in [last, last.saturating_add(1), last.saturating_add(late), u64::MAX - 1, u64::MAX] {
            let now = Time::from_nanos(now);
            pair.manager.tick(now, &mut Outbox::new());
            let deadline = pair.manager.next_deadline();
            prop_assert!(deadline.is_none_or(|deadline| deadline > now), "{deadline:?} after a tick at {now}");
        }
    }

    #[test]
    fn a_tick_before_the_deadline_writes_nothing_and_changes_nothing(
        knobs in knobs(),
        steps in steps(),
        shares in prop::collection::vec(0.0..1.0, 1..5),
    ) {
        let (mut pair, _) = Pair::after(knobs.into(), &steps);
        let before = timeless_view(&pair);
        let mut now = pair.last_call().as_nanos();
        for share in shares {
            let end = pair.manager.next_deadline().map_or(u64::MAX, Time::as_nanos);
            #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "any instant before the end will do")]
            let wait = (end.saturating_sub(now) as f64 * share) as u64;
            if now + wait >= end {
                break;
            }
            now += wait;
            prop_assert_eq!(apply(&mut pair, &tick(Time::from_nanos(now))), (Answered::Ticked, Vec::new()));
            prop_assert_eq!(timeless_view(&pair), before.clone());
        }
    }

    #[test]
    fn ticks_before_the_deadline_change_nothing_that_follows(knobs in knobs(), steps in patient_steps()) {
        let (there, inputs) = Pair::after(knobs.into(), &steps);
        let mut plain = Pair::new(knobs.into()).unwrap();
        let mut eager = Pair::new(knobs.into()).unwrap();
        let mut last = Time::ZERO;
        for input in &inputs {
            // As late as possible: just before whatever comes first, the deadline or the input.
            let deadline = eager.manager.next_deadline().unwrap_or(Time::MAX);
            if let Some(early) = deadline.as_nanos().checked_sub(1) {
                let early = Time::from_nanos(early).min(input.at);
                if early >= last {
                    prop_assert_eq!(apply(&mut eager, &tick(early)).1, Vec::new());
                }
            }
            prop_assert_eq!(apply(&mut eager, input), apply(&mut plain, input));
            last = last.max(input.at);
        }
        prop_assert_eq!(View::of(&eager.manager, &there.watched), View::of(&plain.manager, &there.watched));
    }

    #[test]
    fn a_tick_at_every_deadline_never_finds_a_pause(knobs in knobs(), steps in patient_steps()) {
        let mut pair = Pair::new(knobs.into()).unwrap();
        for step in &steps.0 {
            let input = pair.input(step);
            // A long way from deadline to deadline shows nothing that a shorter one does not.
            let ahead = pair.manager.next_deadline().map_or(Duration::ZERO, |due| input.at.saturating_since(due));
            if ahead <= pair.manager.config().ping_timeout * 50 {
                keep_deadlines(&mut pair, input.at).map_err(TestCaseError::fail)?;
                pair.feed(&input).map_err(TestCaseError::fail)?;
            }
        }
        prop_assert_eq!(pair.manager.stats().pauses, 0);
    }
}
