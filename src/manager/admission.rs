//! Who may come in, and where.

use super::Manager;
use super::conn::Conn;
use crate::config::{MAX_CONNECTIONS, UserOverflow};
use crate::event::{Handshake, JoinError, LobbyRef};
use crate::id::{ConnId, LobbyId};
use crate::outbox::Outbox;
use crate::refusal::{Refusal, RefusalRule};
use crate::time::Time;

impl Manager {
    /// A connection opened: checks all limits and registers it, in one call, in its first lobby.
    ///
    /// The checks come in the order of [`RefusalRule::ALL`]. If a connection of the same user is to be
    /// [replaced](crate::UserOverflow::ReplaceOldest), its seats are set aside before any of them. The newcomer is
    /// registered first and the replaced one closed second, so the user's presence does not flicker in a lobby
    /// where both are.
    ///
    /// Writes `LobbyOpened` and `Joined` where they apply; for a replaced connection `Close` and what follows from
    /// leaving its lobbies. O(log n) in the number of connections.
    ///
    /// # Errors
    /// The refusal. Nothing has changed but a counter. Finish the upgrade and close with [`Refusal::close_frame`].
    pub fn connected(&mut self, now: Time, handshake: Handshake<'_>, out: &mut Outbox) -> Result<ConnId, Refusal> {
        let moment = self.enter_call(now, out);
        let Handshake { lobby, user } = handshake;
        match self.check_admission(&lobby, &user) {
            Ok(victim) => Ok(self.admit(moment, &lobby, &user, victim, out)),
            Err(rule) => Err(self.refuse(rule)),
        }
    }

    /// Whether [`connected`](Self::connected) would admit such a connection now. Changes and counts nothing: a hint,
    /// for a friendly page before the upgrade say, since only `connected` takes the seat. O(1).
    ///
    /// # Errors
    /// The refusal that `connected` would return.
    pub fn can_accept(&self, lobby: &str, user: &str) -> Result<(), Refusal> {
        self.check_admission(lobby, user)
            .map(drop)
            .map_err(|rule| self.config.answers.refusal(rule))
    }

    /// An open connection enters one more lobby; it keeps its place in one that it is in already. O(1).
    ///
    /// # Errors
    /// If the connection is not open, if it is in as many lobbies as it may be, if the name is empty or too long, or if
    /// the lobby is full, in this order. Nothing has changed but a counter.
    pub fn join(&mut self, now: Time, conn: ConnId, lobby: &str, out: &mut Outbox) -> Result<LobbyId, JoinError> {
        self.enter_call(now, out);
        let slot = self.open_slot(conn).ok_or(JoinError::UnknownConnection)?;
        if let Some(id) = self.place_in(slot, lobby) {
            return Ok(id);
        }
        let joined = self.conns.at(slot).memberships.as_slice().len();
        if self
            .config
            .max_lobbies_per_connection
            .is_some_and(|max| joined >= max as usize)
        {
            return Err(JoinError::TooManyLobbies);
        }
        self.check_room(lobby)?;
        Ok(self.enter(slot, lobby, out))
    }

    /// An open connection moves from one lobby to another in one step: it is admitted there first and leaves here then,
    /// so that a refusal leaves it where it was. Moving to the lobby it is in keeps its place. O(log n) in the
    /// number of members.
    ///
    /// # Errors
    /// If the connection is not open, if it is not in `from`, if the name is empty or too long, or if the lobby is
    /// full, in this order. Nothing has changed but a counter.
    pub fn switch_lobby<'a>(
        &mut self,
        now: Time,
        conn: ConnId,
        from: impl Into<LobbyRef<'a>>,
        to: &str,
        out: &mut Outbox,
    ) -> Result<LobbyId, JoinError> {
        self.enter_call(now, out);
        let slot = self.open_slot(conn).ok_or(JoinError::UnknownConnection)?;
        let from = self
            .resolve(&from.into())
            .filter(|&lobby| self.conns.at(slot).memberships.find(lobby).is_some())
            .ok_or(JoinError::NotMember)?;
        let id = if let Some(id) = self.place_in(slot, to) {
            id
        } else {
            self.check_room(to)?;
            self.enter(slot, to, out)
        };
        if id.index() != from {
            self.leave_lobby(slot, from, out);
        }
        Ok(id)
    }

    /// An open connection leaves a lobby; it stays connected. False if it is not open or not in the lobby. O(log n) in
    /// the number of members.
    pub fn leave<'a>(&mut self, now: Time, conn: ConnId, lobby: impl Into<LobbyRef<'a>>, out: &mut Outbox) -> bool {
        self.enter_call(now, out);
        let (Some(slot), Some(lobby)) = (self.open_slot(conn), self.resolve(&lobby.into())) else {
            return false;
        };
        self.leave_lobby(slot, lobby, out)
    }

    /// The connection that has to give way, or the first rule that stands against the newcomer.
    fn check_admission(&self, lobby: &str, user: &str) -> Result<Option<u32>, RefusalRule> {
        if !self.is_name(lobby) || !self.is_name(user) {
            return Err(RefusalRule::InvalidName);
        }
        let known = self.users.find(user).map(|user| self.users.at(user));
        let open = known.map_or(0, |user| user.open_count);
        let per_user = self.config.max_connections_per_user;
        let victim = match self.config.user_overflow {
            UserOverflow::ReplaceOldest if per_user.is_some_and(|max| open >= max) => {
                known.and_then(|user| user.open.first())
            }
            _ => None,
        };
        let set_aside = u32::from(victim.is_some());

        let server = self.config.max_connections.unwrap_or(MAX_CONNECTIONS);
        if self.population.seats() - set_aside >= server || self.population.total() >= MAX_CONNECTIONS {
            return Err(RefusalRule::ServerFull);
        }
        if self.is_full(lobby, victim) {
            return Err(RefusalRule::LobbyFull);
        }
        if per_user.is_some_and(|max| open - set_aside >= max) {
            return Err(RefusalRule::UserLimit);
        }
        Ok(victim)
    }

    /// Whether a lobby can take one more member who is already connected.
    fn check_room(&mut self, lobby: &str) -> Result<(), JoinError> {
        let rule = if !self.is_name(lobby) {
            RefusalRule::InvalidName
        } else if self.is_full(lobby, None) {
            RefusalRule::LobbyFull
        } else {
            return Ok(());
        };
        Err(JoinError::Refused(self.refuse(rule)))
    }

    /// Whether a lobby has as many members as it may have, one of whom may be about to go.
    fn is_full(&self, lobby: &str, going: Option<u32>) -> bool {
        let Some(max) = self.config.max_connections_per_lobby else {
            return false;
        };
        let members = self.lobbies.find(lobby).map_or(0, |lobby| {
            let is_in_it = |slot: u32| self.conns.at(slot).memberships.find(lobby).is_some();
            self.lobbies.at(lobby).members.len() - usize::from(going.is_some_and(is_in_it))
        });
        members >= max as usize
    }

    fn refuse(&mut self, rule: RefusalRule) -> Refusal {
        let refusals = &mut self.counters.refusals;
        match rule {
            RefusalRule::InvalidName => refusals.invalid_name += 1,
            RefusalRule::ServerFull => refusals.server_full += 1,
            RefusalRule::LobbyFull => refusals.lobby_full += 1,
            RefusalRule::UserLimit => refusals.user_limit += 1,
        }
        self.config.answers.refusal(rule)
    }

    fn is_name(&self, name: &str) -> bool {
        !name.is_empty() && name.len() <= self.config.max_name_bytes as usize
    }

    /// The lobby with this name if the connection is in it.
    fn place_in(&self, slot: u32, name: &str) -> Option<LobbyId> {
        let lobby = self.lobbies.find(name)?;
        let Conn { memberships, .. } = self.conns.at(slot);
        memberships
            .find(lobby)
            .map(|_| LobbyId::new(self.lobbies.key_at(lobby)))
    }
}
