//! What can be asked. Nothing here changes or counts anything.

use super::Manager;
use super::transitions::Population;
use crate::config::Config;
use crate::event::LobbyRef;
use crate::id::{ConnId, LobbyId};
use crate::latency::Latency;
use crate::slots;
use crate::source::Source;
use crate::stats::{Percent, Stats};

/// The users in a lobby, as [`Manager::lobby_users`] found them.
#[derive(Clone, Copy, Debug)]
pub struct LobbyUsers<'a> {
    manager: &'a Manager,
    lobby: u32,
}

impl<'a> LobbyUsers<'a> {
    /// The revision of the roster: the one of the last [`Joined`](crate::Notice::Joined) or
    /// [`Left`](crate::Notice::Left) that it includes. O(1).
    pub fn revision(&self) -> u64 {
        self.manager.lobbies.at(self.lobby).revision
    }

    /// The names, each once, in the order of arrival. O(users).
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let Self { manager, lobby } = *self;
        let presences = &manager.presences;
        manager
            .lobbies
            .at(lobby)
            .users
            .iter(presences)
            .map(|entry| manager.users.name_at(presences.at(entry).user))
    }
}

impl Manager {
    /// The settings, with the limits that are in force.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Whether the connection is open: admitted, not told to close, not ended. O(1).
    pub fn is_open(&self, conn: ConnId) -> bool {
        self.open_slot(conn).is_some()
    }

    /// Whether the user has an open connection. O(1).
    pub fn is_user_connected(&self, user: &str) -> bool {
        self.users
            .find(user)
            .is_some_and(|user| self.users.at(user).open_count > 0)
    }

    /// The user of an open connection. O(1).
    pub fn user_of(&self, conn: ConnId) -> Option<&str> {
        self.open_slot(conn)
            .map(|slot| self.users.name_at(self.conns.at(slot).user))
    }

    /// The open connections of a user, oldest first. O(answer).
    pub fn user_connections(&self, user: &str) -> impl Iterator<Item = ConnId> {
        let open = self.users.find(user).map(|user| self.users.at(user).open);
        open.into_iter()
            .flat_map(|open| open.iter(&self.conns))
            .map(|slot| ConnId::new(self.conns.key_at(slot)))
    }

    /// The lobbies of an open connection, in the order of joining. O(answer).
    pub fn lobbies_of(&self, conn: ConnId) -> impl Iterator<Item = LobbyId> {
        let memberships = self
            .open_slot(conn)
            .map(|slot| self.conns.at(slot).memberships.as_slice());
        memberships
            .unwrap_or_default()
            .iter()
            .map(|place| LobbyId::new(self.lobbies.key_at(place.lobby)))
    }

    /// All lobbies with at least one member, in the order of their indices. O(greatest number of lobbies so far).
    pub fn lobbies(&self) -> impl Iterator<Item = LobbyId> {
        self.lobbies.iter().map(|(key, _, _)| LobbyId::new(key))
    }

    /// The open lobby with this name. O(1).
    pub fn lobby_id(&self, name: &str) -> Option<LobbyId> {
        self.lobbies
            .find(name)
            .map(|lobby| LobbyId::new(self.lobbies.key_at(lobby)))
    }

    /// The name of a lobby while it is open. O(1).
    pub fn lobby_name(&self, lobby: LobbyId) -> Option<&str> {
        self.lobbies
            .get(lobby.key())
            .map(|_| self.lobbies.name_at(lobby.index()))
    }

    /// The members of a lobby in the order of joining; none if it is not open. O(answer), plus those who left since the
    /// last broadcast.
    pub fn lobby_connections<'a>(&self, lobby: impl Into<LobbyRef<'a>>) -> impl Iterator<Item = ConnId> {
        self.resolve(&lobby.into())
            .into_iter()
            .flat_map(|lobby| self.lobbies.at(lobby).members.iter())
    }

    /// Who is in a lobby, with the revision of that list; `None` if it is not open. O(1).
    pub fn lobby_users<'a>(&self, lobby: impl Into<LobbyRef<'a>>) -> Option<LobbyUsers<'_>> {
        self.resolve(&lobby.into())
            .map(|lobby| LobbyUsers { manager: self, lobby })
    }

    /// How many open connections there are from a source, and seats reserved for others from there: what counts for
    /// [`Config::max_connections_per_source`]. O(1).
    pub fn source_connections(&self, source: Source) -> u32 {
        self.sources.count(source) + self.seats.of_source(source)
    }

    /// The round-trip times of an open connection; `None` until it has answered a ping. O(1).
    pub fn latency(&self, conn: ConnId) -> Option<Latency> {
        self.open_slot(conn)
            .and_then(|slot| self.conns.at(slot).pulse.latency())
    }

    /// All numbers. O(1).
    pub fn stats(&self) -> Stats {
        let Population {
            open, closing, users, ..
        } = self.population;
        let total_connections = self.seats_taken();
        let counters = &self.counters;
        Stats {
            total_connections,
            max_connections: self.config.max_connections,
            capacity_percent: self
                .config
                .max_connections
                .map(|max| Percent::of(total_connections, max)),
            active_lobbies: u32::try_from(self.lobbies.len()).unwrap_or(u32::MAX),
            open_connections: open,
            closing_connections: closing,
            users,
            admissions: counters.admissions,
            refusals: counters.refusals,
            evictions: counters.evictions,
            closes: counters.closes,
            messages_in: counters.messages_in,
            bytes_in: counters.bytes_in,
            messages_out: counters.messages_out,
            bytes_out: counters.bytes_out,
            pings: counters.pings,
            pongs: counters.pongs,
            missed_pings: counters.missed_pings,
            stale_ids: counters.stale_ids,
            clock_steps_back: self.clock.steps_back,
            pauses: counters.pauses,
            suspended: self.clock.suspended(),
            expired: counters.expired,
            backlog: self.backlogs.total(),
            dropped_messages: counters.dropped_messages,
            excess_flushes: counters.excess_flushes,
            drops: counters.drops,
            violations: counters.drops.violations(),
            closes_rate_limited: counters.closes_rate_limited,
            reserved_seats: slots::index(self.seats.len()),
            reservations: counters.reservations,
            draining: self.is_draining(),
            drained: counters.drained,
        }
    }

    /// The slot of a lobby that is open.
    pub(super) fn resolve(&self, lobby: &LobbyRef<'_>) -> Option<u32> {
        match lobby {
            LobbyRef::Name(name) => self.lobbies.find(name),
            LobbyRef::Id(id) => self.lobbies.get(id.key()).map(|_| id.index()),
            LobbyRef::Of(conn) => {
                let slot = self.open_slot(*conn)?;
                self.conns
                    .at(slot)
                    .memberships
                    .as_slice()
                    .first()
                    .map(|place| place.lobby)
            }
        }
    }

    /// The slot of a connection that is open. This is where a foreign id is checked.
    pub(super) fn open_slot(&self, conn: ConnId) -> Option<u32> {
        self.conns
            .get(conn.key())
            .filter(|record| record.is_open())
            .map(|_| conn.index())
    }
}
