//! Strategies for settings and steps. What comes first in a choice is what a failure shrinks to.

use crate::{Cause, Config, Limit, RateLimit, UserOverflow};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::settings::{KNOBS, Knobs, RATES};
use super::step::{Act, But, Name, Said, Stamp, Step, Steps, Style, Swap, Ticket, Until, When, Where, Who};

/// So many steps are enough to reach everything.
const MOST_STEPS: usize = if cfg!(miri) { 20 } else { 120 };

const SECOND: u64 = 1_000_000_000;

/// Settings under which everything happens soon.
pub fn knobs() -> impl Strategy<Value = Knobs> {
    any::<[u8; KNOBS]>().prop_map(Knobs)
}

/// Up to 120 steps of [any kind](step).
pub fn steps() -> impl Strategy<Value = Steps> {
    vec(step(), 1..=MOST_STEPS).prop_map(Steps)
}

/// Up to 120 [patient steps](patient_step).
pub fn patient_steps() -> impl Strategy<Value = Steps> {
    vec(patient_step(), 1..=MOST_STEPS).prop_map(Steps)
}

/// Any step at any time.
pub fn step() -> impl Strategy<Value = Step> {
    (when(), act()).prop_map(|(when, act)| Step { when, act })
}

/// A step before which a wait is rare, so that it is about who may be where.
pub fn hasty_step() -> impl Strategy<Value = Step> {
    (hasty(), act()).prop_map(|(when, act)| Step { when, act })
}

/// A step that is about doors: locks, limits that change, sources and expiries, and those who come to them.
pub fn door_step() -> impl Strategy<Value = Step> {
    let act = prop_oneof![
        4 => doors(),
        2 => (name(), name()).prop_map(|(lobby, user)| Act::Connect(lobby, user)),
        1 => Just(Act::Tick),
        1 => (who(), place(), name()).prop_map(|(who, from, to)| Act::Switch(who, from, to)),
        1 => (who(), name()).prop_map(|(who, lobby)| Act::Join(who, lobby)),
        2 => act(),
    ];
    (when(), act).prop_map(|(when, act)| Step { when, act })
}

/// A step that is about backlogs: messages to a few who take little of them, and limits that change.
pub fn slow_step() -> impl Strategy<Value = Step> {
    let limit = (
        select(vec![
            Limit::BacklogBytes,
            Limit::BacklogMessages,
            Limit::TotalBacklogBytes,
        ]),
        select(vec![None, Some(0), Some(3), Some(20), Some(60), Some(100), Some(300)]),
    );
    let crowd = (0_u8..2).prop_map(Name);
    let act = prop_oneof![
        6 => (crowd.clone(), any::<u8>()).prop_map(|(lobby, number)| Act::Broadcast(Where::Name(lobby), But::Nobody, number)),
        3 => (who(), any::<u8>()).prop_map(|(who, number)| Act::SendTo(who, number)),
        3 => (who(), flushed()).prop_map(|(who, part)| Act::Flushed(who, part)),
        6 => (crowd, name()).prop_map(|(lobby, user)| Act::Connect(lobby, user)),
        2 => limit.prop_map(|(limit, max)| Act::SetLimit(limit, max)),
        1 => act(),
    ];
    (hasty(), act).prop_map(|(when, act)| Step { when, act })
}

/// A step that is about reserved seats: under [`crowded_settings`], so that they are about the last one.
pub fn seat_step() -> impl Strategy<Value = Step> {
    let when = prop_oneof![
        12 => Just(When::After(0)),
        2 => Just(When::Deadline),
        1 => (0..6 * SECOND).prop_map(When::After),
        1 => when(),
    ];
    let act = prop_oneof![
        12 => seats(),
        5 => (name(), name()).prop_map(|(lobby, user)| Act::Connect(lobby, user)),
        2 => Just(Act::Tick),
        2 => (who(), place(), name()).prop_map(|(who, from, to)| Act::Switch(who, from, to)),
        2 => (who(), name()).prop_map(|(who, lobby)| Act::Join(who, lobby)),
        1 => (who(), place()).prop_map(|(who, lobby)| Act::Leave(who, lobby)),
        2 => who().prop_map(Act::Kick),
        1 => who().prop_map(|who| Act::Closed(who, Cause::Peer)),
        1 => name().prop_map(Act::KickUser),
        2 => place().prop_map(Act::Lock),
        2 => doors(),
        1 => act(),
    ];
    (when, act).prop_map(|(when, act)| Step { when, act })
}

/// [Small settings](knobs) under which every seat counts.
pub fn crowded_settings() -> impl Strategy<Value = Config> {
    let limit = || prop_oneof![1 => Just(None), 2 => Just(Some(1)), 2 => Just(Some(2)), 1 => Just(Some(3))];
    let replaces = prop_oneof![1 => Just(UserOverflow::Reject), 3 => Just(UserOverflow::ReplaceOldest)];
    (knobs(), [limit(), limit(), limit()], 0_u32..5, replaces).prop_map(
        |(knobs, [lobby, user, source], server, user_overflow)| Config {
            max_connections: Some(server + 1).filter(|&max| max < 5),
            max_connections_per_lobby: lobby,
            max_connections_per_user: user,
            max_connections_per_source: source,
            user_overflow,
            ..knobs.into()
        },
    )
}

/// A step around a drain, of those who came before.
pub fn drain_step() -> impl Strategy<Value = Step> {
    let act = prop_oneof![
        8 => Just(Act::Tick),
        3 => drain(),
        1 => who().prop_map(|who| Act::Closed(who, Cause::Peer)),
        1 => (who(), until()).prop_map(|(who, until)| Act::Extend(who, until)),
        1 => (who(), place(), name()).prop_map(|(who, from, to)| Act::Switch(who, from, to)),
        1 => (place(), but(), any::<u8>()).prop_map(|(lobby, but, number)| Act::Broadcast(lobby, but, number)),
        2 => act(),
    ];
    (when(), act).prop_map(|(when, act)| Step { when, act })
}

/// A step of few connections over long times, so that it is about who is still there.
pub fn patient_step() -> impl Strategy<Value = Step> {
    let act = prop_oneof![
        8 => Just(Act::Tick),
        2 => (name(), name()).prop_map(|(lobby, user)| Act::Connect(lobby, user)),
        3 => (who(), pong()).prop_map(|(who, said)| Act::Message(who, said)),
        1 => (who(), said()).prop_map(|(who, said)| Act::Message(who, said)),
        2 => (name(), timeout()).prop_map(|(user, timeout)| Act::PingUser(user, timeout)),
        1 => act(),
    ];
    (when(), act).prop_map(|(when, act)| Step { when, act })
}

/// A step of a few who say a lot: under [`chatty_settings`], so that it is about how much may be said.
pub fn chatty_step() -> impl Strategy<Value = Step> {
    let act = prop_oneof![
        24 => (who(), said()).prop_map(|(who, said)| Act::Message(who, said)),
        4 => Just(Stamp::Last).prop_flat_map(|stamp| {
            who().prop_map(move |who| Act::Message(who, Said::Pong(stamp, Style::Plain)))
        }),
        5 => (name(), name()).prop_map(|(lobby, user)| Act::Connect(lobby, user)),
        2 => who().prop_map(|who| Act::Closed(who, Cause::Peer)),
        3 => Just(Act::Tick),
        1 => set_rate(),
        1 => set_message_limit(),
        1 => act(),
    ];
    let some_time = vec![
        1,
        2,
        1_000,
        333_333_333,
        333_333_334,
        SECOND / 2,
        SECOND,
        3 * SECOND,
        10 * SECOND,
    ];
    let when = prop_oneof![
        24 => Just(When::After(0)),
        8 => select(some_time).prop_map(When::After),
        2 => Just(When::Deadline),
        2 => (SECOND..20 * SECOND).prop_map(When::Late),
        1 => when(),
    ];
    (when, act).prop_map(|(when, act)| Step { when, act })
}

/// [Small settings](knobs) in which at least one rate limits messages.
pub fn chatty_settings() -> impl Strategy<Value = Config> {
    (knobs(), any::<u8>(), any::<bool>()).prop_map(|(Knobs(mut knobs), number, of_users)| {
        let [message_rate, user_rate, ..] = &mut knobs[RATES..] else {
            unreachable!("there are more knobs")
        };
        *(if of_users { user_rate } else { message_rate }) = number | 1;
        Knobs(knobs).into()
    })
}

/// Somebody comes in at once, to wherever it is.
pub fn arrival() -> impl Strategy<Value = Step> {
    (name(), name()).prop_map(|(lobby, user)| Step {
        when: When::After(0),
        act: Act::Connect(lobby, user),
    })
}

/// One more of a crowd comes into its lobby at once.
pub fn newcomer() -> impl Strategy<Value = Step> {
    let when = When::After(0);
    join_the_crowd().prop_map(move |act| Step { when, act })
}

/// A step of a crowd, most of which falls silent: under [`crowd_settings`], so that it is about when too many are.
pub fn crowd_step() -> impl Strategy<Value = Step> {
    let hello = (0_u8..12).prop_map(|number| Act::Message(Who::Open(number), Said::Text(0)));
    let act = prop_oneof![
        16 => Just(Act::Tick),
        8 => hello,
        2 => join_the_crowd(),
        1 => (name(), timeout()).prop_map(|(user, timeout)| Act::PingUser(user, timeout)),
        1 => who().prop_map(Act::Kick),
    ];
    let when = prop_oneof![3 => Just(When::Deadline), 1 => Just(When::After(0)), 1 => (0..SECOND).prop_map(When::Late)];
    (when, act).prop_map(|(when, act)| Step { when, act })
}

fn join_the_crowd() -> impl Strategy<Value = Act> {
    (Just(Name(0)), name()).prop_map(|(lobby, user)| Act::Connect(lobby, user))
}

/// Nothing but silence ends a connection, and few silent ones are too many: more than 0 to 3.
pub fn crowd_settings() -> impl Strategy<Value = Config> {
    (0_u32..4, 1_u8..4).prop_map(|(floor, max_missed)| Config {
        stale_wave_floor: Some(floor),
        max_missed,
        ..Config::default()
    })
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

fn hasty() -> impl Strategy<Value = When> {
    prop_oneof![8 => Just(When::After(0)), 1 => Just(When::Deadline)]
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

fn flushed() -> impl Strategy<Value = Option<(u8, u8)>> {
    prop_oneof![
        3 => (0_u8..60, 0_u8..4).prop_map(Some),
        1 => (Just(0), Just(0)).prop_map(Some),
        1 => Just(None),
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
        1 => prop_oneof![4 => Just(Act::CloseAll), 1 => drain()],
        8 => doors(),
        6 => (who(), flushed()).prop_map(|(who, part)| Act::Flushed(who, part)),
        4 => seats(),
    ]
}

/// What is about who may come in, and for how long.
fn doors() -> impl Strategy<Value = Act> {
    let source = prop_oneof![1 => Just(None), 5 => (0_u8..2).prop_map(Some)];
    let limit = (
        select(Limit::ALL.to_vec()),
        prop_oneof![5 => Just(None), 15 => (0_u64..4).prop_map(Some), 1 => Just(Some(u64::MAX))],
    );
    prop_oneof![
        8 => (name(), name(), source, until())
            .prop_map(|(lobby, user, source, until)| Act::ConnectFrom(lobby, user, source, until)),
        4 => place().prop_map(Act::Lock),
        1 => place().prop_map(Act::Unlock),
        3 => limit.prop_map(|(limit, max)| Act::SetLimit(limit, max)),
        1 => set_rate(),
        2 => (who(), until()).prop_map(|(who, until)| Act::Extend(who, until)),
        1 => name().prop_map(Act::KickUser),
        1 => place().prop_map(Act::KickLobby),
    ]
}

fn set_rate() -> impl Strategy<Value = Act> {
    (select(RateLimit::ALL.to_vec()), any::<u8>()).prop_map(|(limit, number)| Act::SetRate(limit, number))
}

fn set_message_limit() -> impl Strategy<Value = Act> {
    let limit = select(vec![Limit::Violations, Limit::MessageBytes]);
    (limit, prop::option::of(0_u64..4)).prop_map(|(limit, max)| Act::SetLimit(limit, max))
}

/// What is about seats that are reserved.
fn seats() -> impl Strategy<Value = Act> {
    let source = || prop_oneof![2 => Just(None), 3 => (0_u8..2).prop_map(Some)];
    let ticket = || {
        prop_oneof![
            9 => (0_u8..12).prop_map(Ticket::Held),
            2 => (0_u8..24).prop_map(Ticket::Seen),
            1 => (0_u64..4, 0_u64..6).prop_map(|(generation, index)| Ticket::Bits((generation << 32) | index)),
        ]
    };
    let swap = prop_oneof![
        6 => Just(Swap::Nothing),
        1 => name().prop_map(Swap::Lobby),
        1 => name().prop_map(Swap::User),
        1 => source().prop_map(Swap::Source),
    ];
    prop_oneof![
        6 => (name(), name(), source()).prop_map(|(lobby, user, source)| Act::Reserve(lobby, user, source)),
        5 => (ticket(), swap, until()).prop_map(|(ticket, swap, until)| Act::ConnectReserved(ticket, swap, until)),
        1 => ticket().prop_map(Act::Release),
        1 => ticket().prop_map(Act::ReserveAgain),
    ]
}

/// Rare, since nobody comes in any more.
fn drain() -> impl Strategy<Value = Act> {
    let every = prop_oneof![
        3 => 0..3 * SECOND,
        2 => select(vec![0, 1, 1_000_000, 1_500_000, SECOND, u64::MAX]),
    ];
    (every, until()).prop_map(|(every, until)| Act::Drain(every, until))
}

fn until() -> impl Strategy<Value = Until> {
    prop_oneof![
        4 => Just(Until::Always),
        4 => (0..60 * SECOND).prop_map(Until::After),
        2 => select(vec![0, 1, SECOND, 10 * SECOND, u64::MAX]).prop_map(Until::After),
        1 => (0..2 * SECOND).prop_map(Until::Before),
    ]
}
