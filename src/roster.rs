//! The members of one lobby, in join order, as one run of memory that a broadcast copies.

use alloc::format;
use alloc::vec::Vec;
use core::num::NonZeroU64;

use serde::{Deserialize, Serialize};

use crate::id::ConnId;
use crate::id::LobbyId;
use crate::invariant::{Invariant, Violation, ensure};
use crate::stats::MOST_COUNTED;

/// Below this capacity a run is not worth shrinking.
const KEEP: usize = 64;

/// A member's place in the join order, for as long as it stays. Never reused within a lobby. Only the order of
/// tickets shows, not the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Ticket(NonZeroU64);

/// A run of ids beside a run of ascending join tickets.
///
/// Joining is O(1). Leaving finds its ticket by binary search and leaves a hole; [`run`](Self::run), or holes over
/// half, compacts in one pass, so that leaving is O(log n) amortised and a broadcast never steps over holes.
#[derive(Clone, Debug)]
pub(crate) struct Roster {
    ids: Vec<ConnId>,
    /// Twice the ticket, plus one where the member has left: still ascending.
    tickets: Vec<u64>,
    last: u64,
    holes: usize,
}

impl Roster {
    pub(crate) const fn new() -> Self {
        Self {
            ids: Vec::new(),
            tickets: Vec::new(),
            last: 0,
            holes: 0,
        }
    }

    /// A roster that has handed out so many tickets, for members that are then [seated](Self::seat). `None` if that
    /// leaves no room for later ones.
    pub(crate) fn after(joins: u64) -> Option<Self> {
        (joins <= MOST_COUNTED).then(|| Self {
            last: joins,
            ..Self::new()
        })
    }

    /// Gives a member its place back, in a roster that nobody has left since it was restored. False if the ticket was
    /// never handed out or is not later than those of all who are seated.
    pub(crate) fn seat(&mut self, ticket: Ticket, conn: ConnId) -> bool {
        let number = ticket.0.get();
        if number > self.last || self.tickets.last().is_some_and(|before| number << 1 <= *before) {
            return false;
        }
        self.ids.push(conn);
        self.tickets.push(number << 1);
        true
    }

    /// How many tickets were handed out.
    pub(crate) const fn joins(&self) -> u64 {
        self.last
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len() - self.holes
    }

    pub(crate) fn push(&mut self, conn: ConnId) -> Ticket {
        self.last += 1;
        self.ids.push(conn);
        self.tickets.push(self.last << 1);
        Ticket(NonZeroU64::MIN.saturating_add(self.last - 1))
    }

    pub(crate) fn remove(&mut self, ticket: Ticket) {
        let Ok(position) = self.tickets.binary_search(&(ticket.0.get() << 1)) else {
            debug_assert!(false, "a ticket is handed back once");
            return;
        };
        self.tickets[position] |= 1;
        self.holes += 1;
        if self.holes * 2 > self.ids.len() {
            self.compact();
        }
    }

    /// The members without holes, in join order.
    pub(crate) fn run(&mut self) -> &[ConnId] {
        if self.holes > 0 {
            self.compact();
        }
        &self.ids
    }

    /// Where in the run a member is; O(log n). The run must have no holes, as [`run`](Self::run) leaves it.
    pub(crate) fn position(&self, ticket: Ticket) -> Option<usize> {
        debug_assert_eq!(self.holes, 0);
        self.tickets.binary_search(&(ticket.0.get() << 1)).ok()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = ConnId> {
        self.ids
            .iter()
            .zip(&self.tickets)
            .filter(|(_, ticket)| *ticket & 1 == 0)
            .map(|(&conn, _)| conn)
    }

    fn compact(&mut self) {
        let mut kept = 0;
        for from in 0..self.ids.len() {
            if self.tickets[from] & 1 == 0 {
                self.ids[kept] = self.ids[from];
                self.tickets[kept] = self.tickets[from];
                kept += 1;
            }
        }
        self.ids.truncate(kept);
        self.tickets.truncate(kept);
        self.holes = 0;
        // A lobby that was full once gives its memory back, but not so eagerly that it takes it again at once.
        if self.ids.capacity() > KEEP && kept * 4 < self.ids.capacity() {
            self.ids.shrink_to(kept * 2);
            self.tickets.shrink_to(kept * 2);
        }
    }
}

impl Roster {
    /// Who holds a ticket.
    pub(crate) fn holder(&self, ticket: Ticket) -> Option<ConnId> {
        let position = self.tickets.binary_search(&(ticket.0.get() << 1)).ok()?;
        self.ids.get(position).copied()
    }

    pub(crate) fn check(&self, lobby: LobbyId) -> Result<(), Violation> {
        let holes = self.tickets.iter().filter(|&ticket| ticket & 1 == 1).count();
        let ascends = self.tickets.is_sorted_by(|one, next| one >> 1 < next >> 1);
        let last = self.tickets.last().is_none_or(|ticket| ticket >> 1 <= self.last);
        let alike = self.ids.len() == self.tickets.len() && self.holes == holes && holes * 2 <= self.ids.len();
        ensure(ascends && last && alike, Invariant::Roster, || {
            format!("that of {lobby}: {self:?}")
        })
    }
}

#[cfg(test)]
impl Roster {
    pub(crate) fn spoil_holes(&mut self) {
        self.holes += 1;
    }

    pub(crate) fn spoil_member(&mut self, conn: ConnId) {
        self.ids[0] = conn;
    }

    pub(crate) fn spoil_order(&mut self) {
        self.tickets.swap(0, 1);
    }

    pub(crate) fn spoil_ticket(&mut self) {
        self.tickets[0] = self.tickets[1];
    }

    /// More holes than there may be, all of them counted.
    pub(crate) fn spoil_most(&mut self) {
        self.tickets.iter_mut().for_each(|ticket| *ticket |= 1);
        self.holes = self.tickets.len();
    }
}

#[cfg(test)]
mod tests {
    use core::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;
    use crate::id::Key;

    const FIRST: Key = Key {
        index: 0,
        generation: NonZeroU32::MIN,
    };

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 256 }, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn members_stay_in_join_order_whoever_leaves(steps in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>(), any::<bool>()), 0..200)) {
            let mut roster = Roster::new();
            let mut model: Vec<(Ticket, ConnId)> = Vec::new();
            for (number, (join, victim, broadcast)) in steps.into_iter().enumerate() {
                if join || model.is_empty() {
                    let index = u32::try_from(number).unwrap();
                    let conn = ConnId::new(Key { index, generation: NonZeroU32::MIN });
                    model.push((roster.push(conn), conn));
                } else {
                    let (ticket, _) = model.remove(victim.index(model.len()));
                    roster.remove(ticket);
                }
                let expected: Vec<_> = model.iter().map(|&(_, conn)| conn).collect();
                prop_assert_eq!(roster.len(), expected.len());
                prop_assert_eq!(roster.iter().collect::<Vec<_>>(), &expected[..]);
                let mut restored = Roster::after(roster.joins()).unwrap();
                prop_assert!(model.iter().all(|&(ticket, conn)| restored.seat(ticket, conn)));
                prop_assert_eq!(restored.iter().collect::<Vec<_>>(), &expected[..]);
                prop_assert_eq!(restored.clone().push(ConnId::new(FIRST)), roster.clone().push(ConnId::new(FIRST)));
                if broadcast {
                    prop_assert_eq!(roster.run(), &expected[..]);
                    for (position, &(ticket, _)) in model.iter().enumerate() {
                        prop_assert_eq!(roster.position(ticket), Some(position));
                    }
                }
            }
        }
    }

    #[test]
    fn nobody_is_seated_but_with_ascending_tickets_that_were_handed_out() {
        let seated = |tickets: [u64; 2]| {
            let mut roster = Roster::after(3).unwrap();
            tickets.map(|number| roster.seat(Ticket(NonZeroU64::new(number).unwrap()), ConnId::new(FIRST)))
        };
        assert_eq!(seated([1, 3]), [true, true]);
        assert_eq!(seated([3, 1]), [true, false]);
        assert_eq!(seated([2, 2]), [true, false]);
        assert_eq!(seated([4, u64::MAX]), [false, false]);
        assert!(Roster::after(MOST_COUNTED).is_some());
        assert!(Roster::after(MOST_COUNTED + 1).is_none());
    }

    #[test]
    fn a_run_of_which_a_third_is_left_keeps_its_memory_for_those_who_come_back() {
        let mut roster = Roster::new();
        let conn = ConnId::new(FIRST);
        let tickets: Vec<_> = (0..1_024).map(|_| roster.push(conn)).collect();
        let capacity = roster.ids.capacity();
        for ticket in &tickets[capacity / 3..] {
            roster.remove(*ticket);
        }
        assert_eq!((roster.run().len(), roster.ids.capacity()), (capacity / 3, capacity));
    }

    #[test]
    fn a_run_that_was_long_gives_its_memory_back() {
        let mut roster = Roster::new();
        let conn = ConnId::new(FIRST);
        let tickets: Vec<_> = (0..10_000).map(|_| roster.push(conn)).collect();
        for ticket in &tickets[10..] {
            roster.remove(*ticket);
        }
        assert_eq!(roster.run().len(), 10);
        for capacity in [roster.ids.capacity(), roster.tickets.capacity()] {
            assert!(
                (20..=KEEP).contains(&capacity),
                "room for as many again, and no more: {capacity}"
            );
        }
    }
}
