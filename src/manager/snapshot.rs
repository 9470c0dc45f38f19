//! From a manager to its snapshot.
//!
//! What is saved is what cannot be worked out: hash tables, the heap, lists, rosters and head counts are made anew. Of
//! the slots' order of reuse only that of connections and lobbies is saved, since their ids show it. Users and presences
//! are found by name and listed by links; nothing goes through them by slot, so their slots may be dealt out anew.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Manager;
use super::conn::Phase;
use super::rates::Meter;
use crate::config::Config;
use crate::id::{ConnId, LobbyId};
use crate::snapshot::{SavedClosing, SavedConn, SavedLobby, SavedSeat, SavedUser, Snapshot, State};

impl Manager {
    /// Everything that this manager knows, for [`restore`](Self::restore). O(everything there is, and slots that once
    /// were used).
    ///
    /// The driver's clock and sockets are not in it. Save the clock's reading along with it: a restored manager goes on
    /// from the last `now` that it was told, and takes an earlier one for that. A connection whose socket did not
    /// survive is to be reported [`closed`](Self::closed), or, if the driver keeps silent, ends as a dead link does.
    ///
    /// ```
    /// use core::time::Duration;
    /// use lobbykeeper::{Cause, Config, Handshake, Manager, Outbox, Snapshot, Time};
    ///
    /// let mut manager = Manager::new(Config::default()).unwrap();
    /// let mut out = Outbox::new();
    /// let now = Time::from_secs(5);
    /// let ann = manager.connected(now, Handshake::new("den", "ann"), &mut out).unwrap();
    /// let saved = serde_json::to_string(&(now, manager.snapshot())).unwrap();
    ///
    /// // The server starts again. What it reads may have been written by anybody: it is checked.
    /// let (then, snapshot): (Time, Snapshot) = serde_json::from_str(&saved).unwrap();
    /// let hash_key = [4, 2]; // drawn anew
    /// let mut restored = Manager::restore(snapshot, hash_key).unwrap();
    /// assert_eq!(restored.user_of(ann), Some("ann"));
    ///
    /// let now = then + Duration::from_secs(1); // the old clock goes on
    /// assert!(restored.closed(now, ann, Cause::Error, &mut out)); // her socket is lost
    /// let again = restored.connected(now, Handshake::new("den", "ann"), &mut out).unwrap();
    /// assert_ne!(again, ann);
    /// ```
    pub fn snapshot(&self) -> Snapshot {
        let mut closing: BTreeMap<u32, Vec<SavedClosing>> = BTreeMap::new();
        for (key, conn) in self.conns.iter() {
            if conn.phase == (Phase::Closing { replaced: false }) {
                closing.entry(conn.user).or_default().push(self.save_closing(key.index));
            }
        }
        let mut users: Vec<(&str, u32)> = self.users.iter().map(|(key, name, _)| (name, key.index)).collect();
        users.sort_unstable();
        let positions: BTreeMap<u32, u32> = users.iter().map(|&(_, slot)| slot).zip(0..).collect();
        let users = users.into_iter().map(|(name, slot)| {
            let user = self.users.at(slot);
            SavedUser {
                name: name.into(),
                open: user.open.iter(&self.conns).map(|slot| self.save_open(slot)).collect(),
                closing: closing.remove(&slot).unwrap_or_default(),
                replaced: user.replaced.map(|slot| self.save_closing(slot)),
                message_bucket: self.rates.user(slot),
            }
        });
        let users = users.collect();
        let lobbies = self.lobbies.iter().map(|(key, name, lobby)| {
            let users = lobby.users.iter(&self.presences);
            SavedLobby {
                id: LobbyId::new(key),
                name: name.into(),
                revision: lobby.revision,
                joins: lobby.members.joins(),
                users: users.map(|entry| positions[&self.presences.at(entry).user]).collect(),
                locked: lobby.locked,
            }
        });
        Snapshot::new(State {
            config: Config {
                hash_key: [0, 0],
                ..self.config.clone()
            },
            clock: self.clock.clone(),
            last_ping: self.pinger.last(),
            stale_wave: self.stale_wave,
            counters: self.counters.clone(),
            lobbies: lobbies.collect(),
            free_lobbies: self.lobbies.free().map(LobbyId::new).collect(),
            retired_lobbies: self.lobbies.retired().collect(),
            users,
            peaks: self.peaks,
            free_connections: self.conns.free().map(ConnId::new).collect(),
            retired_connections: self.conns.retired().collect(),
            backlogs: self.backlogs.is_on().then(|| {
                let conns = self.conns.iter().map(|(key, _)| ConnId::new(key));
                conns.filter_map(|conn| self.backlogs.save(conn)).collect()
            }),
            connect_bucket: self.rates.connects(),
            reservations: self.save_seats(),
            free_reservations: self.seats.free().collect(),
            retired_reservations: self.seats.retired().collect(),
            drain: self.drain.as_ref().map(|drain| drain.schedule.clone()),
        })
    }

    fn save_open(&self, slot: u32) -> SavedConn {
        let conn = self.conns.at(slot);
        let seats = conn.memberships.as_slice().iter();
        let Meter { bucket, violations } = self.rates.meter(slot);
        SavedConn {
            id: ConnId::new(self.conns.key_at(slot)),
            check: self.deadlines.get(slot),
            lobbies: seats
                .map(|seat| (LobbyId::new(self.lobbies.key_at(seat.lobby)), seat.ticket))
                .collect(),
            pulse: conn.pulse.clone(),
            source: self.sources.of(slot),
            expires: self.expiries.get(slot),
            message_bucket: bucket,
            violations,
        }
    }

    fn save_seats(&self) -> Vec<SavedSeat> {
        let mut users: Vec<_> = self.seats.by_user().collect();
        users.sort_unstable_by_key(|&(name, _)| name);
        let seats = users.into_iter().flat_map(|(user, seats)| {
            seats.map(move |seat| SavedSeat {
                id: self.seats.id_at(seat),
                user: user.into(),
                lobby: self.seats.lobby_at(seat).into(),
                source: self.seats.source_at(seat),
                due: self.seats.due_at(seat),
                pauses: self.seats.at(seat).pauses,
                replaces: self
                    .seats
                    .at(seat)
                    .claim
                    .map(|claim| ConnId::new(self.conns.key_at(claim.victim))),
            })
        });
        seats.collect()
    }

    fn save_closing(&self, slot: u32) -> SavedClosing {
        SavedClosing {
            id: ConnId::new(self.conns.key_at(slot)),
            check: self.deadlines.get(slot),
        }
    }
}
