//! The same inputs, the same outputs: under every hash key, in a copy, through either door and through JSON.

mod cases;

use cases::cases;
use lobbykeeper::testing::strategy::{knobs, steps};
use lobbykeeper::testing::{Knobs, Outcome, Pair, Reference, Seen, Steps, View};
use lobbykeeper::{Call, Config, Event, Input, Manager, Outbox, Reply, Request};
use proptest::prelude::*;

fn apply(manager: &mut Manager, input: &Input<'_>) -> Outcome {
    let mut out = Outbox::new();
    let reply = manager.apply(input.clone(), &mut out);
    Outcome::of(&reply, &out)
}

/// The method that the input names, called as an application calls it.
fn call(manager: &mut Manager, input: &Input<'_>) -> Outcome {
    let Input { at: now, call } = input.clone();
    let mut out = Outbox::new();
    let reply = match call {
        Call::Event(event) => match event {
            Event::Connected(handshake) => Reply::Connected(manager.connected(now, handshake, &mut out)),
            Event::Message { conn, frame } => Reply::Message(manager.message(now, conn, frame, &mut out)),
            Event::Closed { conn, cause } => Reply::Changed(manager.closed(now, conn, cause, &mut out)),
            Event::Tick => {
                manager.tick(now, &mut out);
                Reply::Ticked
            }
            Event::Flushed { conn, bytes, messages } => {
                Reply::Changed(manager.flushed(now, conn, bytes, messages, &mut out))
            }
            other => unreachable!("{other:?} has no method here"),
        },
        Call::Request(request) => match request {
            Request::Broadcast { lobby, payload, except } => {
                Reply::Addressed(manager.broadcast(now, lobby, payload, except, &mut out))
            }
            Request::BroadcastAll { payload, except } => {
                Reply::Addressed(manager.broadcast_all(now, payload, except, &mut out))
            }
            Request::SendTo { conn, payload } => Reply::Addressed(manager.send_to(now, conn, payload, &mut out)),
            Request::SendToUser { user, payload } => {
                Reply::Addressed(manager.send_to_user(now, &user, payload, &mut out))
            }
            Request::PingUser { user, timeout } => Reply::Addressed(manager.ping_user(now, &user, timeout, &mut out)),
            Request::Join { conn, lobby } => Reply::Entered(manager.join(now, conn, &lobby, &mut out)),
            Request::SwitchLobby { conn, from, to } => {
                Reply::Entered(manager.switch_lobby(now, conn, from, &to, &mut out))
            }
            Request::Leave { conn, lobby } => Reply::Changed(manager.leave(now, conn, lobby, &mut out)),
            Request::Kick { conn, close } => Reply::Changed(manager.kick(now, conn, &close, &mut out)),
            Request::CloseAll { close } => Reply::Addressed(manager.close_all(now, &close, &mut out)),
            Request::KickUser { user, close } => Reply::Addressed(manager.kick_user(now, &user, &close, &mut out)),
            Request::KickLobby { lobby, close } => Reply::Addressed(manager.kick_lobby(now, lobby, &close, &mut out)),
            Request::LockLobby { lobby } => Reply::Changed(manager.lock_lobby(now, lobby, &mut out)),
            Request::UnlockLobby { lobby } => Reply::Changed(manager.unlock_lobby(now, lobby, &mut out)),
            Request::SetLimit { limit, max } => Reply::LimitSet(manager.set_limit(now, limit, max, &mut out)),
            Request::SetRate { limit, rate } => Reply::LimitSet(manager.set_rate(now, limit, rate, &mut out)),
            Request::Extend { conn, expires } => Reply::Changed(manager.extend(now, conn, expires, &mut out)),
            Request::Reserve(handshake) => Reply::Reserved(manager.reserve(now, handshake, &mut out)),
            Request::Release { reservation } => Reply::Changed(manager.release(now, reservation, &mut out)),
            Request::Drain { every, deadline } => Reply::Changed(manager.drain(now, every, deadline, &mut out)),
            other => unreachable!("{other:?} has no method here"),
        },
    };
    Outcome::of(&reply, &out)
}

/// Gives the same inputs to a manager with its own settings each, in its own way each, and wants the same of both.
fn agree(
    knobs: Knobs,
    steps: &Steps,
    other: impl Fn(Config) -> Manager,
    way: impl Fn(&mut Manager, &Input<'_>) -> Outcome,
) -> Result<(), TestCaseError> {
    let (seen, inputs) = after(knobs, steps);
    let mut one = Manager::new(knobs.into()).unwrap();
    let mut other = other(knobs.into());
    for input in &inputs {
        prop_assert_eq!(way(&mut other, input), apply(&mut one, input), "{:?}", input);
        prop_assert_eq!(View::of(&other, &seen), View::of(&one, &seen), "{:?}", input);
    }
    Ok(())
}

/// What the steps come to, and what was seen in the end.
fn after(knobs: Knobs, steps: &Steps) -> (Seen, Vec<Input<'static>>) {
    let (Pair { reference, .. }, inputs) = Pair::after(knobs.into(), steps);
    let Reference { seen, .. } = reference;
    (seen, inputs)
}

fn new(config: Config) -> Manager {
    Manager::new(config).unwrap()
}

fn json(out: &Outbox) -> Vec<String> {
    out.iter()
        .map(|output| serde_json::to_string(&output).unwrap())
        .collect()
}

proptest! {
    #![proptest_config(cases(80, "proptest-regressions/determinism.txt"))]

    #[test]
    fn the_hash_key_shapes_nothing(knobs in knobs(), steps in steps(), hash_key in any::<[u64; 2]>()) {
        agree(knobs, &steps, |config| new(Config { hash_key, ..config }), apply)?;
    }

    #[test]
    fn both_doors_lead_to_the_same_room(knobs in knobs(), steps in steps()) {
        agree(knobs, &steps, new, call)?;
    }

    #[test]
    fn settings_and_inputs_are_the_same_after_a_way_through_json(knobs in knobs(), steps in steps()) {
        let read_again = |config: Config| {
            let json = serde_json::to_string(&config).unwrap();
            new(serde_json::from_str(&json).unwrap())
        };
        agree(knobs, &steps, read_again, |manager, input| {
            let json = serde_json::to_string(input).unwrap();
            let again: Input<'_> = serde_json::from_str(&json).unwrap();
            assert_eq!(&again, input, "{json}");
            apply(manager, &again)
        })?;
    }

    #[test]
    fn a_copy_goes_on_as_its_original_does(knobs in knobs(), steps in steps(), share in 0_usize..=100) {
        let (seen, inputs) = after(knobs, &steps);
        let (first, rest) = inputs.split_at(inputs.len() * share / 100);
        let mut original = new(knobs.into());
        for input in first {
            apply(&mut original, input);
        }
        let mut copy = original.clone();
        let at_the_fork = View::of(&original, &seen);
        let expected: Vec<Outcome> = rest.iter().map(|input| apply(&mut original, input)).collect();
        prop_assert_eq!(View::of(&copy, &seen), at_the_fork, "what befalls the original leaves its copy alone");
        for (input, expected) in rest.iter().zip(expected) {
            prop_assert_eq!(apply(&mut copy, input), expected, "{:?}", input);
        }
        prop_assert_eq!(View::of(&copy, &seen), View::of(&original, &seen));
    }

    #[test]
    fn an_outbox_that_spans_many_calls_holds_what_each_of_them_wrote(knobs in knobs(), steps in steps()) {
        let (_, inputs) = after(knobs, &steps);
        let (mut one, mut other) = (new(knobs.into()), new(knobs.into()));
        let mut all = Outbox::new();
        let mut each = Vec::new();
        for input in inputs {
            let mut out = Outbox::new();
            one.apply(input.clone(), &mut out);
            each.extend(json(&out));
            other.apply(input, &mut all);
        }
        prop_assert_eq!(json(&all), each);
    }
}
