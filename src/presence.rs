//! Who is in which lobby, however many connections they have there.

use alloc::format;
use hashbrown::HashTable;
use slab::Slab;

use crate::invariant::{Invariant, Violation, ensure};
use crate::list::{Linked, Links, List};
use crate::names::HashKey;
use crate::slots;

/// A user in a lobby.
#[derive(Clone, Debug)]
pub(crate) struct Presence {
    pub(crate) lobby: u32,
    pub(crate) user: u32,
    pub(crate) connections: u32,
    /// Of the lobby's list of users.
    links: Links,
}

/// All users in all lobbies. Entering and leaving are O(1).
#[derive(Clone, Debug)]
pub(crate) struct Presences {
    entries: Slab<Presence>,
    /// Entries, hashed by lobby and user. Never iterated.
    by_pair: HashTable<u32>,
    hash_key: HashKey,
}

impl Presences {
    pub(crate) const fn new(hash_key: HashKey) -> Self {
        Self {
            entries: Slab::new(),
            by_pair: HashTable::new(),
            hash_key,
        }
    }

    /// Counts one more connection of the user in the lobby. Returns the entry, and whether it is the first connection.
    pub(crate) fn enter(&mut self, lobby: u32, user: u32, users: &mut List) -> (u32, bool) {
        let hash = hash_pair(self.hash_key, lobby, user);
        let found = self.find_hashed(hash, lobby, user);
        let entry = found.unwrap_or_else(|| self.insert_hashed(hash, lobby, user, users));
        self.count(entry);
        (entry, found.is_none())
    }

    pub(crate) fn find(&self, lobby: u32, user: u32) -> Option<u32> {
        self.find_hashed(hash_pair(self.hash_key, lobby, user), lobby, user)
    }

    fn find_hashed(&self, hash: u64, lobby: u32, user: u32) -> Option<u32> {
        let is_theirs = |&entry: &u32| {
            let presence = self.at(entry);
            presence.lobby == lobby && presence.user == user
        };
        self.by_pair.find(hash, is_theirs).copied()
    }

    /// Counts one more connection.
    pub(crate) fn count(&mut self, entry: u32) {
        self.entries[entry as usize].connections += 1;
    }

    /// Makes room for a user in a lobby where they have no entry yet, at the end of its list. Their connections are
    /// still to be counted.
    pub(crate) fn insert(&mut self, lobby: u32, user: u32, users: &mut List) -> u32 {
        self.insert_hashed(hash_pair(self.hash_key, lobby, user), lobby, user, users)
    }

    fn insert_hashed(&mut self, hash: u64, lobby: u32, user: u32, users: &mut List) -> u32 {
        let presence = Presence {
            lobby,
            user,
            connections: 0,
            links: Links::UNLINKED,
        };
        let entry = slots::index(self.entries.insert(presence));
        let Self {
            entries,
            by_pair,
            hash_key,
        } = self;
        by_pair.insert_unique(hash, entry, |&entry| {
            let presence = &entries[entry as usize];
            hash_pair(*hash_key, presence.lobby, presence.user)
        });
        users.push_back(self, entry);
        entry
    }

    /// Counts one connection less. True if it was the user's last in the lobby.
    pub(crate) fn leave(&mut self, entry: u32, users: &mut List) -> bool {
        let presence = &mut self.entries[entry as usize];
        presence.connections -= 1;
        if presence.connections > 0 {
            return false;
        }
        let hash = hash_pair(self.hash_key, presence.lobby, presence.user);
        if let Ok(found) = self.by_pair.find_entry(hash, |&found| found == entry) {
            found.remove();
        }
        users.remove(self, entry);
        self.entries.remove(entry as usize);
        true
    }

    pub(crate) fn at(&self, entry: u32) -> &Presence {
        &self.entries[entry as usize]
    }
}

fn hash_pair(hash_key: HashKey, lobby: u32, user: u32) -> u64 {
    hash_key.hash(&((u64::from(lobby) << 32) | u64::from(user)).to_le_bytes())
}

impl Linked for Presences {
    fn links(&self, slot: u32) -> Links {
        self.entries[slot as usize].links
    }

    fn links_mut(&mut self, slot: u32) -> &mut Links {
        &mut self.entries[slot as usize].links
    }
}

impl Presences {
    /// An entry, its lobby, its user and its number of connections.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, u32, u32, u32)> {
        self.entries.iter().map(|(entry, presence)| {
            let Presence {
                lobby,
                user,
                connections,
                ..
            } = *presence;
            (slots::index(entry), lobby, user, connections)
        })
    }

    /// The links of an entry, if there is one.
    pub(crate) fn links_of(&self, entry: u32) -> Option<Links> {
        self.entries.get(entry as usize).map(|presence| presence.links)
    }

    pub(crate) fn check(&self) -> Result<(), Violation> {
        for (entry, lobby, user, _) in self.iter() {
            let is_it = |&other: &u32| {
                let other = self.entries.get(other as usize);
                other.is_some_and(|other| (other.lobby, other.user) == (lobby, user))
            };
            let found = self.by_pair.find(hash_pair(self.hash_key, lobby, user), is_it).copied();
            ensure(found == Some(entry), Invariant::PresenceTable, || {
                format!("lobby {lobby} and user {user} have entry {entry}, and {found:?} is found")
            })?;
        }
        let (found, kept) = (self.by_pair.len(), self.entries.len());
        ensure(found == kept, Invariant::PresenceTable, || {
            format!("{found} to be found, {kept} kept")
        })
    }
}

#[cfg(test)]
impl Presences {
    pub(crate) fn spoil_count(&mut self, entry: u32) {
        self.entries[entry as usize].connections += 1;
    }

    pub(crate) fn spoil_table(&mut self) {
        self.by_pair.clear();
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn only_the_first_and_the_last_connection_of_a_user_matter_and_users_stay_in_order() {
        let mut presences = Presences::new(HashKey([7, 7]));
        let mut users = List::EMPTY;
        let (ann, first) = presences.enter(1, 10, &mut users);
        assert!(first);
        assert_eq!(presences.enter(1, 10, &mut users), (ann, false));
        let (bob, _) = presences.enter(1, 11, &mut users);
        let (_, elsewhere) = presences.enter(2, 10, &mut List::EMPTY.clone());
        assert!(elsewhere);
        let order = |presences: &Presences, users: List| {
            users
                .iter(presences)
                .map(|entry| presences.at(entry).user)
                .collect::<Vec<_>>()
        };
        assert_eq!(order(&presences, users), [10, 11]);
        assert!(!presences.leave(ann, &mut users));
        assert!(presences.leave(ann, &mut users));
        assert_eq!(order(&presences, users), [11]);
        assert!(presences.leave(bob, &mut users));
        assert_eq!(users.first(), None);
    }
}
