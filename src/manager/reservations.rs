//! Seats that are held for those who are still to come.

use alloc::vec::Vec;

use super::Manager;
use super::admission::Admission;
use crate::clock::Moment;
use crate::ending::Lapse;
use crate::event::Handshake;
use crate::id::ReservationId;
use crate::outbox::Outbox;
use crate::refusal::{Breach, Refusal, RefusalRule};
use crate::time::Time;

impl Manager {
    /// Holds a seat for a connection that is to come: while the driver authenticates it, say, or finds out whether the
    /// one is dead whose place it is to take. The checks are those of [`connected`](Self::connected), in the same order,
    /// and so are the refusals; the [connect rate](crate::Config::connect_rate) is paid now, and not when the seat is taken.
    ///
    /// A reserved seat counts as an open connection does: for the server, its lobby, its user and its
    /// [source](Handshake::source). In a lobby without a member it is held as well, but that does not open the lobby, and
    /// nobody sees it in a roster. Whatever happens to limits and locks meanwhile, its holder gets in.
    ///
    /// The reservation is good for one [`connected`](Self::connected) whose handshake has [it](Handshake::reservation),
    /// and the same lobby, user and source; anything else is refused as
    /// [`ReservationVoid`](RefusalRule::ReservationVoid), and leaves the seat as it is. An expiry need not be known yet:
    /// the one that `connected` names is the connection's.
    ///
    /// If the newcomer is to [replace](crate::UserOverflow::ReplaceOldest) a connection, that happens when the reservation
    /// is used, however the limit has changed by then. Until then the two share one seat wherever both would sit, and no
    /// other newcomer replaces this one. If that connection goes before, nobody is replaced, and the seat stays held; told
    /// to close by whatever, it is forgiven by the server limit as a replaced one is.
    ///
    /// The seat is given up, with [`ReservationLapsed`](crate::Notice::ReservationLapsed), by the first
    /// [`tick`](Self::tick) when [`Config::reservation_ttl`](crate::Config::reservation_ttl) is over, in which pauses of the
    /// server do not count, and which begins anew if there was one; by [`kick_user`](Self::kick_user) for its user; and by a
    /// [`drain`](Self::drain). It is [released](Self::release) without a word. Kicks of the lobby and [`close_all`](Self::close_all) are about connections that are there, and leave it.
    ///
    /// If the handshake has a good reservation already, that is returned, and nothing else happens. Writes nothing.
    /// O(log n), and O(reservations of the user) where somebody is to be replaced.
    ///
    /// # Errors
    /// The refusal. Nothing has changed but a counter.
    ///
    /// ```
    /// use lobbykeeper::{Config, Handshake, Manager, Outbox, RefusalRule, Time};
    ///
    /// let mut manager = Manager::new(Config { max_connections: Some(1), ..Config::default() }).unwrap();
    /// let (now, mut out) = (Time::ZERO, Outbox::new());
    /// let ann = Handshake::new("den", "ann");
    /// let seat = manager.reserve(now, ann.clone(), &mut out).unwrap();
    ///
    /// // While she is authenticated, nobody takes it.
    /// let refusal = manager.connected(now, Handshake::new("den", "bob"), &mut out).unwrap_err();
    /// assert_eq!(refusal.rule(), RefusalRule::ServerFull);
    ///
    /// let conn = manager.connected(now, ann.clone().reservation(seat), &mut out).unwrap();
    /// assert!(manager.is_open(conn));
    /// let refusal = manager.connected(now, ann.reservation(seat), &mut out).unwrap_err();
    /// assert_eq!(refusal.rule(), RefusalRule::ReservationVoid, "it was used");
    /// ```
    ///
    /// # Takeover from the dead alone
    ///
    /// "A newer connection of a user takes the place of an older one only if that is dead" is no setting, since it takes
    /// time to find out. It is a recipe of these parts, with one connection for each user and `ReplaceOldest`:
    ///
    /// 1. `reserve` a seat for the newcomer. It shares that of the older connection, so a full house is no obstacle.
    /// 2. [`ping_user`](Self::ping_user). The older connection answers with one notice.
    /// 3. [`Pong`](crate::Notice::Pong): it is alive. `release` the seat and refuse the newcomer, in words of your own.
    /// 4. [`PingTimedOut`](crate::Notice::PingTimedOut): it is dead. [`kick`](Self::kick) it, not the user, and let the
    ///    newcomer in with its reservation. Without the kick it is replaced in the same step as the newcomer enters, which
    ///    nobody in the lobby sees; with it, the user leaves and joins, and a lobby without others closes and opens.
    ///
    /// If the older connection goes by itself meanwhile, `PingTimedOut` and [`Ended`](crate::Notice::Ended) say so, and
    /// step 4 needs no kick. A second newcomer is refused until the first one's fate is known.
    /// [`Config::reservation_ttl`](crate::Config::reservation_ttl) has to be longer than the patience of step 2.
    ///
    /// ```
    /// use core::time::Duration;
    /// use lobbykeeper::{CloseFrame, Config, Handshake, Manager, Notice, Outbox, Time, UserOverflow};
    ///
    /// let config = Config {
    ///     max_connections_per_user: Some(1),
    ///     user_overflow: UserOverflow::ReplaceOldest,
    ///     ..Config::default()
    /// };
    /// let mut manager = Manager::new(config).unwrap();
    /// let (mut now, mut out) = (Time::ZERO, Outbox::new());
    /// let ann = Handshake::new("den", "ann");
    /// let older = manager.connected(now, ann.clone(), &mut out).unwrap();
    ///
    /// // Somebody comes who is Ann, too.
    /// let seat = manager.reserve(now, ann.clone(), &mut out).unwrap();
    /// assert_eq!(manager.ping_user(now, "ann", Some(Duration::from_secs(2)), &mut out), 1);
    /// now = manager.next_deadline().unwrap();
    /// out.clear();
    /// manager.tick(now, &mut out);
    /// assert!(out.notices().any(|notice| notice == Notice::PingTimedOut { conn: older }));
    ///
    /// // The older one did not answer.
    /// manager.kick(now, older, &CloseFrame::new(4000, "dead").unwrap(), &mut out);
    /// let newer = manager.connected(now, ann.reservation(seat), &mut out).unwrap();
    /// assert_eq!(manager.user_connections("ann").collect::<Vec<_>>(), [newer]);
    /// ```
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a handshake borrows already, and callers make it in place"
    )]
    pub fn reserve(&mut self, now: Time, handshake: Handshake<'_>, out: &mut Outbox) -> Result<ReservationId, Refusal> {
        let moment = self.enter_call(now, out);
        match self.check_admission(&handshake) {
            Ok(Admission { held: Some(seat), .. }) => Ok(self.seats.id_at(seat)),
            Ok(Admission { victim, held: None }) => Ok(self.hold_seat(moment, &handshake, victim)),
            Err(breach) => Err(self.refuse(breach)),
        }
    }

    /// Gives back a seat that was reserved: the one for whom it was did not prove who they are, say. False if there is no
    /// such reservation (any more). Writes nothing. O(log n).
    pub fn release(&mut self, now: Time, reservation: ReservationId, out: &mut Outbox) -> bool {
        self.enter_call(now, out);
        let Some(seat) = self.seats.get(reservation) else {
            return false;
        };
        self.release_seat(seat);
        true
    }

    /// Whether a seat is held under this id. O(1).
    pub fn is_reserved(&self, reservation: ReservationId) -> bool {
        self.seats.get(reservation).is_some()
    }

    /// The seat that is held for one with this handshake.
    pub(super) fn check_reservation(
        &self,
        reservation: ReservationId,
        handshake: &Handshake<'_>,
    ) -> Result<Admission, Breach> {
        let is_theirs = |&seat: &u32| {
            self.seats.user_at(seat) == handshake.user
                && self.seats.lobby_at(seat) == handshake.lobby
                && self.seats.source_at(seat) == handshake.source
        };
        let seat = self.seats.get(reservation).filter(is_theirs).ok_or(Breach {
            rule: RefusalRule::ReservationVoid,
            seen: 0,
            threshold: 1,
        })?;
        Ok(Admission {
            victim: self.seats.at(seat).claim.map(|claim| claim.victim),
            held: Some(seat),
        })
    }

    /// Gives up all seats that were held for long enough, the earliest first. After a pause, long enough is once more as
    /// long.
    pub(super) fn give_up_seats(&mut self, moment: Moment, out: &mut Outbox) {
        while let Some((due, seat)) = self.seats.peek()
            && due <= moment.active
        {
            if self.seats.at(seat).pauses == self.clock.pauses {
                self.give_up_seat(seat, Lapse::Expired, out);
            } else {
                // Whoever was to use it may have been kept waiting by the server.
                let due = moment.active.after(self.reservation_ttl);
                self.seats.prolong(seat, due, self.clock.pauses);
            }
        }
    }

    /// Gives up all seats.
    pub(super) fn void_all_seats(&mut self, why: Lapse, out: &mut Outbox) {
        let seats: Vec<_> = self.seats.slots().collect();
        for seat in seats {
            self.give_up_seat(seat, why, out);
        }
    }

    /// Gives up all seats of a user, the oldest first.
    pub(super) fn void_seats_of(&mut self, user: &str, why: Lapse, out: &mut Outbox) {
        while let Some(seat) = self.seats.first_of(user) {
            self.give_up_seat(seat, why, out);
        }
    }
}
