//! How many open connections there are from each source, and from which source each of them is.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use hashbrown::HashTable;
use slab::Slab;

use crate::invariant::{Invariant, Violation, ensure};
use crate::names::HashKey;
use crate::slots;
use crate::source::Source;

/// No entry: a table has fewer than 2^32 of them.
const NONE: u32 = u32::MAX;

/// A source with at least one open connection.
#[derive(Clone, Copy, Debug)]
struct Entry {
    source: Source,
    connections: u32,
}

/// All sources with an open connection. Entering, leaving and counting are O(1). A connection without a source is not
/// in here and takes no memory, as long as no later slot has one.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    entries: Slab<Entry>,
    /// Entries, hashed by source. Never iterated.
    by_source: HashTable<u32>,
    /// By slot of a connection, its entry.
    of: Vec<u32>,
    hash_key: HashKey,
}

impl Sources {
    pub(crate) const fn new(hash_key: HashKey) -> Self {
        Self {
            entries: Slab::new(),
            by_source: HashTable::new(),
            of: Vec::new(),
            hash_key,
        }
    }

    /// Counts a connection that is not counted yet. Returns how many there are from its source now.
    pub(crate) fn enter(&mut self, slot: u32, source: Source) -> u32 {
        let hash = self.hash_key.hash(source.as_bytes());
        let entry = self
            .find_hashed(hash, source)
            .unwrap_or_else(|| self.insert_hashed(hash, source));
        let of_slot = slots::entry(&mut self.of, slot, NONE);
        debug_assert_eq!(*of_slot, NONE, "a connection has one source");
        *of_slot = entry;
        let connections = &mut self.entries[entry as usize].connections;
        *connections += 1;
        *connections
    }

    /// Counts a connection no more, if it has a source.
    pub(crate) fn leave(&mut self, slot: u32) {
        let Some(entry) = self.entry_of(slot) else {
            return;
        };
        self.of[slot as usize] = NONE;
        let Entry { source, connections } = &mut self.entries[entry as usize];
        *connections -= 1;
        if *connections > 0 {
            return;
        }
        let hash = self.hash_key.hash(source.as_bytes());
        if let Ok(found) = self.by_source.find_entry(hash, |&found| found == entry) {
            found.remove();
        }
        self.entries.remove(entry as usize);
    }

    /// How many connections are from this source.
    pub(crate) fn count(&self, source: Source) -> u32 {
        let entry = self.find_hashed(self.hash_key.hash(source.as_bytes()), source);
        entry.map_or(0, |entry| self.entries[entry as usize].connections)
    }

    /// The source of a connection.
    pub(crate) fn of(&self, slot: u32) -> Option<Source> {
        self.entry_of(slot).map(|entry| self.entries[entry as usize].source)
    }

    fn entry_of(&self, slot: u32) -> Option<u32> {
        self.of.get(slot as usize).copied().filter(|&entry| entry != NONE)
    }

    fn find_hashed(&self, hash: u64, source: Source) -> Option<u32> {
        let is_it = |&entry: &u32| self.entries[entry as usize].source == source;
        self.by_source.find(hash, is_it).copied()
    }

    fn insert_hashed(&mut self, hash: u64, source: Source) -> u32 {
        let entry = slots::index(self.entries.insert(Entry { source, connections: 0 }));
        let Self {
            entries,
            by_source,
            hash_key,
            ..
        } = self;
        by_source.insert_unique(hash, entry, |&entry| {
            hash_key.hash(entries[entry as usize].source.as_bytes())
        });
        entry
    }
}

impl Sources {
    /// The sources, and how many connections there are from each.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Source, u32)> {
        self.entries.iter().map(|(_, entry)| (entry.source, entry.connections))
    }

    /// The connections that have a source.
    pub(crate) fn slots(&self) -> impl Iterator<Item = u32> {
        let slots = self.of.iter().enumerate().filter(|&(_, &entry)| entry != NONE);
        slots.map(|(slot, _)| slots::index(slot))
    }

    pub(crate) fn check(&self) -> Result<(), Violation> {
        let mut tally: BTreeMap<u32, u32> = BTreeMap::new();
        for &entry in self.of.iter().filter(|&&entry| entry != NONE) {
            *tally.entry(entry).or_default() += 1;
        }
        for (entry, &Entry { source, connections }) in &self.entries {
            let entry = slots::index(entry);
            let is_it = |&other: &u32| {
                let other = self.entries.get(other as usize);
                other.is_some_and(|other| other.source == source)
            };
            let found = self.by_source.find(self.hash_key.hash(source.as_bytes()), is_it);
            ensure(found == Some(&entry), Invariant::SourceTable, || {
                format!("{source} has entry {entry}, and {found:?} is found")
            })?;
            let theirs = tally.remove(&entry).unwrap_or_default();
            ensure(connections == theirs && theirs > 0, Invariant::SourceCount, || {
                format!("{connections} connections from {source} counted, {theirs} found")
            })?;
        }
        ensure(tally.is_empty(), Invariant::SourceCount, || {
            format!("connections from sources that are not there: {tally:?}")
        })?;
        let (found, kept) = (self.by_source.len(), self.entries.len());
        ensure(found == kept, Invariant::SourceTable, || {
            format!("{found} to be found, {kept} kept")
        })
    }
}

#[cfg(test)]
impl Sources {
    pub(crate) fn spoil_table(&mut self) {
        self.by_source.clear();
    }

    /// Another source lies where one was.
    pub(crate) fn spoil_names(&mut self) {
        let first = self.entries.iter_mut().next();
        first.unwrap().1.source = Source::from_bits(u128::MAX);
    }

    pub(crate) fn spoil_with_nobody(&mut self, source: Source) {
        self.insert_hashed(self.hash_key.hash(source.as_bytes()), source);
    }

    pub(crate) fn spoil_count(&mut self) {
        let first = self.entries.iter_mut().next();
        first.unwrap().1.connections += 1;
    }
}
