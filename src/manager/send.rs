//! Who gets what: broadcasts, single messages, and closing on request.

use alloc::vec::Vec;

use super::Manager;
use super::receipts::request_receipt;
use crate::backlog::Kind;
use crate::ending::Closing;
use crate::event::{Except, LobbyRef};
use crate::id::ConnId;
use crate::outbox::Outbox;
use crate::outgoing::{Delivery, Outgoing};
use crate::payload::Payload;
use crate::refusal::CloseFrame;
use crate::time::Time;

impl Manager {
    /// Sends one message to the members of a lobby as they are now, in the order of joining. Returns the number
    /// addressed; 0 if there is no such lobby, and nothing is written then. The sender need not be a member.
    ///
    /// Under limits on backlogs, a slow member does not get it and is not counted: by the message's
    /// [`Delivery`](crate::Delivery) it does without, or is evicted, which is written before the message.
    ///
    /// One copy of the members' ids and one shared payload, O(members). Leaving somebody out costs no look-up per
    /// member: a connection O(log members), a user's connections O(min(theirs, members)) of those.
    #[expect(clippy::needless_pass_by_value, reason = "callers name the exception in place")]
    pub fn broadcast<'a>(
        &mut self,
        now: Time,
        lobby: impl Into<LobbyRef<'a>>,
        payload: impl Into<Outgoing>,
        except: Except<'_>,
        out: &mut Outbox,
    ) -> usize {
        let Outgoing { payload, delivery } = payload.into();
        self.send_to_lobby(now, &lobby.into(), payload, delivery, &except, out)
    }

    /// As [`broadcast`](Self::broadcast), but compiled once, here, and not in each crate that calls it.
    fn send_to_lobby(
        &mut self,
        now: Time,
        lobby: &LobbyRef<'_>,
        payload: Payload,
        delivery: Delivery,
        except: &Except<'_>,
        out: &mut Outbox,
    ) -> usize {
        self.enter_call(now, out);
        let Some(lobby) = self.resolve(lobby) else {
            return 0;
        };
        let mark = out.mark();
        self.copy_members(lobby, except, out.recipients());
        self.write_send(mark, payload, Kind::Message(delivery), out)
    }

    /// Sends one message to every open connection, in the order of their indices, but to those for whom there is no room
    /// in their backlogs, as for a [broadcast](Self::broadcast). Returns the number addressed.
    /// O(greatest number of connections so far).
    #[expect(clippy::needless_pass_by_value, reason = "callers name the exception in place")]
    pub fn broadcast_all(
        &mut self,
        now: Time,
        payload: impl Into<Outgoing>,
        except: Except<'_>,
        out: &mut Outbox,
    ) -> usize {
        let Outgoing { payload, delivery } = payload.into();
        self.send_to_everybody(now, payload, delivery, &except, out)
    }

    fn send_to_everybody(
        &mut self,
        now: Time,
        payload: Payload,
        delivery: Delivery,
        except: &Except<'_>,
        out: &mut Outbox,
    ) -> usize {
        self.enter_call(now, out);
        let conn = match except {
            Except::Conn(conn) => Some(*conn),
            _ => None,
        };
        let user = self.excepted_user(except);
        let mark = out.mark();
        let others = self
            .conns
            .iter()
            .filter(|(_, conn)| conn.is_open() && Some(conn.user) != user)
            .map(|(key, _)| ConnId::new(key))
            .filter(|&other| Some(other) != conn);
        out.recipients().extend(others);
        self.write_send(mark, payload, Kind::Message(delivery), out)
    }

    /// Sends one message to one connection. Returns the number addressed: 0 if it is not open, or if there is no room for
    /// the message in its backlog, as for a [broadcast](Self::broadcast). O(1).
    pub fn send_to(&mut self, now: Time, conn: ConnId, payload: impl Into<Outgoing>, out: &mut Outbox) -> usize {
        let Outgoing { payload, delivery } = payload.into();
        self.send_to_conn(now, conn, payload, delivery, out)
    }

    fn send_to_conn(
        &mut self,
        now: Time,
        conn: ConnId,
        payload: Payload,
        delivery: Delivery,
        out: &mut Outbox,
    ) -> usize {
        self.enter_call(now, out);
        if self.open_slot(conn).is_none() {
            return 0;
        }
        let mark = out.mark();
        out.recipients().push(conn);
        self.write_send(mark, payload, Kind::Message(delivery), out)
    }

    /// Sends one message to every open connection of a user, oldest first, but to those for whom there is no room in their
    /// backlogs, as for a [broadcast](Self::broadcast). Returns the number addressed. O(connections of the user).
    pub fn send_to_user(&mut self, now: Time, user: &str, payload: impl Into<Outgoing>, out: &mut Outbox) -> usize {
        let Outgoing { payload, delivery } = payload.into();
        self.send_to_conns_of(now, user, payload, delivery, out)
    }

    fn send_to_conns_of(
        &mut self,
        now: Time,
        user: &str,
        payload: Payload,
        delivery: Delivery,
        out: &mut Outbox,
    ) -> usize {
        self.enter_call(now, out);
        let Some(user) = self.users.find(user) else {
            return 0;
        };
        let mark = out.mark();
        let conns = self
            .users
            .at(user)
            .open
            .iter(&self.conns)
            .map(|slot| ConnId::new(self.conns.key_at(slot)));
        out.recipients().extend(conns);
        self.write_send(mark, payload, Kind::Message(delivery), out)
    }

    /// Closes one connection with these words. False if it is not open: one that is closing already keeps its own.
    /// O(log n).
    pub fn kick(&mut self, now: Time, conn: ConnId, close: &CloseFrame, out: &mut Outbox) -> bool {
        let moment = self.enter_call(now, out);
        let Some(slot) = self.open_slot(conn) else {
            return false;
        };
        self.begin_close(moment, slot, close, Closing::Requested, request_receipt(moment), out);
        true
    }

    /// Closes every open connection of a user with these words, oldest first. Returns how many. O(connections of the
    /// user × log n).
    pub fn kick_user(&mut self, now: Time, user: &str, close: &CloseFrame, out: &mut Outbox) -> usize {
        let moment = self.enter_call(now, out);
        let Some(user) = self.users.find(user) else {
            return 0;
        };
        let mut kicked = 0;
        while let Some(slot) = self.users.at(user).open.first() {
            self.begin_close(moment, slot, close, Closing::Requested, request_receipt(moment), out);
            kicked += 1;
        }
        kicked
    }

    /// Closes every connection in a lobby with these words, in the order of joining, wherever else it is a member.
    /// Returns how many; 0 if there is no such lobby. O(members × log n).
    pub fn kick_lobby<'a>(
        &mut self,
        now: Time,
        lobby: impl Into<LobbyRef<'a>>,
        close: &CloseFrame,
        out: &mut Outbox,
    ) -> usize {
        let moment = self.enter_call(now, out);
        let Some(lobby) = self.resolve(&lobby.into()) else {
            return 0;
        };
        let members: Vec<ConnId> = self.lobbies.at(lobby).members.iter().collect();
        let receipt = request_receipt(moment);
        for conn in &members {
            self.begin_close(moment, conn.index(), close, Closing::Requested, receipt, out);
        }
        members.len()
    }

    /// Closes every open connection with these words, in the order of their indices. Returns how many. O(n log n).
    pub fn close_all(&mut self, now: Time, close: &CloseFrame, out: &mut Outbox) -> usize {
        let moment = self.enter_call(now, out);
        let open: Vec<u32> = self
            .conns
            .iter()
            .filter(|(_, conn)| conn.is_open())
            .map(|(key, _)| key.index)
            .collect();
        for &slot in &open {
            self.begin_close(moment, slot, close, Closing::Requested, request_receipt(moment), out);
        }
        open.len()
    }

    /// Writes a send to those of the recipients since the mark for whom there is room, and counts it.
    pub(super) fn write_send(&mut self, mark: usize, payload: Payload, kind: Kind, out: &mut Outbox) -> usize {
        if self.backlogs.is_on() {
            self.charge(mark, payload.len(), kind, out);
        }
        let bytes = payload.len() as u64;
        let addressed = out.send(mark, payload);
        self.counters.messages_out += addressed as u64;
        // Saturates: a shared payload can be counted far more often than it could be stored.
        let written = bytes.saturating_mul(addressed as u64);
        self.counters.bytes_out = self.counters.bytes_out.saturating_add(written);
        addressed
    }

    fn excepted_user(&self, except: &Except<'_>) -> Option<u32> {
        match except {
            Except::Nobody | Except::Conn(_) => None,
            Except::User(name) => self.users.find(name),
            Except::UserOf(conn) => self.open_slot(*conn).map(|slot| self.conns.at(slot).user),
        }
    }

    /// Copies the run of a lobby's members around those who are left out.
    fn copy_members(&mut self, lobby: u32, except: &Except<'_>, to: &mut Vec<ConnId>) {
        let run = self.lobbies.at_mut(lobby).members.run();
        if let Except::Nobody = except {
            to.extend_from_slice(run);
            return;
        }
        self.find_excepted(lobby, except);
        let run = self.lobbies.at_mut(lobby).members.run();
        let mut start = 0;
        for &gap in &self.excepted {
            to.extend_from_slice(run.get(start..gap).unwrap_or_default());
            start = gap + 1;
        }
        to.extend_from_slice(run.get(start..).unwrap_or_default());
    }

    /// Finds where in the run of a lobby's members, which has no holes, those are who are left out.
    fn find_excepted(&mut self, lobby: u32, except: &Except<'_>) {
        self.excepted.clear();
        let roster = &self.lobbies.at(lobby).members;
        let position = |slot: u32| roster.position(self.conns.at(slot).memberships.find(lobby)?.ticket);
        if let Except::Conn(conn) = except {
            self.excepted.extend(self.open_slot(*conn).and_then(position));
        } else if let Some(user) = self.excepted_user(except) {
            let record = self.users.at(user);
            if record.open_count as usize <= roster.len() {
                self.excepted.extend(record.open.iter(&self.conns).filter_map(position));
                self.excepted.sort_unstable();
            } else {
                let theirs = |conn: ConnId| self.conns.at(conn.index()).user == user;
                let members = roster.iter().enumerate();
                let theirs = members.filter(|&(_, conn)| theirs(conn)).map(|(at, _)| at);
                self.excepted.extend(theirs);
            }
        }
    }
}
