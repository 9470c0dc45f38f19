//! Simulated worlds around lobbykeeper's manager, and a report of what became of them.

mod args;
mod table;
mod worlds;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use lobbykeeper::testing::{Fault, Goodbye, Handover, Report, Scenario, ScenarioError, Sim, WakeOrder};
use lobbykeeper::{Config, UserOverflow};

use self::args::Args;
use self::table::Table;
use self::worlds::{day, evening, full_house, millis, secs, supervised};

/// When the one thing happens that a world is there for: all have come, and all have been pinged.
const IN_FULL_SWING: Duration = secs(120);

fn main() -> ExitCode {
    let args = Args::parse();
    let mut verdict = Verdict::default();
    let reported = [whole_day, pauses, clock_steps, storms, outage, supervision, handover]
        .into_iter()
        .try_for_each(|part| part(args, &mut verdict));
    if let Err(error) = reported {
        eprintln!("lobby-simulate: {error}");
        return ExitCode::from(2);
    }
    println!("{verdict}");
    ExitCode::from(u8::from(!verdict.is_good()))
}

/// What must not happen, in all worlds together.
#[derive(Default)]
struct Verdict {
    innocent: u64,
    ghosts_over_bound: u64,
    evicted_early: u64,
    limits_overrun: u64,
    false_round_trips: u64,
    left_over: u64,
    orders_defied: u64,
    seats_mistimed: u64,
    /// Drains after which more came back in a second than had been asked for.
    stampedes: u64,
}

impl Verdict {
    fn run(&mut self, scenario: Scenario) -> Result<Report, ScenarioError> {
        let report = Sim::new(scenario)?.run();
        self.innocent += report.stale.innocent;
        self.ghosts_over_bound += report.ghosts_over_bound;
        self.evicted_early += report.evicted_early;
        self.limits_overrun += report.limits_overrun;
        self.false_round_trips += report.false_round_trips;
        self.left_over += report.left_over + report.seats_left_over;
        self.orders_defied += report.orders_defied;
        self.seats_mistimed += report.seats_mistimed;
        Ok(report)
    }

    const fn is_good(&self) -> bool {
        let Self {
            innocent,
            ghosts_over_bound,
            evicted_early,
            limits_overrun,
            false_round_trips,
            left_over,
            orders_defied,
            seats_mistimed,
            stampedes,
        } = *self;
        let broken = innocent + ghosts_over_bound + evicted_early + limits_overrun + false_round_trips;
        broken + left_over + orders_defied + seats_mistimed + stampedes == 0
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "In all worlds together: false evictions {}, ghosts over the bound {}, evicted too early {}, limits overrun {}, \
             false round trips {}, left over {}, orders defied {}, reserved seats mistimed {}, stampedes {}.",
            self.innocent,
            self.ghosts_over_bound,
            self.evicted_early,
            self.limits_overrun,
            self.false_round_trips,
            self.left_over,
            self.orders_defied,
            self.seats_mistimed,
            self.stampedes
        )
    }
}

fn whole_day(args: Args, verdict: &mut Verdict) -> Result<(), ScenarioError> {
    println!(
        "# {} hours, {} clients that come and go (seed {})\n",
        args.hours, args.clients, args.seed
    );
    let start = Instant::now();
    let report = verdict.run(day(args))?;
    println!("{report}");
    let taken = start.elapsed();
    let rate = u128::from(report.events + report.ticks) * 1_000 / taken.as_millis().max(1);
    eprintln!("(that took {taken:.1?}: {rate} events and ticks a second)");
    Ok(())
}

/// The columns of `evicted`.
const EVICTED: [&str; 5] = [
    "evicted as stale",
    "ghosts among them",
    "false evictions",
    "oldest ghost",
    "over the bound",
];

/// Who was evicted for silence, and who of them rightly.
fn evicted(report: &Report) -> Vec<String> {
    vec![
        report.evictions.stale.to_string(),
        report.stale.ghosts.to_string(),
        report.stale.innocent.to_string(),
        seconds(report.oldest_ghost),
        report.ghosts_over_bound.to_string(),
    ]
}

fn pauses(args: Args, verdict: &mut Verdict) -> Result<(), ScenarioError> {
    println!("# The server pauses, under load\n");
    let columns = ["pause", "on waking", "strikes in a turn", "noticed"];
    let mut table = Table::new(&[&columns[..], &EVICTED].concat());
    for lasts in [millis(500), millis(1_100), secs(30), secs(600), secs(3_600)] {
        let orders = [
            ("inputs first", WakeOrder::InputsFirst, false),
            ("tick first", WakeOrder::TickFirst, true),
            ("mixed", WakeOrder::Mixed, false),
        ];
        for (name, wake, mid_turn) in orders {
            let report = verdict.run(Scenario {
                duration: secs(300) + lasts,
                faults: vec![Fault::Pause {
                    at: IN_FULL_SWING,
                    lasts,
                    wake,
                    mid_turn,
                }],
                ..evening(args)
            })?;
            let cells = vec![
                format!("{lasts:?}"),
                name.into(),
                if mid_turn { "yes" } else { "no" }.into(),
                report.pauses_noticed.to_string(),
            ];
            table.row([cells, evicted(&report)].concat());
        }
    }
    println!("{table}");
    Ok(())
}

fn clock_steps(args: Args, verdict: &mut Verdict) -> Result<(), ScenarioError> {
    println!("# The server's clock is set\n");
    let mut table = Table::new(&[&["step", "taken for a pause"][..], &EVICTED].concat());
    for forward in [true, false] {
        for by in [millis(900), secs(5), secs(60), secs(3_600)] {
            let report = verdict.run(Scenario {
                duration: secs(300),
                faults: vec![Fault::ClockStep {
                    at: IN_FULL_SWING,
                    forward,
                    by,
                }],
                ..evening(args)
            })?;
            let cells = vec![
                format!("{}{by:?}", if forward { '+' } else { '-' }),
                report.pauses_noticed.to_string(),
            ];
            table.row([cells, evicted(&report)].concat());
        }
    }
    println!("{table}");
    Ok(())
}

fn storms(args: Args, verdict: &mut Verdict) -> Result<(), ScenarioError> {
    println!("# A full house loses all its links and comes back at once, again and again\n");
    let mut table = Table::new(&[
        "the server",
        "a user's second connection",
        "refused: full",
        "refused: user limit",
        "replaced",
        "stale ghosts",
        "all are back after",
        "limits overrun",
    ]);
    for silent in [false, true] {
        for user_overflow in [UserOverflow::Reject, UserOverflow::ReplaceOldest] {
            let house = full_house(args);
            let scenario = Scenario {
                config: Config {
                    user_overflow,
                    ..house.config.clone()
                },
                faults: vec![Fault::Storm {
                    at: IN_FULL_SWING,
                    silent,
                }],
                ..house
            };
            let back = time_until_all_are_back(scenario.clone())?;
            let report = verdict.run(scenario)?;
            table.row(vec![
                if silent { "sees nothing" } else { "sees the closes" }.into(),
                if user_overflow == UserOverflow::Reject {
                    "is refused"
                } else {
                    "replaces the first"
                }
                .into(),
                report.refusals.server_full.to_string(),
                report.refusals.user_limit.to_string(),
                report.evictions.replaced.to_string(),
                report.stale.ghosts.to_string(),
                back.map_or("never".into(), seconds),
                report.limits_overrun.to_string(),
            ]);
        }
    }
    println!("{table}");
    Ok(())
}

/// From the storm until each client has been admitted once more.
fn time_until_all_are_back(scenario: Scenario) -> Result<Option<Duration>, ScenarioError> {
    let (clients, end) = (u64::from(scenario.clients), scenario.duration);
    let mut sim = Sim::new(scenario)?;
    sim.run_until(IN_FULL_SWING);
    let before = sim.manager().stats().admissions;
    while sim.now() < end && sim.step() {
        if sim.manager().stats().admissions == before + clients {
            return Ok(Some(sim.now().saturating_sub(IN_FULL_SWING)));
        }
    }
    Ok(None)
}

fn outage(args: Args, verdict: &mut Verdict) -> Result<(), ScenarioError> {
    println!("# The server's uplink is dead for 25 s\n");
    let mut table = Table::new(&[
        "stale-wave breaker",
        "evicted as stale",
        "ghosts among them",
        "alive, but cut off",
        "admitted in the 10 s after",
        "oldest ghost",
        "over the bound",
    ]);
    for stale_wave_floor in [Config::default().stale_wave_floor, None] {
        let scenario = Scenario {
            config: Config {
                stale_wave_floor,
                ..Config::default()
            },
            duration: secs(300),
            faults: vec![Fault::Outage {
                at: IN_FULL_SWING,
                lasts: secs(25),
                catch_up: secs(3),
            }],
            ..evening(args)
        };
        let storm = admissions_within_ten_seconds(scenario.clone(), IN_FULL_SWING + secs(25))?;
        let report = verdict.run(scenario)?;
        table.row(vec![
            if stale_wave_floor.is_some() { "on" } else { "off" }.into(),
            report.evictions.stale.to_string(),
            report.stale.ghosts.to_string(),
            report.stale.cut_off.to_string(),
            storm.to_string(),
            seconds(report.oldest_ghost),
            report.ghosts_over_bound.to_string(),
        ]);
    }
    println!("{table}");
    Ok(())
}

fn admissions_within_ten_seconds(scenario: Scenario, from: Duration) -> Result<u64, ScenarioError> {
    let mut sim = Sim::new(scenario)?;
    sim.run_until(from);
    let before = sim.report().admissions;
    sim.run_until(from + secs(10));
    Ok(sim.report().admissions - before)
}

fn supervision(args: Args, verdict: &mut Verdict) -> Result<(), ScenarioError> {
    println!(
        "# Seats are reserved while tokens are looked at, and an operator kicks users, locks lobbies and changes limits\n"
    );
    let mut table = Table::new(&[
        "a user's third connection",
        "the server",
        "seats reserved",
        "used",
        "released",
        "lapsed",
        "kicked",
        "kicks of nobody",
        "locked out",
        "no room",
        "limits changed",
        "orders defied",
        "seats mistimed",
        "limits overrun",
    ]);
    let pause = Fault::Pause {
        at: IN_FULL_SWING,
        lasts: secs(60),
        wake: WakeOrder::Mixed,
        mid_turn: false,
    };
    for user_overflow in [UserOverflow::Reject, UserOverflow::ReplaceOldest] {
        for (name, faults) in [("runs", vec![]), ("pauses for 60 s", vec![pause])] {
            let world = supervised(args);
            let report = verdict.run(Scenario {
                config: Config {
                    user_overflow,
                    ..world.config.clone()
                },
                faults,
                ..world
            })?;
            let (seats, orders, refusals) = (report.reservations, report.orders, report.refusals);
            let overflow = if user_overflow == UserOverflow::Reject {
                "is refused"
            } else {
                "replaces the first"
            };
            let counts = [
                seats.made,
                seats.used,
                seats.released,
                seats.lapsed,
                orders.kicked,
                orders.kicks_of_nobody,
                refusals.lobby_locked,
                refusals.server_full + refusals.lobby_full + refusals.user_limit,
                orders.limits,
                report.orders_defied,
                report.seats_mistimed,
                report.limits_overrun,
            ];
            let cells = vec![overflow.into(), name.into()];
            table.row([cells, counts.map(|count| count.to_string()).to_vec()].concat());
        }
    }
    println!("{table}");
    Ok(())
}

/// So many clients can the next server take in each second.
const RATE: u32 = 1_000;

fn handover(args: Args, verdict: &mut Verdict) -> Result<(), ScenarioError> {
    let clients = if args.quick { 10_000 } else { 100_000 };
    // A tenth is kept for what the network does to packets, and one second is as good as another.
    let every = secs(1) / RATE * 11 / 10;
    println!("# A server ends, and its {clients} clients go to another, which can take {RATE} in each second\n");
    let mut table = Table::new(&[
        "the first server",
        "closed in a second",
        "came in a second",
        "all are there after",
        "longest absence",
        "left by themselves",
        "dropped",
        "drained after",
    ]);
    let drain = |within| Goodbye::Drain { every, within };
    let slots = every * clients;
    let ways = [
        ("closes all at once", Goodbye::AllAtOnce, secs(0)),
        ("is drained, without haste", drain(2 * slots), secs(0)),
        ("is drained in half the time", drain(slots / 2), secs(0)),
        ("is drained at once", drain(secs(0)), secs(0)),
        ("is drained, and stands still for 4 s", drain(2 * slots), secs(4)),
    ];
    let start = Instant::now();
    for (name, goodbye, pause) in ways {
        let handover = Handover {
            seed: args.seed,
            clients,
            goodbye,
            leave_percent: 2,
            deaf_percent: 1,
            pause,
            ..Handover::default()
        };
        let report = handover.run().map_err(ScenarioError::Config)?;
        let drained = goodbye != Goodbye::AllAtOnce;
        if drained {
            verdict.stampedes += u64::from(report.most_returns_per_second > RATE.into());
            verdict.left_over += report.drained.abs_diff(1);
        }
        table.row(vec![
            name.into(),
            report.most_closes_per_second.to_string(),
            report.most_returns_per_second.to_string(),
            seconds(report.last_return),
            seconds(report.longest_absence),
            report.left.to_string(),
            report.dropped.to_string(),
            if drained {
                seconds(report.empty_after)
            } else {
                "-".into()
            },
        ]);
    }
    eprintln!("(the handovers took {:.1?})", start.elapsed());
    println!("{table}");
    Ok(())
}

fn seconds(duration: Duration) -> String {
    format!("{}.{:03} s", duration.as_secs(), duration.subsec_millis())
}
