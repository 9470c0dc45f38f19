//! Who may come in, and where.

use super::Manager;
use super::conn::Conn;
use crate::config::{MAX_CONNECTIONS, UserOverflow};
use crate::event::{Handshake, JoinError, LobbyRef};
use crate::gcra::Excess;
use crate::id::{ConnId, LobbyId};
use crate::outbox::Outbox;
use crate::receipt::Receipt;
use crate::refusal::{Breach, Refusal, RefusalRule};
use crate::slots;
use crate::source::Source;
use crate::time::Time;

/// What a newcomer takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admission {
    /// The connection that has to give way.
    pub(super) victim: Option<u32>,
    /// The seat that is held for it.
    pub(super) held: Option<u32>,
}

impl Manager {
    /// A connection opened: checks all limits and registers it, in one call, in its first lobby.
    ///
    /// The checks come in the order of [`RefusalRule::ALL`]; only who passes all of them pays for the
    /// [connect rate](crate::Config::connect_rate). If a connection of the same user is to be
    /// [replaced](crate::UserOverflow::ReplaceOldest), its seats are set aside before any of them. The newcomer is
    /// registered first and the replaced one closed second, so the user's presence does not flicker in a lobby
    /// where both are.
    ///
    /// One who comes with a [reservation](Handshake::reservation) takes the seat that was held: no limit or lock is looked
    /// at any more, and who is replaced is the one whose seat was set aside when it was [reserved](Self::reserve).
    ///
    /// Writes `LobbyOpened` and `Joined` where they apply; for a replaced connection `Close` and what follows from
    /// leaving its lobbies. O(log n) in the number of connections.
    ///
    /// # Errors
    /// The refusal. Nothing has changed but a counter. Finish the upgrade and close with [`Refusal::close_frame`].
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a handshake borrows already, and callers make it in place"
    )]
    pub fn connected(&mut self, now: Time, handshake: Handshake<'_>, out: &mut Outbox) -> Result<ConnId, Refusal> {
        let moment = self.enter_call(now, out);
        match self.check_admission(&handshake) {
            Ok(admission) => Ok(self.admit(moment, &handshake, admission, out)),
            Err(breach) => Err(self.refuse(breach)),
        }
    }

    /// Whether [`connected`](Self::connected) would admit such a connection now. Changes and counts nothing: a hint,
    /// for a friendly page before the upgrade say, since only `connected` takes the seat. Such a connection has no
    /// source, no expiry and no reservation; for the first, [`source_connections`](Self::source_connections) tells how
    /// many there are. O(1).
    ///
    /// # Errors
    /// The refusal that `connected` would return if it were called at the instant that the latest call has named.
    pub fn can_accept(&self, lobby: &str, user: &str) -> Result<(), Refusal> {
        self.check_admission(&Handshake::new(lobby, user))
            .map(drop)
            .map_err(|breach| self.config.answers.refusal(breach, self.clock.time()))
    }

    /// An open connection enters one more lobby; it keeps its place in one that it is in already. O(1).
    ///
    /// # Errors
    /// If the connection is not open, if it is in as many lobbies as it may be, if the name is empty or too long, if the
    /// lobby is locked and the user not in it, or if it is full, in this order. Nothing has changed but a counter.
    pub fn join(&mut self, now: Time, conn: ConnId, lobby: &str, out: &mut Outbox) -> Result<LobbyId, JoinError> {
        let moment = self.enter_call(now, out);
        let slot = self.open_slot(conn).ok_or(JoinError::UnknownConnection)?;
        if let Some(id) = self.place_in(slot, lobby) {
            return Ok(id);
        }
        let joined = self.conns.at(slot).memberships.as_slice().len() as u64;
        if let Some(max) = self.config.max_lobbies_per_connection.map(u64::from)
            && joined >= max
        {
            return Err(JoinError::TooManyLobbies(Receipt::of_count(joined, max, moment.time)));
        }
        self.check_entry(slot, lobby)?;
        Ok(self.enter(slot, lobby, out))
    }

    /// An open connection moves from one lobby to another in one step: it is admitted there first and leaves here then,
    /// so that a refusal leaves it where it was. Moving to the lobby it is in keeps its place. O(log n) in the
    /// number of members.
    ///
    /// # Errors
    /// If the connection is not open, if it is not in `from`, if the name is empty or too long, if the lobby is
    /// locked and the user not in it, or if it is full, in this order. Nothing has changed but a counter.
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
            self.check_entry(slot, to)?;
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

    /// What the newcomer takes, or the first rule that stands against it. All limits have been checked for who comes into
    /// a seat that is held.
    pub(super) fn check_admission(&self, handshake: &Handshake<'_>) -> Result<Admission, Breach> {
        let Handshake {
            lobby: lobby_name,
            user: user_name,
            source,
            expires,
            reservation,
        } = handshake;
        self.check_drain()?;
        self.check_name(lobby_name)?;
        self.check_name(user_name)?;
        if let &Some(expires) = expires {
            self.check_expiry(expires)?;
        }
        if let &Some(reservation) = reservation {
            return self.check_reservation(reservation, handshake);
        }
        let user = self.users.find(user_name);
        let known = user.map(|user| self.users.at(user));
        let seats = known.map_or(0, |user| user.open_count) + self.seats.of_user(user_name);
        let per_user = self.config.max_connections_per_user;
        let victim = match self.config.user_overflow {
            UserOverflow::ReplaceOldest if per_user.is_some_and(|max| seats >= max) => {
                let mut open = known.into_iter().flat_map(|user| user.open.iter(&self.conns));
                open.find(|&conn| self.seats.claim_on(conn).is_none())
            }
            _ => None,
        };
        let set_aside = u32::from(victim.is_some());

        check_count(
            RefusalRule::ServerFull,
            self.seats_taken() - set_aside,
            self.config.max_connections,
        )?;
        let total = self.population.total() + slots::index(self.seats.len());
        check_count(RefusalRule::ServerFull, total, Some(MAX_CONNECTIONS))?;
        let lobby = self.lobbies.find(lobby_name);
        self.check_lock(lobby, user)?;
        self.check_room(lobby_name, lobby, victim)?;
        check_count(RefusalRule::UserLimit, seats - set_aside, per_user)?;
        if let &Some(source) = source {
            self.check_source(source, victim)?;
        }
        self.check_connect_rate()?;
        Ok(Admission { victim, held: None })
    }

    /// What counts for the server limit.
    pub(super) fn seats_taken(&self) -> u32 {
        self.population.seats() + self.seats.taken()
    }

    /// Whether one more may be admitted by now. Last of all checks: whom another rule refuses shall pay nothing.
    fn check_connect_rate(&self) -> Result<(), Breach> {
        let against = self.rates.check_connect(self.clock.active());
        against.map_err(|Excess { seen, threshold }| Breach {
            rule: RefusalRule::ConnectRate,
            seen,
            threshold,
        })
    }

    /// Whether a lobby can take one more member who is already connected.
    fn check_entry(&mut self, slot: u32, name: &str) -> Result<(), JoinError> {
        let (lobby, user) = (self.lobbies.find(name), self.conns.at(slot).user);
        self.check_name(name)
            .and_then(|()| self.check_lock(lobby, Some(user)))
            .and_then(|()| self.check_room(name, lobby, None))
            .map_err(|breach| JoinError::Refused(self.refuse(breach)))
    }

    /// Whether fewer seats are taken in a lobby than it may have, one of which may be about to be left.
    fn check_room(&self, name: &str, lobby: Option<u32>, going: Option<u32>) -> Result<(), Breach> {
        let members = lobby.map_or(0, |lobby| {
            let is_in_it = |slot: u32| self.conns.at(slot).memberships.find(lobby).is_some();
            self.lobbies.at(lobby).members.len() - usize::from(going.is_some_and(is_in_it))
        });
        check_count(
            RefusalRule::LobbyFull,
            slots::index(members) + self.seats.in_lobby(name),
            self.config.max_connections_per_lobby,
        )
    }

    /// Whether there are fewer connections from a source than there may be, one of which may be about to go.
    fn check_source(&self, source: Source, going: Option<u32>) -> Result<(), Breach> {
        let Some(max) = self.config.max_connections_per_source else {
            return Ok(());
        };
        let is_from_it = |slot: u32| self.sources.of(slot) == Some(source);
        let stay = self.source_connections(source) - u32::from(going.is_some_and(is_from_it));
        check_count(RefusalRule::SourceLimit, stay, Some(max))
    }

    /// Whether a lobby or a user may have this name.
    pub(super) fn check_name(&self, name: &str) -> Result<(), Breach> {
        let (bytes, max) = (name.len() as u64, u64::from(self.config.max_name_bytes));
        if (1..=max).contains(&bytes) {
            return Ok(());
        }
        Err(Breach {
            rule: RefusalRule::InvalidName,
            seen: bytes,
            threshold: max,
        })
    }

    pub(super) fn refuse(&mut self, breach: Breach) -> Refusal {
        let refusals = &mut self.counters.refusals;
        match breach.rule {
            RefusalRule::InvalidName => refusals.invalid_name += 1,
            RefusalRule::ServerFull => refusals.server_full += 1,
            RefusalRule::LobbyFull => refusals.lobby_full += 1,
            RefusalRule::UserLimit => refusals.user_limit += 1,
            RefusalRule::LobbyLocked => refusals.lobby_locked += 1,
            RefusalRule::SourceLimit => refusals.source_limit += 1,
            RefusalRule::Expired => refusals.expired += 1,
            RefusalRule::ConnectRate => refusals.connect_rate += 1,
            RefusalRule::ReservationVoid => refusals.reservation_void += 1,
            RefusalRule::Draining => refusals.draining += 1,
        }
        self.config.answers.refusal(breach, self.clock.time())
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

/// Whether there is room for one more.
fn check_count(rule: RefusalRule, count: u32, limit: Option<u32>) -> Result<(), Breach> {
    match limit {
        Some(limit) if count >= limit => Err(Breach {
            rule,
            seen: count.into(),
            threshold: limit.into(),
        }),
        _ => Ok(()),
    }
}
