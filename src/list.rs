//! A doubly linked list whose links lie in the listed things themselves: no allocation, O(1) at both ends and in the
//! middle.

/// No slot: tables have fewer than 2^32 slots.
const NONE: u32 = u32::MAX;

/// What a listed thing carries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Links {
    prev: u32,
    next: u32,
}

impl Links {
    pub(crate) const UNLINKED: Self = Self { prev: NONE, next: NONE };
}

/// A table whose things can be listed.
pub(crate) trait Linked {
    fn links(&self, slot: u32) -> Links;
    fn links_mut(&mut self, slot: u32) -> &mut Links;
}

/// The two ends of a list, in the order of appending.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List {
    head: u32,
    tail: u32,
}

impl List {
    pub(crate) const EMPTY: Self = Self { head: NONE, tail: NONE };

    pub(crate) fn first(self) -> Option<u32> {
        some(self.head)
    }

    pub(crate) fn push_back(&mut self, table: &mut impl Linked, slot: u32) {
        *table.links_mut(slot) = Links {
            prev: self.tail,
            next: NONE,
        };
        match some(self.tail) {
            Some(tail) => table.links_mut(tail).next = slot,
            None => self.head = slot,
        }
        self.tail = slot;
    }

    pub(crate) fn remove(&mut self, table: &mut impl Linked, slot: u32) {
        let Links { prev, next } = core::mem::replace(table.links_mut(slot), Links::UNLINKED);
        match some(prev) {
            Some(prev) => table.links_mut(prev).next = next,
            None => self.head = next,
        }
        match some(next) {
            Some(next) => table.links_mut(next).prev = prev,
            None => self.tail = prev,
        }
    }

    /// Who comes after a listed one, for walks that change the table on their way.
    pub(crate) fn after(table: &impl Linked, slot: u32) -> Option<u32> {
        some(table.links(slot).next)
    }

    pub(crate) fn iter<T: Linked>(self, table: &T) -> impl Iterator<Item = u32> {
        core::iter::successors(self.first(), |&slot| Self::after(table, slot))
    }
}

fn some(slot: u32) -> Option<u32> {
    (slot != NONE).then_some(slot)
}

impl List {
    /// Who is listed, if the links lead to the end and back the same way. `links` knows who can be listed at all.
    pub(crate) fn walk(self, links: impl Fn(u32) -> Option<Links>) -> Option<alloc::vec::Vec<u32>> {
        let mut listed = alloc::vec::Vec::new();
        let (mut prev, mut next) = (NONE, self.head);
        // A circle would come to somebody who has another one before them.
        while let Some(slot) = some(next) {
            let links = links(slot)?;
            if links.prev != prev {
                return None;
            }
            listed.push(slot);
            (prev, next) = (slot, links.next);
        }
        (self.tail == prev).then_some(listed)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;

    impl Linked for Vec<Links> {
        fn links(&self, slot: u32) -> Links {
            self[slot as usize]
        }

        fn links_mut(&mut self, slot: u32) -> &mut Links {
            &mut self[slot as usize]
        }
    }

    #[test]
    fn the_order_of_appending_survives_removal_at_both_ends_and_in_the_middle() {
        let mut table = vec![Links::UNLINKED; 5];
        let mut list = List::EMPTY;
        for slot in [3, 0, 4, 1, 2] {
            list.push_back(&mut table, slot);
        }
        for (gone, left) in [
            (4, vec![3, 0, 1, 2]),
            (3, vec![0, 1, 2]),
            (2, vec![0, 1]),
            (0, vec![1]),
            (1, vec![]),
        ] {
            list.remove(&mut table, gone);
            assert_eq!(list.iter(&table).collect::<Vec<_>>(), left);
            assert_eq!(list.first(), left.first().copied());
        }
        list.push_back(&mut table, 3);
        assert_eq!(list.iter(&table).collect::<Vec<_>>(), [3]);
    }
}
