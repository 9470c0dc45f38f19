//! The recipe for a takeover from the dead alone: reserve, ask whether the older connection lives, then refuse the
//! newcomer, or kick the older one and let the newcomer in.

mod cases;
mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use cases::cases;
use lobbykeeper::testing::check_invariants;
use lobbykeeper::{Command, Config, ConnId, Handshake, Notice, RefusalRule, ReservationId, Time, UserOverflow};
use proptest::prelude::*;
use support::{Desk, frame, secs};

/// For so long an older connection is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// What has become of a newcomer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    In(ConnId),
    /// There is somebody already, and they live.
    Taken,
    /// The manager did not even reserve a seat.
    Refused(RefusalRule),
    Lapsed,
}

/// An application that lets nobody be thrown out who lives. This is the whole recipe.
struct Doorman {
    desk: Desk,
    /// Newcomers who wait for the verdict about their user's older connection.
    waiting: BTreeMap<String, ReservationId>,
    fates: Vec<(String, Fate)>,
    /// Those of the older connections that answer pings.
    alive: Vec<ConnId>,
}

impl Doorman {
    fn new(config: Config) -> Self {
        let config = Config {
            max_connections_per_user: Some(1),
            user_overflow: UserOverflow::ReplaceOldest,
            ..config
        };
        Self {
            desk: Desk::with(config),
            waiting: BTreeMap::new(),
            fates: Vec::new(),
            alive: Vec::new(),
        }
    }

    fn knock(&mut self, user: &str) {
        match self.desk.reserve(Handshake::new("den", user)) {
            Err(refusal) => self.fates.push((user.into(), Fate::Refused(refusal.rule()))),
            Ok(seat) => {
                let ping =
                    |desk: &mut Desk| desk.call(|manager, now, out| manager.ping_user(now, user, Some(PATIENCE), out));
                self.waiting.insert(user.into(), seat);
                if ping(&mut self.desk) == 0 {
                    self.let_in(user);
                }
            }
        }
        self.read();
    }

    fn let_in(&mut self, user: &str) {
        if let Some(seat) = self.waiting.remove(user) {
            let handshake = Handshake::new("den", user).reservation(seat);
            let conn = self.desk.admit(handshake).expect("the seat was held");
            self.fates.push((user.into(), Fate::In(conn)));
        }
    }

    /// What the manager has written, until there is no more.
    fn read(&mut self) {
        while !self.desk.out.is_empty() {
            let out = std::mem::take(&mut self.desk.out);
            for command in out.commands() {
                if let Command::Send { to, payload } = command {
                    let pong = String::from_utf8_lossy(payload.as_bytes()).replace("ping", "pong");
                    for &conn in to.iter().filter(|conn| self.alive.contains(conn)) {
                        self.desk.say(conn, &pong);
                    }
                }
            }
            for notice in out.notices() {
                match notice {
                    Notice::Pong {
                        conn, requested: true, ..
                    } => {
                        let user = self.desk.manager.user_of(conn).unwrap_or_default().to_owned();
                        if let Some(seat) = self.waiting.remove(&user) {
                            assert!(self.desk.release(seat));
                            self.fates.push((user, Fate::Taken));
                        }
                    }
                    Notice::PingTimedOut { conn } => {
                        // It may be gone already: then its user is told by `Ended`.
                        if let Some(user) = self.desk.manager.user_of(conn).map(str::to_owned) {
                            let dead = frame(4000, "dead");
                            self.desk.call(|manager, now, out| manager.kick(now, conn, &dead, out));
                            self.let_in(&user);
                        }
                    }
                    Notice::Ended { user, .. } => self.let_in(user),
                    Notice::ReservationLapsed { user, .. } => {
                        self.waiting.remove(user);
                        self.fates.push((user.into(), Fate::Lapsed));
                    }
                    _ => {}
                }
            }
            assert_eq!(check_invariants(&self.desk.manager), Ok(()));
        }
    }

    fn run_until(&mut self, end: Time) {
        while let Some(deadline) = self.desk.manager.next_deadline().filter(|&deadline| deadline <= end) {
            self.desk.now = deadline;
            self.desk.tick();
            self.read();
        }
        self.desk.now = end;
    }

    fn fates(&mut self) -> Vec<Fate> {
        self.fates.drain(..).map(|(_, fate)| fate).collect()
    }

    /// Lets somebody in who is the first of their user.
    fn first(&mut self, user: &str, lives: bool) -> ConnId {
        self.knock(user);
        let Some((_, Fate::In(conn))) = self.fates.pop() else {
            panic!("{:?}", self.fates)
        };
        if lives {
            self.alive.push(conn);
        }
        conn
    }
}

#[test]
fn whoever_lives_keeps_the_place_and_the_newcomer_is_turned_away() {
    let mut door = Doorman::new(Config::default());
    let ann = door.first("ann", true);
    door.knock("ann");
    assert_eq!(door.fates(), [Fate::Taken]);
    assert!(door.desk.manager.is_open(ann));
    let stats = door.desk.manager.stats();
    assert_eq!((stats.total_connections, stats.reserved_seats, stats.closes), (1, 0, 0));
}

#[test]
fn the_dead_give_way_after_the_patience_and_not_before() {
    let mut door = Doorman::new(Config::default());
    let ghost = door.first("ann", false);
    door.knock("ann");
    door.run_until(Time::from_nanos(1_999_999_999));
    assert_eq!(door.fates(), []);
    assert!(door.desk.manager.is_open(ghost));
    door.run_until(Time::from_secs(2));
    let [Fate::In(new)] = door.fates()[..] else { panic!() };
    assert_eq!(door.desk.members("den"), [new]);
    assert_eq!(door.desk.manager.stats().evictions.replaced, 0);
    assert!(door.desk.closed(ghost), "it is closing");
}

#[test]
fn without_the_kick_the_dead_one_is_replaced() {
    let mut desk = Desk::with(Config {
        max_connections_per_user: Some(1),
        user_overflow: UserOverflow::ReplaceOldest,
        ..Config::default()
    });
    let ghost = desk.connect("den", "ann");
    let ann = Handshake::new("den", "ann");
    let seat = desk.reserve(ann.clone()).unwrap();
    let new = desk.admit(ann.reservation(seat)).unwrap();
    assert_eq!(desk.said(), [format!("close {ghost} 4005 replaced")]);
    assert_eq!(desk.members("den"), [new]);
}

#[test]
fn a_full_house_of_ghosts_is_taken_over_seat_by_seat_while_strangers_stay_out() {
    let mut door = Doorman::new(Config {
        max_connections: Some(3),
        max_connections_per_lobby: Some(3),
        ..Config::default()
    });
    let users = ["ann", "bob", "cat"];
    let lives = |user: &str| user == "bob";
    let old = users.map(|user| door.first(user, lives(user)));
    for user in users {
        door.knock(user);
        door.knock("eve");
    }
    door.run_until(Time::from_secs(3));
    door.knock("eve");
    let refused = door.fates.iter().filter(|(user, _)| user == "eve");
    assert!(
        refused
            .clone()
            .all(|&(_, fate)| fate == Fate::Refused(RefusalRule::ServerFull))
    );
    assert_eq!(refused.count(), 4);
    for (user, old) in users.into_iter().zip(old) {
        let fate = door.fates.iter().find(|(name, _)| name == user).unwrap().1;
        assert_eq!(fate == Fate::Taken, lives(user), "{user}");
        assert_eq!(door.desk.manager.is_open(old), lives(user), "{user}");
        assert!(door.desk.manager.is_user_connected(user), "{user}");
    }
    assert_eq!(door.desk.manager.stats().total_connections, 3);
}

#[test]
fn a_second_newcomer_is_refused_while_the_first_one_waits() {
    let mut door = Doorman::new(Config::default());
    door.first("ann", false);
    door.knock("ann");
    door.knock("ann");
    assert_eq!(door.fates(), [Fate::Refused(RefusalRule::UserLimit)]);
    door.run_until(Time::from_secs(2));
    assert!(matches!(door.fates()[..], [Fate::In(_)]));
    assert_eq!(door.desk.manager.user_connections("ann").count(), 1);
}

#[test]
fn one_that_is_reported_gone_during_the_wait_gives_way_at_once() {
    let mut door = Doorman::new(Config::default());
    let ghost = door.first("ann", false);
    door.knock("ann");
    door.desk.wait(secs(1));
    door.desk.closed(ghost);
    door.read();
    assert!(matches!(door.fates()[..], [Fate::In(_)]));
}

#[test]
fn a_pause_of_the_server_is_no_proof_of_death() {
    let mut door = Doorman::new(Config::default());
    let ann = door.first("ann", false);
    door.knock("ann");
    door.desk.wait(secs(3_600));
    // What she says by now was written while the server slept.
    door.alive.push(ann);
    door.desk.tick();
    door.read();
    let now = door.desk.now;
    door.run_until(now + secs(2));
    let stats = door.desk.manager.stats();
    assert_eq!((stats.pauses, stats.reservations.lapsed), (1, 0));
    assert!(door.desk.manager.is_open(ann), "{:?}", door.fates);
    assert_eq!(door.fates(), [Fate::Taken]);
}

#[test]
fn a_seat_that_is_held_for_less_than_the_patience_lapses_and_nobody_gives_way() {
    let mut door = Doorman::new(Config {
        reservation_ttl: secs(1),
        ..Config::default()
    });
    let ann = door.first("ann", false);
    door.knock("ann");
    door.run_until(Time::from_secs(1));
    assert_eq!(door.fates(), [Fate::Lapsed]);
    assert!(door.desk.manager.is_open(ann));
}

proptest! {
    #![proptest_config(cases(200, "proptest-regressions/takeover_recipe.txt"))]

    /// Nobody who lives is thrown out, nobody who is dead keeps a user out, and nobody is there twice.
    #[test]
    fn the_living_stay_and_the_dead_give_way(
        seats in 1_u32..4,
        knocks in prop::collection::vec((0_usize..4, any::<bool>(), 0_u64..1_500), 1..30),
    ) {
        let users = ["ann", "bob", "cat", "dan"];
        let mut door = Doorman::new(Config {
            max_connections: Some(seats),
            ping_interval: None,
            ..Config::default()
        });
        for (number, lives, millis) in knocks {
            let user = users[number];
            let before: Vec<ConnId> = door.desk.manager.user_connections(user).collect();
            let had_died = before.iter().all(|conn| !door.alive.contains(conn));
            door.fates.clear();
            door.knock(user);
            let (now, patience) = (door.desk.now, PATIENCE + Duration::from_millis(millis));
            door.run_until(now + patience);
            let [(_, fate)] = door.fates[..] else {
                return Err(TestCaseError::fail(format!("{:?}", door.fates)));
            };
            match fate {
                Fate::In(conn) => {
                    prop_assert!(had_died);
                    if lives {
                        door.alive.push(conn);
                    }
                }
                Fate::Taken => prop_assert!(!had_died && door.desk.manager.is_open(before[0])),
                Fate::Refused(rule) => prop_assert!(rule == RefusalRule::ServerFull && before.is_empty()),
                Fate::Lapsed => prop_assert!(false, "the seat outlasts the patience"),
            }
            let there = door.desk.manager.user_connections(user).count();
            prop_assert_eq!(there, usize::from(fate != Fate::Refused(RefusalRule::ServerFull)));
            prop_assert!(door.desk.manager.stats().total_connections <= seats + 1);
        }
    }
}
