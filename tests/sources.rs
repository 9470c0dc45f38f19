//! How many open connections there may be from one source.

mod cases;
mod support;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use cases::cases;
use lobbykeeper::testing::check_invariants;
use lobbykeeper::{Config, ConnId, Handshake, Limit, RefusalRule, Source, UserOverflow};
use proptest::prelude::*;
use support::{Desk, frame};

use RefusalRule::{SourceLimit, UserLimit};

fn source(number: u128) -> Source {
    Source::from_bits(number)
}

fn limit(max: u32) -> Config {
    Config {
        max_connections_per_source: Some(max),
        ..Config::default()
    }
}

fn from(desk: &mut Desk, user: &str, number: u128) -> Result<ConnId, RefusalRule> {
    let handshake = Handshake::new("den", user).source(source(number));
    desk.admit(handshake).map_err(|refusal| refusal.rule())
}

proptest! {
    #![proptest_config(cases(100, "proptest-regressions/doors.txt"))]

    /// The law: as many as come, no source ever has more than it may, and each has as many as a count finds.
    #[test]
    fn no_source_has_more_open_connections_than_it_may_and_the_count_is_always_right(
        max in 0_u32..4, steps in prop::collection::vec((any::<bool>(), 0_u128..4, any::<prop::sample::Index>()), 0..60),
    ) {
        let mut desk = Desk::with(limit(max));
        let mut model: Vec<(ConnId, u128)> = Vec::new();
        for (comes, number, who) in steps {
            let theirs = model.iter().filter(|(_, from)| *from == number).count();
            if comes || model.is_empty() {
                match from(&mut desk, "ann", number) {
                    Ok(conn) => {
                        prop_assert!(theirs < max as usize);
                        model.push((conn, number));
                    }
                    Err(rule) => prop_assert_eq!((rule, theirs), (SourceLimit, max as usize)),
                }
            } else {
                let (conn, _) = model.swap_remove(who.index(model.len()));
                let goes = if number % 2 == 0 { desk.kick(conn) } else { desk.closed(conn) };
                prop_assert!(goes);
            }
            let mut counts: BTreeMap<u128, u32> = (0..4).map(|number| (number, 0)).collect();
            for (_, number) in &model {
                *counts.get_mut(number).unwrap() += 1;
            }
            for (number, count) in counts {
                prop_assert_eq!(desk.manager.source_connections(source(number)), count);
            }
            prop_assert_eq!(check_invariants(&desk.manager), Ok(()));
        }
    }
}

#[test]
fn connections_without_a_source_are_not_limited_by_it() {
    let mut desk = Desk::with(limit(0));
    for user in ["ann", "bob", "cat"] {
        assert!(desk.try_connect("den", user).is_ok());
    }
    assert_eq!(from(&mut desk, "dan", 1), Err(SourceLimit));
    assert_eq!(desk.manager.stats().refusals.source_limit, 1);
}

#[test]
fn a_closing_connection_counts_for_the_server_and_no_longer_for_its_source() {
    let mut desk = Desk::with(limit(1));
    let ann = from(&mut desk, "ann", 1).unwrap();
    assert_eq!(from(&mut desk, "bob", 1), Err(SourceLimit));
    desk.kick(ann);
    assert_eq!(desk.manager.source_connections(source(1)), 0);
    assert!(from(&mut desk, "bob", 1).is_ok());
    assert_eq!(desk.manager.stats().total_connections, 2);
    desk.closed(ann);
    assert_eq!(desk.manager.source_connections(source(1)), 1);
}

#[test]
fn the_source_comes_last_of_the_limits() {
    let mut desk = Desk::with(Config {
        max_connections_per_user: Some(1),
        ..limit(1)
    });
    from(&mut desk, "ann", 1).unwrap();
    assert_eq!(from(&mut desk, "ann", 1), Err(UserLimit));
    assert_eq!(from(&mut desk, "bob", 1), Err(SourceLimit));
    assert!(from(&mut desk, "bob", 2).is_ok());
}

#[test]
fn the_seat_that_is_set_aside_is_one_of_its_own_source_alone() {
    let replacing = || {
        Desk::with(Config {
            max_connections_per_user: Some(1),
            user_overflow: UserOverflow::ReplaceOldest,
            ..limit(1)
        })
    };
    let mut desk = replacing();
    let old = from(&mut desk, "ann", 1).unwrap();
    let new = from(&mut desk, "ann", 1).unwrap();
    assert!(!desk.manager.is_open(old) && desk.manager.is_open(new));
    assert_eq!(desk.manager.source_connections(source(1)), 1);

    // Her ghost is elsewhere, and somebody else has the only seat here.
    let mut desk = replacing();
    let ghost = from(&mut desk, "ann", 1).unwrap();
    from(&mut desk, "bob", 2).unwrap();
    assert_eq!(from(&mut desk, "ann", 2), Err(SourceLimit));
    assert!(desk.manager.is_open(ghost), "nobody is replaced by one who is refused");

    // Neither has a ghost without a source one.
    let mut desk = replacing();
    desk.connect("den", "ann");
    from(&mut desk, "bob", 2).unwrap();
    assert_eq!(from(&mut desk, "ann", 2), Err(SourceLimit));
}

#[test]
fn sources_are_counted_while_there_is_no_limit_so_that_there_can_be_one_later() {
    let mut desk = Desk::open();
    for user in ["ann", "bob", "cat"] {
        from(&mut desk, user, 1).unwrap();
    }
    assert_eq!(desk.manager.source_connections(source(1)), 3);
    desk.set_limit(Limit::ConnectionsPerSource, 3);
    assert_eq!(from(&mut desk, "dan", 1), Err(SourceLimit));
    desk.set_limit(Limit::ConnectionsPerSource, None);
    assert!(from(&mut desk, "dan", 1).is_ok());
}

#[test]
fn the_refusal_says_how_many_there_are_and_when_to_come_again() {
    let mut desk = Desk::with(limit(1));
    from(&mut desk, "ann", 1).unwrap();
    let refusal = desk.admit(Handshake::new("den", "bob").source(source(1))).unwrap_err();
    assert_eq!((refusal.receipt().seen, refusal.receipt().threshold), (1, 1));
    assert_eq!(refusal.close_frame(), frame(4007, "source_limit;retry=5000"));
    assert_eq!(refusal.to_string(), "refused: source limit (4007 source_limit)");
}

#[test]
fn an_address_is_one_source_however_the_socket_tells_it() {
    let (v4, v6) = (Ipv4Addr::new(192, 0, 2, 1), Ipv6Addr::from_bits(0x2001_0db8 << 96));
    let plain = Source::from(IpAddr::V4(v4));
    assert_eq!(plain, Source::from(v4));
    assert_eq!(plain, Source::from(v4.to_ipv6_mapped()));
    assert_ne!(plain, Source::from(Ipv4Addr::new(192, 0, 2, 2)));
    assert_eq!(Source::from(v6).to_bits(), v6.to_bits());
    assert_eq!(Source::from(IpAddr::V6(v6)), Source::from_bits(v6.to_bits()));
    assert_eq!(plain.to_string(), "00000000000000000000ffffc0000201");
    assert_eq!(plain.to_string().parse(), Ok(plain));
}
