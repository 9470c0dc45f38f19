//! Who comes first: a binary heap of connection slots that knows where everybody is. By it the machine knows whom to look
//! at next, who expires next, whose backlog is the greatest, and whose turn it is in a drain.

use alloc::format;
use alloc::vec::Vec;
use core::fmt;

use crate::invariant::{Invariant, Violation, ensure};
use crate::slots;

/// Not in the heap.
const ABSENT: u32 = u32::MAX;

/// At most one key per connection slot, ordered by (key, slot): a total order, so that nothing depends on how the heap
/// came to its shape. Peek is O(1), set and remove are O(log n). Who never has a key takes no memory, as long as no later
/// slot has one.
#[derive(Clone, Debug)]
pub(crate) struct SlotHeap<K> {
    heap: Vec<(K, u32)>,
    /// By slot.
    positions: Vec<u32>,
}

impl<K: Copy + Ord> SlotHeap<K> {
    pub(crate) const fn new() -> Self {
        Self {
            heap: Vec::new(),
            positions: Vec::new(),
        }
    }

    pub(crate) fn peek(&self) -> Option<(K, u32)> {
        self.heap.first().copied()
    }

    /// The key of a slot. O(1).
    pub(crate) fn get(&self, slot: u32) -> Option<K> {
        self.position(slot).map(|position| self.heap[position].0)
    }

    /// Sets, moves or (with `None`) removes the key of a slot.
    pub(crate) fn set(&mut self, slot: u32, key: Option<K>) {
        let position = self.position(slot);
        match (position, key) {
            (None, None) => {}
            (None, Some(key)) => {
                slots::entry(&mut self.positions, slot, ABSENT);
                self.heap.push((key, slot));
                self.sift_up(self.heap.len() - 1);
            }
            (Some(position), Some(key)) => {
                self.heap[position].0 = key;
                self.settle(position);
            }
            (Some(position), None) => {
                self.positions[slot as usize] = ABSENT;
                self.heap.swap_remove(position);
                if position < self.heap.len() {
                    self.settle(position);
                }
            }
        }
    }

    fn position(&self, slot: u32) -> Option<usize> {
        self.positions
            .get(slot as usize)
            .filter(|&&position| position != ABSENT)
            .map(|&position| position as usize)
    }

    fn settle(&mut self, position: usize) {
        let position = self.sift_up(position);
        self.sift_down(position);
    }

    fn sift_up(&mut self, mut position: usize) -> usize {
        let moving = self.heap[position];
        while position > 0 {
            let parent = (position - 1) / 2;
            if self.heap[parent] <= moving {
                break;
            }
            self.place(position, self.heap[parent]);
            position = parent;
        }
        self.place(position, moving);
        position
    }

    fn sift_down(&mut self, mut position: usize) {
        let moving = self.heap[position];
        loop {
            let left = 2 * position + 1;
            let Some(mut least) = self.heap.get(left).map(|_| left) else {
                break;
            };
            if self.heap.get(left + 1).is_some_and(|right| *right < self.heap[left]) {
                least = left + 1;
            }
            if moving <= self.heap[least] {
                break;
            }
            self.place(position, self.heap[least]);
            position = least;
        }
        self.place(position, moving);
    }

    #[expect(clippy::cast_possible_truncation, reason = "one entry per slot, and a slot is a u32")]
    fn place(&mut self, position: usize, entry: (K, u32)) {
        self.heap[position] = entry;
        self.positions[entry.1 as usize] = position as u32;
    }
}

impl<K: Copy + Ord + fmt::Debug> SlotHeap<K> {
    /// Who has a key.
    pub(crate) fn slots(&self) -> impl Iterator<Item = u32> {
        self.heap.iter().map(|&(_, slot)| slot)
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    pub(crate) fn check(&self) -> Result<(), Violation> {
        for (position, entry) in self.heap.iter().enumerate() {
            let parent = position.checked_sub(1).map(|below| below / 2);
            let parent = parent.and_then(|parent| self.heap.get(parent));
            ensure(parent.is_none_or(|parent| parent < entry), Invariant::HeapOrder, || {
                format!("{entry:?} lies below {parent:?}")
            })?;
            let (_, slot) = *entry;
            let known = self.position(slot);
            ensure(known == Some(position), Invariant::HeapPositions, || {
                format!("slot {slot} is at {position} and known to be at {known:?}")
            })?;
        }
        let known = self.positions.iter().filter(|&&position| position != ABSENT).count();
        ensure(known == self.heap.len(), Invariant::HeapPositions, || {
            format!("{known} known to be there, {} there", self.heap.len())
        })
    }
}

#[cfg(test)]
impl<K> SlotHeap<K> {
    pub(crate) fn spoil_order(&mut self, last: K) {
        self.heap[0].0 = last;
    }

    pub(crate) fn spoil_position(&mut self) {
        self.positions.push(0);
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 256 }, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_least_key_is_on_top_and_equal_keys_come_in_the_order_of_slots(
            steps in prop::collection::vec((0_u32..24, prop::option::weighted(0.7, 0_u64..12)), 0..300),
        ) {
            let mut heap = SlotHeap::new();
            let mut model = BTreeMap::new();
            for (slot, key) in steps {
                heap.set(slot, key);
                match key {
                    Some(key) => model.insert(slot, key),
                    None => model.remove(&slot),
                };
                let expected = model.iter().map(|(&slot, &key)| (key, slot)).min();
                prop_assert_eq!(heap.peek(), expected);
                prop_assert_eq!(heap.len(), model.len());
                prop_assert!((0..24).all(|slot| heap.get(slot) == model.get(&slot).copied()));
            }
        }
    }
}
