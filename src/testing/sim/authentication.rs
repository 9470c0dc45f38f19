//! Clients whose tokens are looked at, which takes time: a seat is reserved meanwhile.

use super::links::{Advice, LinkId};
use super::scenario::Authentication;
use super::{Event, Sim};
use crate::ending::Lapse;
use crate::event::Handshake;
use crate::id::ReservationId;
use crate::time::duration_nanos;

impl Sim {
    /// A client wants to come in.
    pub(super) fn knock(&mut self, id: LinkId) {
        self.settle_accounts();
        let authentication = self.scenario.authentication;
        match authentication.filter(|authentication| self.is_asked_about(id, authentication.percent)) {
            Some(authentication) => self.ask(id, authentication),
            None => self.admit(id, None),
        }
    }

    /// The referee has to know what the manager knows by now, to judge whose place is taken and which locks there are.
    pub(super) fn settle_accounts(&mut self) {
        if self.scenario.authentication.is_some() || self.scenario.operator.is_some() {
            self.carry_out();
        }
    }

    /// A client's token is good, or it is not.
    pub(super) fn answered(&mut self, id: LinkId, good: bool) {
        self.settle_accounts();
        let Some(reservation) = self.links.get_mut(id).and_then(|link| link.reservation.take()) else {
            return;
        };
        self.server.waiting.remove(&reservation);
        if good {
            self.admit(id, Some(reservation));
            return;
        }
        self.release(id, reservation);
        self.turn_away(id, Advice::Never);
    }

    /// One who is not admitted yet has left.
    pub(super) fn give_up(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        link.server_end = false;
        if let Some(reservation) = link.reservation.take() {
            self.server.waiting.remove(&reservation);
            self.release(id, reservation);
        }
        self.links.settle(id);
    }

    /// The manager has given up a seat.
    pub(super) fn lapsed(&mut self, reservation: ReservationId, why: Lapse) {
        self.counts.reservations.lapsed += 1;
        let Some(id) = self.server.waiting.remove(&reservation) else {
            return;
        };
        let at = self.instant();
        if let Some(link) = self.links.get_mut(id) {
            link.reservation = None;
            if why == Lapse::Expired {
                self.referee.judge_lapse(at, link);
            }
        }
        self.referee.vacated(at, &mut self.links, id);
        let advice = match why {
            Lapse::Expired => Advice::After(0),
            Lapse::Kicked | Lapse::Draining => Advice::Nothing,
        };
        self.turn_away(id, advice);
    }

    fn is_asked_about(&mut self, id: LinkId, percent: u8) -> bool {
        self.links.get_mut(id).is_some_and(|link| link.rng.percent(percent))
    }

    fn ask(&mut self, id: LinkId, authentication: Authentication) {
        let at = self.instant();
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        let server = &mut self.server;
        server.write_names(link.lobby, link.client / self.scenario.devices_per_user);
        let handshake = Handshake::new(server.text.as_str(), server.user.as_str());
        match server.manager.reserve(server.now, handshake, &mut server.out) {
            Ok(reservation) => {
                link.reservation = Some(reservation);
                server.waiting.insert(reservation, id);
                self.counts.reservations.made += 1;
                let Authentication {
                    takes,
                    denied_percent,
                    unanswered_percent,
                    ..
                } = authentication;
                let answers = self.now.saturating_add(link.rng.around(duration_nanos(takes)));
                let chance = link.rng.below(100);
                let denied = chance < u64::from(denied_percent);
                if denied || chance < 100 - u64::from(unanswered_percent) {
                    self.queue.push(answers, Event::Answer(id, !denied));
                }
                self.referee.reserved(at, &mut self.links, id);
            }
            Err(refusal) => self.refuse(id, &refusal),
        }
    }

    fn release(&mut self, id: LinkId, reservation: ReservationId) {
        let at = self.instant();
        let server = &mut self.server;
        let released = server.manager.release(server.now, reservation, &mut server.out);
        self.counts.reservations.released += u64::from(released);
        self.referee.vacated(at, &mut self.links, id);
    }
}
