//! What holds in every world that the simulator can make: 128 at random in each run.

use std::time::Duration;

use lobbykeeper::testing::{
    Authentication, Departure, Fault, Network, Operator, Reconnect, Scenario, Sim, Stalls, WakeOrder,
};
use lobbykeeper::{Config, PingFormat, UserOverflow};
use proptest::prelude::*;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

prop_compose! {
    /// Settings that can bear a pause: one miss is forgiven, and an answer is back before the ping times out.
    fn config()(
        max_connections in prop::option::of(0..40_u32),
        max_connections_per_lobby in prop::option::of(0..10_u32),
        max_connections_per_user in prop::option::of(0..3_u32),
        replace in any::<bool>(),
        ping_timeout in 2_000..10_000_u64,
        rest in 0..20_000_u64,
        max_missed in 2..4_u8,
        web_socket in any::<bool>(),
        stale_wave_floor in prop::option::of(0..20_u32),
        pause_tolerance in 200..2_000_u64,
        max_backlog_messages in prop::option::of(5..40_u32),
        max_total_backlog_bytes in prop::option::of(500..20_000_u64),
        reservation_ttl in 100..20_000_u64,
        seed in any::<u64>(),
    ) -> Config {
        Config {
            max_connections,
            max_connections_per_lobby,
            max_connections_per_user,
            user_overflow: if replace { UserOverflow::ReplaceOldest } else { UserOverflow::Reject },
            ping_interval: Some(millis(ping_timeout + rest)),
            ping_timeout: millis(ping_timeout),
            max_missed,
            ping_format: if web_socket { PingFormat::WebSocket } else { PingFormat::Json },
            stale_wave_floor,
            pause_tolerance: Some(millis(pause_tolerance)),
            max_backlog_messages,
            max_total_backlog_bytes,
            reservation_ttl: millis(reservation_ttl),
            seed,
            ..Config::default()
        }
    }
}

/// A fault in the first four minutes.
fn fault() -> impl Strategy<Value = Fault> {
    let at = (0..240_000_u64).prop_map(millis);
    let wake = prop::sample::select(vec![WakeOrder::InputsFirst, WakeOrder::TickFirst, WakeOrder::Mixed]);
    let span = || prop_oneof![0..3_000_u64, 0..30_000_u64, 0..4_000_000_u64].prop_map(millis);
    prop_oneof![
        3 => (at.clone(), span(), wake, any::<bool>())
            .prop_map(|(at, lasts, wake, mid_turn)| Fault::Pause { at, lasts, wake, mid_turn }),
        1 => (at.clone(), any::<bool>(), span()).prop_map(|(at, forward, by)| Fault::ClockStep { at, forward, by }),
        1 => (at.clone(), 0..60_000_u64, 0..5_000_u64).prop_map(|(at, lasts, catch_up)| Fault::Outage {
            at,
            lasts: millis(lasts),
            catch_up: millis(catch_up),
        }),
        1 => (at, any::<bool>()).prop_map(|(at, silent)| Fault::Storm { at, silent }),
    ]
}

prop_compose! {
    fn authentication()(
        percent in 1..=100_u8,
        takes in 1..10_000_u64,
        (denied_percent, unanswered_percent) in (0..30_u8, 0..30_u8),
    ) -> Authentication {
        Authentication { percent, takes: millis(takes), denied_percent, unanswered_percent }
    }
}

prop_compose! {
    fn scenario()(
        config in config(),
        seed in any::<u64>(),
        (clients, devices_per_user, lobbies) in (1..40_u32, 1..4_u32, 1..10_u32),
        (stay, away, talk_every) in (5..600_u64, 1..200_u64, prop::option::of(1..60_u64)),
        (latency, jitter) in (10..300_u64, 0..300_u64),
        cut_after in prop::option::of(10..600_u64),
        queue in 1..50_u32,
        stalls in prop::option::of((10..300_u64, 1..60_u64)),
        (crash_percent, vanish_percent) in (0..50_u8, 0..50_u8),
        at_once in any::<bool>(),
        faults in prop::collection::vec(fault(), 0..4),
        authentication in prop::option::of(authentication()),
        every in prop::option::of(1..30_000_u64),
    ) -> Scenario {
        Scenario {
            config,
            seed,
            clients,
            devices_per_user,
            lobbies,
            stay: secs(stay),
            away: secs(away),
            talk_every: talk_every.map(secs),
            network: Network {
                latency: millis(latency),
                jitter: millis(jitter),
                cut_after: cut_after.map(secs),
                queue,
                ..Network::default()
            },
            stalls: stalls.map(|(every, last)| Stalls { every: secs(every), last: secs(last) }),
            departure: Departure { crash_percent, vanish_percent },
            reconnect: if at_once { Reconnect::AtOnce } else { Reconnect::Obedient },
            faults,
            authentication,
            operator: every.map(|every| Operator { every: millis(every) }),
            duration: secs(300),
            ..Scenario::default()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_world_can_be_run_again_to_the_byte(scenario in scenario()) {
        let mut rehashed = scenario.clone();
        rehashed.config.hash_key = [3, 5];
        let run = |scenario| Sim::new(scenario).unwrap().run();
        let (once, again) = (run(scenario), run(rehashed));
        prop_assert_eq!(once.to_string(), again.to_string());
        prop_assert_eq!(once, again);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_every_world_the_manager_keeps_its_word(scenario in scenario()) {
        let mut sim = Sim::new(scenario).unwrap();
        while sim.step() {}
        let report = sim.report();
        prop_assert_eq!(report.stale.innocent, 0, "{}", report);
        prop_assert_eq!(report.ghosts_over_bound, 0, "{}", report);
        prop_assert_eq!(report.evicted_early, 0, "{}", report);
        prop_assert_eq!(report.limits_overrun, 0, "{}", report);
        prop_assert_eq!(report.false_round_trips, 0, "{}", report);
        prop_assert!(Some(report.oldest_undisturbed_ghost) <= report.ghost_bound, "{}", report);
        prop_assert_eq!((report.seats_mistimed, report.orders_defied), (0, 0), "{}", report);
        // Nothing leaks.
        prop_assert_eq!((report.left_over, report.seats_left_over), (0, 0), "{}", report);
        let stats = sim.manager().stats();
        prop_assert_eq!((stats.total_connections, stats.open_connections, stats.users, stats.active_lobbies), (0, 0, 0, 0));
        prop_assert_eq!(stats.reserved_seats, 0);
        prop_assert_eq!(sim.manager().next_deadline(), None);
    }
}
