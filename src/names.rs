//! Named things: each name is stored once, and found by a keyed hash because names come from strangers.

use alloc::boxed::Box;
#[cfg(any(test, feature = "testing"))]
use alloc::format;
use core::hash::Hasher;

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

use crate::id::Key;
#[cfg(any(test, feature = "testing"))]
use crate::invariant::{Invariant, Violation, ensure};
use crate::slots::Slots;

/// The key of every hash table. It decides how well a flood of chosen names is withstood, and nothing that anybody can
/// see.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HashKey(pub(crate) [u64; 2]);

impl HashKey {
    pub(crate) fn hash(self, bytes: &[u8]) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.0[0], self.0[1]);
        hasher.write(bytes);
        hasher.finish()
    }
}

#[derive(Clone, Debug)]
struct Named<T> {
    name: Box<str>,
    value: T,
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

#[cfg(any(test, feature = "testing"))]
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
}
