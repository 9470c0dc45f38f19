//! Random inputs, given to the manager and to a naive model of it: every reply, every output and every query agrees
//! after every step.

use lobbykeeper::Config;
use lobbykeeper::testing::pair::Pair;
use lobbykeeper::testing::step::Steps;
use lobbykeeper::testing::strategy::{cases, crowd_settings, crowd_steps, hasty_steps, knobs, patient_steps, steps};
use proptest::prelude::*;

fn agree(config: Config, steps: &Steps) -> Result<(), TestCaseError> {
    let mut pair = Pair::new(config).unwrap();
    for step in &steps.0 {
        let input = pair.input(step);
        pair.feed(&input).map_err(TestCaseError::fail)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn the_manager_does_what_the_model_says(knobs in knobs(), steps in steps()) {
        agree(knobs.into(), &steps)?;
    }

    #[test]
    fn they_agree_about_who_may_be_where(knobs in knobs(), steps in hasty_steps()) {
        agree(knobs.into(), &steps)?;
    }

    #[test]
    fn they_agree_about_who_is_still_there(knobs in knobs(), steps in patient_steps()) {
        agree(knobs.into(), &steps)?;
    }

    #[test]
    fn they_agree_about_when_too_many_are_silent(floor in 0_u32..4, max_missed in 1_u8..4, steps in crowd_steps()) {
        agree(crowd_settings(floor, max_missed), &steps)?;
    }
}
