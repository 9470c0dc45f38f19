//! Every place where two rules meet is come to by the random inputs of the model-based tests: the manager and the model
//! agree there, too, and this shows that it is looked at.

use lobbykeeper::Config;
use lobbykeeper::testing::strategy::{
    arrival, chatty_settings, chatty_step, crowd_settings, crowd_step, crowded_settings, door_step, drain_step,
    hasty_step, knobs, newcomer, patient_step, seat_step, slow_step, step,
};
use lobbykeeper::testing::{Meeting, Meetings, Pair, Step};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

/// Settings and steps of each kind.
fn kinds() -> [BoxedStrategy<(Config, Vec<Step>)>; 9] {
    let any_settings = || knobs().prop_map(Config::from);
    let crowd =
        (vec(newcomer(), 2..=12), vec(crowd_step(), 1..=120)).prop_map(|(crowd, later)| [crowd, later].concat());
    let drain =
        (vec(arrival(), 2..=12), vec(drain_step(), 1..=120)).prop_map(|(before, later)| [before, later].concat());
    [
        (any_settings(), vec(step(), 1..=120)).boxed(),
        (any_settings(), vec(hasty_step(), 1..=120)).boxed(),
        (any_settings(), vec(patient_step(), 1..=120)).boxed(),
        (crowd_settings(), crowd).boxed(),
        (any_settings(), vec(door_step(), 1..=120)).boxed(),
        (any_settings(), vec(slow_step(), 1..=120)).boxed(),
        (chatty_settings(), vec(chatty_step(), 1..=120)).boxed(),
        (crowded_settings(), vec(seat_step(), 1..=120)).boxed(),
        (any_settings(), drain).boxed(),
    ]
}

#[test]
fn wherever_two_rules_meet_has_been_looked_at() {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    let mut meetings = Meetings::default();
    for kind in kinds() {
        for _ in 0..if cfg!(miri) { 1 } else { 200 } {
            let (config, steps) = kind.new_tree(&mut runner).unwrap().current();
            let mut pair = Pair::new(config).unwrap();
            for step in &steps {
                let input = pair.reference.input(step);
                let before = pair.reference.model.clone();
                let outcome = pair.feed(&input).unwrap();
                meetings.observe(&before, &input, &outcome, &pair.reference.model);
            }
        }
    }
    println!("{meetings}");
    for &meeting in Meeting::ALL.iter().filter(|meeting| !meeting.is_ahead() && !cfg!(miri)) {
        assert!(meetings.count(meeting) > 0, "{meeting}");
    }
}
