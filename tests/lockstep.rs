//! The instruments themselves: what an application sees is what the model knows, and a difference is told so that it can
//! be had again.

mod cases;

use cases::cases;
use lobbykeeper::testing::strategy::{knobs, steps};
use lobbykeeper::testing::{Pair, Seen, View, replay};
use lobbykeeper::{Call, Config, Event, Handshake, Input, Manager, Outbox, Time};
use proptest::prelude::*;

fn input(event: Event<'static>) -> Input<'static> {
    Input {
        at: Time::from_secs(1),
        call: Call::Event(event),
    }
}

fn connected() -> Input<'static> {
    input(Event::Connected(Handshake::new("den", "ann")))
}

#[test]
fn a_difference_comes_with_the_inputs_that_lead_to_it() {
    let mut pair = Pair::new(Config::default()).unwrap();
    pair.feed(&connected()).unwrap();
    // The model hears of somebody of whom the manager does not.
    pair.reference.apply(&connected());
    let difference = pair.feed(&input(Event::Tick)).unwrap_err();
    assert!(difference.text().contains("<- the model"), "{difference}");
    let mut log = difference.log().lines();
    let config: Config = serde_json::from_str(log.next().unwrap()).unwrap();
    assert_eq!(config, Config::default());
    let inputs: Vec<Input<'_>> = log.map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(inputs, [connected(), input(Event::Tick)]);
    // The two were not fed alike; the log feeds them alike.
    assert_eq!(replay(difference.log()), Ok(()));
}

#[test]
fn lines_that_are_no_input_are_passed_over() {
    let config = serde_json::to_string(&Config::default()).unwrap();
    let connected = serde_json::to_string(&connected()).unwrap();
    assert_eq!(replay(&format!("{config}\nnothing\n{connected}\n{{}}")), Ok(()));
    assert_eq!(replay(""), Ok(()));
    assert_eq!(replay("{"), Ok(()));
}

proptest! {
    #![proptest_config(cases(60, "proptest-regressions/lockstep.txt"))]

    #[test]
    fn steps_are_the_same_inputs_with_and_without_a_model(knobs in knobs(), steps in steps()) {
        let (there, inputs) = Pair::after(knobs.into(), &steps);
        let mut manager = Manager::new(knobs.into()).unwrap();
        let mut seen = Seen::new(manager.config());
        let mut out = Outbox::new();
        for (step, expected) in steps.0.iter().zip(inputs) {
            let input = step.input(&seen, manager.next_deadline());
            prop_assert_eq!(&input, &expected);
            out.clear();
            let reply = manager.apply(input.clone(), &mut out);
            seen.record(&input, &reply, &out);
            prop_assert!(seen.open().iter().all(|&conn| manager.is_open(conn)));
            prop_assert_eq!(seen.open().len(), manager.stats().open_connections as usize);
        }
        prop_assert_eq!(View::of(&manager, &seen), View::of(&there.subject.manager, &there.reference.seen));
    }
}
