//! Named things: each name is stored once, and found by a keyed hash because names come from strangers.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

use crate::id::Key;
use crate::invariant::{Invariant, Violation, ensure};
use crate::slots::{Misplaced, Slots};

/// The key of every hash table. It decides how well a flood of chosen names is withstood, and nothing that anybody can
/// see.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HashKey(pub(crate) [u64; 2]);

impl HashKey {
    pub(crate) fn hash(self, bytes: &[u8]) -> u64 {
        SipHasher13::new_with_keys(self.0[0], self.0[1]).hash(bytes)
    }
}

#[derive(Clone, Debug)]
struct Named<T> {
    name: Box<str>,
    value: T,
}

/// Why a table cannot be what it is said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unrestorable {
    Misplaced(Misplaced),
    /// The thing with this key has the name of another.
    Namesake(Key),
}

/// Things by name and by key. All operations are O(1) in the number of things, O(length) in the name.
#[derive(Clone, Debug)]
pub(crate) struct Names<T> {
    things: Slots<Named<T>>,
    /// Slots, hashed by their names. Never iterated.
    by_name: HashTable<u32>,
    hash_key: HashKey,
}

impl<T> Names<T> {
    pub(crate) const fn new(hash_key: HashKey) -> Self {
        Self {
            things: Slots::new(),
            by_name: HashTable::new(),
            hash_key,
        }
    }

    /// The table with these things; see [`Slots::restore`].
    pub(crate) fn restore(
        things: Vec<(Key, Box<str>, T)>,
        free: &[Key],
        retired: &[u32],
        hash_key: HashKey,
    ) -> Result<Self, Unrestorable> {
        let things = things
            .into_iter()
            .map(|(key, name, value)| (key, Named { name, value }));
        let things = Slots::restore(things.collect(), free, retired).map_err(Unrestorable::Misplaced)?;
        let mut names = Self {
            by_name: HashTable::with_capacity(things.len()),
            things,
            hash_key,
        };
        let Self { things, by_name, .. } = &mut names;
        for (key, Named { name, .. }) in things.iter() {
            // Looked up first: equal names would otherwise be a chain that grows with each of them.
            let hash = hash_key.hash(name.as_bytes());
            if by_name.find(hash, |&slot| things.at(slot).name == *name).is_some() {
                return Err(Unrestorable::Namesake(key));
            }
            by_name.insert_unique(hash, key.index, |&slot| hash_key.hash(things.at(slot).name.as_bytes()));
        }
        Ok(names)
    }

    /// The keys of the next things; see [`Slots::free`].
    pub(crate) fn free(&self) -> impl Iterator<Item = Key> {
        self.things.free()
    }

    /// The slots that will never be used again; see [`Slots::retired`].
    pub(crate) fn retired(&self) -> impl Iterator<Item = u32> {
        self.things.retired()
    }

    pub(crate) fn len(&self) -> usize {
        self.things.len()
    }

    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        let hash = self.hash_key.hash(name.as_bytes());
        self.by_name
            .find(hash, |&slot| &*self.things.at(slot).name == name)
            .copied()
    }

    /// Adds a thing under a name that none has yet.
    pub(crate) fn insert(&mut self, name: &str, value: T) -> Key {
        debug_assert!(self.find(name).is_none(), "a name is stored once");
        let key = self.things.insert(Named {
            name: name.into(),
            value,
        });
        let Self {
            things,
            by_name,
            hash_key,
        } = self;
        by_name.insert_unique(hash_key.hash(name.as_bytes()), key.index, |&slot| {
            hash_key.hash(things.at(slot).name.as_bytes())
        });
        key
    }

    pub(crate) fn remove(&mut self, slot: u32) {
        let named = self.things.remove_at(slot);
        let hash = self.hash_key.hash(named.name.as_bytes());
        if let Ok(entry) = self.by_name.find_entry(hash, |&found| found == slot) {
            entry.remove();
        }
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        self.things.get(key).map(|named| &named.value)
    }

    pub(crate) fn key_at(&self, slot: u32) -> Key {
        self.things.key_at(slot)
    }

    pub(crate) fn name_at(&self, slot: u32) -> &str {
        &self.things.at(slot).name
    }

    pub(crate) fn at(&self, slot: u32) -> &T {
        &self.things.at(slot).value
    }

    pub(crate) fn at_mut(&mut self, slot: u32) -> &mut T {
        &mut self.things.at_mut(slot).value
    }

    /// In the order of the slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &str, &T)> {
        self.things.iter().map(|(key, named)| (key, &*named.name, &named.value))
    }
}

impl<T> Names<T> {
    /// The thing in a slot, if there is one.
    pub(crate) fn get_at(&self, slot: u32) -> Option<&T> {
        self.things.get_at(slot).map(|named| &named.value)
    }

    pub(crate) fn check(&self, longest: usize) -> Result<(), Violation> {
        self.things.check()?;
        for (key, name, _) in self.iter() {
            ensure((1..=longest).contains(&name.len()), Invariant::NameLength, || {
                format!("{name:?}")
            })?;
            let hash = self.hash_key.hash(name.as_bytes());
            let is_it = |&slot: &u32| self.things.get_at(slot).is_some_and(|named| &*named.name == name);
            let found = self.by_name.find(hash, is_it).copied();
            ensure(found == Some(key.index), Invariant::NameTable, || {
                format!("{name:?} lies in slot {} and is found in {found:?}", key.index)
            })?;
        }
        let (found, kept) = (self.by_name.len(), self.things.len());
        ensure(found == kept, Invariant::NameTable, || {
            format!("{found} to be found, {kept} kept")
        })
    }
}

#[cfg(test)]
impl<T> Names<T> {
    pub(crate) fn spoil_count(&mut self) {
        self.things.spoil_count();
    }

    pub(crate) fn spoil_name(&mut self, slot: u32, name: &str) {
        self.things.at_mut(slot).name = name.into();
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn a_name_is_found_while_it_is_there_under_any_key() {
        for key in [[0, 0], [1, u64::MAX]] {
            let mut names = Names::new(HashKey(key));
            for number in 0..100_u32 {
                let inserted = names.insert(&format!("name {number}"), number);
                assert_eq!(names.find(&format!("name {number}")), Some(inserted.index));
            }
            for number in (0..100_u32).step_by(2) {
                let slot = names.find(&format!("name {number}")).unwrap();
                assert_eq!(*names.at(slot), number);
                names.remove(slot);
            }
            for number in 0..100_u32 {
                assert_eq!(names.find(&format!("name {number}")).is_some(), number % 2 == 1);
            }
            assert_eq!(names.len(), 50);
        }
    }

    #[test]
    fn a_restored_table_finds_its_things_under_another_key_and_has_no_namesakes() {
        let mut names = Names::new(HashKey([0, 0]));
        for number in 0..10_u32 {
            names.insert(&format!("name {number}"), number);
        }
        names.remove(3);
        names.remove(7);
        let things = |names: &Names<u32>| {
            let things = names.iter().map(|(key, name, &value)| (key, Box::from(name), value));
            things.collect::<Vec<_>>()
        };
        let free: Vec<_> = names.free().collect();
        let mut restored = Names::restore(things(&names), &free, &[], HashKey([1, 2])).unwrap();
        assert_eq!(things(&restored), things(&names));
        for number in 0..10_u32 {
            let name = format!("name {number}");
            assert_eq!(restored.find(&name), names.find(&name));
        }
        let mut doubled = things(&names);
        let namesake = doubled[4].0;
        doubled[4].1 = Box::from("name 0");
        let refused = Names::restore(doubled, &free, &[], HashKey([1, 2])).map(drop);
        assert_eq!(refused, Err(Unrestorable::Namesake(namesake)));
        assert_eq!(restored.insert("new", 10), names.insert("new", 10));
        assert_eq!(restored.find("new"), Some(7));
    }
}
