//! The model's doors: who comes in, and into which lobbies.

use crate::{Answer, ConnId, Eviction, LobbyId, LobbyRef, RefusalRule, Retry, UserOverflow};

use super::model::{Conn, Lobby, Model, Phase};
use super::model_health::Health;
use super::told::{NotEntered, Told, TurnedAway};

impl Model {
    /// Whom a newcomer replaces, or why there is none.
    pub fn admission(&self, lobby: &str, user: &str) -> Result<Option<ConnId>, RefusalRule> {
        if !self.is_name(lobby) || !self.is_name(user) {
            return Err(RefusalRule::InvalidName);
        }
        let reached = |limit: Option<u32>, count: usize| limit.is_some_and(|limit| count >= limit as usize);
        let theirs = self.conns_of(user);
        let replaces = self.config.user_overflow == UserOverflow::ReplaceOldest
            && reached(self.config.max_connections_per_user, theirs.len());
        let victim = theirs.first().copied().filter(|_| replaces);

        // Every limit is looked at as if the victim had gone.
        let others = || self.conns.iter().filter(|conn| Some(conn.id) != victim);
        let seats = others().filter(|conn| conn.phase != Phase::Closing { replaced: true });
        if reached(self.config.max_connections, seats.count()) {
            return Err(RefusalRule::ServerFull);
        }
        let members = others().filter(|conn| conn.lobbies.iter().any(|name| name == lobby));
        if reached(self.config.max_connections_per_lobby, members.count()) {
            return Err(RefusalRule::LobbyFull);
        }
        let theirs = others().filter(|conn| conn.phase == Phase::Open && conn.user == user);
        if reached(self.config.max_connections_per_user, theirs.count()) {
            return Err(RefusalRule::UserLimit);
        }
        Ok(victim)
    }

    pub(super) fn connected(&mut self, lobby: &str, user: &str) -> Result<ConnId, TurnedAway> {
        let victim = self.admission(lobby, user).map_err(|rule| self.refuse(rule))?;
        let id = ConnId::from_bits(self.conn_ids.take()).unwrap();
        let health = Health::new(&self.config, self.clock.active(), id);
        self.conns.push(Conn {
            id,
            user: user.into(),
            lobbies: Vec::new(),
            phase: Phase::Open,
            health,
        });
        self.counted.admissions += 1;
        self.enter(id, lobby);
        if let Some(victim) = victim {
            self.replace(victim);
        }
        Ok(id)
    }

    /// A user has at most one replaced connection that is still closing.
    fn replace(&mut self, victim: ConnId) {
        let user = self.open(victim).unwrap().user.clone();
        let lingering = self
            .conns
            .iter()
            .find(|conn| conn.user == user && conn.phase == Phase::Closing { replaced: true })
            .map(|conn| conn.id);
        if let Some(lingering) = lingering {
            self.evict(lingering, Eviction::Replaced);
        }
        let close = self.config.answers.replaced.clone();
        self.begin_close(victim, &close, true);
    }

    fn is_name(&self, name: &str) -> bool {
        (1..=self.config.max_name_bytes as usize).contains(&name.len())
    }

    /// What one who is refused by this rule is told.
    pub fn refusal(&self, rule: RefusalRule) -> TurnedAway {
        let answers = &self.config.answers;
        let (Answer { close, retry }, verbatim) = match rule {
            RefusalRule::ServerFull => (&answers.server_full, true),
            RefusalRule::LobbyFull => (&answers.lobby_full, true),
            RefusalRule::UserLimit => (&answers.user_limit, false),
            _ => (&answers.invalid_name, false),
        };
        let reason = close.reason();
        let on_the_wire = match retry {
            Retry::After(delay) if !verbatim => format!("{reason};retry={}", delay.as_millis()),
            Retry::Now if !verbatim => format!("{reason};retry=0"),
            _ => reason.into(),
        };
        TurnedAway {
            rule,
            code: close.code(),
            reason: reason.into(),
            retry: *retry,
            on_the_wire,
        }
    }

    fn refuse(&mut self, rule: RefusalRule) -> TurnedAway {
        match rule {
            RefusalRule::ServerFull => self.counted.server_full += 1,
            RefusalRule::LobbyFull => self.counted.lobby_full += 1,
            RefusalRule::UserLimit => self.counted.user_limit += 1,
            _ => self.counted.invalid_name += 1,
        }
        self.refusal(rule)
    }

    // Lobbies.

    /// Why one who is connected cannot enter one more lobby.
    fn check_room(&mut self, lobby: &str) -> Result<(), NotEntered> {
        let members = self.lobby(&lobby.into()).map_or(0, |lobby| lobby.members.len());
        if !self.is_name(lobby) {
            Err(NotEntered::Refused(self.refuse(RefusalRule::InvalidName)))
        } else if self
            .config
            .max_connections_per_lobby
            .is_some_and(|max| members >= max as usize)
        {
            Err(NotEntered::Refused(self.refuse(RefusalRule::LobbyFull)))
        } else {
            Ok(())
        }
    }

    pub(super) fn join(&mut self, conn: ConnId, lobby: &str) -> Result<LobbyId, NotEntered> {
        let lobbies = self.open(conn).ok_or(NotEntered::UnknownConnection)?.lobbies.clone();
        if lobbies.iter().any(|name| name == lobby) {
            return Ok(self.lobby(&lobby.into()).unwrap().id);
        }
        if self
            .config
            .max_lobbies_per_connection
            .is_some_and(|max| lobbies.len() >= max as usize)
        {
            return Err(NotEntered::TooManyLobbies);
        }
        self.check_room(lobby)?;
        Ok(self.enter(conn, lobby))
    }

    pub(super) fn switch_lobby(&mut self, conn: ConnId, from: &LobbyRef<'_>, to: &str) -> Result<LobbyId, NotEntered> {
        self.open(conn).ok_or(NotEntered::UnknownConnection)?;
        let from = self.lobby(from).filter(|lobby| lobby.members.contains(&conn));
        let from = from.ok_or(NotEntered::NotMember)?.name.clone();
        let is_there = self.lobby(&to.into()).filter(|lobby| lobby.members.contains(&conn));
        let id = if let Some(lobby) = is_there {
            lobby.id
        } else {
            self.check_room(to)?;
            self.enter(conn, to)
        };
        if from != to {
            self.quit(conn, &from);
        }
        Ok(id)
    }

    pub(super) fn leave(&mut self, conn: ConnId, lobby: &LobbyRef<'_>) -> bool {
        let lobby = self.lobby(lobby).filter(|lobby| lobby.members.contains(&conn));
        let Some(name) = lobby.map(|lobby| lobby.name.clone()) else {
            return false;
        };
        self.quit(conn, &name);
        true
    }

    /// Makes a connection the last member of a lobby that it is not in.
    fn enter(&mut self, id: ConnId, name: &str) -> LobbyId {
        if self.lobby(&name.into()).is_none() {
            let lobby = LobbyId::from_bits(self.lobby_ids.take()).unwrap();
            self.lobbies.push(Lobby {
                id: lobby,
                name: name.into(),
                members: Vec::new(),
                users: Vec::new(),
                revision: 0,
            });
            self.told.push(Told::LobbyOpened {
                lobby,
                name: name.into(),
            });
        }
        let conn = self.open_mut(id).unwrap();
        conn.lobbies.push(name.into());
        let user = conn.user.clone();
        let lobby = self.lobbies.iter_mut().find(|lobby| lobby.name == name).unwrap();
        lobby.members.push(id);
        if !lobby.users.contains(&user) {
            lobby.users.push(user.clone());
            lobby.revision += 1;
            self.told.push(Told::Joined {
                lobby: lobby.id,
                name: name.into(),
                user,
                revision: lobby.revision,
            });
        }
        lobby.id
    }

    /// Takes a member out of a lobby.
    pub(super) fn quit(&mut self, id: ConnId, name: &str) {
        let conn = self.open_mut(id).unwrap();
        conn.lobbies.retain(|lobby| lobby != name);
        let user = conn.user.clone();
        let position = self.lobbies.iter().position(|lobby| lobby.name == name).unwrap();
        self.lobbies[position].members.retain(|&member| member != id);
        let stays = (self.lobbies[position].members.iter()).any(|&member| self.open(member).unwrap().user == user);
        let lobby = &mut self.lobbies[position];
        if !stays {
            lobby.users.retain(|other| *other != user);
            lobby.revision += 1;
            self.told.push(Told::Left {
                lobby: lobby.id,
                name: name.into(),
                user,
                revision: lobby.revision,
            });
        }
        if lobby.members.is_empty() {
            self.told.push(Told::LobbyClosed {
                lobby: lobby.id,
                name: name.into(),
            });
            self.lobby_ids.free.push(lobby.id.index());
            self.lobbies.remove(position);
        }
    }
}
