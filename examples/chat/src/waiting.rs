//! Clients whose tokens are being looked at.

use std::collections::VecDeque;

use lobbykeeper::{ReservationId, Source, Time};

/// One of them. A seat is reserved for it.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// What the server knows it by.
    pub(crate) key: usize,
    pub(crate) lobby: String,
    pub(crate) user: String,
    pub(crate) token: String,
    pub(crate) source: Source,
    pub(crate) reservation: ReservationId,
    /// When it is decided.
    pub(crate) due: Time,
}

/// All of them, by the time when they are decided.
#[derive(Debug, Default)]
pub(crate) struct WaitingRoom(VecDeque<Waiting>);

impl WaitingRoom {
    /// One that is decided after all others.
    pub(crate) fn enter(&mut self, waiting: Waiting) {
        self.0.push_back(waiting);
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.0.front().map(|waiting| waiting.due)
    }

    /// One that is to be decided by now.
    pub(crate) fn take_due(&mut self, now: Time) -> Option<Waiting> {
        self.0.front().filter(|waiting| waiting.due <= now)?;
        self.0.pop_front()
    }

    /// One that has left. O(n).
    pub(crate) fn leave(&mut self, key: usize) -> Option<Waiting> {
        let place = self.0.iter().position(|waiting| waiting.key == key)?;
        self.0.remove(place)
    }

    /// Its seat is no longer held, so nothing is left to wait for. O(n).
    pub(crate) fn lapse(&mut self, reservation: ReservationId) {
        let place = self.0.iter().position(|waiting| waiting.reservation == reservation);
        if let Some(waiting) = place.and_then(|place| self.0.remove(place)) {
            self.0.push_front(Waiting {
                due: Time::ZERO,
                ..waiting
            });
        }
    }
}
