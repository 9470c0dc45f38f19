//! How settings and steps are drawn. What comes first in a choice is what a failure shrinks to.

use crate::{Cause, Config};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::settings::{KNOBS, settings};
use super::step::{Act, But, Name, Said, Stamp, Step, Steps, Style, When, Where, Who};

const SECOND: u64 = 1_000_000_000;

/// How many cases, unless `PROPTEST_CASES` says so.
pub fn cases(cases: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    let asked_for = std::env::var_os("PROPTEST_CASES").is_some();
    ProptestConfig {
        cases: if cfg!(miri) {
            2
        } else if asked_for {
            default.cases
        } else {
            cases
        },
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..default
    }
}

/// Settings, as the numbers that choose them: a failure shows these in a line, and the settings in its log.
pub fn knobs() -> impl Strategy<Value = Knobs> {
    any::<[u8; KNOBS]>().prop_map(Knobs)
}

#[derive(Clone, Copy, Debug)]
pub struct Knobs([u8; KNOBS]);

impl From<Knobs> for Config {
    fn from(Knobs(knobs): Knobs) -> Self {
        settings(knobs)
    }
}

pub fn steps() -> impl Strategy<Value = Steps> {
    many(step())
}

fn many(step: impl Strategy<Value = Step>) -> impl Strategy<Value = Steps> {
    vec(step, 1..=if cfg!(miri) { 20 } else { 120 }).prop_map(Steps)
}

/// Steps among which a wait is rare, so that it is about who may be where.
pub fn hasty_steps() -> impl Strategy<Value = Steps> {
    let when = prop_oneof![
        8 => Just(When::After(0)),
        1 => Just(When::Deadline),
    ];
    many((when, act()).prop_map(|(when, act)| Step { when, act }))
}

/// Steps of few connections over long times, so that it is about who is still there.
pub fn patient_steps() -> impl Strategy<Value = Steps> {
    let act = prop_oneof![
        8 => Just(Act::Tick),
        2 => (name(), name()).prop_map(|(lobby, user)| Act::Connect(lobby, user)),
        3 => (who(), pong()).prop_map(|(who, said)| Act::Message(who, said)),
        1 => (who(), said()).prop_map(|(who, said)| Act::Message(who, said)),
        2 => (name(), timeout()).prop_map(|(user, timeout)| Act::PingUser(user, timeout)),
        1 => act(),
    ];
    many((when(), act).prop_map(|(when, act)| Step { when, act }))
}

/// A crowd, most of which falls silent: under `crowd_settings`, so that it is about when too many are.
pub fn crowd_steps() -> impl Strategy<Value = Steps> {
    let connect = (Just(Name(0)), name()).prop_map(|(lobby, user)| Act::Connect(lobby, user));
    let crowd = vec(connect, 2..=12);
    let hello = (0_u8..12).prop_map(|number| Act::Message(Who::Open(number), Said::Text(0)));
    let act = prop_oneof![
        16 => Just(Act::Tick),
        8 => hello,
        2 => (Just(Name(0)), name()).prop_map(|(lobby, user)| Act::Connect(lobby, user)),
        1 => (name(), timeout()).prop_map(|(user, timeout)| Act::PingUser(user, timeout)),
        1 => who().prop_map(Act::Kick),
    ];
    let when = prop_oneof![3 => Just(When::Deadline), 1 => Just(When::After(0)), 1 => (0..SECOND).prop_map(When::Late)];
    let later = vec(
        (when, act).prop_map(|(when, act)| Step { when, act }),
        1..=if cfg!(miri) { 20 } else { 120 },
    );
    (crowd, later).prop_map(|(crowd, later)| {
        let when = When::After(0);
        let crowd = crowd.into_iter().map(|act| Step { when, act });
        Steps(crowd.chain(later).collect())
    })
}

/// Nothing but silence ends a connection, and few silent ones are too many.
pub fn crowd_settings(floor: u32, max_missed: u8) -> Config {
    Config {
        stale_wave_floor: Some(floor),
        max_missed,
        ..Config::default()
    }
}

pub fn step() -> impl Strategy<Value = Step> {
    (when(), act()).prop_map(|(when, act)| Step { when, act })
}

fn when() -> impl Strategy<Value = When> {
    prop_oneof![
        36 => Just(When::After(0)),
        18 => Just(When::Deadline),
        6 => select(vec![1, 999, 1_000, 1_000_000, 500_000_000, SECOND, 3 * SECOND]).prop_map(When::After),
        6 => (0..6 * SECOND).prop_map(When::After),
        3 => select(vec![1, 1_000, SECOND / 2]).prop_map(When::Before),
        3 => select(vec![1, SECOND, SECOND + 1, 8 * SECOND]).prop_map(When::Late),
        3 => (0..20 * SECOND).prop_map(When::Late),
        3 => select(vec![60 * SECOND, 3_600 * SECOND]).prop_map(When::Late),
        3 => (1..30 * SECOND).prop_map(When::Back),
        1 => (SECOND..20 * SECOND).prop_map(When::End),
    ]
}

fn name() -> impl Strategy<Value = Name> {
    prop_oneof![20 => 0_u8..6, 1 => 6_u8..8].prop_map(Name)
}

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![
        9 => (0_u8..12).prop_map(Who::Open),
        2 => (0_u8..24).prop_map(Who::Seen),
        1 => (0_u64..4, 0_u64..6).prop_map(|(generation, index)| Who::Bits((generation << 32) | index)),
    ]
}

fn place() -> impl Strategy<Value = Where> {
    prop_oneof![
        3 => name().prop_map(Where::Name),
        2 => who().prop_map(Where::Of),
        2 => (0_u8..24).prop_map(Where::Id),
    ]
}

fn but() -> impl Strategy<Value = But> {
    prop_oneof![
        Just(But::Nobody),
        who().prop_map(But::Conn),
        name().prop_map(But::User),
        who().prop_map(But::UserOf),
    ]
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        2 => any::<u8>().prop_map(Said::Text),
        1 => any::<u8>().prop_map(Said::Binary),
        1 => any::<u8>().prop_map(Said::Ping),
        5 => pong(),
    ]
}

fn pong() -> impl Strategy<Value = Said> {
    let stamp = prop_oneof![
        6 => Just(Stamp::Last),
        1 => (1_u8..4).prop_map(Stamp::Later),
        1 => (1_u8..4).prop_map(Stamp::Earlier),
        1 => any::<u64>().prop_map(Stamp::Number),
    ];
    let style = prop_oneof![6 => Just(Style::Plain), 1 => Just(Style::Odd), 1 => Just(Style::Foreign)];
    (stamp, style).prop_map(|(stamp, style)| Said::Pong(stamp, style))
}

fn timeout() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![
        2 => Just(None),
        2 => (0..30 * SECOND).prop_map(Some),
        1 => select(vec![0, 1, 2 * SECOND, 60 * SECOND, u64::MAX]).prop_map(Some),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let cause = select(vec![Cause::Peer, Cause::Error, Cause::SendFailed]);
    prop_oneof![
        14 => (name(), name()).prop_map(|(lobby, user)| Act::Connect(lobby, user)),
        8 => Just(Act::Tick),
        8 => (who(), said()).prop_map(|(who, said)| Act::Message(who, said)),
        3 => (who(), cause).prop_map(|(who, cause)| Act::Closed(who, cause)),
        2 => who().prop_map(Act::Kick),
        3 => (name(), timeout()).prop_map(|(user, timeout)| Act::PingUser(user, timeout)),
        6 => (place(), but(), any::<u8>()).prop_map(|(lobby, but, number)| Act::Broadcast(lobby, but, number)),
        2 => (but(), any::<u8>()).prop_map(|(but, number)| Act::BroadcastAll(but, number)),
        1 => (who(), any::<u8>()).prop_map(|(who, number)| Act::SendTo(who, number)),
        2 => (name(), any::<u8>()).prop_map(|(user, number)| Act::SendToUser(user, number)),
        5 => (who(), name()).prop_map(|(who, lobby)| Act::Join(who, lobby)),
        5 => (who(), place(), name()).prop_map(|(who, from, to)| Act::Switch(who, from, to)),
        4 => (who(), place()).prop_map(|(who, lobby)| Act::Leave(who, lobby)),
        1 => Just(Act::CloseAll),
    ]
}
