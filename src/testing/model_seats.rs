//! The model's reserved seats.

use crate::{ConnId, Handshake, Lapse, RefusalRule, ReservationId, Source};

use super::model::{Conn, Model};
use super::model_clock::LAST;
use super::model_entry::{Against, Way};
use super::told::{Told, TurnedAway};

/// A seat that is held for one who is still to come.
#[derive(Clone, Debug)]
pub(crate) struct Reservation {
    pub(crate) id: ReservationId,
    pub(crate) lobby: String,
    pub(crate) user: String,
    pub(crate) source: Option<Source>,
    /// When it is given up, on active time.
    pub(crate) due: u128,
    /// How many pauses there had been when that was set.
    pauses: u64,
    /// The open connection that is to give way. Wherever both would count, they count once.
    pub(crate) replaces: Option<ConnId>,
}

/// What has become of reservations.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CountedSeats {
    pub(crate) made: u64,
    pub(crate) used: u64,
    pub(crate) released: u64,
    pub(crate) lapsed: u64,
    /// Connections that came with one that was none.
    pub(crate) void: u64,
}

impl Model {
    /// Seats of this kind that count beside the connections of that kind.
    pub(crate) fn seats(
        &self,
        of_kind: impl Fn(&Reservation) -> bool,
        counts_as_well: impl Fn(&Conn) -> bool,
    ) -> usize {
        let is_shared = |seat: &Reservation| {
            let conn = seat.replaces.and_then(|conn| self.open(conn));
            conn.is_some_and(&counts_as_well)
        };
        let seats = self.reservations.iter().filter(|seat| of_kind(seat));
        seats.filter(|seat| !is_shared(seat)).count()
    }

    pub(crate) fn seats_of(&self, user: &str) -> usize {
        self.seats(|seat| seat.user == user, |_| true)
    }

    pub(crate) fn seats_in(&self, lobby: &str) -> usize {
        self.seats(
            |seat| seat.lobby == lobby,
            |conn| conn.lobbies.iter().any(|name| name == lobby),
        )
    }

    pub(crate) fn seats_from(&self, source: Source) -> usize {
        let source = Some(source);
        self.seats(|seat| seat.source == source, |conn| conn.source == source)
    }

    /// Whether somebody is to be replaced by the holder of a seat.
    pub(super) fn gives_way(&self, conn: ConnId) -> bool {
        self.reservations.iter().any(|seat| seat.replaces == Some(conn))
    }

    /// The reservation that a handshake names, if it is good for it.
    pub(super) fn find_seat(&self, id: ReservationId, handshake: &Handshake<'_>) -> Result<&Reservation, Against> {
        let Handshake {
            lobby, user, source, ..
        } = handshake;
        let is_it =
            |seat: &&Reservation| seat.id == id && seat.lobby == *lobby && seat.user == *user && seat.source == *source;
        self.reservations.iter().find(is_it).ok_or(Against {
            rule: RefusalRule::ReservationVoid,
            seen: 0,
            threshold: 1,
        })
    }

    pub(super) fn reserve(&mut self, handshake: &Handshake<'_>) -> Result<ReservationId, TurnedAway> {
        let Way { victim, held } = self.admission(handshake).map_err(|against| self.refuse(against))?;
        if let Some(held) = held {
            return Ok(held);
        }
        let id = ReservationId::from_bits(self.reservation_ids.take()).unwrap();
        self.reservations.push(Reservation {
            id,
            lobby: handshake.lobby.to_string(),
            user: handshake.user.to_string(),
            source: handshake.source,
            due: self.clock.after(self.config.reservation_ttl),
            pauses: self.clock.pauses,
            replaces: victim,
        });
        self.count_connect();
        self.counted.seats.made += 1;
        Ok(id)
    }

    pub(super) fn take_seat(&mut self, id: ReservationId) -> Option<Reservation> {
        let position = self.reservations.iter().position(|seat| seat.id == id)?;
        self.reservation_ids.free.push(id.index());
        Some(self.reservations.remove(position))
    }

    pub(super) fn release(&mut self, id: ReservationId) -> bool {
        let is_held = self.take_seat(id).is_some();
        self.counted.seats.released += u64::from(is_held);
        is_held
    }

    fn lapse(&mut self, id: ReservationId, why: Lapse) {
        let Reservation { lobby, user, .. } = self.take_seat(id).unwrap();
        self.counted.seats.lapsed += 1;
        self.told.push(Told::Lapsed {
            reservation: id,
            lobby,
            user,
            why,
        });
    }

    pub(super) fn void_seats_of(&mut self, user: &str, why: Lapse) {
        let theirs = self.reservations.iter().filter(|seat| seat.user == user);
        let theirs: Vec<_> = theirs.map(|seat| seat.id).collect();
        for id in theirs {
            self.lapse(id, why);
        }
    }

    pub(super) fn void_all_seats(&mut self, why: Lapse) {
        let mut all: Vec<_> = self.reservations.iter().map(|seat| seat.id).collect();
        all.sort_by_key(|id| id.index());
        for id in all {
            self.lapse(id, why);
        }
    }

    /// Gives up all seats whose time is up, the earliest first and at one instant by index. If there was a pause, their
    /// time begins anew.
    pub(super) fn give_up_seats(&mut self) {
        let now = self.clock.active();
        let due = self
            .reservations
            .iter()
            .filter(|seat| seat.due <= now && seat.due <= LAST);
        let mut due: Vec<_> = due.map(|seat| (seat.due, seat.id)).collect();
        due.sort_by_key(|(time, id)| (*time, id.index()));
        for (_, id) in due {
            let (until, pauses) = (self.clock.after(self.config.reservation_ttl), self.clock.pauses);
            let mut seats = self.reservations.iter_mut();
            let seat = seats.find(|seat| seat.id == id).unwrap();
            if seat.pauses == pauses {
                self.lapse(id, Lapse::Expired);
            } else {
                (seat.due, seat.pauses) = (until, pauses);
            }
        }
    }
}
