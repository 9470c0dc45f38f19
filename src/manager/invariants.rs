//! What holds of the whole, after every call. The tables check themselves; here they are held against one another.
//!
//! Nothing is trusted before it was checked, so that this panics on no manager, however damaged: first each table, then
//! that what refers to something refers to what is there, then everything else.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;

use super::Manager;
use super::conn::{Conn, Phase};
use super::transitions::Population;
use crate::clock::Active;
use crate::drain::Drain;
use crate::id::{ConnId, LobbyId};
use crate::invariant::{Invariant, Violation, ensure};
use crate::limit::Limit;
use crate::pulse::Patience;
use crate::time::duration_nanos;

/// What a recount finds about one user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    open: u32,
    all: u32,
    replaced: Option<u32>,
    /// So many connections are closing for a newer one.
    closing_replaced: u32,
}

impl Manager {
    /// The first invariant that does not hold. O(n log n) in everything there is.
    pub(crate) fn check_invariants(&self) -> Result<(), Violation> {
        self.check_settings()?;
        self.check_tables()?;
        self.check_references()?;
        self.check_users()?;
        self.check_lobbies()?;
        for (id, conn) in self.conns() {
            self.check_connection(id, conn)?;
        }
        self.check_doors()?;
        self.check_reservations()?;
        self.check_drain_state()?;
        self.check_population()?;
        self.check_limits()?;
        self.check_rates()?;
        self.check_counters()?;
        let open = self.conns().filter(|(_, conn)| conn.is_open());
        let open = open.map(|(id, _)| id.index()).collect();
        self.backlogs.check(&open, &self.peaks)
    }

    fn conns(&self) -> impl Iterator<Item = (ConnId, &Conn)> {
        self.conns.iter().map(|(key, conn)| (ConnId::new(key), conn))
    }

    fn check_settings(&self) -> Result<(), Violation> {
        let Self { config, patience, .. } = self;
        let valid = config.validate();
        ensure(valid.is_ok(), Invariant::Settings, || format!("{valid:?}"))?;
        let Patience {
            interval,
            timeout,
            max_missed,
        } = *patience;
        let times = interval == config.ping_interval.map(duration_nanos)
            && timeout == duration_nanos(config.ping_timeout)
            && max_missed == config.max_missed
            && self.close_timeout == duration_nanos(config.close_timeout)
            && self.pause_tolerance == config.pause_tolerance.map(duration_nanos)
            && self.reservation_ttl == duration_nanos(config.reservation_ttl)
            && self.rates.are_of(config);
        ensure(times, Invariant::Settings, || {
            format!("{patience:?} is not what the settings say")
        })
    }

    fn check_tables(&self) -> Result<(), Violation> {
        let longest = self.config.max_name_bytes as usize;
        self.conns.check()?;
        self.users.check(longest)?;
        self.lobbies.check(longest)?;
        self.presences.check()?;
        self.deadlines.check()?;
        self.expiries.check()?;
        self.drain.as_ref().map_or(Ok(()), |drain| drain.order.check())?;
        self.sources.check()?;
        self.seats.check(longest)?;
        self.clock.check(self.counters.pauses)?;
        self.lobbies
            .iter()
            .try_for_each(|(key, _, lobby)| lobby.members.check(LobbyId::new(key)))
    }

    fn check_references(&self) -> Result<(), Violation> {
        let refers = |there: bool, who: &dyn core::fmt::Display| {
            ensure(there, Invariant::References, || {
                format!("{who} refers to what is not there")
            })
        };
        let (user, lobby) = (
            |slot: u32| self.users.get_at(slot).is_some(),
            |slot: u32| self.lobbies.get_at(slot).is_some(),
        );
        for (id, conn) in self.conns() {
            let mut places = conn.memberships.as_slice().iter();
            let there = places.all(|place| lobby(place.lobby) && self.presences.links_of(place.presence).is_some());
            refers(there && user(conn.user), &id)?;
        }
        for (entry, of, who, _) in self.presences.iter() {
            refers(lobby(of) && user(who), &format_args!("presence {entry}"))?;
        }
        for (_, name, record) in self.users.iter() {
            let there = record.replaced.is_none_or(|slot| self.conns.get_at(slot).is_some());
            refers(there, &format_args!("user {name:?}"))?;
        }
        Ok(())
    }

    fn check_users(&self) -> Result<(), Violation> {
        let mut tallies: BTreeMap<u32, Tally> = BTreeMap::new();
        for (id, conn) in self.conns() {
            let tally = tallies.entry(conn.user).or_default();
            tally.all += 1;
            tally.open += u32::from(conn.is_open());
            if conn.phase == (Phase::Closing { replaced: true }) {
                tally.replaced = Some(id.index());
                tally.closing_replaced += 1;
            }
        }
        for (key, name, user) in self.users.iter() {
            let tally = tallies.get(&key.index).copied().unwrap_or_default();
            let counted = (user.open_count, user.connections) == (tally.open, tally.all);
            ensure(counted && tally.all > 0, Invariant::UserCount, || {
                format!("{name:?} has {user:?}, and {tally:?} was found")
            })?;
            let lingering = user.replaced == tally.replaced && tally.closing_replaced <= 1;
            ensure(lingering, Invariant::Replaced, || {
                format!("{name:?} has {user:?}, and {tally:?} was found")
            })?;
            let listed = user.open.walk(|slot| {
                let conn = self.conns.get_at(slot)?;
                (conn.is_open() && conn.user == key.index).then(|| conn.links())
            });
            let whole = listed
                .as_ref()
                .is_some_and(|listed| listed.len() == tally.open as usize);
            ensure(whole, Invariant::UserList, || {
                format!("that of {name:?} leads to {listed:?}, and {} are open", tally.open)
            })?;
        }
        Ok(())
    }

    fn check_lobbies(&self) -> Result<(), Violation> {
        // By presence and by lobby.
        let (mut there, mut members) = (BTreeMap::<u32, u32>::new(), BTreeMap::<u32, usize>::new());
        for (id, conn) in self.conns() {
            let places = conn.memberships.as_slice();
            let lobbies: BTreeSet<u32> = places.iter().map(|place| place.lobby).collect();
            ensure(lobbies.len() == places.len(), Invariant::MembershipOnce, || {
                format!("{id} is in {} lobbies, and has {} places", lobbies.len(), places.len())
            })?;
            for place in places {
                let lobby = LobbyId::new(self.lobbies.key_at(place.lobby));
                let holder = self.lobbies.at(place.lobby).members.holder(place.ticket);
                ensure(holder == Some(id), Invariant::Members, || {
                    format!("the ticket of {id} for {lobby} is held by {holder:?}")
                })?;
                let presence = self.presences.at(place.presence);
                let theirs = (presence.lobby, presence.user) == (place.lobby, conn.user);
                ensure(theirs, Invariant::PresenceCount, || {
                    format!("{id} is in {lobby} by another's entry, {presence:?}")
                })?;
                *there.entry(place.presence).or_default() += 1;
                *members.entry(place.lobby).or_default() += 1;
            }
        }
        let mut users: BTreeMap<u32, usize> = BTreeMap::new();
        for (entry, lobby, user, connections) in self.presences.iter() {
            let found = there.get(&entry).copied().unwrap_or_default();
            ensure(connections == found && found > 0, Invariant::PresenceCount, || {
                format!("user {user} is said to be in lobby {lobby} {connections} times, and {found} were found")
            })?;
            *users.entry(lobby).or_default() += 1;
        }
        for (key, name, lobby) in self.lobbies.iter() {
            let (kept, found) = (
                lobby.members.len(),
                members.get(&key.index).copied().unwrap_or_default(),
            );
            ensure(kept == found, Invariant::Members, || {
                format!("{name:?} has {kept} members, and {found} tickets were found")
            })?;
            ensure(kept > 0, Invariant::LobbyOpen, || format!("{name:?}"))?;
            let listed = lobby.users.walk(|entry| {
                let links = self.presences.links_of(entry)?;
                (self.presences.at(entry).lobby == key.index).then_some(links)
            });
            let present = users.get(&key.index).copied().unwrap_or_default();
            let whole = listed.as_ref().is_some_and(|listed| listed.len() == present);
            ensure(whole, Invariant::LobbyUsers, || {
                format!("that of {name:?} leads to {listed:?}, and {present} are there")
            })?;
            ensure(lobby.revision >= present as u64, Invariant::Revision, || {
                format!("{name:?} is at {}, with {present} users", lobby.revision)
            })?;
        }
        Ok(())
    }

    fn check_connection(&self, id: ConnId, conn: &Conn) -> Result<(), Violation> {
        let now = self.clock.active();
        let check = self.deadlines.get(id.index());
        let in_time = if conn.is_open() {
            conn.pulse.check_state(id, now, self.pinger.last(), self.patience)?;
            // An answered demand leaves its check time behind: a message moves no timer.
            let due = conn.pulse.deadline();
            due.is_none_or(|due| check.is_some_and(|check| check <= due))
        } else {
            let alone = conn.memberships.as_slice().is_empty() && !conn.pulse.is_asked();
            ensure(alone, Invariant::ClosingAlone, || format!("{id}: {conn:?}"))?;
            // If the end of time comes before that of its time-out, it is never looked at.
            let due = now.after(self.close_timeout);
            due.is_none_or(|due| check.is_some_and(|check| check <= due))
        };
        ensure(in_time, Invariant::CheckTime, || {
            format!("{id} is looked at at {check:?}: {conn:?}")
        })
    }

    /// What is kept beside the connections' records is of those who are open.
    fn check_doors(&self) -> Result<(), Violation> {
        let is_open = |slot: u32| self.conns.get_at(slot).is_some_and(Conn::is_open);
        for slot in self.sources.slots() {
            ensure(is_open(slot), Invariant::SourceCount, || {
                format!("slot {slot} is not open")
            })?;
        }
        for slot in self.expiries.slots() {
            ensure(is_open(slot), Invariant::Expiry, || format!("slot {slot} is not open"))?;
        }
        Ok(())
    }

    /// Reserved seats know the connections that they are shared with.
    fn check_reservations(&self) -> Result<(), Violation> {
        for seat in self.seats.slots() {
            let id = self.seats.id_at(seat);
            let due = self.seats.due_at(seat);
            ensure(
                Active::is_within(due, self.clock.active(), self.reservation_ttl),
                Invariant::SeatTime,
                || format!("{id} until {due:?}"),
            )?;
            let Some(claim) = self.seats.at(seat).claim else {
                continue;
            };
            let conn = self.conns.get_at(claim.victim).filter(|conn| conn.is_open());
            let exact = conn.is_some_and(|conn| {
                let lobby = self.lobbies.find(self.seats.lobby_at(seat));
                let source = self.seats.source_at(seat);
                self.users.name_at(conn.user) == self.seats.user_at(seat)
                    && claim.in_lobby == lobby.is_some_and(|lobby| conn.memberships.find(lobby).is_some())
                    && claim.from_source == (source.is_some() && source == self.sources.of(claim.victim))
            });
            ensure(exact, Invariant::Claims, || format!("{id}: {claim:?} on {conn:?}"))?;
        }
        let made = self.counters.reservations;
        let gone = [made.used, made.released, made.lapsed, self.seats.len() as u64];
        let sum = gone.into_iter().fold(0, u64::saturating_add);
        ensure(
            sum == made.made && made.used <= self.counters.admissions,
            Invariant::Reservations,
            || format!("{made:?}, and {} are held", self.seats.len()),
        )
    }

    fn check_drain_state(&self) -> Result<(), Violation> {
        let counted = (self.counters.drained, self.counters.refusals.draining);
        let Some(Drain { schedule, order }) = &self.drain else {
            return ensure(counted == (0, 0), Invariant::DrainBegun, || format!("{counted:?}"));
        };
        let fault = schedule.fault(self.clock.time());
        ensure(fault.is_none(), Invariant::DrainSlots, || {
            format!("{fault:?}: {schedule:?}")
        })?;
        let mut open = 0;
        for (id, _) in self.conns().filter(|(_, conn)| conn.is_open()) {
            open += 1;
            let (place, wanted) = (order.get(id.index()), self.place_in_drain(id));
            ensure(place == Some(wanted), Invariant::DrainOrder, || {
                format!("{id} is at {place:?}, not at {wanted}")
            })?;
        }
        ensure(order.len() == open, Invariant::DrainOrder, || {
            format!("{} wait, and {open} are open", order.len())
        })?;
        let reserved = self.seats.len();
        ensure(reserved == 0, Invariant::DrainSeats, || format!("{reserved} are held"))
    }

    fn check_population(&self) -> Result<(), Violation> {
        let waiting = self.conns().filter(|(id, _)| self.deadlines.get(id.index()).is_some());
        let waiting = waiting.count();
        ensure(self.deadlines.len() == waiting, Invariant::CheckTime, || {
            format!(
                "{} are to be looked at, and {waiting} of them are there",
                self.deadlines.len()
            )
        })?;
        let count = |wanted: &dyn Fn(&Conn) -> bool| {
            let found = self.conns().filter(|(_, conn)| wanted(conn)).count();
            u32::try_from(found).unwrap_or(u32::MAX)
        };
        let with_open = self.users.iter().filter(|(_, _, user)| user.open_count > 0).count();
        let Population {
            open,
            closing,
            closing_replaced,
            users,
            silent,
        } = self.population;
        let found = (
            count(&Conn::is_open),
            count(&|conn| !conn.is_open()),
            count(&|conn| conn.phase == Phase::Closing { replaced: true }),
        );
        ensure(
            (open, closing, closing_replaced) == found,
            Invariant::Population,
            || format!("{:?} counted, {found:?} found", self.population),
        )?;
        ensure(users as usize == with_open, Invariant::UsersPresent, || {
            format!("{users} counted, {with_open} found")
        })?;
        let missed = count(&|conn| conn.is_open() && conn.pulse.missed() > 0);
        ensure(silent == missed, Invariant::Silent, || {
            format!("{silent} counted, {missed} found")
        })
    }

    fn check_limits(&self) -> Result<(), Violation> {
        let beyond = self.peaks.exceeded_by(&self.config);
        ensure(beyond.is_none(), Invariant::Peaks, || {
            format!("{beyond:?} is not within {:?}", self.peaks)
        })?;
        let within = |count: usize, limit: Limit| self.peaks.allows(limit, count);
        let seats = self.seats_taken();
        ensure(
            within(seats as usize, Limit::Connections),
            Invariant::ServerLimit,
            || format!("{seats} are there"),
        )?;
        let here = self.lobbies.iter().map(|(_, name, _)| name);
        for name in here.chain(self.seats.lobbies()) {
            let lobby = self.lobbies.find(name);
            let members = lobby.map_or(0, |lobby| self.lobbies.at(lobby).members.len());
            let members = members + self.seats.in_lobby(name) as usize;
            ensure(
                within(members, Limit::ConnectionsPerLobby),
                Invariant::LobbyLimit,
                || format!("{members} are in {name:?}"),
            )?;
        }
        let here = self.users.iter().map(|(_, name, _)| name);
        for name in here.chain(self.seats.users()) {
            let user = self.users.find(name);
            let open = user.map_or(0, |user| self.users.at(user).open_count) + self.seats.of_user(name);
            ensure(
                within(open as usize, Limit::ConnectionsPerUser),
                Invariant::UserLimit,
                || format!("{name:?} has {open}"),
            )?;
        }
        for (id, conn) in self.conns() {
            let lobbies = conn.memberships.as_slice().len();
            ensure(
                within(lobbies, Limit::LobbiesPerConnection),
                Invariant::MembershipLimit,
                || format!("{id} is in {lobbies}"),
            )?;
        }
        let here = self.sources.iter().map(|(source, _)| source);
        for source in here.chain(self.seats.sources()) {
            let connections = self.source_connections(source);
            ensure(
                within(connections as usize, Limit::ConnectionsPerSource),
                Invariant::SourceLimit,
                || format!("{source} has {connections}"),
            )?;
        }
        Ok(())
    }

    fn check_counters(&self) -> Result<(), Violation> {
        let counters = &self.counters;
        let evictions = &counters.evictions;
        let details = || format!("{counters:?} with {:?}", self.population);
        let sum = |numbers: &[u64]| numbers.iter().fold(0, |sum: u64, &number| sum.saturating_add(number));
        let here = u64::from(self.population.total());
        let evicted = [evictions.stale, evictions.slow_consumer, evictions.over_budget];
        let admitted = sum(&[here, evictions.close_timeout, evictions.replaced, sum(&evicted)]);
        ensure(admitted <= counters.admissions, Invariant::Admissions, details)?;
        let closing = u64::from(self.population.closing);
        let told = sum(&[closing, evictions.close_timeout, evictions.replaced]);
        let by_time = sum(&[counters.expired, counters.drained]);
        let closes = (told..=counters.admissions).contains(&counters.closes) && by_time <= counters.closes;
        ensure(closes, Invariant::Closes, details)?;
        let settled = sum(&[counters.pongs, counters.missed_pings]) <= counters.pings;
        ensure(
            settled && counters.pings <= counters.messages_out,
            Invariant::Pings,
            details,
        )?;
        let drops = &counters.drops;
        let (limited, violations) = (
            counters.closes_rate_limited,
            sum(&[drops.connection_rate, drops.user_rate]),
        );
        let came = sum(&[violations, drops.too_big]) <= counters.messages_in;
        let told = limited <= violations && sum(&[limited, drops.too_big]) <= counters.closes;
        ensure(came && told, Invariant::Drops, details)
    }
}

#[cfg(test)]
mod tests;
