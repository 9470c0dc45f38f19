//! Every change of a phase, a membership or a count. All other code calls these.
//!
//! ```text
//!           admit               begin_close               end
//!   (none) -------> Open ------------------> Closing ------------> (none)
//!                    |  enter, leave                                 ^
//!                    +-----------------------------------------------+
//!                                          end
//!
//!           hold_seat          admit, give_up_seat, release_seat
//!   (none) ----------> reserved --------------------------------> (none)
//! ```

use super::Manager;
use super::admission::Admission;
use super::conn::{Conn, Lobby, Membership, Phase, User};
use crate::clock::Moment;
use crate::ending::{Closing, Ending, Eviction, Lapse};
use crate::event::Handshake;
use crate::id::{ConnId, LobbyId, ReservationId};
use crate::outbox::{Notice, Outbox};
use crate::pulse::Pulse;
use crate::receipt::Receipt;
use crate::refusal::CloseFrame;
use crate::seats::Claim;

/// How many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Population {
    pub(super) open: u32,
    pub(super) closing: u32,
    /// Those of `closing` that a newcomer replaced; the server limit forgives them.
    pub(super) closing_replaced: u32,
    /// Users with an open connection.
    pub(super) users: u32,
    /// Those of `open` that have missed a ping.
    pub(super) silent: u32,
}

impl Population {
    /// What counts for the server limit, beside seats that are reserved.
    pub(super) const fn seats(self) -> u32 {
        self.open + self.closing - self.closing_replaced
    }

    pub(super) const fn total(self) -> u32 {
        self.open + self.closing
    }
}

impl Manager {
    /// Registers a connection in its first lobby, in the seat that was held for it, if one was. Who has to gives way to
    /// it; the limits have been checked.
    pub(super) fn admit(
        &mut self,
        moment: Moment,
        handshake: &Handshake<'_>,
        Admission { victim, held }: Admission,
        out: &mut Outbox,
    ) -> ConnId {
        let Handshake {
            lobby,
            user,
            source,
            expires,
            reservation: _,
        } = handshake;
        if let Some(seat) = held {
            self.seats.remove(seat);
            self.counters.reservations.used += 1;
        } else {
            self.rates.charge_connect(moment.active);
        }
        let known = self.users.find(user);
        let user = known.unwrap_or_else(|| self.users.insert(user, User::NEW).index);
        let key = self.conns.insert(Conn::new(user, Pulse::new(moment.active)));
        let (slot, conn) = (key.index, ConnId::new(key));
        let first_ping = self.first_ping(moment, conn);
        self.conns.at_mut(slot).pulse.schedule_first_ping(first_ping);
        self.deadlines.set(slot, first_ping);
        self.expiries.set(slot, *expires);
        if let &Some(source) = source {
            self.sources.enter(slot, source);
        }
        self.backlogs.admit(slot);
        self.rates.admitted(slot, user, known.is_none());

        let record = self.users.at_mut(user);
        record.open.push_back(&mut self.conns, slot);
        record.connections += 1;
        record.open_count += 1;
        self.population.users += u32::from(record.open_count == 1);
        self.population.open += 1;
        self.counters.admissions += 1;
        self.enter(slot, lobby, out);
        if let Some(victim) = victim {
            self.replace(moment, victim, out);
        }
        conn
    }

    /// Makes an open connection a member of a lobby that it is not in.
    pub(super) fn enter(&mut self, slot: u32, name: &str, out: &mut Outbox) -> LobbyId {
        let lobby = self.lobbies.find(name).unwrap_or_else(|| {
            let key = self.lobbies.insert(name, Lobby::NEW);
            out.lobby(true, LobbyId::new(key), name);
            key.index
        });
        let id = LobbyId::new(self.lobbies.key_at(lobby));
        let conn = ConnId::new(self.conns.key_at(slot));
        let user = self.conns.at(slot).user;
        let record = self.lobbies.at_mut(lobby);
        let ticket = record.members.push(conn);
        let (presence, first) = self.presences.enter(lobby, user, &mut record.users);
        if first {
            record.revision += 1;
            out.presence(true, id, name, self.users.name_at(user), record.revision);
        }
        self.conns.at_mut(slot).memberships.push(Membership {
            lobby,
            presence,
            ticket,
        });
        self.seats.moved(slot, name, true);
        id
    }

    /// Takes an open connection out of a lobby. False if it is not in it.
    pub(super) fn leave_lobby(&mut self, slot: u32, lobby: u32, out: &mut Outbox) -> bool {
        let conn = self.conns.at_mut(slot);
        let user = conn.user;
        let Some(Membership { presence, ticket, .. }) = conn.memberships.remove(lobby) else {
            return false;
        };
        self.seats.moved(slot, self.lobbies.name_at(lobby), false);
        let id = LobbyId::new(self.lobbies.key_at(lobby));
        let record = self.lobbies.at_mut(lobby);
        record.members.remove(ticket);
        let empty = record.members.len() == 0;
        if self.presences.leave(presence, &mut record.users) {
            record.revision += 1;
            let revision = record.revision;
            out.presence(
                false,
                id,
                self.lobbies.name_at(lobby),
                self.users.name_at(user),
                revision,
            );
        }
        if empty {
            out.lobby(false, id, self.lobbies.name_at(lobby));
            self.lobbies.remove(lobby);
        }
        true
    }

    /// Tells an open connection to close: from now on it only counts for the server limit, and not even for that if its
    /// seat is a newcomer's. Then one of its user that went that way before and still lingers has had its time.
    pub(super) fn begin_close(
        &mut self,
        moment: Moment,
        slot: u32,
        frame: &CloseFrame,
        cause: Closing,
        receipt: Receipt,
        out: &mut Outbox,
    ) {
        let replaced = cause == Closing::Replaced || self.seats.claim_on(slot).is_some();
        let user = self.conns.at(slot).user;
        if replaced && let Some(earlier) = self.users.at(user).replaced {
            let receipt = self.replaced_receipt(moment, earlier);
            self.evict(earlier, Eviction::Replaced, receipt, out);
        }
        out.close(ConnId::new(self.conns.key_at(slot)), frame, cause, receipt);
        self.counters.closes += 1;
        self.withdraw(slot, out);
        self.conns.at_mut(slot).phase = Phase::Closing { replaced };
        self.population.closing += 1;
        if replaced {
            self.population.closing_replaced += 1;
            self.users.at_mut(user).replaced = Some(slot);
        }
        self.deadlines.set(slot, moment.active.after(self.close_timeout));
    }

    /// Closes an open connection in favour of a newer one of its user.
    fn replace(&mut self, moment: Moment, slot: u32, out: &mut Outbox) {
        let frame = self.config.answers.replaced.clone();
        let receipt = self.replacement_receipt(moment, slot);
        self.begin_close(moment, slot, &frame, Closing::Replaced, receipt, out);
    }

    /// Drops a connection without a handshake.
    pub(super) fn evict(&mut self, slot: u32, cause: Eviction, receipt: Receipt, out: &mut Outbox) {
        out.evict(ConnId::new(self.conns.key_at(slot)), cause, receipt);
        let evictions = &mut self.counters.evictions;
        match cause {
            Eviction::Stale => evictions.stale += 1,
            Eviction::CloseTimeout => evictions.close_timeout += 1,
            Eviction::Replaced => evictions.replaced += 1,
            Eviction::SlowConsumer => evictions.slow_consumer += 1,
            Eviction::OverBudget => evictions.over_budget += 1,
        }
        self.end(slot, Ending::Evicted(cause), out);
    }

    /// Forgets a connection.
    pub(super) fn end(&mut self, slot: u32, ending: Ending, out: &mut Outbox) {
        let user = self.conns.at(slot).user;
        match self.conns.at(slot).phase {
            Phase::Open => self.withdraw(slot, out),
            Phase::Closing { replaced } => {
                self.population.closing -= 1;
                if replaced {
                    self.population.closing_replaced -= 1;
                    self.users.at_mut(user).replaced = None;
                }
            }
        }
        out.ended(ConnId::new(self.conns.key_at(slot)), self.users.name_at(user), ending);
        self.deadlines.set(slot, None);
        self.conns.remove_at(slot);
        let record = self.users.at_mut(user);
        record.connections -= 1;
        if record.connections == 0 {
            self.users.remove(user);
        }
        self.tell_if_drained(out);
    }

    /// Holds a seat for one who is to come. `victim` is to give way then; the limits have been checked.
    pub(super) fn hold_seat(
        &mut self,
        moment: Moment,
        handshake: &Handshake<'_>,
        victim: Option<u32>,
    ) -> ReservationId {
        let due = moment.active.after(self.reservation_ttl);
        let Handshake {
            lobby, user, source, ..
        } = handshake;
        let key = self.seats.insert(lobby, user, *source, due, self.clock.pauses);
        if let Some(victim) = victim {
            self.claim(key.index, victim);
        }
        self.rates.charge_connect(moment.active);
        self.counters.reservations.made += 1;
        ReservationId::new(key)
    }

    /// Shares a seat that is held with an open connection of its user, until that gives way.
    pub(super) fn claim(&mut self, seat: u32, victim: u32) {
        let lobby = self.lobbies.find(self.seats.lobby_at(seat));
        let source = self.seats.source_at(seat);
        let claim = Claim {
            victim,
            in_lobby: lobby.is_some_and(|lobby| self.conns.at(victim).memberships.find(lobby).is_some()),
            from_source: source.is_some() && self.sources.of(victim) == source,
        };
        self.seats.claim(seat, claim);
    }

    /// Gives up a seat that is held. Its holder hears of it.
    pub(super) fn give_up_seat(&mut self, seat: u32, why: Lapse, out: &mut Outbox) {
        let (lobby, user) = (self.seats.lobby_at(seat), self.seats.user_at(seat));
        out.lapsed(self.seats.id_at(seat), lobby, user, why);
        self.counters.reservations.lapsed += 1;
        self.seats.remove(seat);
    }

    /// Gives up a seat whose holder does not want it any more.
    pub(super) fn release_seat(&mut self, seat: u32) {
        self.counters.reservations.released += 1;
        self.seats.remove(seat);
    }

    /// A connection has missed a ping for the first time since it was heard.
    pub(super) fn silence_began(&mut self) {
        self.population.silent += 1;
    }

    /// A connection with a missed ping was heard, or is no longer open.
    pub(super) fn silence_ended(&mut self) {
        self.population.silent -= 1;
    }

    /// Takes an open connection out of everything that only open ones are in.
    fn withdraw(&mut self, slot: u32, out: &mut Outbox) {
        let conn = self.conns.at_mut(slot);
        let user = conn.user;
        let (asked, silent) = (conn.pulse.abandon(), conn.pulse.missed() > 0);
        if asked {
            out.notice(Notice::PingTimedOut {
                conn: ConnId::new(self.conns.key_at(slot)),
            });
        }
        if silent {
            self.silence_ended();
        }
        while let Some(&Membership { lobby, .. }) = self.conns.at(slot).memberships.as_slice().first() {
            self.leave_lobby(slot, lobby, out);
        }
        // What was shared with it is the other's alone.
        if let Some(seat) = self.seats.claim_on(slot) {
            self.seats.unclaim(seat);
        }
        self.sources.leave(slot);
        self.expiries.set(slot, None);
        let record = self.users.at_mut(user);
        record.open.remove(&mut self.conns, slot);
        record.open_count -= 1;
        self.population.users -= u32::from(record.open_count == 0);
        self.population.open -= 1;
        self.backlogs.forget(slot);
        if let Some(drain) = &mut self.drain {
            drain.leave(slot, self.clock.time());
        }
    }
}
