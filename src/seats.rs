//! Seats that are reserved for connections that are not there yet, and how many there are of whom, where and from where.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use crate::clock::Active;
use crate::id::{Key, ReservationId};
use crate::invariant::{Invariant, Violation, ensure};
use crate::list::{Linked, Links, List};
use crate::names::{HashKey, Names};
use crate::slot_heap::SlotHeap;
use crate::slots::{self, Misplaced, Slots};
use crate::source::Source;
use crate::sources::Sources;

/// No seat: a table has fewer than 2^32 of them.
const NONE: u32 = u32::MAX;

#[derive(Clone, Debug)]
pub(crate) struct Seat {
    /// Entry of the user whom it is for, and of the lobby where it is.
    user: u32,
    lobby: u32,
    pub(crate) claim: Option<Claim>,
    /// How many pauses of the server there had been when its time was set.
    pub(crate) pauses: u32,
    /// Of its user's list.
    links: Links,
}

/// A reserved seat is shared with the open connection that is to give way to its holder, wherever both would sit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Slot of the connection.
    pub(crate) victim: u32,
    /// Whether that is in the lobby of the seat, ...
    pub(crate) in_lobby: bool,
    /// ... and from its source.
    pub(crate) from_source: bool,
}

/// A user with at least one seat.
#[derive(Clone, Debug)]
struct Holder {
    /// Oldest first.
    list: List,
    count: Count,
}

/// Of one user or lobby: seats, and how many of them are shared with a connection that counts there, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    seats: u32,
    shared: u32,
}

/// All reserved seats. Takes no memory until the first; all operations are O(1) but for the heap, which is O(log n).
#[derive(Clone, Debug)]
pub(crate) struct Seats {
    held: Slots<Seat>,
    users: Names<Holder>,
    lobbies: Names<Count>,
    /// By slot of a seat: where its holder comes from, and the same of those seats that are shared with a connection
    /// from there.
    sources: Sources,
    shared_sources: Sources,
    /// By slot of a connection, the seat that has a claim on it.
    claims: Vec<u32>,
    deadlines: SlotHeap<Active>,
    /// Seats with a claim.
    claimed: u32,
}

impl Linked for Slots<Seat> {
    fn links(&self, slot: u32) -> Links {
        self.at(slot).links
    }

    fn links_mut(&mut self, slot: u32) -> &mut Links {
        &mut self.at_mut(slot).links
    }
}

impl Seats {
    pub(crate) const fn new(hash_key: HashKey) -> Self {
        Self {
            held: Slots::new(),
            users: Names::new(hash_key),
            lobbies: Names::new(hash_key),
            sources: Sources::new(hash_key),
            shared_sources: Sources::new(hash_key),
            claims: Vec::new(),
            deadlines: SlotHeap::new(),
            claimed: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    /// Asked before anything else, so that who never reserves pays for nothing more.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those that count: not the ones that are shared.
    pub(crate) fn taken(&self) -> u32 {
        slots::index(self.len()) - self.claimed
    }

    /// How many seats of a user, in a lobby or from a source count beside the connections there.
    pub(crate) fn of_user(&self, name: &str) -> u32 {
        self.holder(name).map_or(0, |user| self.users.at(user).count.own())
    }

    pub(crate) fn in_lobby(&self, name: &str) -> u32 {
        if self.is_empty() {
            return 0;
        }
        let lobby = self.lobbies.find(name);
        lobby.map_or(0, |lobby| self.lobbies.at(lobby).own())
    }

    pub(crate) fn of_source(&self, source: Source) -> u32 {
        if self.is_empty() {
            return 0;
        }
        self.sources.count(source) - self.shared_sources.count(source)
    }

    /// A user's oldest seat.
    pub(crate) fn first_of(&self, name: &str) -> Option<u32> {
        self.holder(name).and_then(|user| self.users.at(user).list.first())
    }

    /// A user's entry, if there is one. No name is hashed if nobody has a seat.
    fn holder(&self, name: &str) -> Option<u32> {
        if self.is_empty() { None } else { self.users.find(name) }
    }

    /// The seat with an id that may be anybody's.
    pub(crate) fn get(&self, id: ReservationId) -> Option<u32> {
        self.held.get(id.key()).map(|_| id.index())
    }

    pub(crate) fn id_at(&self, slot: u32) -> ReservationId {
        ReservationId::new(self.held.key_at(slot))
    }

    pub(crate) fn at(&self, slot: u32) -> &Seat {
        self.held.at(slot)
    }

    pub(crate) fn user_at(&self, slot: u32) -> &str {
        self.users.name_at(self.at(slot).user)
    }

    pub(crate) fn lobby_at(&self, slot: u32) -> &str {
        self.lobbies.name_at(self.at(slot).lobby)
    }

    pub(crate) fn source_at(&self, slot: u32) -> Option<Source> {
        self.sources.of(slot)
    }

    /// When the first of them is given up, and which it is.
    pub(crate) fn peek(&self) -> Option<(Active, u32)> {
        self.deadlines.peek()
    }

    /// Whichever comes first: the instant when one of them is given up, or another one.
    #[cold]
    pub(crate) fn earliest_due(&self, other: Option<Active>) -> Option<Active> {
        let given_up = self.peek().map(|(due, _)| due);
        other.into_iter().chain(given_up).min()
    }

    pub(crate) fn due_at(&self, slot: u32) -> Option<Active> {
        self.deadlines.get(slot)
    }

    /// The seat that has a claim on a connection.
    pub(crate) fn claim_on(&self, conn: u32) -> Option<u32> {
        self.claims.get(conn as usize).copied().filter(|&seat| seat != NONE)
    }

    /// `due` is when it is given up, which was set after so many pauses.
    pub(crate) fn insert(
        &mut self,
        lobby: &str,
        user: &str,
        source: Option<Source>,
        due: Option<Active>,
        pauses: u32,
    ) -> Key {
        let seat = self.seat(lobby, user, pauses);
        let key = self.held.insert(seat);
        self.enlist(key.index, source, due);
        key
    }

    /// A seat that lies in no slot yet. Its user and its lobby have entries from now on.
    fn seat(&mut self, lobby: &str, user: &str, pauses: u32) -> Seat {
        let (known_user, known_lobby) = (self.users.find(user), self.lobbies.find(lobby));
        Seat {
            user: known_user.unwrap_or_else(|| self.users.insert(user, Holder::NEW).index),
            lobby: known_lobby.unwrap_or_else(|| self.lobbies.insert(lobby, Count::default()).index),
            claim: None,
            pauses,
            links: Links::UNLINKED,
        }
    }

    /// Counts a seat that lies in its slot already.
    fn enlist(&mut self, slot: u32, source: Option<Source>, due: Option<Active>) {
        let &Seat { user, lobby, .. } = self.at(slot);
        let holder = self.users.at_mut(user);
        holder.count.seats += 1;
        holder.list.push_back(&mut self.held, slot);
        self.lobbies.at_mut(lobby).seats += 1;
        if let Some(source) = source {
            self.sources.enter(slot, source);
        }
        self.deadlines.set(slot, due);
    }

    /// Sets its time anew.
    pub(crate) fn prolong(&mut self, slot: u32, due: Option<Active>, pauses: u32) {
        self.held.at_mut(slot).pauses = pauses;
        self.deadlines.set(slot, due);
    }

    /// A connection that nobody has a claim on yet is to give way to the holder of a seat that has none.
    pub(crate) fn claim(&mut self, slot: u32, claim: Claim) {
        debug_assert!(self.at(slot).claim.is_none() && self.claim_on(claim.victim).is_none());
        *slots::entry(&mut self.claims, claim.victim, NONE) = slot;
        self.claimed += 1;
        let seat = self.held.at_mut(slot);
        seat.claim = Some(claim);
        self.users.at_mut(seat.user).count.shared += 1;
        self.lobbies.at_mut(seat.lobby).shared += u32::from(claim.in_lobby);
        if claim.from_source
            && let Some(source) = self.sources.of(slot)
        {
            self.shared_sources.enter(slot, source);
        }
    }

    /// The seat is shared no more: its connection is going, or is left in peace.
    pub(crate) fn unclaim(&mut self, slot: u32) {
        let seat = self.held.at_mut(slot);
        let Some(claim) = seat.claim.take() else {
            return;
        };
        self.claims[claim.victim as usize] = NONE;
        self.claimed -= 1;
        self.users.at_mut(seat.user).count.shared -= 1;
        self.lobbies.at_mut(seat.lobby).shared -= u32::from(claim.in_lobby);
        self.shared_sources.leave(slot);
    }

    /// A connection that somebody may have a claim on has entered or left a lobby.
    pub(crate) fn moved(&mut self, conn: u32, lobby: &str, is_there: bool) {
        if self.is_empty() {
            return;
        }
        let Some(slot) = self.claim_on(conn) else {
            return;
        };
        let seat = self.held.at_mut(slot);
        if let Some(claim) = &mut seat.claim
            && self.lobbies.name_at(seat.lobby) == lobby
        {
            claim.in_lobby = is_there;
            let count = self.lobbies.at_mut(seat.lobby);
            count.shared = if is_there { count.shared + 1 } else { count.shared - 1 };
        }
    }

    pub(crate) fn remove(&mut self, slot: u32) {
        self.unclaim(slot);
        self.sources.leave(slot);
        self.deadlines.set(slot, None);
        let &Seat { user, lobby, .. } = self.at(slot);
        let holder = self.users.at_mut(user);
        holder.list.remove(&mut self.held, slot);
        holder.count.seats -= 1;
        if holder.count.seats == 0 {
            self.users.remove(user);
        }
        let count = self.lobbies.at_mut(lobby);
        count.seats -= 1;
        if count.seats == 0 {
            self.lobbies.remove(lobby);
        }
        self.held.remove_at(slot);
    }
}

impl Holder {
    const NEW: Self = Self {
        list: List::EMPTY,
        count: Count { seats: 0, shared: 0 },
    };
}

impl Count {
    const fn own(self) -> u32 {
        self.seats - self.shared
    }
}

/// A seat as it is saved, without its claim.
pub(crate) struct Restored<'a> {
    pub(crate) key: Key,
    pub(crate) lobby: &'a str,
    pub(crate) user: &'a str,
    pub(crate) source: Option<Source>,
    pub(crate) due: Option<Active>,
    pub(crate) pauses: u32,
}

/// For snapshots.
impl Seats {
    /// The table with these seats, those of a user oldest first; for the others see [`Slots::restore`]. Claims are still
    /// to be made.
    pub(crate) fn restore(
        seats: &[Restored<'_>],
        free: &[Key],
        retired: &[u32],
        hash_key: HashKey,
    ) -> Result<Self, Misplaced> {
        let mut table = Self::new(hash_key);
        let mut live = Vec::with_capacity(seats.len());
        for seat in seats {
            live.push((seat.key, table.seat(seat.lobby, seat.user, seat.pauses)));
        }
        table.held = Slots::restore(live, free, retired)?;
        for seat in seats {
            table.enlist(seat.key.index, seat.source, seat.due);
        }
        Ok(table)
    }

    /// The ids of the next seats; see [`Slots::free`].
    pub(crate) fn free(&self) -> impl Iterator<Item = ReservationId> {
        self.held.free().map(ReservationId::new)
    }

    /// The slots that will never be used again; see [`Slots::retired`].
    pub(crate) fn retired(&self) -> impl Iterator<Item = u32> {
        self.held.retired()
    }

    /// The users with their seats, oldest first, in no order of their own.
    pub(crate) fn by_user(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = u32>)> {
        self.users
            .iter()
            .map(|(_, name, holder)| (name, holder.list.iter(&self.held)))
    }
}

/// For the invariants.
impl Seats {
    pub(crate) fn slots(&self) -> impl Iterator<Item = u32> {
        self.held.iter().map(|(key, _)| key.index)
    }

    /// The users who have seats.
    pub(crate) fn users(&self) -> impl Iterator<Item = &str> {
        self.users.iter().map(|(_, name, _)| name)
    }

    /// The lobbies in which there are seats.
    pub(crate) fn lobbies(&self) -> impl Iterator<Item = &str> {
        self.lobbies.iter().map(|(_, name, _)| name)
    }

    /// Where there are seats from.
    pub(crate) fn sources(&self) -> impl Iterator<Item = Source> {
        self.sources.iter().map(|(source, _)| source)
    }

    /// Whether the table agrees with itself. What it says of connections is for those to check who know them.
    pub(crate) fn check(&self, longest: usize) -> Result<(), Violation> {
        self.held.check()?;
        self.users.check(longest)?;
        self.lobbies.check(longest)?;
        self.sources.check()?;
        self.shared_sources.check()?;
        self.deadlines.check()?;
        let (mut users, mut lobbies) = (BTreeMap::<u32, Count>::new(), BTreeMap::<u32, Count>::new());
        let mut claimed = 0;
        for (key, seat) in self.held.iter() {
            let there = self.users.get_at(seat.user).is_some() && self.lobbies.get_at(seat.lobby).is_some();
            ensure(there, Invariant::References, || {
                format!("{} refers to what is not there", ReservationId::new(key))
            })?;
            let (user, lobby) = (
                users.entry(seat.user).or_default(),
                lobbies.entry(seat.lobby).or_default(),
            );
            (user.seats, lobby.seats) = (user.seats + 1, lobby.seats + 1);
            if let Some(claim) = seat.claim {
                user.shared += 1;
                lobby.shared += u32::from(claim.in_lobby);
                claimed += 1;
            }
            self.check_claim(key, seat)?;
        }
        let claims = self.claims.iter().filter(|&&seat| seat != NONE).count();
        ensure(
            self.claimed as usize == claims && claims == claimed,
            Invariant::Claims,
            || format!("{} counted, {claimed} found, {claims} known", self.claimed),
        )?;
        self.check_counts(&users, &lobbies)
    }

    fn check_claim(&self, key: Key, seat: &Seat) -> Result<(), Violation> {
        let slot = key.index;
        let known = seat.claim.is_none_or(|claim| self.claim_on(claim.victim) == Some(slot));
        let shared = seat
            .claim
            .filter(|claim| claim.from_source)
            .and_then(|_| self.sources.of(slot));
        ensure(
            known && self.shared_sources.of(slot) == shared,
            Invariant::Claims,
            || format!("{}: {seat:?}", ReservationId::new(key)),
        )
    }

    fn check_counts(&self, users: &BTreeMap<u32, Count>, lobbies: &BTreeMap<u32, Count>) -> Result<(), Violation> {
        for (key, name, holder) in self.users.iter() {
            let found = users.get(&key.index).copied().unwrap_or_default();
            let listed = holder.list.walk(|slot| {
                let seat = self.held.get_at(slot)?;
                (seat.user == key.index).then_some(seat.links)
            });
            let whole = listed
                .as_ref()
                .is_some_and(|listed| listed.len() == found.seats as usize);
            ensure(
                holder.count == found && found.seats > 0 && whole,
                Invariant::Seats,
                || {
                    format!(
                        "of {name:?} {:?} counted, {found:?} found, {listed:?} listed",
                        holder.count
                    )
                },
            )?;
        }
        for (key, name, &count) in self.lobbies.iter() {
            let found = lobbies.get(&key.index).copied().unwrap_or_default();
            ensure(count == found && found.seats > 0, Invariant::Seats, || {
                format!("in {name:?} {count:?} counted, {found:?} found")
            })?;
        }
        let known = |slot: u32| self.held.get_at(slot).is_some();
        let strays = self.sources.slots().chain(self.shared_sources.slots());
        let stray = strays.chain(self.deadlines.slots()).find(|&slot| !known(slot));
        ensure(stray.is_none(), Invariant::Seats, || {
            format!("slot {stray:?} is nobody's")
        })
    }
}

#[cfg(test)]
impl Seats {
    pub(crate) fn spoil_slots(&mut self) {
        self.held.spoil_count();
    }

    pub(crate) fn spoil_user(&mut self, slot: u32) {
        self.held.at_mut(slot).user = NONE;
    }

    pub(crate) fn spoil_user_name(&mut self, slot: u32) {
        let user = self.at(slot).user;
        self.users.spoil_name(user, "zoe");
    }

    pub(crate) fn spoil_lobby_name(&mut self, slot: u32) {
        let lobby = self.at(slot).lobby;
        self.lobbies.spoil_name(lobby, "zoo");
    }

    pub(crate) fn spoil_user_count(&mut self, slot: u32) {
        let user = self.at(slot).user;
        self.users.at_mut(user).count.seats += 1;
    }

    pub(crate) fn spoil_lobby_count(&mut self, slot: u32) {
        let lobby = self.at(slot).lobby;
        self.lobbies.at_mut(lobby).shared += 1;
    }

    pub(crate) fn spoil_list(&mut self, slot: u32) {
        let user = self.at(slot).user;
        self.users.at_mut(user).list = List::EMPTY;
    }

    pub(crate) fn spoil_holder(&mut self) {
        self.users.insert("nobody", Holder::NEW);
    }

    pub(crate) fn spoil_lobby(&mut self) {
        self.lobbies.insert("nowhere", Count::default());
    }

    pub(crate) fn spoil_source(&mut self) {
        self.sources.spoil_table();
    }

    pub(crate) fn spoil_stray(&mut self, slot: u32, source: Source) {
        self.sources.enter(slot, source);
    }

    pub(crate) fn spoil_claims(&mut self, slot: u32) {
        if let Some(claim) = self.at(slot).claim {
            self.claims[claim.victim as usize] = NONE;
        }
    }

    pub(crate) fn spoil_claimed(&mut self) {
        self.claimed += 1;
    }

    pub(crate) fn spoil_shared_source(&mut self, slot: u32) {
        self.shared_sources.leave(slot);
    }

    pub(crate) fn set_due(&mut self, slot: u32, due: Option<Active>) {
        self.deadlines.set(slot, due);
    }

    pub(crate) fn spoil_order(&mut self) {
        self.deadlines.spoil_order(Active::LAST);
    }
}
