//! A slab with generations: the one place where an id becomes a thing.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use crate::id::Key;
use crate::invariant::{Invariant, Violation, ensure};

/// The generation of a slot's first tenant.
const FIRST: NonZeroU32 = NonZeroU32::MIN;

/// No slot: tables have fewer than 2^32 slots.
const NONE: u32 = u32::MAX;

/// Values by [`Key`]. Insertion, look-up and removal are O(1); a foreign key is compared, never trusted.
///
/// A slot whose generations are used up is retired, not reused, so that no key ever comes back. The latest slot to be
/// freed is the first to be taken; that order decides which ids come next, so it can be [read](Self::free) and
/// [restored](Self::restore), which the crate `slab` has no door for.
#[derive(Clone, Debug)]
pub(crate) struct Slots<T> {
    entries: Vec<Slot<T>>,
    /// The free slot that is taken next, or `NONE`.
    first_free: u32,
    live: usize,
}

#[derive(Clone, Debug)]
enum Slot<T> {
    Live {
        generation: NonZeroU32,
        value: T,
    },
    Free {
        /// What the next tenant is given.
        generation: NonZeroU32,
        /// The free slot that is taken after this one, or `NONE`.
        next: u32,
    },
    Retired,
}

/// An index that several things claim, or that lies beyond the number of slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Misplaced(pub(crate) u32);

impl<T> Slots<T> {
    pub(crate) const fn new() -> Self {
        Self {
            entries: Vec::new(),
            first_free: NONE,
            live: 0,
        }
    }

    /// The table with these live values, these free slots in the order in which they are to be taken, each with the key
    /// of its next tenant, and these retired slots. All indices below their number must be there, each once; that is
    /// known before memory is taken for the slots.
    pub(crate) fn restore(live: Vec<(Key, T)>, free: &[Key], retired: &[u32]) -> Result<Self, Misplaced> {
        let count = live.len() + free.len() + retired.len();
        let mut taken = vec![false; count];
        let indices = live.iter().map(|(key, _)| key.index);
        for index in indices
            .chain(free.iter().map(|key| key.index))
            .chain(retired.iter().copied())
        {
            match taken.get_mut(index as usize) {
                Some(taken) if !*taken && index != NONE => *taken = true,
                _ => return Err(Misplaced(index)),
            }
        }
        let mut table = Self {
            entries: (0..count).map(|_| Slot::Retired).collect(),
            first_free: NONE,
            live: live.len(),
        };
        for &Key { index, generation } in free.iter().rev() {
            let next = core::mem::replace(&mut table.first_free, index);
            table.entries[index as usize] = Slot::Free { generation, next };
        }
        for (Key { index, generation }, value) in live {
            table.entries[index as usize] = Slot::Live { generation, value };
        }
        Ok(table)
    }

    pub(crate) fn len(&self) -> usize {
        self.live
    }

    pub(crate) fn insert(&mut self, value: T) -> Key {
        self.live += 1;
        if let Some(slot) = self.entries.get_mut(self.first_free as usize) {
            let Slot::Free { generation, next } = *slot else {
                unreachable!("the list of the free holds nobody else")
            };
            *slot = Slot::Live { generation, value };
            let index = core::mem::replace(&mut self.first_free, next);
            return Key { index, generation };
        }
        let key = Key {
            index: index(self.entries.len()),
            generation: FIRST,
        };
        self.entries.push(Slot::Live {
            generation: FIRST,
            value,
        });
        key
    }

    /// The value behind a key that may be anybody's.
    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        match self.entries.get(key.index as usize)? {
            Slot::Live { generation, value } if *generation == key.generation => Some(value),
            _ => None,
        }
    }

    /// The key of the live value in one of the table's own slots.
    ///
    /// # Panics
    /// If the slot is vacant, which is a defect of the caller: this is for indices that the machine keeps itself.
    pub(crate) fn key_at(&self, index: u32) -> Key {
        match &self.entries[index as usize] {
            Slot::Live { generation, .. } => Key {
                index,
                generation: *generation,
            },
            _ => unreachable!("an index that the machine keeps is live"),
        }
    }

    /// The value in one of the table's own slots; panics as [`key_at`](Self::key_at) does.
    pub(crate) fn at(&self, index: u32) -> &T {
        match &self.entries[index as usize] {
            Slot::Live { value, .. } => value,
            _ => unreachable!("an index that the machine keeps is live"),
        }
    }

    /// The value in one of the table's own slots; panics as [`key_at`](Self::key_at) does.
    pub(crate) fn at_mut(&mut self, index: u32) -> &mut T {
        match &mut self.entries[index as usize] {
            Slot::Live { value, .. } => value,
            _ => unreachable!("an index that the machine keeps is live"),
        }
    }

    /// Takes the value out of one of the table's own slots; panics as [`key_at`](Self::key_at) does.
    pub(crate) fn remove_at(&mut self, index: u32) -> T {
        let slot = &mut self.entries[index as usize];
        let Slot::Live { generation, value } = core::mem::replace(slot, Slot::Retired) else {
            unreachable!("an index that the machine keeps is live")
        };
        if let Some(generation) = generation.checked_add(1) {
            let next = core::mem::replace(&mut self.first_free, index);
            *slot = Slot::Free { generation, next };
        }
        self.live -= 1;
        value
    }

    /// All live values in the order of their slots: O(slots).
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.entries
            .iter()
            .enumerate()
            .filter_map(|(position, slot)| match slot {
                Slot::Live { generation, value } => Some((
                    Key {
                        index: index(position),
                        generation: *generation,
                    },
                    value,
                )),
                _ => None,
            })
    }

    /// The keys that the next insertions will return, as far as there are free slots for them, in their order.
    pub(crate) fn free(&self) -> impl Iterator<Item = Key> {
        let mut first = self.first_free;
        core::iter::from_fn(move || match self.entries.get(first as usize)? {
            Slot::Free { generation, next } => Some(Key {
                index: core::mem::replace(&mut first, *next),
                generation: *generation,
            }),
            _ => None,
        })
    }

    /// The slots that will never be used again, in their order: O(slots).
    pub(crate) fn retired(&self) -> impl Iterator<Item = u32> {
        let retired = |(_, slot): &(usize, &Slot<T>)| matches!(slot, Slot::Retired);
        self.entries
            .iter()
            .enumerate()
            .filter(retired)
            .map(|(position, _)| index(position))
    }
}

/// The entry of a slot in a table beside the slots, which becomes long enough for it.
pub(crate) fn entry<T: Clone>(table: &mut Vec<T>, slot: u32, nothing: T) -> &mut T {
    let slot = slot as usize;
    if slot >= table.len() {
        table.resize(slot + 1, nothing);
    }
    &mut table[slot]
}

/// A table's position as the machine keeps it. `MAX_CONNECTIONS` bounds the connections, and what they could enter
/// beyond 2^32 times would not fit into memory.
#[expect(
    clippy::cast_possible_truncation,
    reason = "tables have fewer than 2^32 slots, as said above"
)]
pub(crate) const fn index(position: usize) -> u32 {
    position as u32
}

impl<T> Slots<T> {
    /// The live value in a slot, if there is one.
    pub(crate) fn get_at(&self, index: u32) -> Option<&T> {
        match self.entries.get(index as usize)? {
            Slot::Live { value, .. } => Some(value),
            Slot::Free { .. } | Slot::Retired => None,
        }
    }

    pub(crate) fn check(&self) -> Result<(), Violation> {
        let live = self.iter().count();
        ensure(self.live == live, Invariant::SlotCount, || {
            format!("{} counted, {live} live", self.live)
        })?;
        let free = |slot: &&Slot<T>| matches!(slot, Slot::Free { .. });
        let free = self.entries.iter().filter(free).count();
        // A list that comes back to itself is longer than it can be.
        let listed = self.free().take(free + 1).count();
        ensure(listed == free, Invariant::FreeSlots, || {
            format!("{free} free, {listed} or more listed")
        })
    }
}

#[cfg(test)]
impl<T> Slots<T> {
    pub(crate) fn spoil_count(&mut self) {
        self.live += 1;
    }

    pub(crate) fn spoil_free_list(&mut self) {
        self.first_free = NONE;
    }

    pub(crate) fn spoil_free_list_into_a_ring(&mut self) {
        let first = self.first_free;
        if let Some(Slot::Free { next, .. }) = self.entries.get_mut(first as usize) {
            *next = first;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_is_never_given_twice_and_a_stale_one_finds_nothing() {
        let mut slots = Slots::new();
        let first = slots.insert('a');
        assert_eq!(slots.remove_at(first.index), 'a');
        let second = slots.insert('b');
        assert_eq!(first.index, second.index);
        assert_eq!(slots.get(first), None);
        assert_eq!(slots.get(second), Some(&'b'));
        assert_eq!(slots.len(), 1);
    }

    fn key(index: u32, generation: u32) -> Key {
        Key {
            index,
            generation: NonZeroU32::new(generation).unwrap(),
        }
    }

    /// A table like this one, by the doors that a snapshot uses.
    fn again<T: Clone>(slots: &Slots<T>) -> Slots<T> {
        let live = slots.iter().map(|(key, value)| (key, value.clone())).collect();
        let (free, retired): (Vec<_>, Vec<_>) = (slots.free().collect(), slots.retired().collect());
        Slots::restore(live, &free, &retired).unwrap()
    }

    #[test]
    fn a_slot_whose_generations_are_used_up_is_retired_and_stays_so_in_a_restored_table() {
        let mut slots = Slots::restore(Vec::new(), &[key(0, u32::MAX)], &[]).unwrap();
        let last = slots.insert('b');
        assert_eq!(last, key(0, u32::MAX));
        assert_eq!(slots.remove_at(last.index), 'b');
        for mut slots in [again(&slots), slots] {
            let other = slots.insert('c');
            assert_eq!(other, key(1, 1));
            assert_eq!(slots.get(last), None);
            assert_eq!(slots.len(), 1);
            assert_eq!(
                slots.iter().map(|(key, value)| (key, *value)).collect::<Vec<_>>(),
                [(other, 'c')]
            );
            assert_eq!(slots.retired().collect::<Vec<_>>(), [0]);
        }
    }

    #[test]
    fn an_index_that_is_claimed_twice_or_lies_beyond_the_number_of_slots_is_refused() {
        let restore = |live: &[Key], free: &[Key], retired: &[u32]| {
            let live = live.iter().map(|&key| (key, ())).collect();
            Slots::restore(live, free, retired).map(drop)
        };
        assert_eq!(restore(&[key(1, 1)], &[key(2, 1)], &[0]), Ok(()));
        assert_eq!(restore(&[key(1, 1), key(1, 2)], &[], &[]), Err(Misplaced(1)));
        assert_eq!(restore(&[key(0, 1)], &[key(0, 2)], &[]), Err(Misplaced(0)));
        assert_eq!(restore(&[key(0, 1)], &[], &[0]), Err(Misplaced(0)));
        assert_eq!(restore(&[], &[], &[0, 2]), Err(Misplaced(2)));
        assert_eq!(restore(&[], &[key(u32::MAX, 1)], &[]), Err(Misplaced(u32::MAX)));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 256 }, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_restored_table_gives_the_keys_that_the_first_would_have_given(
            steps in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 0..60),
            later in 1_usize..40,
        ) {
            let mut slots = Slots::new();
            let mut keys = Vec::new();
            for (number, (add, victim)) in steps.into_iter().enumerate() {
                if add || keys.is_empty() {
                    keys.push(slots.insert(number));
                } else {
                    slots.remove_at(keys.swap_remove(victim.index(keys.len())).index);
                }
            }
            let mut restored = again(&slots);
            prop_assert_eq!(restored.len(), keys.len());
            prop_assert!(keys.iter().all(|&key| restored.get(key) == slots.get(key)));
            let foretold: Vec<_> = slots.free().collect();
            let given: Vec<_> = (0..later).map(|number| slots.insert(number)).collect();
            prop_assert!(given.iter().zip(&foretold).all(|(given, foretold)| given == foretold));
            prop_assert_eq!((0..later).map(|number| restored.insert(number)).collect::<Vec<_>>(), given);
        }
    }
}
