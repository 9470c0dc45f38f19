//! Every change of a phase, a membership or a count. All other code calls these.
//!
//! ```text
//!           admit               begin_close               end
//!   (none) -------> Open ------------------> Closing ------------> (none)
//!                    |  enter, leave                                 ^
//!                    +-----------------------------------------------+
//!                                          end
//! ```

use super::Manager;
use super::conn::{Conn, Lobby, Membership, Phase, User};
use crate::clock::Moment;
use crate::ending::{Closing, Ending, Eviction};
use crate::event::Handshake;
use crate::id::{ConnId, LobbyId};
use crate::outbox::{Notice, Outbox};
use crate::pulse::Pulse;
use crate::receipt::Receipt;
use crate::refusal::CloseFrame;

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
    /// What counts for the server limit.
    pub(super) const fn seats(self) -> u32 {
        self.open + self.closing - self.closing_replaced
    }

    pub(super) const fn total(self) -> u32 {
        self.open + self.closing
    }
}

impl Manager {
    /// Registers a connection in its first lobby. `victim` gives way to it; the limits have been checked.
    pub(super) fn admit(
        &mut self,
        moment: Moment,
        handshake: &Handshake<'_>,
        victim: Option<u32>,
        out: &mut Outbox,
    ) -> ConnId {
        let Handshake {
            lobby,
            user,
            source,
            expires,
        } = handshake;
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
        self.rates.admitted(moment.active, slot, user, known.is_none());

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
        id
    }

    /// Takes an open connection out of a lobby. False if it is not in it.
    pub(super) fn leave_lobby(&mut self, slot: u32, lobby: u32, out: &mut Outbox) -> bool {
        let conn = self.conns.at_mut(slot);
        let user = conn.user;
        let Some(Membership { presence, ticket, .. }) = conn.memberships.remove(lobby) else {
            return false;
        };
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

    /// Tells an open connection to close: from now on it only counts for the server limit.
    pub(super) fn begin_close(
        &mut self,
        moment: Moment,
        slot: u32,
        frame: &CloseFrame,
        cause: Closing,
        receipt: Receipt,
        out: &mut Outbox,
    ) {
        out.close(ConnId::new(self.conns.key_at(slot)), frame, cause, receipt);
        self.counters.closes += 1;
        self.withdraw(slot, out);
        self.conns.at_mut(slot).phase = Phase::Closing { replaced: false };
        self.population.closing += 1;
        self.deadlines.set(slot, moment.active.after(self.close_timeout));
    }

    /// Closes an open connection in favour of a newer one of its user. One that was replaced before and still lingers
    /// has had its time.
    fn replace(&mut self, moment: Moment, slot: u32, out: &mut Outbox) {
        let user = self.conns.at(slot).user;
        if let Some(earlier) = self.users.at(user).replaced {
            let receipt = self.replaced_receipt(moment, earlier);
            self.evict(earlier, Eviction::Replaced, receipt, out);
        }
        let frame = self.config.answers.replaced.clone();
        let receipt = self.replacement_receipt(moment, slot);
        self.begin_close(moment, slot, &frame, Closing::Replaced, receipt, out);
        self.conns.at_mut(slot).phase = Phase::Closing { replaced: true };
        self.population.closing_replaced += 1;
        self.users.at_mut(user).replaced = Some(slot);
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
