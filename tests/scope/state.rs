//! A manager's state, and the key by which two of them are known to be the same.
//!
//! A manager that was restored from a snapshot does what the one does that it was taken of (`tests/snapshot.rs`), so a
//! snapshot holds all that the future depends on. The key is a hash of the snapshot, less what shows in no reply, command
//! or notice but as a number that is handed through, and that no decision looks at:
//!
//! - Counters and revisions go up by what an event does, and nothing reads them. That they go up rightly is what the
//!   comparison with the model is for.
//! - Readings of the clocks are kept as distances from the present active time. All rules are about distances; the end of
//!   time is 584 years away. (The time stamp of a ping is the clock's reading, but what counts is whether a pong echoes
//!   the outstanding one: that there is one is kept.)
//! - Names: users are counted in the order of their lowest slot, lobbies are their slots. See the alphabet.
//! - Generations of lobbies, and of connections if there is no ping interval: an id is compared, and only the spread of
//!   the first pings is made from it.
//! - Join tickets are kept as their order in the lobby.
//! - When the last ping was sent, and in which period between pauses, if it is neither judged nor answerable any more.
//!
//! How the tables hold all that (holes in rosters, the shapes of heaps and hash tables, the slots of users) is not in a
//! snapshot. The invariants look at it after every event, but of two states that differ in nothing else only the first is
//! followed.
//!
//! Of 128 bits, so that two of ten million states are mistaken for one with a chance below 10^-24.

use std::hash::Hash;

use lobbykeeper::{ConnId, LobbyId, Manager};
use serde::Deserialize;
use siphasher::sip128::{Hasher128 as _, SipHasher13};

/// What counts in a snapshot.
#[derive(Deserialize)]
pub(crate) struct State {
    clock: Clock,
    stale_wave: bool,
    lobbies: Vec<Lobby>,
    free_lobbies: Vec<LobbyId>,
    pub(crate) users: Vec<User>,
    free_connections: Vec<ConnId>,
}

#[derive(Deserialize)]
struct Clock {
    last: u64,
    suspended: u64,
    pauses: u32,
}

#[derive(Deserialize)]
struct Lobby {
    id: LobbyId,
    /// Positions in the list of users.
    users: Vec<usize>,
}

#[derive(Deserialize)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) open: Vec<Open>,
    closing: Vec<Closing>,
    replaced: Option<Closing>,
}

#[derive(Deserialize)]
pub(crate) struct Open {
    pub(crate) id: ConnId,
    check: Option<u64>,
    /// Each with its ticket.
    pub(crate) lobbies: Vec<(LobbyId, u64)>,
    pub(crate) pulse: Pulse,
}

#[derive(Deserialize)]
pub(crate) struct Closing {
    pub(crate) id: ConnId,
    check: Option<u64>,
}

#[derive(Deserialize)]
pub(crate) struct Pulse {
    heard: u64,
    sent: u64,
    pub(crate) outstanding: Option<u64>,
    demand: Option<u64>,
    due: Option<u64>,
    rtt: Rtt,
    demand_millis: u32,
    pauses: u32,
    missed: u8,
    awaiting: bool,
    held: bool,
}

#[derive(Deserialize, Hash)]
struct Rtt {
    last: u32,
    min: u32,
    smoothed_by_8: u32,
}

impl User {
    pub(crate) fn closing(&self) -> impl Iterator<Item = &Closing> {
        self.closing.iter().chain(&self.replaced)
    }

    fn lowest_slot(&self) -> Option<u32> {
        let open = self.open.iter().map(|conn| conn.id.index());
        open.chain(self.closing().map(|conn| conn.id.index())).min()
    }
}

impl State {
    /// `json` is kept for its memory.
    pub(crate) fn of(manager: &Manager, json: &mut Vec<u8>) -> Self {
        json.clear();
        serde_json::to_writer(&mut *json, &manager.snapshot()).expect("a snapshot is JSON");
        serde_json::from_slice(json).expect("a snapshot in its known form")
    }

    /// The connection that ended last, if its slot is still free.
    pub(crate) fn last_ended(&self) -> Option<ConnId> {
        let next = self.free_connections.first()?;
        ConnId::from_bits(next.to_bits() - (1 << 32))
    }

    /// `ids_matter`: the pings are spread by the ids' generations.
    pub(crate) fn key(&self, ids_matter: bool) -> u128 {
        let hasher = &mut SipHasher13::new();
        let id = |conn: ConnId| {
            if ids_matter {
                conn.to_bits()
            } else {
                conn.index().into()
            }
        };
        let active = self.clock.last - self.clock.suspended;
        let from_now = |time: u64| time.wrapping_sub(active);
        let mut order: Vec<usize> = (0..self.users.len()).collect();
        order.sort_by_key(|&position| self.users[position].lowest_slot());
        let rank = |position: usize| order.iter().position(|&other| other == position);

        self.stale_wave.hash(hasher);
        self.lobbies.len().hash(hasher);
        for lobby in &self.lobbies {
            let users: Vec<_> = lobby.users.iter().map(|&user| rank(user)).collect();
            (lobby.id.index(), users).hash(hasher);
        }
        let free: Vec<_> = self.free_lobbies.iter().map(|lobby| lobby.index()).collect();
        free.hash(hasher);
        let free: Vec<_> = self.free_connections.iter().map(|&conn| id(conn)).collect();
        free.hash(hasher);
        for user in order.iter().map(|&position| &self.users[position]) {
            user.open.len().hash(hasher);
            for Open {
                id: conn,
                check,
                lobbies,
                pulse,
            } in &user.open
            {
                let seats = lobbies
                    .iter()
                    .map(|&(lobby, ticket)| (lobby.index(), self.seat(lobby, ticket)));
                let seats: Vec<_> = seats.collect();
                (id(*conn), check.map(from_now), seats).hash(hasher);
                pulse.hash_into(hasher, from_now, self.clock.pauses);
            }
            for closing in [user.closing.as_slice(), user.replaced.as_slice()] {
                let conns = closing.iter().map(|conn| (id(conn.id), conn.check.map(from_now)));
                conns.collect::<Vec<_>>().hash(hasher);
            }
        }
        hasher.finish128().as_u128()
    }

    /// How many members of the lobby have earlier tickets.
    fn seat(&self, lobby: LobbyId, ticket: u64) -> usize {
        let open = self.users.iter().flat_map(|user| &user.open);
        let seats = open.flat_map(|conn| &conn.lobbies);
        seats
            .filter(|&&(other, earlier)| other == lobby && earlier < ticket)
            .count()
    }
}

impl Pulse {
    fn hash_into(&self, hasher: &mut SipHasher13, from_now: impl Fn(u64) -> u64, pauses: u32) {
        let is_asked = self.outstanding.is_some();
        let sent = (self.awaiting || is_asked).then(|| (from_now(self.sent), self.pauses == pauses));
        let demand = self.demand.map(|demand| (from_now(demand), self.demand_millis));
        let due = self.due.map(&from_now);
        (from_now(self.heard), is_asked, sent, demand, due).hash(hasher);
        (&self.rtt, self.missed, self.awaiting, self.held).hash(hasher);
    }
}
