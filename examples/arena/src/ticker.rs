//! When the world takes its steps.

use lobbykeeper::Time;

use crate::world::STEPS_PER_SECOND;

/// How many steps one frame takes at most. What a late frame would have to catch up beyond that is left out: the game
/// stands still for that time. Otherwise a server that is too slow for its steps would have ever more of them to take.
const MOST_STEPS: u32 = 5;
const SECOND: u64 = 1_000_000_000;

/// Step n is due n thirtieths of a second after the driver's origin, to the nanosecond, however late the others were.
#[derive(Debug, Default)]
pub(crate) struct Ticker {
    /// How many are taken or left out.
    past: u64,
    left_out: u64,
}

impl Ticker {
    /// When the next step is due.
    pub(crate) fn next(&self) -> Time {
        let steps = u64::from(STEPS_PER_SECOND);
        let (seconds, rest) = ((self.past + 1) / steps, (self.past + 1) % steps);
        Time::from_nanos(seconds * SECOND + (rest * SECOND).div_ceil(steps))
    }

    /// How many steps a frame that begins now is to take, 5 at most.
    pub(crate) fn due(&mut self, now: Time) -> u32 {
        let nanos = now.as_nanos();
        let steps = u64::from(STEPS_PER_SECOND);
        let passed = nanos / SECOND * steps + nanos % SECOND * steps / SECOND;
        let due = passed.saturating_sub(self.past);
        let taken = u32::try_from(due).unwrap_or(u32::MAX).min(MOST_STEPS);
        self.left_out += due - u64::from(taken);
        self.past = self.past.max(passed);
        taken
    }

    /// How many steps were left out so far.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sleeps_until_the_next_step_takes_each_of_them_and_does_not_drift() {
        let mut ticker = Ticker::default();
        for _ in 0..30 * 3_600 {
            let next = ticker.next();
            assert_eq!(ticker.due(Time::from_nanos(next.as_nanos() - 1)), 0);
            assert_eq!(ticker.due(next), 1);
        }
        assert_eq!(ticker.next(), Time::from_nanos(3_600 * SECOND + 33_333_334));
    }

    #[test]
    fn a_late_frame_catches_up() {
        let mut ticker = Ticker::default();
        assert_eq!(ticker.due(Time::from_millis(110)), 3);
        assert_eq!(ticker.due(Time::from_millis(134)), 1);
        assert_eq!(ticker.left_out(), 0);
    }

    #[test]
    fn a_frame_that_is_very_late_leaves_steps_out_and_goes_on_in_time() {
        let mut ticker = Ticker::default();
        assert_eq!(ticker.due(Time::from_secs(10)), MOST_STEPS);
        assert_eq!(ticker.left_out(), 295);
        assert_eq!(ticker.due(Time::from_secs(10)), 0);
        assert_eq!(ticker.next(), Time::from_nanos(10 * SECOND + 33_333_334));
    }

    #[test]
    fn a_clock_that_steps_back_gives_no_step_twice() {
        let mut ticker = Ticker::default();
        ticker.due(Time::from_secs(1));
        assert_eq!(ticker.due(Time::ZERO), 0);
        assert_eq!(ticker.due(Time::from_secs(1)), 0);
    }
}
