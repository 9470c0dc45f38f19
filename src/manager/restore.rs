//! From a snapshot to its manager, with everything checked.

use alloc::vec::Vec;

use super::Manager;
use super::conn::{Conn, Lobby, Membership, Phase, User};
use super::rates::Meter;
use crate::backlog::SavedBacklog;
use crate::clock::Active;
use crate::config::{Config, MAX_CONNECTIONS};
use crate::drain::Drain;
use crate::id::{ConnId, Key, LobbyId};
use crate::limit::Limit;
use crate::names::{HashKey, Names, Unrestorable};
use crate::pulse::Pulse;
use crate::roster::{Roster, Ticket};
use crate::seats::{Restored, Seats};
use crate::slots::{self, Misplaced, Slots};
use crate::snapshot::{RestoreError, SavedClosing, SavedConn, SavedLobby, SavedSeat, SavedUser, Snapshot, State};
use crate::stats::MOST_COUNTED;
use crate::wire::Pinger;

impl Manager {
    /// The manager of this snapshot, which from now on does what the one that it was taken of does: the same inputs
    /// lead to the same outputs, ids and answers. `hash_key` is [`Config::hash_key`], which no snapshot holds.
    ///
    /// Nothing in a snapshot is trusted. One that is accepted keeps every rule that this library can check, and never
    /// leads to a panic; whether it is the one that was taken, only a signature could tell. Takes memory in proportion
    /// to the things in the snapshot, whatever numbers it holds. O(n log n) in the number of those.
    ///
    /// # Errors
    /// If the snapshot is of another version, or contradicts itself or its settings.
    pub fn restore(snapshot: Snapshot, hash_key: [u64; 2]) -> Result<Self, RestoreError> {
        let state = snapshot.into_state()?;
        let mut manager = Self::new(Config {
            hash_key,
            ..state.config.clone()
        })?;
        manager.restore_peaks(&state)?;
        manager.restore_counts(&state)?;
        manager.restore_users(&state.users)?;
        manager.restore_conns(&state)?;
        manager.restore_lobbies(&state)?;
        manager.restore_rosters(&state.users)?;
        manager.restore_memberships(&state.users)?;
        manager.restore_seats(&state)?;
        manager.check_seats()?;
        manager.restore_backlogs(state.backlogs.as_deref())?;
        manager.restore_drain(&state)?;
        // What was looked at one by one is looked at as a whole, by the very checks that the tests make after each call.
        manager.check_invariants()?;
        Ok(manager)
    }

    fn restore_peaks(&mut self, state: &State) -> Result<(), RestoreError> {
        if let Some(limit) = state.peaks.exceeded_by(&self.config) {
            return Err(RestoreError::Peak(limit));
        }
        self.peaks = state.peaks;
        Ok(())
    }

    fn restore_counts(&mut self, state: &State) -> Result<(), RestoreError> {
        let State { clock, counters, .. } = state;
        if let Some(name) = counters.excessive() {
            return Err(RestoreError::Counter(name));
        }
        if clock.steps_back > MOST_COUNTED {
            return Err(RestoreError::Counter("steps_back"));
        }
        if !clock.is_possible() || u64::from(clock.pauses) != counters.pauses % (1 << 32) {
            return Err(RestoreError::Clock);
        }
        let pinger = Pinger::restore(self.config.ping_format, state.last_ping);
        self.pinger = pinger.ok_or(RestoreError::Counter("last_ping"))?;
        self.clock = clock.clone();
        self.counters = counters.clone();
        self.stale_wave = state.stale_wave;
        self.rates.set_connects(state.connect_bucket);
        if !self.rates.may_have_connected(self.clock.active()) {
            return Err(RestoreError::Limit("connect_rate"));
        }
        Ok(())
    }

    /// Users without their connections, each in the slot that is its position.
    fn restore_users(&mut self, users: &[SavedUser]) -> Result<(), RestoreError> {
        let mut before = "";
        for (position, user) in users.iter().enumerate() {
            let fault = |fault| Err(RestoreError::User { position, fault });
            if self.check_name(&user.name).is_err() {
                return fault("a name that is empty or too long");
            }
            if *before >= *user.name {
                return fault("a name that is not behind the one before");
            }
            if user.open.is_empty() && user.closing.is_empty() && user.replaced.is_none() {
                return fault("no connection");
            }
            if !self.peaks.allows(Limit::ConnectionsPerUser, user.open.len()) {
                return fault("more connections than max_connections_per_user ever was");
            }
            if !self.rates.user_may_have_sent(self.clock.active(), user.message_bucket) {
                return fault("more messages than user_message_rate");
            }
            let slot = self.users.insert(&user.name, User::NEW).index;
            self.rates.set_user(slot, user.message_bucket);
            before = &user.name;
        }
        Ok(())
    }

    /// Connections without their lobbies.
    fn restore_conns(&mut self, state: &State) -> Result<(), RestoreError> {
        let now = self.clock.active();
        let mut conns = Vec::new();
        for (user, saved) in (0..).zip(&state.users) {
            for conn in &saved.open {
                conns.push((conn.id.key(), Conn::new(user, conn.pulse.clone())));
            }
            let closing = saved.closing.iter().map(|conn| (conn, false));
            for (conn, replaced) in closing.chain(saved.replaced.iter().map(|conn| (conn, true))) {
                let mut record = Conn::new(user, Pulse::new(now));
                record.phase = Phase::Closing { replaced };
                conns.push((conn.id.key(), record));
            }
        }
        let free: Vec<Key> = state.free_connections.iter().map(|conn| conn.key()).collect();
        self.conns = Slots::restore(conns, &free, &state.retired_connections)
            .map_err(|misplaced| slot_error("connections", misplaced))?;
        check_order("connections", &state.retired_connections)?;

        for (user, saved) in (0..).zip(&state.users) {
            self.population.users += u32::from(!saved.open.is_empty());
            for conn in &saved.open {
                self.restore_open(user, conn)?;
            }
            for conn in &saved.closing {
                self.restore_closing(user, conn)?;
            }
            if let Some(pair) = saved.closing.windows(2).find(|pair| pair[0].id > pair[1].id) {
                return Err(RestoreError::Connection {
                    conn: pair[1].id,
                    fault: "not in the order of slots",
                });
            }
            if let Some(conn) = &saved.replaced {
                self.restore_closing(user, conn)?;
                self.users.at_mut(user).replaced = Some(conn.id.index());
                self.population.closing_replaced += 1;
            }
        }
        Ok(())
    }

    fn restore_open(&mut self, user: u32, conn: &SavedConn) -> Result<(), RestoreError> {
        let fault = |fault| Err(RestoreError::Connection { conn: conn.id, fault });
        if let Some(what) = conn.pulse.fault(self.clock.active(), self.pinger.last(), self.patience) {
            return fault(what);
        }
        let due = conn.pulse.deadline();
        if due.is_some_and(|due| conn.check.is_none_or(|check| check > due)) {
            return fault("a check time that is later than what is due");
        }
        let meter = Meter {
            bucket: conn.message_bucket,
            violations: conn.violations,
        };
        if !self.rates.may_have_sent(self.clock.active(), meter) {
            return fault("more messages than message_rate");
        }
        if !self.rates.may_have_violated(&self.peaks, meter) {
            return fault("more violations than max_violations ever allowed");
        }
        let slot = conn.id.index();
        self.rates.set_meter(slot, meter);
        let record = self.users.at_mut(user);
        record.open.push_back(&mut self.conns, slot);
        record.open_count += 1;
        record.connections += 1;
        self.population.open += 1;
        self.population.silent += u32::from(conn.pulse.missed() > 0);
        self.deadlines.set(slot, conn.check);
        self.expiries.set(slot, conn.expires);
        if let Some(source) = conn.source {
            let connections = self.sources.enter(slot, source);
            if !self.peaks.allows(Limit::ConnectionsPerSource, connections as usize) {
                return fault("more connections from its source than max_connections_per_source ever was");
            }
        }
        Ok(())
    }

    fn restore_closing(&mut self, user: u32, conn: &SavedClosing) -> Result<(), RestoreError> {
        if !Active::is_within(conn.check, self.clock.active(), self.close_timeout) {
            return Err(RestoreError::Connection {
                conn: conn.id,
                fault: "a check time that is later than its close_timeout",
            });
        }
        self.users.at_mut(user).connections += 1;
        self.population.closing += 1;
        self.deadlines.set(conn.id.index(), conn.check);
        Ok(())
    }

    /// Lobbies without their members.
    fn restore_lobbies(&mut self, state: &State) -> Result<(), RestoreError> {
        let mut lobbies = Vec::with_capacity(state.lobbies.len());
        for lobby in &state.lobbies {
            let fault = |fault| RestoreError::Lobby { lobby: lobby.id, fault };
            if self.check_name(&lobby.name).is_err() {
                return Err(fault("a name that is empty or too long"));
            }
            if lobby.revision > MOST_COUNTED {
                return Err(fault("a revision that is higher than can have been counted"));
            }
            let members = Roster::after(lobby.joins);
            let record = Lobby {
                members: members.ok_or_else(|| fault("more joins than can have been counted"))?,
                revision: lobby.revision,
                locked: lobby.locked,
                ..Lobby::NEW
            };
            lobbies.push((lobby.id.key(), lobby.name.clone(), record));
        }
        let free: Vec<Key> = state.free_lobbies.iter().map(|lobby| lobby.key()).collect();
        let hash_key = HashKey(self.config.hash_key);
        let lobbies = Names::restore(lobbies, &free, &state.retired_lobbies, hash_key);
        self.lobbies = lobbies.map_err(|unrestorable| match unrestorable {
            Unrestorable::Misplaced(misplaced) => slot_error("lobbies", misplaced),
            Unrestorable::Namesake(key) => RestoreError::Lobby {
                lobby: LobbyId::new(key),
                fault: "a name that another has",
            },
        })?;
        check_order("lobbies", &state.retired_lobbies)?;
        if let Some(pair) = state.lobbies.windows(2).find(|pair| pair[0].id > pair[1].id) {
            return Err(RestoreError::Lobby {
                lobby: pair[1].id,
                fault: "not in the order of slots",
            });
        }
        state.lobbies.iter().try_for_each(|lobby| self.restore_roll(lobby))
    }

    /// The list of a lobby's users, whose connections are not counted yet.
    fn restore_roll(&mut self, lobby: &SavedLobby) -> Result<(), RestoreError> {
        let slot = lobby.id.index();
        for &user in &lobby.users {
            if user as usize >= self.users.len() || self.presences.find(slot, user).is_some() {
                return Err(RestoreError::Lobby {
                    lobby: lobby.id,
                    fault: "a user who does not exist or is listed twice",
                });
            }
            let users = &mut self.lobbies.at_mut(slot).users;
            self.presences.insert(slot, user, users);
        }
        Ok(())
    }

    /// The runs of the lobbies' members.
    fn restore_rosters(&mut self, users: &[SavedUser]) -> Result<(), RestoreError> {
        let seats = users.iter().flat_map(|user| &user.open).flat_map(|conn| {
            let seats = conn.lobbies.iter();
            seats.map(|&(lobby, ticket)| (lobby, ticket, conn.id))
        });
        let mut seats: Vec<(LobbyId, Ticket, ConnId)> = seats.collect();
        seats.sort_unstable();
        for (lobby, ticket, conn) in seats {
            let fault = |fault| Err(RestoreError::Connection { conn, fault });
            if self.lobbies.get(lobby.key()).is_none() {
                return fault("in a lobby that does not exist");
            }
            if !self.lobbies.at_mut(lobby.index()).members.seat(ticket, conn) {
                return fault("a ticket that another has or that was not handed out");
            }
        }
        for (key, _, lobby) in self.lobbies.iter() {
            let fault = |fault| {
                let lobby = LobbyId::new(key);
                Err(RestoreError::Lobby { lobby, fault })
            };
            let members = lobby.members.len();
            if members == 0 {
                return fault("no member");
            }
            if !self.peaks.allows(Limit::ConnectionsPerLobby, members) {
                return fault("more members than max_connections_per_lobby ever was");
            }
        }
        Ok(())
    }

    /// What connections and lists of users know of the rosters.
    fn restore_memberships(&mut self, users: &[SavedUser]) -> Result<(), RestoreError> {
        for (user, saved) in (0..).zip(users) {
            for conn in &saved.open {
                let fault = |fault| Err(RestoreError::Connection { conn: conn.id, fault });
                if !self.peaks.allows(Limit::LobbiesPerConnection, conn.lobbies.len()) {
                    return fault("more lobbies than max_lobbies_per_connection ever was");
                }
                let mut lobbies: Vec<LobbyId> = conn.lobbies.iter().map(|&(lobby, _)| lobby).collect();
                lobbies.sort_unstable();
                if lobbies.windows(2).any(|pair| pair[0] == pair[1]) {
                    return fault("twice in one lobby");
                }
                for &(lobby, ticket) in &conn.lobbies {
                    let lobby = lobby.index();
                    let Some(presence) = self.presences.find(lobby, user) else {
                        return fault("in a lobby that does not list its user");
                    };
                    self.presences.count(presence);
                    self.conns.at_mut(conn.id.index()).memberships.push(Membership {
                        lobby,
                        presence,
                        ticket,
                    });
                }
            }
        }
        for (key, _, lobby) in self.lobbies.iter() {
            let mut users = lobby.users.iter(&self.presences);
            if users.any(|entry| self.presences.at(entry).connections == 0) {
                return Err(RestoreError::Lobby {
                    lobby: LobbyId::new(key),
                    fault: "a user who has no connection there",
                });
            }
        }
        Ok(())
    }

    fn restore_backlogs(&mut self, saved: Option<&[SavedBacklog]>) -> Result<(), RestoreError> {
        let Some(saved) = saved else { return Ok(()) };
        let open = self.conns.iter().filter(|(_, conn)| conn.is_open());
        self.backlogs.turn_on(open.map(|(key, _)| key.index));
        let mut before = None;
        for &backlog in saved {
            let conn = backlog.conn;
            let fault = |fault| RestoreError::Connection { conn, fault };
            let slot = self
                .open_slot(conn)
                .ok_or_else(|| fault("a backlog, though it is not open"))?;
            if before >= Some(slot) {
                return Err(fault("a backlog that is not in the order of slots"));
            }
            before = Some(slot);
            self.backlogs.restore(backlog, &self.peaks).map_err(fault)?;
        }
        if !self.backlogs.is_within_budget(&self.peaks) {
            return Err(RestoreError::Limit("max_total_backlog_bytes"));
        }
        Ok(())
    }

    /// Reserved seats, and their claims on connections.
    fn restore_seats(&mut self, state: &State) -> Result<(), RestoreError> {
        let mut before = "";
        let mut seats = Vec::with_capacity(state.reservations.len());
        for seat in &state.reservations {
            let fault = |fault| {
                let reservation = seat.id;
                Err(RestoreError::Reservation { reservation, fault })
            };
            if self.check_name(&seat.user).is_err() || self.check_name(&seat.lobby).is_err() {
                return fault("a name that is empty or too long");
            }
            if *before > *seat.user {
                return fault("not in the order of users");
            }
            if !Active::is_within(seat.due, self.clock.active(), self.reservation_ttl) {
                return fault("a time that is later than its reservation_ttl");
            }
            seats.push(Restored {
                key: seat.id.key(),
                lobby: &seat.lobby,
                user: &seat.user,
                source: seat.source,
                due: seat.due,
                pauses: seat.pauses,
            });
            before = &seat.user;
        }
        let free: Vec<Key> = state.free_reservations.iter().map(|seat| seat.key()).collect();
        let (retired, hash_key) = (&state.retired_reservations, HashKey(self.config.hash_key));
        self.seats = Seats::restore(&seats, &free, retired, hash_key)
            .map_err(|misplaced| slot_error("reservations", misplaced))?;
        check_order("reservations", retired)?;
        state.reservations.iter().try_for_each(|seat| self.restore_claim(seat))
    }

    fn restore_claim(&mut self, seat: &SavedSeat) -> Result<(), RestoreError> {
        let Some(conn) = seat.replaces else {
            return Ok(());
        };
        let victim = self.open_slot(conn).filter(|&victim| {
            let user = self.conns.at(victim).user;
            self.seats.claim_on(victim).is_none() && self.users.name_at(user) == &*seat.user
        });
        let victim = victim.ok_or(RestoreError::Reservation {
            reservation: seat.id,
            fault: "a connection to be replaced that is not open, is another's or gives way already",
        })?;
        self.claim(seat.id.index(), victim);
        Ok(())
    }

    fn restore_drain(&mut self, state: &State) -> Result<(), RestoreError> {
        let Some(schedule) = &state.drain else {
            return Ok(());
        };
        if let Some(fault) = schedule.fault(self.clock.time()) {
            return Err(RestoreError::Drain(fault));
        }
        self.line_up(Drain::restore(schedule.clone()));
        Ok(())
    }

    fn check_seats(&self) -> Result<(), RestoreError> {
        let total = self.population.total().saturating_add(slots::index(self.seats.len()));
        if total > MAX_CONNECTIONS {
            return Err(RestoreError::Limit("MAX_CONNECTIONS"));
        }
        if !self.peaks.allows(Limit::Connections, self.seats_taken() as usize) {
            return Err(RestoreError::Limit("max_connections"));
        }
        Ok(())
    }
}

fn slot_error(table: &'static str, Misplaced(index): Misplaced) -> RestoreError {
    RestoreError::Slot { table, index }
}

/// Retired slots are saved in their order, so that no two snapshots are of one manager.
fn check_order(table: &'static str, retired: &[u32]) -> Result<(), RestoreError> {
    match retired.windows(2).find(|pair| pair[0] > pair[1]) {
        Some(pair) => Err(slot_error(table, Misplaced(pair[1]))),
        None => Ok(()),
    }
}
