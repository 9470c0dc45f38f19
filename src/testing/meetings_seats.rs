//! Where reservations meet other rules.

use super::meetings::{Meeting, Scene};
use super::model::Phase;
use super::told::{Answered, Told};
use crate::{Call, Closing, Event, Handshake, Lapse, LobbyRef, RefusalRule, Request};

impl Scene<'_> {
    pub(super) fn seats(&self, call: &Call<'_>) -> Vec<(Meeting, bool)> {
        let mut met = vec![(Meeting::PauseReservation, self.outlives_a_pause())];
        match call {
            Call::Event(Event::Connected(handshake)) if handshake.reservation.is_some() => {
                met.extend(self.uses_seat(handshake));
            }
            Call::Event(Event::Connected(handshake)) => {
                let full = matches!(&self.outcome.answered, Answered::Connected(Err(refusal))
                    if refusal.rule == RefusalRule::LobbyFull && refusal.receipt.threshold > 0);
                let is_open = self.before.lobbies.contains_key(&*handshake.lobby);
                met.push((Meeting::ReservationEmptyLobby, full && !is_open));
            }
            Call::Request(Request::Reserve(handshake)) => {
                met.push((Meeting::ReservationFull, self.is_shared(handshake)));
            }
            Call::Request(Request::Drain { .. }) => met.push((Meeting::ReservationDrain, self.lapses(Lapse::Draining))),
            Call::Request(Request::KickUser { .. }) => met.push((Meeting::ReservationKick, self.lapses(Lapse::Kicked))),
            Call::Request(Request::KickLobby { lobby, .. }) => {
                met.push((Meeting::ReservationKickLobby, self.outlives_kick_of(lobby)));
            }
            _ => {}
        }
        let forgiven = self.before.reservations.iter().any(|seat| {
            let conn = seat
                .replaces
                .and_then(|victim| self.after.conns.iter().find(|conn| conn.id == victim));
            conn.is_some_and(|conn| conn.phase != Phase::Open && !self.closes(Closing::Replaced))
        });
        met.push((Meeting::ReservationClosing, forgiven));
        met
    }

    /// Somebody comes with a reservation and is let in, though as the others they might not be.
    fn uses_seat(&self, handshake: &Handshake<'_>) -> [(Meeting, bool); 4] {
        let admitted = matches!(self.outcome.answered, Answered::Connected(Ok(_)));
        let mut told = self.outcome.told.iter();
        let opens = told.any(|told| matches!(told, Told::LobbyOpened { .. }));
        let mut without = self.before.clone();
        without
            .reservations
            .retain(|seat| Some(seat.id) != handshake.reservation);
        let mut handshake = handshake.clone();
        handshake.reservation = None;
        let against = without.admission(&handshake).err().map(|against| against.rule);
        let stands = |rule| against == Some(rule) && admitted;
        let full = [
            RefusalRule::ServerFull,
            RefusalRule::LobbyFull,
            RefusalRule::UserLimit,
            RefusalRule::SourceLimit,
        ];
        [
            (Meeting::ReservationReplace, admitted && self.closes(Closing::Replaced)),
            (Meeting::ReservationLock, stands(RefusalRule::LobbyLocked)),
            (Meeting::ReservationLoweredLimit, full.into_iter().any(stands)),
            (Meeting::ReservationOpens, admitted && opens),
        ]
    }

    /// A seat is held though there are as many as there may be, since it is shared.
    fn is_shared(&self, handshake: &Handshake<'_>) -> bool {
        let Answered::Reserved(Ok(id)) = &self.outcome.answered else {
            return false;
        };
        let mut seats = self.after.reservations.iter();
        let shares = seats.any(|seat| seat.id == *id && seat.replaces.is_some()) && handshake.reservation.is_none();
        let taken = self
            .before
            .conns
            .iter()
            .filter(|conn| conn.phase != Phase::Closing { replaced: true });
        let taken = taken.count() + self.before.seats(|_| true, |_| true);
        shares
            && self
                .before
                .config
                .max_connections
                .is_some_and(|max| taken >= max as usize)
    }

    /// By the driver's clock a seat would have been given up.
    fn outlives_a_pause(&self) -> bool {
        let mut told = self.outcome.told.iter();
        let paused = told.any(|told| matches!(told, Told::Paused { .. }));
        let was_awake = u128::from(self.after.clock.last - self.before.clock.suspended);
        let mut seats = self.after.reservations.iter();
        paused && seats.any(|seat| seat.due <= was_awake)
    }

    fn outlives_kick_of(&self, lobby: &LobbyRef<'_>) -> bool {
        let name = self.before.lobby(lobby).map(|lobby| &lobby.name);
        let mut seats = self.after.reservations.iter();
        name.is_some_and(|name| seats.any(|seat| seat.lobby == *name))
    }

    fn lapses(&self, because: Lapse) -> bool {
        let mut told = self.outcome.told.iter();
        told.any(|told| matches!(told, Told::Lapsed { why, .. } if *why == because))
    }

    fn closes(&self, because: Closing) -> bool {
        let mut told = self.outcome.told.iter();
        told.any(|told| matches!(told, Told::Close { cause, .. } if *cause == because))
    }
}
