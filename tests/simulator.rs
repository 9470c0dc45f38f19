//! The simulator: what it shows of the manager, and that its figures can also say otherwise.

use std::time::Duration;

use lobbykeeper::testing::{
    Authentication, Departure, Fault, Network, Operator, Reconnect, Report, Scenario, ScenarioError, Sim, Stalls,
    WakeOrder,
};
use lobbykeeper::{Config, ConfigError, PingFormat, Rate, UserOverflow};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn run(scenario: &Scenario) -> Report {
    Sim::new(scenario.clone()).unwrap().run()
}

/// Clients that stay, answer and are never cut off.
fn faithful(clients: u32) -> Scenario {
    Scenario {
        clients,
        arrivals: secs(20),
        stay: secs(1_000_000),
        departure: Departure {
            crash_percent: 0,
            vanish_percent: 0,
        },
        ..Scenario::default()
    }
}

/// Clients all of whom are cut off sooner or later, and nothing else befalls them.
fn cut_off(clients: u32) -> Scenario {
    Scenario {
        network: Network {
            cut_after: Some(secs(100)),
            ..Network::default()
        },
        ..faithful(clients)
    }
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let scenario = Scenario {
        stalls: Some(Stalls {
            every: secs(100),
            last: secs(20),
        }),
        ..cut_off(50)
    };
    let (once, again) = (run(&scenario), run(&scenario));
    assert_eq!(once, again);
    assert_eq!(once.to_string(), again.to_string());
    let other = run(&Scenario {
        seed: 1,
        ..scenario.clone()
    });
    assert_ne!(once.digest, other.digest);
    let mut rehashed = scenario;
    rehashed.config.hash_key = [1, 2];
    assert_eq!(once, run(&rehashed), "the hash key shapes nothing");
}

#[test]
fn a_step_is_the_next_thing_that_happens_and_a_run_is_all_steps() {
    let scenario = cut_off(20);
    let mut sim = Sim::new(scenario.clone()).unwrap();
    let mut last = sim.now();
    let mut steps = 0;
    while sim.step() {
        assert!(sim.now() >= last);
        last = sim.now();
        steps += 1;
    }
    let report = sim.report();
    assert_eq!(report.events + report.ticks, steps);
    assert_eq!(report, run(&scenario));
    assert!(!sim.step(), "it is over");
}

#[test]
fn running_to_a_time_stops_there_and_changes_nothing_of_the_rest() {
    let scenario = cut_off(20);
    let mut sim = Sim::new(scenario.clone()).unwrap();
    assert!(sim.run_until(secs(100)));
    assert_eq!(sim.now(), secs(100));
    assert_eq!(sim.manager().stats().open_connections, 20 + ghosts(&sim));
    assert!(!sim.run_until(secs(1_000_000)));
    assert_eq!(sim.report(), run(&scenario));
}

/// Connections beyond one for each user, all of whom are there.
fn ghosts(sim: &Sim) -> u32 {
    let stats = sim.manager().stats();
    stats.open_connections - stats.users
}

#[test]
fn the_world_and_the_manager_count_alike() {
    // The figures of the report are the world's own; that the manager's agree is worth a test, not an assumption.
    let scenario = Scenario {
        config: Config {
            max_connections: Some(20),
            max_connections_per_lobby: Some(5),
            max_connections_per_user: Some(1),
            user_overflow: UserOverflow::ReplaceOldest,
            ..Config::default()
        },
        devices_per_user: 2,
        lobbies: 8,
        stay: secs(60),
        away: secs(30),
        departure: Departure::default(),
        authentication: Some(Authentication {
            percent: 70,
            ..Authentication::default()
        }),
        operator: Some(Operator { every: secs(1) }),
        ..cut_off(60)
    };
    let mut sim = Sim::new(scenario).unwrap();
    while sim.step() {}
    let (report, stats) = (sim.report(), sim.manager().stats());
    assert_eq!(report.admissions, stats.admissions);
    assert_eq!(report.refusals, stats.refusals);
    assert_eq!(report.evictions, stats.evictions);
    assert_eq!(report.messages_out, stats.messages_out);
    assert_eq!(report.pings, stats.pings);
    assert_eq!(report.reservations, stats.reservations);
    let evictions = report.evictions;
    let ended = report.left + report.crashed + report.send_failed;
    let evicted = evictions.stale + evictions.close_timeout + evictions.replaced;
    assert_eq!(ended + evicted, report.admissions, "each ends once");
    for (what, count) in [
        ("full", report.refusals.server_full),
        ("full lobbies", report.refusals.lobby_full),
        ("locked lobbies", report.refusals.lobby_locked),
        ("left", report.left),
        ("crashed", report.crashed),
        ("stale", evictions.stale),
        ("never closed", evictions.close_timeout),
    ] {
        assert!(count > 0, "{what}");
    }
}

#[test]
fn no_pause_of_whatever_length_evicts_anybody_in_whatever_order_a_driver_wakes() {
    for lasts in [
        millis(500),
        millis(1_100),
        secs(9),
        millis(10_500),
        secs(30),
        secs(600),
        secs(3_600),
    ] {
        for wake in [WakeOrder::InputsFirst, WakeOrder::TickFirst, WakeOrder::Mixed] {
            for mid_turn in [false, true] {
                let pause = Fault::Pause {
                    at: secs(90),
                    lasts,
                    wake,
                    mid_turn,
                };
                // Among thirty there is always a deadline near, so that even such settings forgive everything.
                let config = Config {
                    max_missed: 1,
                    ..Config::default()
                };
                let report = run(&Scenario {
                    config,
                    duration: secs(200) + lasts,
                    faults: vec![pause],
                    ..faithful(30)
                });
                assert_eq!(report.evictions.stale, 0, "{pause:?}\n{report}");
                assert_eq!(report.admissions, 30, "{pause:?}\n{report}");
                if lasts >= secs(9) {
                    assert_eq!(report.pauses_noticed, 1, "{pause:?}\n{report}");
                }
            }
        }
    }
}

#[test]
fn an_answer_that_waits_in_the_kernel_when_its_ping_is_judged_is_no_miss() {
    // Answers take 9.8 of the 10 seconds. In some of the pauses one comes between the last deadline before it and the
    // next, which is its ping's and which the driver sees first.
    let pauses = (1..6).map(|number| Fault::Pause {
        at: secs(90 * number),
        lasts: secs(30),
        wake: WakeOrder::TickFirst,
        mid_turn: false,
    });
    let report = run(&Scenario {
        config: Config {
            max_missed: 1,
            ..Config::default()
        },
        network: Network {
            latency: millis(4_900),
            jitter: Duration::ZERO,
            ..Network::default()
        },
        faults: pauses.collect(),
        talk_every: None,
        ..faithful(10)
    });
    assert_eq!((report.evictions.stale, report.pauses_noticed), (0, 5), "{report}");
}

#[test]
fn two_pauses_in_a_row_that_each_stay_within_the_tolerance_want_a_driver_that_reads_before_it_ticks() {
    // Each is half a second longer than a ping's time-out, and a lonely client has no deadline before that: so neither
    // shows. Between them are 20 ms, too short for the answer to the second ping to be read.
    let evicted = |wake| {
        let lasts = millis(10_500);
        let pause = |at, mid_turn| Fault::Pause {
            at: millis(at),
            lasts,
            wake,
            mid_turn,
        };
        let report = run(&Scenario {
            arrivals: secs(1),
            talk_every: None,
            faults: vec![pause(68_200, true), pause(78_760, false)],
            ..faithful(1)
        });
        assert_eq!(report.pauses_noticed, 0, "{report}");
        report.stale.innocent
    };
    assert_eq!(evicted(WakeOrder::InputsFirst), 0);
    assert_eq!(
        evicted(WakeOrder::TickFirst),
        1,
        "the one case in which a pause does evict somebody"
    );
}

#[test]
fn the_figure_for_false_evictions_can_be_other_than_zero() {
    // Settings that bear no pause: blind to it, ...
    let pause = |lasts| Fault::Pause {
        at: secs(90),
        lasts,
        wake: WakeOrder::TickFirst,
        mid_turn: true,
    };
    let blind = Scenario {
        config: Config {
            pause_tolerance: None,
            max_missed: 1,
            ..Config::default()
        },
        faults: vec![pause(secs(30))],
        ..faithful(30)
    };
    assert!(run(&blind).stale.innocent > 0);
    // ... or without a miss to forgive, if it is longer than a ping's time-out and yet within the tolerance after it.
    let strict = Scenario {
        config: Config {
            max_missed: 1,
            ..Config::default()
        },
        faults: vec![pause(millis(10_500))],
        ..faithful(1)
    };
    assert_eq!(run(&strict).stale.innocent, 1);
    // Or a link that is slower than the patience with it.
    let slow = Scenario {
        network: Network {
            latency: secs(11),
            ..Network::default()
        },
        talk_every: None,
        ..faithful(30)
    };
    assert!(run(&slow).stale.innocent > 0);
}

#[test]
fn a_ghost_is_found_out_within_the_bound_and_some_take_nearly_as_long() {
    let report = run(&cut_off(100));
    assert_eq!(report.ghost_bound, Some(secs(40)));
    assert_eq!(report.stale.ghosts, report.evictions.stale);
    assert!(report.stale.ghosts > 100, "{report}");
    assert!(
        (secs(35)..=secs(40)).contains(&report.oldest_undisturbed_ghost),
        "{report}"
    );
    // They are cut off one by one, so the manager's own network is never suspect.
    assert_eq!((report.waves_noticed, report.ghosts_over_bound), (0, 0), "{report}");
}

#[test]
fn ghosts_that_nobody_finds_are_reported() {
    // Nobody is pinged, so nobody is evicted for silence; that is what these settings say.
    let forever = run(&Scenario {
        config: Config {
            ping_interval: None,
            ..Config::default()
        },
        ..cut_off(10)
    });
    assert_eq!((forever.ghost_bound, forever.evictions.stale), (None, 0));
    assert!(forever.left_over > 0);
}

/// The uplink is dead for 25 s.
fn outage(stale_wave_floor: Option<u32>) -> Report {
    run(&Scenario {
        config: Config {
            stale_wave_floor,
            ..Config::default()
        },
        faults: vec![Fault::Outage {
            at: secs(120),
            lasts: secs(25),
            catch_up: secs(2),
        }],
        talk_every: None,
        ..faithful(200)
    })
}

#[test]
fn the_breaker_saves_whom_an_outage_would_have_evicted() {
    let (with, without) = (outage(Some(20)), outage(None));
    assert_eq!((with.stale.cut_off, with.evictions.stale), (0, 0), "{with}");
    assert!(without.stale.cut_off > 40, "{without}");
    assert_eq!(without.stale.cut_off, without.evictions.stale);
    assert_eq!((with.waves_noticed, without.waves_noticed), (1, 0));
    // What was sent meanwhile came in the end: each ping was answered, be it late.
    assert_eq!(with.messages_in, with.pings, "{with}");
    assert!(with.round_trips.max > secs(7), "{with}");
}

#[test]
fn the_breaker_lets_a_real_ghost_stay_for_one_more_ping_and_no_longer() {
    let crowd = |stale_wave_floor| {
        run(&Scenario {
            config: Config {
                stale_wave_floor,
                max_connections_per_user: Some(2),
                ..Config::default()
            },
            talk_every: None,
            // All are ghosts at once, and all come back at once.
            faults: vec![Fault::Storm {
                at: secs(120),
                silent: true,
            }],
            ..faithful(200)
        })
    };
    let (with, without) = (crowd(Some(20)), crowd(None));
    assert_eq!((with.stale.ghosts, without.stale.ghosts), (200, 200));
    assert!((secs(45)..=secs(50)).contains(&with.oldest_ghost), "{with}");
    assert!((secs(35)..=secs(40)).contains(&without.oldest_ghost), "{without}");
    assert_eq!((with.ghosts_over_bound, without.ghosts_over_bound), (0, 0));
    assert_eq!((with.stale.innocent, without.stale.innocent), (0, 0));
}

#[test]
fn a_slow_reader_is_dropped_when_too_much_waits_and_harms_nobody_else() {
    let stalls = Some(Stalls {
        every: secs(100),
        last: secs(60),
    });
    let busy = Scenario {
        stalls,
        lobbies: 1,
        talk_every: Some(secs(1)),
        network: Network {
            queue: 100,
            ..Network::default()
        },
        ..faithful(20)
    };
    let report = run(&busy);
    assert!(report.send_failed > 0, "{report}");
    assert_eq!((report.stale.innocent, report.limits_overrun), (0, 0), "{report}");
    // With room for all that comes, nobody is dropped; and who talks is not stale, however slowly he reads.
    let roomy = run(&Scenario {
        network: Network {
            queue: u32::MAX,
            ..Network::default()
        },
        ..busy
    });
    assert_eq!((roomy.send_failed, roomy.evictions.stale), (0, 0), "{roomy}");
}

#[test]
fn under_limits_on_backlogs_slow_readers_go_and_what_waits_never_exceeds_the_budget() {
    let slow = |config| {
        run(&Scenario {
            config,
            stalls: Some(Stalls {
                every: secs(100),
                last: secs(60),
            }),
            lobbies: 1,
            talk_every: Some(secs(1)),
            network: Network {
                queue: u32::MAX,
                ..Network::default()
            },
            ..faithful(20)
        })
    };
    let capped = slow(Config {
        max_backlog_messages: Some(100),
        ..Config::default()
    });
    assert!(capped.evictions.slow_consumer > 0, "{capped}");
    let budget = 50_000;
    let shared = slow(Config {
        max_total_backlog_bytes: Some(budget),
        ..Config::default()
    });
    assert!(shared.evictions.over_budget > 0, "{shared}");
    assert!((budget / 2..=budget).contains(&shared.peak_backlog), "{shared}");
    for report in [capped, shared] {
        assert_eq!((report.stale.innocent, report.limits_overrun), (0, 0), "{report}");
        assert_eq!(report.send_failed, 0, "{report}");
    }
}

#[test]
fn in_a_storm_the_limits_hold_and_nobody_is_locked_out_by_their_own_ghost() {
    let storm = |user_overflow| {
        run(&Scenario {
            config: Config {
                max_connections: Some(50),
                max_connections_per_lobby: Some(20),
                max_connections_per_user: Some(1),
                user_overflow,
                ..Config::default()
            },
            reconnect: Reconnect::AtOnce,
            duration: secs(200),
            lobbies: 10,
            faults: vec![Fault::Storm {
                at: secs(100),
                silent: true,
            }],
            ..faithful(50)
        })
    };
    let replaced = storm(UserOverflow::ReplaceOldest);
    assert_eq!(
        (replaced.admissions, replaced.refusals.server_full),
        (100, 0),
        "{replaced}"
    );
    let rejected = storm(UserOverflow::Reject);
    assert_eq!(rejected.stale.ghosts, 50, "{rejected}");
    assert!(rejected.refusals.server_full > 1_000, "{rejected}");
    assert_eq!((replaced.limits_overrun, rejected.limits_overrun), (0, 0));
    assert_eq!((replaced.peak_connections, rejected.peak_connections), (50, 50));
}

/// How many were admitted at most in a second after all links were lost, and how many are there in the end.
fn rush(connect_rate: Option<Rate>) -> (u64, u32) {
    let scenario = Scenario {
        config: Config {
            connect_rate,
            ..Config::default()
        },
        faults: vec![Fault::Storm {
            at: secs(100),
            silent: false,
        }],
        ..faithful(300)
    };
    let mut sim = Sim::new(scenario).unwrap();
    let seconds = (100..200).map(|second| {
        sim.run_until(secs(second));
        sim.manager().stats()
    });
    let seconds: Vec<_> = seconds.collect();
    let admitted = seconds.windows(2).map(|pair| pair[1].admissions - pair[0].admissions);
    assert_eq!(seconds[0].open_connections, 300, "all were there before");
    (admitted.max().unwrap(), seconds[99].open_connections)
}

/// All tokens are looked at.
fn authenticated(authentication: Authentication) -> Scenario {
    Scenario {
        authentication: Some(authentication),
        ..faithful(50)
    }
}

#[test]
fn while_tokens_are_looked_at_seats_are_held_and_none_is_given_away_twice() {
    let scenario = Scenario {
        config: Config {
            max_connections: Some(10),
            max_connections_per_lobby: Some(3),
            ..Config::default()
        },
        lobbies: 4,
        stay: secs(60),
        ..authenticated(Authentication {
            takes: secs(2),
            ..Authentication::default()
        })
    };
    let mut sim = Sim::new(scenario).unwrap();
    let mut full_of_promises = false;
    while sim.step() {
        let stats = sim.manager().stats();
        full_of_promises |= stats.total_connections == 10 && stats.reserved_seats > 0;
    }
    assert!(full_of_promises);
    let report = sim.report();
    let reservations = report.reservations;
    assert_eq!(reservations.used, report.admissions);
    assert!(
        report.refusals.server_full > 0 && report.refusals.lobby_full > 0,
        "{report}"
    );
    assert_eq!((report.peak_connections, report.limits_overrun), (10, 0), "{report}");
    assert!(reservations.released > 0 && reservations.lapsed > 0, "{report}");
    assert_eq!((report.seats_mistimed, report.seats_left_over), (0, 0), "{report}");
}

#[test]
fn a_seat_about_which_no_word_comes_lapses_and_its_client_comes_again() {
    let report = run(&authenticated(Authentication {
        denied_percent: 0,
        unanswered_percent: 100,
        ..Authentication::default()
    }));
    let reservations = report.reservations;
    assert_eq!((report.admissions, reservations.used), (0, 0), "{report}");
    // Of ten minutes, each of a client's seats takes ten seconds, and half a second passes before the next.
    assert!((50 * 50..50 * 60).contains(&reservations.lapsed), "{report}");
    // Whoever is still waiting when all leave gives the seat back.
    assert_eq!(
        reservations.lapsed + reservations.released,
        reservations.made,
        "{report}"
    );
    assert_eq!((report.seats_mistimed, report.seats_left_over), (0, 0), "{report}");
    // So they do if the word comes too late.
    let late = run(&authenticated(Authentication {
        takes: secs(100),
        denied_percent: 0,
        unanswered_percent: 0,
        ..Authentication::default()
    }));
    assert!(late.reservations.lapsed > late.reservations.used, "{late}");
    assert!(late.reservations.used > 0, "{late}");
}

#[test]
fn a_pause_takes_nobodys_seat() {
    // The word comes after half a second, if the server is there to hear it.
    let report = run(&Scenario {
        faults: vec![Fault::Pause {
            at: millis(10_500),
            lasts: secs(60),
            wake: WakeOrder::TickFirst,
            mid_turn: false,
        }],
        ..authenticated(Authentication {
            denied_percent: 0,
            unanswered_percent: 0,
            takes: secs(4),
            ..Authentication::default()
        })
    });
    assert_eq!(report.pauses_noticed, 1, "{report}");
    let reservations = report.reservations;
    assert_eq!((reservations.used, reservations.lapsed), (50, 0), "{report}");
}

#[test]
fn an_operator_is_obeyed_at_once() {
    let report = run(&Scenario {
        config: Config {
            max_connections: Some(60),
            max_connections_per_user: Some(2),
            ..Config::default()
        },
        operator: Some(Operator { every: secs(1) }),
        devices_per_user: 2,
        authentication: Some(Authentication::default()),
        stay: secs(100),
        ..Scenario::default()
    });
    let orders = report.orders;
    assert!(orders.kicked > 100 && orders.kicks_of_nobody > 10, "{report}");
    assert!(
        orders.locks > 10 && orders.unlocks > 10 && orders.limits > 10,
        "{report}"
    );
    assert!(report.refusals.lobby_locked > 10, "{report}");
    assert_eq!((report.orders_defied, report.limits_overrun), (0, 0), "{report}");
}

#[test]
fn an_admission_of_which_nobody_is_told_is_judged_by_the_limits_that_it_met() {
    // Whoever comes again while the old connection looks open: their lobby has them already.
    let storm = |at| Fault::Storm { at, silent: true };
    let report = run(&Scenario {
        config: Config {
            max_connections_per_user: Some(2),
            ..Config::default()
        },
        lobbies: 1,
        reconnect: Reconnect::AtOnce,
        faults: (1..10).map(|minute| storm(secs(60 * minute))).collect(),
        operator: Some(Operator { every: millis(200) }),
        duration: secs(600),
        ..faithful(20)
    });
    assert!(report.orders.limits > 100, "{report}");
    assert_eq!((report.orders_defied, report.limits_overrun), (0, 0), "{report}");
}

#[test]
fn a_clock_that_is_set_back_takes_nobodys_seat() {
    let back = |at| Fault::ClockStep {
        at,
        forward: false,
        by: millis(125),
    };
    let report = run(&Scenario {
        config: Config {
            max_connections_per_user: Some(1),
            user_overflow: UserOverflow::ReplaceOldest,
            reservation_ttl: millis(603),
            ..Config::default()
        },
        clients: 27,
        devices_per_user: 3,
        lobbies: 1,
        reconnect: Reconnect::AtOnce,
        faults: (1..250).map(|second| back(secs(second))).collect(),
        authentication: Some(Authentication {
            percent: 52,
            takes: millis(7_150),
            ..Authentication::default()
        }),
        duration: secs(300),
        ..Scenario::default()
    });
    assert!(report.reservations.lapsed > 100, "{report}");
    assert_eq!(report.seats_mistimed, 0, "{report}");
}

#[test]
fn a_connect_rate_spreads_a_rush_and_everybody_gets_in() {
    let (at_most, back) = rush(Some(Rate {
        events: 10,
        per: secs(1),
        burst: 20,
    }));
    assert_eq!(back, 300);
    assert!((20..=30).contains(&at_most), "{at_most}");
    let (at_most, back) = rush(None);
    assert_eq!(back, 300);
    assert!(at_most > 100, "{at_most}");
}

#[test]
fn who_floods_is_throttled_or_sent_away_for_a_while_and_never_thought_dead() {
    let flood = |max_violations| {
        let scenario = Scenario {
            config: Config {
                message_rate: Some(Rate {
                    events: 1,
                    per: secs(1),
                    burst: 5,
                }),
                max_violations,
                ..Config::default()
            },
            talk_every: Some(millis(200)),
            ..faithful(20)
        };
        let mut sim = Sim::new(scenario).unwrap();
        sim.run_until(secs(500));
        let (stats, report) = (sim.manager().stats(), sim.run());
        assert_eq!((report.evictions.stale, report.false_round_trips), (0, 0), "{report}");
        assert!(report.pongs > 200, "{report}");
        stats
    };
    let throttled = flood(None);
    assert_eq!((throttled.closes, throttled.admissions), (0, 20));
    let taken = throttled.messages_in - throttled.pongs - throttled.violations;
    // One a second, a burst at the beginning, and hardly less.
    assert!((20 * 450..20 * 505).contains(&taken), "{taken}");
    let closed = flood(Some(10));
    assert!(closed.closes_rate_limited > 100, "{closed:?}");
    assert_eq!(closed.closes, closed.closes_rate_limited);
    assert!(closed.violations >= 10 * closed.closes, "{closed:?}");
}

#[test]
fn a_clock_that_is_set_evicts_nobody() {
    for forward in [true, false] {
        for by in [millis(900), secs(5), secs(60), secs(3_600)] {
            let report = run(&Scenario {
                faults: vec![Fault::ClockStep {
                    at: secs(90),
                    forward,
                    by,
                }],
                ..faithful(30)
            });
            assert_eq!(
                (report.evictions.stale, report.admissions),
                (0, 30),
                "{by:?} {forward}\n{report}"
            );
        }
    }
}

#[test]
fn web_socket_pings_do_as_well() {
    let report = run(&Scenario {
        config: Config {
            ping_format: PingFormat::WebSocket,
            ..Config::default()
        },
        ..cut_off(20)
    });
    assert!(report.pongs > 100, "{report}");
    assert_eq!((report.stale.innocent, report.ghosts_over_bound), (0, 0), "{report}");
}

#[test]
fn round_trips_are_those_of_the_network() {
    let report = run(&faithful(30)).round_trips;
    // 20 to 40 ms each way.
    assert!((millis(40)..=millis(80)).contains(&report.p50), "{report:?}");
    assert!((millis(60)..=millis(80)).contains(&report.max), "{report:?}");
}

#[test]
fn a_scenario_that_cannot_be_played_is_refused() {
    let refused = |scenario: Scenario| Sim::new(scenario).map(drop).unwrap_err();
    let config = Config {
        max_missed: 0,
        ..Config::default()
    };
    let error = refused(Scenario {
        config,
        ..Scenario::default()
    });
    assert_eq!(error, ScenarioError::Config(ConfigError::Zero("max_missed")));
    assert_eq!(error.to_string(), "max_missed must not be 0");
    let error = refused(Scenario {
        lobbies: 0,
        ..Scenario::default()
    });
    assert_eq!(error, ScenarioError::Zero("lobbies"));
    let error = refused(Scenario {
        talk_every: Some(Duration::ZERO),
        ..Scenario::default()
    });
    assert_eq!(error, ScenarioError::Zero("talk_every"));
    let error = refused(Scenario {
        departure: Departure {
            crash_percent: 60,
            vanish_percent: 60,
        },
        ..Scenario::default()
    });
    assert_eq!(error, ScenarioError::DepartureBeyondWhole);
    let error = refused(authenticated(Authentication {
        denied_percent: 60,
        unanswered_percent: 60,
        ..Authentication::default()
    }));
    assert_eq!(error, ScenarioError::AuthenticationBeyondWhole);
    let error = refused(Scenario {
        operator: Some(Operator { every: Duration::ZERO }),
        ..Scenario::default()
    });
    assert_eq!(error, ScenarioError::Zero("every"));
    // Nobody at all is no mistake.
    let nobody = run(&Scenario {
        clients: 0,
        ..Scenario::default()
    });
    assert_eq!((nobody.visits, nobody.average_connections), (0, 0));
}

#[test]
fn what_takes_for_ever_is_survived() {
    let ever = Duration::MAX;
    let at = secs(60);
    let pause = |mid_turn| Fault::Pause {
        at,
        lasts: ever,
        wake: WakeOrder::Mixed,
        mid_turn,
    };
    let step = |forward| Fault::ClockStep { at, forward, by: ever };
    let outage = Fault::Outage {
        at,
        lasts: ever,
        catch_up: ever,
    };
    for fault in [pause(false), pause(true), step(true), step(false), outage] {
        let report = run(&Scenario {
            faults: vec![fault],
            ..cut_off(5)
        });
        assert_eq!(report.stale.innocent, 0, "{fault:?}\n{report}");
    }
    let slow = Network {
        latency: ever,
        jitter: ever,
        cut_noticed_after: ever,
        ..Network::default()
    };
    let report = run(&Scenario {
        network: slow,
        ..cut_off(5)
    });
    assert_eq!(report.visits, 5, "{report}");
}

#[test]
fn times_without_end_end_all_the_same() {
    let report = run(&Scenario {
        stay: Duration::MAX,
        away: Duration::MAX,
        network: Network {
            cut_after: Some(Duration::MAX),
            ..Network::default()
        },
        faults: vec![Fault::ClockStep {
            at: secs(60),
            forward: false,
            by: Duration::MAX,
        }],
        ..faithful(5)
    });
    assert_eq!((report.admissions, report.left), (5, 5), "{report}");
}
