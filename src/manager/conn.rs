//! What the manager keeps about connections, users and lobbies.

use alloc::vec;
use alloc::vec::Vec;

use crate::list::{Linked, Links, List};
use crate::pulse::Pulse;
use crate::roster::{Roster, Ticket};
use crate::slots::Slots;

#[derive(Clone, Debug)]
pub(super) struct Conn {
    /// Slot of its user.
    pub(super) user: u32,
    /// Of its user's list of open connections.
    links: Links,
    pub(super) memberships: Memberships,
    pub(super) pulse: Pulse,
    pub(super) phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// A `Close` was written. It is out of every lobby, list and count but the server's, and out of that too if it was
    /// replaced.
    Closing {
        replaced: bool,
    },
}

impl Conn {
    pub(super) fn new(user: u32, pulse: Pulse) -> Self {
        Self {
            user,
            links: Links::UNLINKED,
            memberships: Memberships::NONE,
            pulse,
            phase: Phase::Open,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    pub(super) fn links(&self) -> Links {
        self.links
    }
}

impl Linked for Slots<Conn> {
    fn links(&self, slot: u32) -> Links {
        self.at(slot).links
    }

    fn links_mut(&mut self, slot: u32) -> &mut Links {
        &mut self.at_mut(slot).links
    }
}

/// A connection's place in one lobby.
#[derive(Clone, Copy, Debug)]
pub(super) struct Membership {
    /// Slot of the lobby.
    pub(super) lobby: u32,
    /// Its user's entry in the lobby's list of users.
    pub(super) presence: u32,
    pub(super) ticket: Ticket,
}

/// The lobbies of a connection in the order of joining. Nearly always one, which then takes no memory of its own.
#[derive(Clone, Debug)]
pub(super) enum Memberships {
    One(Membership),
    Many(Vec<Membership>),
}

impl Memberships {
    const NONE: Self = Self::Many(Vec::new());

    pub(super) fn as_slice(&self) -> &[Membership] {
        match self {
            Self::One(only) => core::slice::from_ref(only),
            Self::Many(all) => all,
        }
    }

    pub(super) fn find(&self, lobby: u32) -> Option<&Membership> {
        self.as_slice().iter().find(|membership| membership.lobby == lobby)
    }

    pub(super) fn push(&mut self, membership: Membership) {
        match self {
            Self::Many(none) if none.is_empty() => *self = Self::One(membership),
            Self::Many(all) => all.push(membership),
            Self::One(first) => *self = Self::Many(vec![*first, membership]),
        }
    }

    /// Takes the place in this lobby out.
    pub(super) fn remove(&mut self, lobby: u32) -> Option<Membership> {
        match self {
            Self::One(only) if only.lobby == lobby => {
                let only = *only;
                *self = Self::NONE;
                Some(only)
            }
            Self::One(_) => None,
            Self::Many(all) => {
                let position = all.iter().position(|membership| membership.lobby == lobby)?;
                Some(all.remove(position))
            }
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct User {
    /// Open connections, oldest first.
    pub(super) open: List,
    pub(super) open_count: u32,
    /// Open and closing ones. The name is kept while there are any.
    pub(super) connections: u32,
    /// The one replaced connection that may still be closing.
    pub(super) replaced: Option<u32>,
}

impl User {
    pub(super) const NEW: Self = Self {
        open: List::EMPTY,
        open_count: 0,
        connections: 0,
        replaced: None,
    };
}

#[derive(Clone, Debug)]
pub(super) struct Lobby {
    pub(super) members: Roster,
    /// Entries of `Presences`, in the order of arrival.
    pub(super) users: List,
    /// How often the list of users has changed since the lobby opened.
    pub(super) revision: u64,
    /// Whether only users may enter who are in it already.
    pub(super) locked: bool,
}

impl Lobby {
    pub(super) const NEW: Self = Self {
        members: Roster::new(),
        users: List::EMPTY,
        revision: 0,
        locked: false,
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ConnId, Key};

    #[test]
    fn places_stay_in_the_order_of_joining_however_many_there_are() {
        let mut roster = Roster::new();
        let conn = ConnId::new(Key {
            index: 0,
            generation: core::num::NonZeroU32::MIN,
        });
        let mut place = |lobby| Membership {
            lobby,
            presence: 0,
            ticket: roster.push(conn),
        };
        let mut memberships = Memberships::NONE;
        let lobbies = |memberships: &Memberships| {
            memberships
                .as_slice()
                .iter()
                .map(|place| place.lobby)
                .collect::<Vec<_>>()
        };
        for lobby in [5, 3, 9] {
            memberships.push(place(lobby));
        }
        assert_eq!(lobbies(&memberships), [5, 3, 9]);
        assert!(memberships.find(3).is_some() && memberships.find(4).is_none());
        assert!(memberships.remove(5).is_some() && memberships.remove(5).is_none());
        memberships.push(place(5));
        assert_eq!(lobbies(&memberships), [3, 9, 5]);
        for lobby in [3, 9, 5] {
            assert!(memberships.remove(lobby).is_some());
        }
        assert!(lobbies(&memberships).is_empty());
        memberships.push(place(7));
        assert!(matches!(memberships, Memberships::One(_)) && memberships.remove(8).is_none());
    }
}
