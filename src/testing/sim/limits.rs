//! Who is where, reserved seats included, by what the world knows: what the limits and the locks are held against.

use alloc::vec;
use alloc::vec::Vec;

use super::links::{Claim, Link, LinkId, Links};
use super::scenario::Scenario;
use crate::config::{Config, UserOverflow};
use crate::limit::Limit;

#[derive(Clone, Debug)]
pub(super) struct Limits {
    per_server: u64,
    per_lobby: u64,
    per_user: u64,
    /// The oldest one of a user gives way, rather than the newcomer.
    replaces: bool,
    devices_per_user: u32,
    pub(super) open: u32,
    pub(super) reserved: u64,
    /// What counts for the server.
    pub(super) seats: u64,
    lobbies: Vec<Lobby>,
    users: Vec<User>,
    /// Of what waits for one open connection, in bytes and messages, with the room for pings, ...
    pub(super) per_backlog: (u64, u64),
    /// ... of all that waits for open connections, in bytes, ...
    pub(super) budget: u64,
    /// ... and what waits.
    pub(super) backlog: u64,
}

#[derive(Clone, Debug, Default)]
struct Lobby {
    members: u32,
    /// Members and reserved seats, but for those that are shared with a member.
    seats: u64,
    locked: bool,
}

#[derive(Clone, Debug, Default)]
struct User {
    /// Oldest first.
    open: Vec<LinkId>,
    /// Open connections and reserved seats, but for those that are shared.
    seats: u64,
}

impl Limits {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let Config {
            max_connections,
            max_connections_per_lobby,
            max_connections_per_user,
            user_overflow,
            max_missed,
            max_backlog_bytes,
            max_backlog_messages,
            max_total_backlog_bytes,
            ..
        } = scenario.config;
        let limit = |limit: Option<u32>| limit.map_or(u64::MAX, u64::from);
        let pings = u64::from(max_missed) + 1;
        let cap = |cap: Option<u32>, ping: u64| cap.map_or(u64::MAX, |cap| u64::from(cap) + pings * ping);
        let users = scenario.clients.div_ceil(scenario.devices_per_user);
        Self {
            per_server: limit(max_connections),
            per_lobby: limit(max_connections_per_lobby),
            per_user: limit(max_connections_per_user),
            replaces: user_overflow == UserOverflow::ReplaceOldest,
            devices_per_user: scenario.devices_per_user,
            open: 0,
            reserved: 0,
            seats: 0,
            lobbies: vec![Lobby::default(); scenario.lobbies as usize],
            users: vec![User::default(); users as usize],
            per_backlog: (cap(max_backlog_bytes, 64), cap(max_backlog_messages, 1)),
            budget: max_total_backlog_bytes.unwrap_or(u64::MAX),
            backlog: 0,
        }
    }

    /// An operator has changed one.
    pub(super) fn set(&mut self, limit: Limit, max: u64) {
        match limit {
            Limit::Connections => self.per_server = max,
            Limit::ConnectionsPerLobby => self.per_lobby = max,
            Limit::ConnectionsPerUser => self.per_user = max,
            _ => {}
        }
    }

    /// More are there than may be, where one has come.
    pub(super) fn are_overrun(&self, link: &Link) -> bool {
        self.seats > self.per_server
            || self.lobbies[link.lobby as usize].seats > self.per_lobby
            || self.users[self.user_of(link)].seats > self.per_user
    }

    /// Whether a lock keeps it out: one whose user is in the lobby already may come in.
    pub(super) fn are_locked(&self, links: &Links, link: &Link) -> bool {
        let is_there = |&id: &LinkId| links.get(id).is_some_and(|other| other.lobby == link.lobby);
        self.lobbies[link.lobby as usize].locked && !self.users[self.user_of(link)].open.iter().any(is_there)
    }

    /// A lobby is to be locked, or the lock taken off. True if that changes something.
    pub(super) fn lock(&mut self, lobby: u32, locked: bool) -> bool {
        let lobby = &mut self.lobbies[lobby as usize];
        let changes = lobby.members > 0 && lobby.locked != locked;
        lobby.locked = locked && lobby.members > 0;
        changes
    }

    pub(super) fn open_of(&self, user: u32) -> usize {
        self.users[user as usize].open.len()
    }

    /// Neither a connection nor a seat is left of a user.
    pub(super) fn is_gone(&self, user: u32) -> bool {
        self.users[user as usize].seats == 0
    }

    pub(super) fn enter(&mut self, link: &Link) {
        self.open += 1;
        self.seats += 1;
        self.count(link, true, true);
        self.lobbies[link.lobby as usize].members += 1;
        let user = self.user_of(link);
        self.users[user].open.push(link.id);
    }

    /// It is no longer open, but counts for the server until it is gone. Whoever was to take its place has a seat of their
    /// own now.
    pub(super) fn leave(&mut self, link: &mut Link) {
        self.open -= 1;
        self.count(link, true, false);
        let lobby = &mut self.lobbies[link.lobby as usize];
        lobby.members -= 1;
        lobby.locked &= lobby.members > 0;
        let user = self.user_of(link);
        self.users[user].open.retain(|&open| open != link.id);
        self.unshare(link);
    }

    /// A seat is held. If its user has as many as they may, it is shared with the oldest connection that nobody has a
    /// claim on.
    pub(super) fn hold(&mut self, links: &mut Links, id: LinkId) {
        let Some(link) = links.get(id) else {
            return;
        };
        let (user, lobby) = (self.user_of(link), link.lobby);
        let User { open, seats } = &self.users[user];
        let is_free = |&id: &LinkId| links.get(id).is_some_and(|open| open.claimed.is_none());
        let victim = if self.replaces && *seats >= self.per_user {
            open.iter().copied().find(is_free)
        } else {
            None
        };
        self.reserved += 1;
        self.seats += 1;
        self.count(link, true, true);
        if let Some(victim) = victim.and_then(|victim| links.get_mut(victim)) {
            let in_lobby = victim.lobby == lobby;
            victim.claimed = Some(Claim { by: id, in_lobby });
            self.seats -= 1;
            self.count(victim, in_lobby, false);
        }
        if let Some(link) = links.get_mut(id) {
            link.claims = victim;
        }
    }

    /// A seat is held no more. Returns the open connection that it was shared with.
    pub(super) fn vacate(&mut self, links: &mut Links, id: LinkId) -> Option<LinkId> {
        let link = links.get_mut(id)?;
        self.reserved -= 1;
        self.seats -= 1;
        self.count(link, true, false);
        let victim = link.claims.take()?;
        let shared = links.get_mut(victim)?;
        shared.claimed.filter(|claim| claim.by == id)?;
        self.unshare(shared);
        Some(victim)
    }

    fn unshare(&mut self, link: &mut Link) {
        if let Some(Claim { in_lobby, .. }) = link.claimed.take() {
            self.seats += 1;
            self.count(link, in_lobby, true);
        }
    }

    /// One more or one less of its user, and in its lobby.
    fn count(&mut self, link: &Link, in_lobby: bool, more: bool) {
        let user = self.user_of(link);
        let lobby = in_lobby.then(|| &mut self.lobbies[link.lobby as usize].seats);
        for seats in lobby.into_iter().chain([&mut self.users[user].seats]) {
            *seats = if more { *seats + 1 } else { *seats - 1 };
        }
    }

    const fn user_of(&self, link: &Link) -> usize {
        (link.client / self.devices_per_user) as usize
    }
}
