//! The model's doors: who comes in, and into which lobbies.

use std::time::Duration;

use crate::{
    Answer, Closing, ConnId, Eviction, Handshake, LobbyId, LobbyRef, Receipt, RefusalRule, ReservationId, Retry, Time,
    UserOverflow,
};

use super::model::{Conn, Lobby, Model, Phase};
use super::model_flow::Queue;
use super::model_health::Health;
use super::model_rates::Taken;
use super::told::{NotEntered, Told, TurnedAway};

/// A rule that stands against somebody, what it saw and what it allows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Against {
    pub(super) rule: RefusalRule,
    pub(super) seen: u64,
    pub(super) threshold: u64,
}

/// How a newcomer gets in: whom it replaces, and which seat was held for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(super) victim: Option<ConnId>,
    pub(super) held: Option<ReservationId>,
}

/// The limit, if there are as many as it allows.
pub(super) fn at_limit(limit: Option<u32>, count: usize) -> Option<u64> {
    limit.filter(|&limit| count >= limit as usize).map(u64::from)
}

/// What stands against one more, if there are as many as the limit allows.
fn full(rule: RefusalRule, limit: Option<u32>, count: usize) -> Option<Against> {
    let threshold = at_limit(limit, count)?;
    Some(Against {
        rule,
        seen: count as u64,
        threshold,
    })
}

/// A reason, and when to come again.
pub(super) fn with_advice(reason: &str, retry: Retry) -> String {
    match retry {
        Retry::After(delay) => format!("{reason};retry={}", delay.as_nanos().div_ceil(1_000_000)),
        Retry::Now => format!("{reason};retry=0"),
        Retry::Never => reason.into(),
    }
}

impl Model {
    /// How a newcomer gets in, or what stands against it.
    pub(crate) fn admission(&self, handshake: &Handshake<'_>) -> Result<Way, Against> {
        let (lobby, user) = (&*handshake.lobby, &*handshake.user);
        self.check_drain()?;
        self.check_name(lobby)?;
        self.check_name(user)?;
        self.check_expiry(handshake)?;
        if let Some(id) = handshake.reservation {
            let seat = self.find_seat(id, handshake)?;
            return Ok(Way {
                victim: seat.replaces,
                held: Some(id),
            });
        }
        let theirs = self.conns_of(user);
        let taken = theirs.len() + self.seats_of(user);
        let replaces = self.config.user_overflow == UserOverflow::ReplaceOldest
            && at_limit(self.config.max_connections_per_user, taken).is_some();
        let stays = |&conn: &ConnId| !self.gives_way(conn);
        let victim = theirs.into_iter().find(stays).filter(|_| replaces);

        // Every limit is looked at as if the victim had gone.
        let others = || self.conns.iter().filter(|conn| Some(conn.id) != victim);
        let seats = others().filter(|conn| conn.phase != Phase::Closing { replaced: true });
        let members = others().filter(|conn| conn.lobbies.iter().any(|name| name == lobby));
        let theirs = others().filter(|conn| conn.phase == Phase::Open && conn.user == user);
        let from_there = others()
            .filter(|conn| conn.phase == Phase::Open && conn.source.is_some() && conn.source == handshake.source);
        let (seats, members) = (
            seats.count() + self.seats(|_| true, |_| true),
            members.count() + self.seats_in(lobby),
        );
        let theirs = theirs.count() + self.seats_of(user);
        let from_there = from_there.count() + handshake.source.map_or(0, |source| self.seats_from(source));
        let limit_per_source = self
            .config
            .max_connections_per_source
            .filter(|_| handshake.source.is_some());
        let config = &self.config;
        let against = [
            full(RefusalRule::ServerFull, config.max_connections, seats),
            self.shut_out(lobby, user),
            full(RefusalRule::LobbyFull, config.max_connections_per_lobby, members),
            full(RefusalRule::UserLimit, config.max_connections_per_user, theirs),
            full(RefusalRule::SourceLimit, limit_per_source, from_there),
            self.check_connect_rate().err(),
        ];
        let way = Way { victim, held: None };
        against.into_iter().flatten().next().map_or(Ok(way), Err)
    }

    pub(super) fn connected(&mut self, handshake: &Handshake<'_>) -> Result<ConnId, TurnedAway> {
        let Way { victim, held } = self.admission(handshake).map_err(|against| self.refuse(against))?;
        if let Some(held) = held {
            self.take_seat(held);
            self.counted.seats.used += 1;
        } else {
            self.count_connect();
        }
        let id = ConnId::from_bits(self.conn_ids.take()).unwrap();
        let health = Health::new(&self.config, self.clock.active(), id);
        self.conns.push(Conn {
            id,
            user: handshake.user.to_string(),
            lobbies: Vec::new(),
            phase: Phase::Open,
            closing_since: None,
            health,
            source: handshake.source,
            expires: handshake.expires,
            queue: Queue::default(),
            messages: Taken::default(),
            violations: 0,
        });
        self.counted.admissions += 1;
        self.enter(id, &handshake.lobby);
        if let Some(victim) = victim {
            let close = self.config.answers.replaced.clone();
            // The newcomer is there already. Its seat may have been reserved under a limit that is off by now.
            let others = (self.conns_of(&handshake.user).len() + self.seats_of(&handshake.user) - 1) as u64;
            let most = self.config.max_connections_per_user.map_or(others, u64::from);
            self.begin_close(victim, &close, Closing::Replaced, (others, most));
        }
        Ok(id)
    }

    /// A user has at most one replaced connection that is still closing. Another one is to be.
    pub(super) fn evict_lingering(&mut self, victim: ConnId) {
        let user = self.open(victim).unwrap().user.clone();
        let lingering = self
            .conns
            .iter()
            .find(|conn| conn.user == user && conn.phase == Phase::Closing { replaced: true })
            .map(|conn| conn.id);
        if let Some(lingering) = lingering {
            self.evict(lingering, Eviction::Replaced);
        }
    }

    fn check_name(&self, name: &str) -> Result<(), Against> {
        let most = self.config.max_name_bytes;
        if !name.is_empty() && name.len() <= most as usize {
            return Ok(());
        }
        Err(Against {
            rule: RefusalRule::InvalidName,
            seen: name.len() as u64,
            threshold: most.into(),
        })
    }

    /// What one who is refused for this is told.
    pub(crate) fn refusal(&self, against: Against) -> TurnedAway {
        let Against { rule, seen, threshold } = against;
        let answers = &self.config.answers;
        let connect_rate = Answer {
            close: answers.connect_rate.clone(),
            retry: Retry::After(Duration::from_nanos(seen.saturating_sub(threshold))),
        };
        let (Answer { close, retry }, verbatim) = match rule {
            RefusalRule::ServerFull => (&answers.server_full, true),
            RefusalRule::LobbyFull => (&answers.lobby_full, true),
            RefusalRule::UserLimit => (&answers.user_limit, false),
            RefusalRule::LobbyLocked => (&answers.lobby_locked, false),
            RefusalRule::SourceLimit => (&answers.source_limit, false),
            RefusalRule::Expired => (&answers.expired, false),
            RefusalRule::ConnectRate => (&connect_rate, false),
            RefusalRule::ReservationVoid => (&answers.reservation_void, false),
            RefusalRule::Draining => (&answers.draining, false),
            RefusalRule::InvalidName => (&answers.invalid_name, false),
        };
        let reason = close.reason();
        let on_the_wire = if verbatim {
            reason.into()
        } else {
            with_advice(reason, *retry)
        };
        TurnedAway {
            rule,
            code: close.code(),
            reason: reason.into(),
            retry: *retry,
            on_the_wire,
            receipt: Receipt::of_count(seen, threshold, Time::from_nanos(self.clock.last)),
        }
    }

    pub(super) fn refuse(&mut self, against: Against) -> TurnedAway {
        match against.rule {
            RefusalRule::ServerFull => self.counted.server_full += 1,
            RefusalRule::LobbyFull => self.counted.lobby_full += 1,
            RefusalRule::UserLimit => self.counted.user_limit += 1,
            RefusalRule::InvalidName => self.counted.invalid_name += 1,
            RefusalRule::LobbyLocked => self.counted.lobby_locked += 1,
            RefusalRule::SourceLimit => self.counted.source_limit += 1,
            RefusalRule::Expired => self.counted.refused_expired += 1,
            RefusalRule::ConnectRate => self.counted.connect_rate += 1,
            RefusalRule::ReservationVoid => self.counted.seats.void += 1,
            RefusalRule::Draining => self.counted.refused_draining += 1,
        }
        self.refusal(against)
    }

    // Lobbies.

    /// Why one who is connected cannot enter one more lobby.
    fn check_room(&mut self, conn: ConnId, lobby: &str) -> Result<(), NotEntered> {
        let user = self.open(conn).unwrap().user.clone();
        let locked = self.shut_out(lobby, &user);
        let members = self.lobby(&lobby.into()).map_or(0, |lobby| lobby.members.len()) + self.seats_in(lobby);
        let full = full(RefusalRule::LobbyFull, self.config.max_connections_per_lobby, members);
        let against = self.check_name(lobby).err().or(locked).or(full);
        against.map_or(Ok(()), |against| Err(NotEntered::Refused(self.refuse(against))))
    }

    pub(super) fn join(&mut self, conn: ConnId, lobby: &str) -> Result<LobbyId, NotEntered> {
        let lobbies = self.open(conn).ok_or(NotEntered::UnknownConnection)?.lobbies.clone();
        if lobbies.iter().any(|name| name == lobby) {
            return Ok(self.lobby(&lobby.into()).unwrap().id);
        }
        if let Some(threshold) = at_limit(self.config.max_lobbies_per_connection, lobbies.len()) {
            let now = Time::from_nanos(self.clock.last);
            let receipt = Receipt::of_count(lobbies.len() as u64, threshold, now);
            return Err(NotEntered::TooManyLobbies(receipt));
        }
        self.check_room(conn, lobby)?;
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
            self.check_room(conn, to)?;
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
            let opened = Lobby {
                id: lobby,
                name: name.into(),
                members: Vec::new(),
                users: Vec::new(),
                revision: 0,
                locked: false,
            };
            self.lobbies.insert(name.into(), opened);
            self.told.push(Told::LobbyOpened {
                lobby,
                name: name.into(),
            });
        }
        let conn = self.open_mut(id).unwrap();
        conn.lobbies.push(name.into());
        let user = conn.user.clone();
        let lobby = self.lobbies.get_mut(name).unwrap();
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
        let members = &mut self.lobbies.get_mut(name).unwrap().members;
        members.retain(|&member| member != id);
        let members = members.clone();
        let stays = members.iter().any(|&member| self.open(member).unwrap().user == user);
        let lobby = self.lobbies.get_mut(name).unwrap();
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
            self.lobbies.remove(name);
        }
    }
}
