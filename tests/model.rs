//! Random inputs, given to the manager and to a naive model of it, which is the reference state machine: every reply,
//! every output and every query agrees after every step, and every invariant holds.
//!
//! A transition is a `Step`, which names "the second open connection" or "the deadline". What input that is, is decided
//! when it is applied, so that a sequence that shrinking has shortened still means something.

mod cases;

use std::fmt;
use std::marker::PhantomData;

use cases::cases;
use lobbykeeper::testing::strategy::{
    arrival, chatty_settings, chatty_step, crowd_settings, crowd_step, crowded_settings, door_step, drain_step,
    hasty_step, knobs, newcomer, patient_step, seat_step, slow_step, step,
};
use lobbykeeper::testing::{Outcome, Reference, Step, Subject};
use lobbykeeper::{Config, Input};
use proptest::prelude::*;
use proptest::strategy::BoxedStrategy;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

/// What a run is about.
trait Kind: 'static {
    fn settings() -> BoxedStrategy<Config> {
        knobs().prop_map(Config::from).boxed()
    }

    /// How the step that follows so many is drawn; `few` is a number from 2 to 12.
    fn step(number: usize, few: usize) -> BoxedStrategy<Step>;
}

struct Anything;

impl Kind for Anything {
    fn step(_: usize, _: usize) -> BoxedStrategy<Step> {
        step().boxed()
    }
}

struct Hasty;

impl Kind for Hasty {
    fn step(_: usize, _: usize) -> BoxedStrategy<Step> {
        hasty_step().boxed()
    }
}

struct Patient;

impl Kind for Patient {
    fn step(_: usize, _: usize) -> BoxedStrategy<Step> {
        patient_step().boxed()
    }
}

struct Doors;

impl Kind for Doors {
    fn step(_: usize, _: usize) -> BoxedStrategy<Step> {
        door_step().boxed()
    }
}

struct Slow;

impl Kind for Slow {
    fn step(_: usize, _: usize) -> BoxedStrategy<Step> {
        slow_step().boxed()
    }
}

struct Chatty;

impl Kind for Chatty {
    fn settings() -> BoxedStrategy<Config> {
        chatty_settings().boxed()
    }

    fn step(_: usize, _: usize) -> BoxedStrategy<Step> {
        chatty_step().boxed()
    }
}

struct Seats;

impl Kind for Seats {
    fn settings() -> BoxedStrategy<Config> {
        crowded_settings().boxed()
    }

    fn step(_: usize, _: usize) -> BoxedStrategy<Step> {
        seat_step().boxed()
    }
}

struct Drain;

impl Kind for Drain {
    fn step(number: usize, few: usize) -> BoxedStrategy<Step> {
        if number < few {
            arrival().boxed()
        } else {
            drain_step().boxed()
        }
    }
}

struct Crowd;

impl Kind for Crowd {
    fn settings() -> BoxedStrategy<Config> {
        crowd_settings().boxed()
    }

    fn step(number: usize, few: usize) -> BoxedStrategy<Step> {
        if number < few {
            newcomer().boxed()
        } else {
            crowd_step().boxed()
        }
    }
}

/// The reference, and what it was given last.
#[derive(Clone)]
struct State {
    config: Config,
    reference: Reference,
    steps: usize,
    few: usize,
    last: Option<(Input<'static>, Outcome)>,
}

/// A failure shows the settings; the log that follows has them again, and the inputs.
impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(&self.config).unwrap())
    }
}

struct Machine<K>(PhantomData<K>);

impl<K: Kind> ReferenceStateMachine for Machine<K> {
    type State = State;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<State> {
        let state = (K::settings(), 2_usize..=12).prop_map(|(config, few)| State {
            reference: Reference::new(config.clone()),
            config,
            steps: 0,
            few,
            last: None,
        });
        state.boxed()
    }

    fn transitions(state: &State) -> BoxedStrategy<Step> {
        K::step(state.steps, state.few)
    }

    fn apply(mut state: State, step: &Step) -> State {
        let input = state.reference.input(step);
        let outcome = state.reference.apply(&input);
        state.last = Some((input, outcome));
        state.steps += 1;
        state
    }
}

impl<K: Kind> StateMachineTest for Machine<K> {
    type SystemUnderTest = Subject;
    type Reference = Self;

    fn init_test(state: &State) -> Subject {
        Subject::new(state.config.clone()).unwrap()
    }

    fn apply(mut subject: Subject, State { reference, last, .. }: &State, _: Step) -> Subject {
        let (input, expected) = last.as_ref().unwrap();
        if let Err(difference) = subject.feed(input, expected, reference) {
            panic!("{difference}");
        }
        subject
    }
}

const STEPS: std::ops::RangeInclusive<usize> = 1..=if cfg!(miri) { 20 } else { 120 };

prop_state_machine! {
    #![proptest_config(cases(300, "proptest-regressions/model.txt"))]

    #[test]
    fn the_manager_does_what_the_model_says(sequential STEPS => Machine<Anything>);

    #[test]
    fn they_agree_about_who_may_be_where(sequential STEPS => Machine<Hasty>);

    #[test]
    fn they_agree_about_who_is_still_there(sequential STEPS => Machine<Patient>);

    #[test]
    fn they_agree_about_how_much_may_be_said(sequential STEPS => Machine<Chatty>);

    #[test]
    fn they_agree_about_when_too_many_are_silent(sequential STEPS => Machine<Crowd>);

    #[test]
    fn they_agree_about_who_may_come_in_and_for_how_long(sequential STEPS => Machine<Doors>);

    #[test]
    fn they_agree_about_backlogs(sequential STEPS => Machine<Slow>);

    #[test]
    fn they_agree_about_whom_a_seat_is_held_for(sequential STEPS => Machine<Seats>);

    #[test]
    fn they_agree_about_who_has_to_go_when_and_when_to_return(sequential STEPS => Machine<Drain>);
}
