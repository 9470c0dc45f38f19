//! A server that is drained and one that takes over: nobody is stampeded, in a closed loop of both and their clients.

use std::time::Duration;

use lobbykeeper::Config;
use lobbykeeper::testing::{Goodbye, Handover, HandoverReport};
use proptest::prelude::*;

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn run(handover: Handover) -> HandoverReport {
    handover.run().unwrap()
}

/// How many returns a second can have if they are so far apart and each is delayed by up to twice the jitter: the close
/// frame's and the client's.
fn most(every: Duration, jitter: Duration) -> u64 {
    let window = secs(1) + 2 * jitter + millis(1);
    u64::try_from(window.as_nanos() / every.as_nanos()).unwrap() + 1
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn returns_stay_under_the_rate_whatever_befalls_the_drain(
        seed in any::<u64>(), clients in 1_u32..600, every in 1_000_000_u64..50_000_000, within in 0_u64..20_000,
        (latency, jitter) in (0_u64..200, 0_u64..300), (leave_percent, deaf_percent) in (0_u8..60, 0_u8..60),
        pause in prop_oneof![Just(0), 0_u64..4_000, 0_u64..100_000],
    ) {
        let (every, jitter) = (Duration::from_nanos(every), millis(jitter));
        let report = run(Handover {
            config: Config { seed, ..Config::default() },
            seed,
            clients,
            goodbye: Goodbye::Drain { every, within: millis(within) },
            latency: millis(latency),
            jitter,
            leave_percent,
            deaf_percent,
            pause: millis(pause),
        });
        prop_assert!(report.most_returns_per_second <= most(every, jitter), "{:?}", report);
        prop_assert_eq!(report.drained, 1, "{:?}", report);
        prop_assert_eq!(report.returned + report.left, u64::from(clients), "{:?}", report);
        prop_assert_eq!(report.closed, report.returned, "{:?}", report);
    }
}

/// Who takes over can take 500 clients each second; a tenth is kept for what the network does to them.
const RATE: u64 = 500;
const EVERY: Duration = Duration::from_micros(2_200);

fn ending(goodbye: Goodbye) -> Handover {
    Handover {
        clients: 5_000,
        goodbye,
        leave_percent: 5,
        deaf_percent: 1,
        ..Handover::default()
    }
}

#[test]
fn beside_a_server_that_closes_all_at_once_one_that_is_drained_is_gentle() {
    let stampede = run(ending(Goodbye::AllAtOnce));
    assert!(stampede.most_returns_per_second > 4 * RATE, "{stampede:?}");
    for within in [secs(60), secs(5), Duration::ZERO] {
        let report = run(ending(Goodbye::Drain { every: EVERY, within }));
        assert!(report.most_returns_per_second <= RATE, "{report:?}");
        assert_eq!(
            (report.drained, report.returned + report.left),
            (1, 5_000),
            "{report:?}"
        );
        assert!(report.dropped > 0, "{report:?}");
        // Nobody has to wait for longer than all slots together.
        assert!(report.last_return < secs(12), "{report:?}");
    }
}

#[test]
fn who_is_closed_at_the_pace_does_not_have_to_wait_and_who_is_closed_at_the_deadline_does() {
    let paced = run(ending(Goodbye::Drain {
        every: EVERY,
        within: secs(60),
    }));
    assert!(paced.longest_absence < millis(100), "{paced:?}");
    assert!(paced.most_closes_per_second <= RATE, "{paced:?}");
    let hurried = run(ending(Goodbye::Drain {
        every: EVERY,
        within: secs(2),
    }));
    assert!(hurried.most_closes_per_second > 3_000, "{hurried:?}");
    assert!(hurried.longest_absence > secs(8), "{hurried:?}");
}

#[test]
fn a_server_that_stands_still_in_its_drain_closes_many_at_once_and_they_come_back_one_by_one() {
    let report = run(Handover {
        pause: secs(4),
        leave_percent: 0,
        ..ending(Goodbye::Drain {
            every: EVERY,
            within: secs(60),
        })
    });
    assert!(report.most_closes_per_second > 1_800, "{report:?}");
    assert!(report.most_returns_per_second <= RATE, "{report:?}");
}

#[test]
fn the_same_gives_the_same() {
    let handover = Handover {
        clients: 300,
        ..ending(Goodbye::Drain {
            every: EVERY,
            within: millis(300),
        })
    };
    let other = Handover {
        seed: 1,
        ..handover.clone()
    };
    assert_eq!(run(handover.clone()), run(handover.clone()));
    assert_ne!(run(handover), run(other));
}
