//! A slab with generations: the one place where an id becomes a thing.

#[cfg(any(test, feature = "testing"))]
use alloc::format;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use slab::Slab;

use crate::id::Key;
#[cfg(any(test, feature = "testing"))]
use crate::invariant::{Invariant, Violation, ensure};

/// The generation of a slot's first tenant.
const FIRST: NonZeroU32 = NonZeroU32::MIN;

/// Values by [`Key`]. Insertion, look-up and removal are O(1); a foreign key is compared, never trusted.
///
/// A slot whose generations are used up is retired, not reused, so that no key ever comes back.
#[derive(Clone, Debug)]
pub(crate) struct Slots<T> {
    slab: Slab<Slot<T>>,
    /// What the next tenant of each slot is given.
    next: Vec<NonZeroU32>,
    live: usize,
}

#[derive(Clone, Debug)]
enum Slot<T> {
    Live { generation: NonZeroU32, value: T },
    Retired,
}

impl<T> Slots<T> {
    pub(crate) const fn new() -> Self {
        Self {
            slab: Slab::new(),
            next: Vec::new(),
            live: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.live
    }

    pub(crate) fn insert(&mut self, value: T) -> Key {
        let entry = self.slab.vacant_entry();
        let position = entry.key();
        if position == self.next.len() {
            self.next.push(FIRST);
        }
        let generation = self.next[position];
        entry.insert(Slot::Live { generation, value });
        self.live += 1;
        Key {
            index: index(position),
            generation,
        }
    }

    /// The value behind a key that may be anybody's.
    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        match self.slab.get(key.index as usize)? {
            Slot::Live { generation, value } if *generation == key.generation => Some(value),
            _ => None,
        }
    }

    /// The key of the live value in one of the table's own slots.
    ///
    /// # Panics
    /// If the slot is vacant, which is a defect of the caller: this is for indices that the machine keeps itself.
    pub(crate) fn key_at(&self, index: u32) -> Key {
        match &self.slab[index as usize] {
            Slot::Live { generation, .. } => Key {
                index,
                generation: *generation,
            },
            Slot::Retired => unreachable!("an index that the machine keeps is live"),
        }
    }

    /// The value in one of the table's own slots; panics as [`key_at`](Self::key_at) does.
    pub(crate) fn at(&self, index: u32) -> &T {
        match &self.slab[index as usize] {
            Slot::Live { value, .. } => value,
            Slot::Retired => unreachable!("an index that the machine keeps is live"),
        }
    }

    /// The value in one of the table's own slots; panics as [`key_at`](Self::key_at) does.
    pub(crate) fn at_mut(&mut self, index: u32) -> &mut T {
        match &mut self.slab[index as usize] {
            Slot::Live { value, .. } => value,
            Slot::Retired => unreachable!("an index that the machine keeps is live"),
        }
    }

    /// Takes the value out of one of the table's own slots; panics as [`key_at`](Self::key_at) does.
    pub(crate) fn remove_at(&mut self, index: u32) -> T {
        let position = index as usize;
        let slot = match self.next[position].checked_add(1) {
            Some(next) => {
                self.next[position] = next;
                self.slab.remove(position)
            }
            None => core::mem::replace(&mut self.slab[position], Slot::Retired),
        };
        self.live -= 1;
        match slot {
            Slot::Live { value, .. } => value,
            Slot::Retired => unreachable!("an index that the machine keeps is live"),
        }
    }

    /// All live values in the order of their slots: O(slots).
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.slab.iter().filter_map(|(position, slot)| match slot {
            Slot::Live { generation, value } => Some((
                Key {
                    index: index(position),
                    generation: *generation,
                },
                value,
            )),
            Slot::Retired => None,
        })
    }
}

/// A slab's position as the machine keeps it. `MAX_CONNECTIONS` bounds the connections, and what they could enter
/// beyond 2^32 times would not fit into memory.
#[expect(
    clippy::cast_possible_truncation,
    reason = "tables have fewer than 2^32 slots, as said above"
)]
pub(crate) const fn index(position: usize) -> u32 {
    position as u32
}

#[cfg(any(test, feature = "testing"))]
impl<T> Slots<T> {
    /// The live value in a slot, if there is one.
    pub(crate) fn get_at(&self, index: u32) -> Option<&T> {
        match self.slab.get(index as usize)? {
            Slot::Live { value, .. } => Some(value),
            Slot::Retired => None,
        }
    }

    pub(crate) fn check(&self) -> Result<(), Violation> {
        let live = self.iter().count();
        ensure(self.live == live, Invariant::SlotCount, || {
            format!("{} counted, {live} live", self.live)
        })?;
        for (position, slot) in &self.slab {
            let last = match slot {
                Slot::Live { generation, .. } => Some(*generation),
                Slot::Retired => Some(NonZeroU32::MAX),
            };
            let next = self.next.get(position).copied();
            ensure(next == last, Invariant::Generations, || {
                format!("slot {position} has {last:?}, and its next tenant is said to follow {next:?}")
            })?;
        }
        let vacant = self.slab.vacant_key();
        ensure(vacant <= self.next.len(), Invariant::Generations, || {
            format!("slot {vacant} is free and has no generation")
        })
    }
}

#[cfg(test)]
impl<T> Slots<T> {
    pub(crate) fn spoil_count(&mut self) {
        self.live += 1;
    }

    pub(crate) fn spoil_generation(&mut self, index: u32) {
        self.next[index as usize] = NonZeroU32::MAX;
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn a_slot_whose_generations_are_used_up_is_retired() {
        let mut slots = Slots::new();
        let first = slots.insert('a');
        slots.remove_at(first.index);
        slots.next[first.index as usize] = NonZeroU32::MAX;
        let last = slots.insert('b');
        assert_eq!((last.index, last.generation), (first.index, NonZeroU32::MAX));
        assert_eq!(slots.remove_at(last.index), 'b');
        let other = slots.insert('c');
        assert_ne!(other.index, first.index);
        assert_eq!(slots.get(last), None);
        assert_eq!(slots.len(), 1);
        assert_eq!(
            slots.iter().map(|(key, value)| (key, *value)).collect::<Vec<_>>(),
            [(other, 'c')]
        );
    }
}
